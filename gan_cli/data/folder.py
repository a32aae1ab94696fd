"""Any folder tree or zip of pictures."""

from __future__ import annotations

import io
import logging
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from gan_cli.data.cache import cached_pictures
from gan_cli.data.images import ImageDataset
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageDataset):
    """Pictures below ``path``, in the order of their names; folders at the first level are the classes."""

    path: str
    root: str

    @cached_property
    def source(self) -> Path:
        source = Path(self.path).expanduser()
        if source.is_dir() or zipfile.is_zipfile(source):
            return source
        what = "is neither a folder nor a zip file" if source.exists() else "does not exist"
        raise UserError(f"dataset.path={self.path}: {what}: give a folder or .zip of pictures")

    @cached_property
    def files(self) -> list[tuple[str, int, int]]:
        """Name, size in bytes and time stamp of each picture file of the split."""
        if self.source.is_dir():
            found = [
                (path.relative_to(self.source).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
                for path in self.source.rglob("*")
                if path.is_file()
            ]
        else:
            with zipfile.ZipFile(self.source) as archive:
                found = [(entry.filename, entry.file_size, entry.CRC) for entry in archive.infolist()]
        endings = tuple(Image.registered_extensions())
        pictures = sorted(
            file
            for file in found
            if file[0].lower().endswith(endings) and not any(part[0] in "._" for part in PurePosixPath(file[0]).parts)
        )
        if not pictures:
            raise UserError(
                f"dataset.path={self.path}: holds no pictures among its {len(found)} files: {_endings(endings)}"
            )
        if self.split != "all":
            pictures = [f for i, f in enumerate(pictures) if (i % 10 == 9) == (self.split == "test")]
            if not pictures:
                raise UserError(f"dataset.split={self.split}: holds no picture: use dataset.split=all")
        return pictures[: self.limit or None]

    @cached_property
    def class_names(self) -> list[str]:
        """First-level folders, if every picture lies in one and there are at least two."""
        parents = {PurePosixPath(name).parts[0] if "/" in name else "" for name, _, _ in self.files}
        return sorted(parents) if len(parents) > 1 and "" not in parents else []

    @property
    def classes(self) -> int:  # type: ignore[override]
        return len(self.class_names)

    def load(self) -> Samples:
        names = [name for name, _, _ in self.files]
        identity: list[Any] = [str(self.source.resolve()), self.files, self.size, self.channels]
        archive = None if self.source.is_dir() else zipfile.ZipFile(self.source)

        def picture(index: int) -> Image.Image:
            if archive is None:
                return Image.open(self.source / names[index])
            return Image.open(io.BytesIO(archive.read(names[index])))

        try:
            cached = cached_pictures(Path(self.root), identity, len(names), picture, self.size, self.channels)
        finally:
            if archive is not None:
                archive.close()
        if not len(cached.values):
            raise UserError(
                f"dataset.path={self.path}: none of its {len(names)} pictures can be read, e.g. {names[0]}: give others"
            )
        if cached.unreadable:
            shown = ", ".join(names[index] for index in cached.unreadable[:5])
            more = f" and {len(cached.unreadable) - 5} more" if len(cached.unreadable) > 5 else ""
            log.warning("%d of %d pictures cannot be read: %s%s", len(cached.unreadable), len(names), shown, more)
        labels = None
        if self.class_names:
            number = {name: i for i, name in enumerate(self.class_names)}
            every = np.array([number[PurePosixPath(name).parts[0]] for name in names], np.int64)
            labels = np.delete(every, cached.unreadable)
        return Samples(cached.values, labels)


def _endings(known: tuple[str, ...]) -> str:
    return f"files such as {', '.join(e for e in ('.png', '.jpg', '.webp', '.bmp', '.tif') if e in known)} are read"
