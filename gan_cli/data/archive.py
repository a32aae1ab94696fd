"""A zip of pictures, which may be damaged, locked, or made to unpack to more than there is room for."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Collection
from pathlib import Path

from gan_cli.data.opening import BYTES, TooLarge
from gan_cli.errors import UserError, reason_of

READ_HERE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
OTHERS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
FACTOR = (
    100  # from here on what unpacks is a bomb: a member of more than ``ANY_MEMBER``, or all of more than ``ANY_ZIP``
)
ANY_MEMBER, ANY_ZIP = 2**24, 2**30
MEMBERS = 2_000_000  # each takes half a kilobyte of memory before its name is known
ENTRY, TAIL, TAIL64 = 46, b"PK\5\6", b"PK\6\6"  # bytes of a member in the directory at least; what ends it, and marks


def opened(path: Path) -> zipfile.ZipFile:
    """The zip of ``dataset.path``.

    Raises:
        UserError: if its directory cannot be read, or is absurdly long.
    """
    try:
        if (members := _length_of_directory(path) // ENTRY) > MEMBERS:
            raise UserError(
                f"dataset.path={path}: has room for {members:,} members, more than {MEMBERS:,}: give the folder"
            )
        return zipfile.ZipFile(path)
    except UserError:
        raise
    except Exception as error:  # a damaged directory makes zipfile raise anything
        raise UserError(
            f"dataset.path={path}: cannot be read as a zip ({reason_of(error)}): pack it again, or give the folder"
        ) from error


def _length_of_directory(path: Path) -> int:
    """Bytes of the list of members, which zipfile reads whole: as the zip says, and no more than it has."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2**16 - 98))  # the longest comment, and both ends
        tail = file.read()
    at, at64 = tail.rfind(TAIL), tail.rfind(TAIL64)
    said = struct.unpack_from("<I", tail, at + 12)[0] if 0 <= at <= len(tail) - 22 else 0
    if said == 2**32 - 1 and 0 <= at64 <= len(tail) - 56:
        said = struct.unpack_from("<Q", tail, at64 + 40)[0]
    return min(said, size)


def is_torn(path: Path) -> bool:
    """Whether a file begins like a zip and does not end like one."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4" and not zipfile.is_zipfile(path)


def read(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> io.BytesIO:
    """What is in a member.

    Raises:
        TooLarge: if it is a bomb; nothing is unpacked then.
        Exception: whatever zipfile raises for a damaged or locked one.
    """
    if reason := _bomb(member):
        raise TooLarge(reason)
    return io.BytesIO(packed.read(member))


def require_readable(path: str, size: int, members: Collection[zipfile.ZipInfo]) -> None:
    """Refuses a zip of which no member can be read, or that is a bomb as a whole.

    Args:
        size: of the zip, in bytes.

    Raises:
        UserError: if all members need a password, are compressed in another way than is known here or are bombs; or if
            those that can be read unpack to more than a zip of this size holds.
    """
    reasons = {_lock(member) for member in members}
    if reasons and None not in reasons:
        raise UserError(
            f"dataset.path={path}: none of its pictures can be read ({', '.join(sorted(filter(None, reasons)))}): "
            "pack it again, or give the folder"
        )
    total = sum(member.file_size for member in members if _lock(member) is None)
    if total > max(ANY_ZIP, FACTOR * size):
        raise UserError(
            f"dataset.path={path}: its pictures would unpack to {total:,} bytes, more than {FACTOR} times its "
            f"{size:,}: pack it again, or give the folder"
        )


def _lock(member: zipfile.ZipInfo) -> str | None:
    if member.flag_bits & 1:
        return "they need a password"
    if member.compress_type not in READ_HERE:
        return f"they are compressed by {OTHERS.get(member.compress_type, f'method {member.compress_type}')}"
    return "they would unpack to absurd sizes" if _bomb(member) else None


def _bomb(member: zipfile.ZipInfo) -> str | None:
    size, packed = member.file_size, member.compress_size
    if size > BYTES:
        return f"would unpack to {size:,} bytes, and a picture of more than {BYTES:,} is not read"
    if size > max(ANY_MEMBER, FACTOR * packed):
        return f"would unpack to {size:,} bytes, more than {FACTOR} times its {packed:,}"
    return None
