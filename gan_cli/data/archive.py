"""A zip of pictures, which may be damaged or locked."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from gan_cli.errors import UserError, reason_of

READ_HERE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
OTHERS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}


def opened(path: Path) -> zipfile.ZipFile:
    """The zip of ``dataset.path``.

    Raises:
        UserError: if its directory cannot be read.
    """
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # a damaged directory makes zipfile raise anything
        raise UserError(
            f"dataset.path={path}: cannot be read as a zip ({reason_of(error)}): pack it again, or give the folder"
        ) from error


def is_torn(path: Path) -> bool:
    """Whether a file begins like a zip and does not end like one."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4" and not zipfile.is_zipfile(path)


def require_readable(path: str, members: Iterable[zipfile.ZipInfo]) -> None:
    """Refuses a zip of which no member can be read.

    Raises:
        UserError: if all need a password, or are compressed in another way than is known here.
    """
    reasons = {_lock(member) for member in members}
    if reasons and None not in reasons:
        raise UserError(
            f"dataset.path={path}: none of its pictures can be read ({', '.join(sorted(filter(None, reasons)))}): "
            "pack it again, or give the folder"
        )


def _lock(member: zipfile.ZipInfo) -> str | None:
    if member.flag_bits & 1:
        return "they need a password"
    if member.compress_type not in READ_HERE:
        return f"they are compressed by {OTHERS.get(member.compress_type, f'method {member.compress_type}')}"
    return None
