"""torch's files, sealed: they end in a checksum of every byte before it, so that no altered byte is ever loaded.

torch writes a zip, whose members it reads back without looking at their checksums. The seal is the comment that a zip
may end in: whatever reads torch's files reads these too, and ``head -c -SEAL file | sha256sum`` says the same as the
seal but for the two bytes of the comment's length, which count as 0.

A file without a seal, as older versions and ``torch.save`` itself write it, ends in a comment of length 0 and is held
against the CRC-32 of its members. What ends in anything else is damaged: no single altered byte turns one kind into
the other.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch
from torch import Tensor

from gan_cli.memory import shortage

MARK = b"gan-train: sha256 of the file before this comment: "
SEAL = len(MARK) + 64
END, COMMENT_LENGTH = b"PK\5\6", 2  # of a zip: 22 bytes, the last two of them the length of the comment
TAIL = 22
FOLDER = 0x10  # an attribute of a member
FLAGS = 0x808  # lengths after the data, names in UTF-8
DEEPEST, LARGEST, LONGEST = 24, 1_000_000, 100_000  # levels and entries of what is read; characters of a text
NUMBERS = 10_000_000  # in lists of them alone, as of the columns of a wide table
BLOCK = 2**20


class Damaged(ValueError):
    """A file is not what was written, or was never written by this program."""


class _Hashing:
    """A file that hashes what goes through it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


@contextmanager
def sealing(file: BinaryIO) -> Iterator[IO[bytes]]:
    """A file for ``torch.save``; after what it writes comes the seal."""
    hashing = _Hashing(file)
    yield cast(IO[bytes], hashing)
    file.seek(-COMMENT_LENGTH, os.SEEK_END)
    file.write(SEAL.to_bytes(COMMENT_LENGTH, "little") + MARK + hashing.digest.hexdigest().encode())


def read(path: Path) -> Any:
    """Reads what ``torch.save`` wrote, sealed or not, on the CPU: plain values and tensors, never code.

    Raises:
        Damaged: if a byte is not what was written, or what is in it is not plain.
        OSError: if there is no such file, or it cannot be read.
    """
    with path.open("rb") as file:
        _verify(file)
        file.seek(0)
        try:
            found = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # half a dozen kinds
            if shortage(error) is not None:
                raise
            raise Damaged("more than plain values and tensors, or no file of torch's") from error
    return plain(found)


def plain(node: object) -> Any:
    """The same in plain containers of its own; what else there was about them, such as attributes, is gone.

    Raises:
        Damaged: if it holds more than plain values and tensors, or more of them than are read.
    """
    return _plain(node, [LARGEST, NUMBERS], DEEPEST)


def _verify(file: BinaryIO) -> None:
    """Holds a file against its seal, or without one against the checksums of its members."""
    size = file.seek(0, os.SEEK_END)
    if size >= TAIL + SEAL and _ending(file, size - SEAL, SEAL):
        file.seek(size - SEAL)
        seal, wanted = file.read(SEAL), _digest(file, size - SEAL)
        if seal != MARK + wanted.encode():
            raise Damaged("altered: not what its checksum says was written")
        sealed = True
    elif size < TAIL or not _ending(file, size, 0):
        raise Damaged("torn or altered, or not from gan-train")
    else:
        sealed = False
    _verify_members(file, size, sealed)


def _ending(file: BinaryIO, end: int, comment: int) -> bool:
    """Whether a zip's end lies before ``end``, and says that a comment of such a length follows."""
    file.seek(end - TAIL)
    tail = file.read(TAIL)
    return tail.startswith(END) and tail[-COMMENT_LENGTH:] == comment.to_bytes(COMMENT_LENGTH, "little")


def _digest(file: BinaryIO, length: int) -> str:
    digest, left, buffer = hashlib.sha256(), length - COMMENT_LENGTH, memoryview(bytearray(BLOCK))
    file.seek(0)
    while left:
        count = file.readinto(buffer[: min(left, BLOCK)])  # type: ignore[attr-defined]
        if not count:
            raise Damaged("it has become shorter")
        digest.update(buffer[:count])
        left -= count
    digest.update(bytes(COMMENT_LENGTH))
    return digest.hexdigest()


def _verify_members(file: BinaryIO, size: int, sealed: bool) -> None:
    """Whether a zip is as torch writes it: each member stored as it is, in a place of its own.

    Of a file without a seal the members are read, too, and held against their checksums.
    """
    try:
        with zipfile.ZipFile(file) as members:
            every = members.infolist()
            if any(m.compress_type or m.compress_size != m.file_size or m.flag_bits & ~FLAGS for m in every):
                raise Damaged("not as torch writes it: a member is compressed")
            if any(m.external_attr & FOLDER for m in every):  # torch would read whatever lies in memory
                raise Damaged("altered: a member is no file")
            if len({m.filename for m in every}) < len(every) or sum(m.file_size for m in every) > size:
                raise Damaged("not as torch writes it: members share their data")
            if not sealed and (altered := members.testzip()):
                raise Damaged(f"altered: {altered} is not what its checksum says was written")
    except Damaged:
        raise
    except Exception as error:  # a damaged directory makes zipfile raise anything
        raise Damaged("torn or altered, or not from gan-train") from error


def _plain(node: object, left: list[int], depth: int) -> Any:
    """Part of ``plain``; ``left`` are the entries and the numbers in lists that there may still be."""
    left[0] -= 1
    if depth < 0 or left[0] < 0:
        raise Damaged(f"nested deeper than {DEEPEST} levels" if depth < 0 else f"more than {LARGEST:,} values")
    if isinstance(node, dict):
        if bad := next((key for key in node if not isinstance(key, str | int) or not _is_plain(key)), None):
            raise Damaged(f"{type(bad).__name__}: no key of a checkpoint")
        return {key: _plain(value, left, depth - 1) for key, value in node.items()}
    if isinstance(node, list | tuple):
        if node and set(map(type, node)) == {float}:
            left[1] -= len(node)
            if left[1] < 0:
                raise Damaged(f"more than {NUMBERS:,} numbers in lists")
            return list(node) if isinstance(node, list) else tuple(node)
        made = [_plain(value, left, depth - 1) for value in node]
        return made if isinstance(node, list) else tuple(made)
    if isinstance(node, Tensor) and node.layout is torch.strided and node.device.type != "meta":
        return node.detach()
    if _is_plain(node):
        return node
    raise Damaged(f"{type(node).__name__}: no value of a checkpoint")


def _is_plain(value: object) -> bool:
    if type(value) is int:
        return abs(value) < 2**64
    if isinstance(value, str | bytes):
        return len(value) <= LONGEST
    return value is None or type(value) in (bool, float)
