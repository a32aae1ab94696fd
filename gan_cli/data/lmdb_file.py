"""Reads LMDB files, the published form of LSUN.

The library of that name maps a file into memory and believes what it says: a torn one ends the process. Here every
number is looked at before it is followed. The layout is that of ``mdb.c``, on 64-bit machines with the low byte first.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from gan_cli.data.opening import BYTES, TooLarge
from gan_cli.data.published import Damaged

MAGIC, HEAD = 0xBEEFC0DE, 16  # of the two first pages; bytes before what a page holds
BRANCH, LEAF, OVERFLOW, META = 1, 2, 4, 8
ELSEWHERE = 1  # flag of an entry whose value has pages of its own
# magic, version, address, room; of the free pages only the page size; of the entries padding, flags, depth, pages of
# three kinds, their number and their root; then the last page, and the number of the change
STATE = struct.Struct("<IIQQI44xIHHQQQQQQQ")
NODE = struct.Struct("<HHHH")
NO_PAGE = 2**64 - 1


class LmdbFile:
    """The values of ``data.mdb`` in the order of their keys.

    Raises:
        Damaged: if the file is torn or altered where it says what is where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._lock = path.open("rb"), Lock()
        try:
            self._size = self._file.seek(0, os.SEEK_END)
            self._places = list(self._found())
        except BaseException:
            self._file.close()
            raise

    def __reduce__(self) -> tuple[type[LmdbFile], tuple[Path]]:
        return LmdbFile, (self.path,)

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        self._file.close()

    def value(self, index: int) -> bytes:
        offset, length = self._places[index]
        if length > BYTES:
            raise TooLarge(f"{length:,} bytes, and a picture of more than {BYTES:,} is not read")
        return self._read(offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        if offset + length > self._size:
            raise Damaged(self.path, f"ends after {self._size:,} bytes, before what it says is there")
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(length)
        if len(data) < length:
            raise Damaged(self.path, "is shorter than it was")
        return data

    def _found(self) -> Iterator[tuple[int, int]]:
        """Where each value lies: offset and length."""
        page_size, last, entries, root = self._meta()
        if self._size < (last + 1) * page_size:
            raise Damaged(self.path, f"ends after {self._size:,} of {(last + 1) * page_size:,} bytes")
        waiting, seen, count = [root] if root != NO_PAGE else [], set(), 0
        while waiting:
            number = waiting.pop()
            if number in seen or not 2 <= number <= last:
                raise Damaged(self.path, f"leads to page {number} of {last + 1}, which it cannot")
            seen.add(number)
            page = self._read(number * page_size, page_size)
            said, _, flags, lower, _ = struct.unpack_from("<QHHHH", page)
            if said != number or flags & (BRANCH | LEAF | OVERFLOW | META) not in (BRANCH, LEAF):
                raise Damaged(self.path, f"holds something else where page {number} was")
            nodes = list(self._nodes(page, lower))
            if flags & BRANCH:
                waiting += [low | high << 16 | upper << 32 for _, low, high, upper, _ in reversed(nodes)]
                continue
            for at, low, high, marks, key in nodes:
                count += 1
                yield self._value(number * page_size, page, at + NODE.size + key, low | high << 16, marks, last)
        if count != entries:
            raise Damaged(self.path, f"holds {count:,} pictures and says {entries:,}")

    def _meta(self) -> tuple[int, int, int, int]:
        """Page size, last page, number of entries and root, as the last change left them."""
        magic, version, _, _, page_size, *_ = STATE.unpack(self._read(HEAD, STATE.size))
        if (magic, version) != (MAGIC, 1) or page_size not in (2**n for n in range(9, 17)):
            raise Damaged(self.path, "is no LMDB file")
        states = []
        for start in (0, page_size):
            magic, version, *_, flags, _, _, _, _, entries, root, last, change = STATE.unpack(
                self._read(start + HEAD, STATE.size)
            )
            if (magic, version, flags) != (MAGIC, 1, 0):
                raise Damaged(self.path, "is no LMDB file of pictures")
            states.append((change, page_size, last, entries, root))
        return max(states)[1:]

    def _nodes(self, page: bytes, lower: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Where each entry of a page begins, and the four numbers of its head."""
        if not HEAD <= lower <= len(page):
            raise Damaged(self.path, "holds a page without an end")
        for at in struct.unpack_from(f"<{(lower - HEAD) // 2}H", page, HEAD):
            if not lower <= at <= len(page) - NODE.size:
                raise Damaged(self.path, "holds an entry outside its page")
            yield at, *NODE.unpack_from(page, at)

    def _value(self, start: int, page: bytes, at: int, length: int, marks: int, last: int) -> tuple[int, int]:
        if marks & ~ELSEWHERE or at + (8 if marks else length) > len(page):
            raise Damaged(self.path, "holds an entry that is no picture")
        if not marks:
            return start + at, length
        number = struct.unpack_from("<Q", page, at)[0]
        offset = number * len(page)
        if not 2 <= number <= last or offset + HEAD + length > self._size:
            raise Damaged(self.path, "holds an entry whose value is outside of it")
        said, _, flags = struct.unpack("<QHH", self._read(offset, 12))
        if said != number or not flags & OVERFLOW:
            raise Damaged(self.path, f"holds something else where page {number} was")
        return offset + HEAD, length
