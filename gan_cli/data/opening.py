"""Opens picture files that anyone may have made: of the kinds that are meant to be read, and none that is a bomb."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Condition

from PIL import Image

# No other decoder is ever asked. Left out are those that start a program (EPS, and WMF on Windows), that open what they
# hold by other decoders (IPTC), that have no bound (FITS, DDS), and what nobody trains on.
KINDS = (
    *("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JPEG2000"),
    *("PPM", "QOI", "ICO", "ICNS", "PSD", "PCX", "SGI", "TGA"),  # TGA is last: it has no mark to know it by
)
NOT_READ = "no kind of picture that is read here"
BYTES = 2**29  # of a file; some decoders read all of it before anything else
PIXELS = 178_956_970  # of a picture, as Pillow has it
SIDE = 65_535
ANY_FILE = 2**25  # pixels that may be in a file of any size; of more, each byte of it may hold but `DENSE`
DENSE = 100


HEIF_IN_NAMES: list[str] = []  # the version of the plugin, once a folder has had a file that is called so


class TooLarge(ValueError):
    """A picture that would take more memory than is given to one."""


def heif() -> str | None:
    """The version of Pillow's plugin for HEIF, which is registered by then; None where it is not installed."""
    try:
        import pillow_heif
    except ImportError:
        return None
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener()
    return str(pillow_heif.__version__)


def kinds() -> tuple[str, ...]:
    """The kinds that are read by the Pillow that is here, as it calls them."""
    Image.init()
    return tuple(kind for kind in KINDS if kind in Image.OPEN)


def opened(file: Path | BytesIO) -> Image.Image:
    """A picture, with its size known and no pixel decoded.

    Raises:
        TooLarge: if decoding it would take too much memory.
        UnidentifiedImageError: if it is of no kind that is read.
        Exception: whatever the decoder raises for a damaged file.
    """
    size = file.getbuffer().nbytes if isinstance(file, BytesIO) else file.stat().st_size
    if size > BYTES:
        raise TooLarge(f"{size:,} bytes, and a picture of more than {BYTES:,} is not read")
    head = _read(file, 8)
    if head[4:] == b"ftyp":  # perhaps HEIF, whatever the file is called
        heif()
    for width, height in _in_icon(file, head[:4]):  # which Pillow decodes as it opens it
        _require_bounded(width, height, size)
    image = Image.open(file, formats=kinds())
    try:
        _require_bounded(*image.size, size)
    except TooLarge:
        image.close()
        raise
    return image


def _require_bounded(width: int, height: int, size: int) -> None:
    pixels = width * height
    if pixels > PIXELS or max(width, height) > SIDE:
        raise TooLarge(f"{width:,} × {height:,} pixels, and more than {PIXELS:,}, or {SIDE:,} in a row, are not read")
    if pixels > max(ANY_FILE, DENSE * size):
        raise TooLarge(
            f"{width:,} × {height:,} pixels in {size:,} bytes, and of more than {ANY_FILE:,} pixels "
            f"a byte may hold no more than {DENSE}"
        )


def _in_icon(file: Path | BytesIO, head: bytes) -> Iterator[tuple[int, int]]:
    """Width and height of the pictures that an icon holds, whatever it says itself."""
    data = _read(file, -1)[4:] if head in (b"\0\0\1\0", b"\0\0\2\0", b"icns") else b""
    for mark, skipped in ((b"\x89PNG\r\n\x1a\n", 16), (b"\xff\x4f\xff\x51", 8)):  # to the sizes in IHDR and in SIZ
        at = data.find(mark)
        while at >= 0:
            if len(data) >= at + skipped + 8:
                yield struct.unpack_from(">II", data, at + skipped)
            at = data.find(mark, at + 1)


def _read(file: Path | BytesIO, size: int) -> bytes:
    """The first bytes; all of them for −1."""
    if isinstance(file, BytesIO):
        return file.getvalue() if size < 0 else bytes(file.getbuffer()[:size])
    with file.open("rb") as stream:
        return stream.read(size)


class NoRoom(Exception):
    """A picture that is too large for one of several processes that decode at a time."""


class Room:
    """Lets as many threads decode at a time as there is room for their pixels; a picture larger than that, alone."""

    def __init__(self, pixels: int) -> None:
        self._pixels = self._free = pixels
        self._left = Condition()
        self._shared = False

    def share(self, processes: int) -> None:
        """Leaves this process its share of the room; a picture that is larger is for the one that started it."""
        self._pixels = self._free = self._pixels // processes
        self._shared = True

    @contextmanager
    def of(self, image: Image.Image) -> Iterator[None]:
        """Waits for the pixels of an opened picture, after its ``draft``.

        Raises:
            NoRoom: if this process has but a share, and they are more.
        """
        if self._shared and image.width * image.height > self._pixels:
            raise NoRoom
        needed = min(self._pixels, image.width * image.height)
        with self._left:
            self._left.wait_for(lambda: self._free >= needed)
            self._free -= needed
        try:
            yield
        finally:
            with self._left:
                self._free += needed
                self._left.notify_all()


ROOM = Room(2**26)
