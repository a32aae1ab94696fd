"""What opens the pictures of a source, in this process or in another that it is sent to. Torch-free."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from gan_cli.data import archive
from gan_cli.data.lmdb_file import LmdbFile
from gan_cli.data.opening import ROOM, opened


class InFolder:
    """Opens the picture of a name below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Image.Image:
        return opened(self.folder / name)

    def close(self) -> None:
        """Nothing is held open."""


class InZip:
    """Opens the picture that a member of a zip holds; another process opens the zip itself."""

    def __init__(self, path: Path) -> None:
        self.path, self._packed = path, archive.opened(path)

    def __call__(self, member: zipfile.ZipInfo) -> Image.Image:
        return opened(archive.read(self._packed, member))

    def __reduce__(self) -> tuple[type[InZip], tuple[Path]]:
        return InZip, (self.path,)

    def close(self) -> None:
        self._packed.close()


class InLmdb:
    """Opens the picture that is a value of an LMDB file; another process opens the file itself."""

    def __init__(self, file: LmdbFile) -> None:
        self.file = file

    def __call__(self, index: int) -> Image.Image:
        with opened(BytesIO(self.file.value(index))) as image, ROOM.of(image):
            return image.convert("RGB")


def not_opened(item: object) -> Image.Image:
    """For a source of which only the name is asked."""
    raise AssertionError("a picture is opened that was only to be named")
