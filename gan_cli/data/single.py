"""Some pictures, decoded as those of a dataset are: for a trained model that is asked about them."""

from __future__ import annotations

import glob
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_cli.config.paths import expanded
from gan_cli.data import archive
from gan_cli.data.cache import decoded_now
from gan_cli.data.canvas import Canvas
from gan_cli.data.colours import colour_of
from gan_cli.data.decoding import PictureSource
from gan_cli.data.finding import listed
from gan_cli.data.openers import InFolder, InZip
from gan_cli.data.opening import opened
from gan_cli.data.presenting import Presentation
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError, reason_of
from gan_cli.output.text import printable

PART = "asked"  # of the draws that binarise pictures


@dataclass(frozen=True)
class Asked:
    """Pictures as a run stores them, binarised if that is done once.

    Attributes:
        names: of those that can be read.
        values: (N, C, H, W), uint8, or float32 at full depth.
        notes: a line about what is left out, and about what was guessed, if anything.
    """

    names: list[str]
    values: np.ndarray
    notes: list[str]


def pictures_at(typed: str, key: str, shape: tuple[int, ...], dataset: Mapping[str, object], most: int) -> Asked:
    """The pictures that ``key=typed`` names: a file, a folder, a zip, or a pattern such as ``photos/*.jpg``.

    An array in a ``.npy`` file holds pictures of the model's own shape.

    Args:
        shape: (C, H, W).
        dataset: the options of the dataset whose pictures they are to be like.
        most: more are refused before any is decoded.

    Raises:
        UserError: if there are none, or none can be read.
    """

    def require_few(count: int) -> None:
        if count > most:
            raise UserError(
                f"{key}={typed}: is {count:,} pictures: take {f'{most:,} at a time' if most > 1 else 'one'}"
            )

    place = expanded(typed, f"{key}=")
    try:
        if place.is_dir() or (place.is_file() and zipfile.is_zipfile(place)):
            return _of_source(place, typed, key, shape, dataset, require_few)
        found = [place] if place.is_file() else [Path(each) for each in sorted(glob.glob(str(place)))]  # noqa: PTH207
        files = [path for path in found if path.is_file()]
    except UserError as error:
        raise UserError(*(line.replace("dataset.path", key) for line in error.problems)) from error
    except OSError as error:
        raise UserError(f"{key}={typed}: cannot be opened ({reason_of(error)})") from error
    if [path.suffix for path in files] == [".npy"]:
        return _numbers(files[0], typed, key, shape, require_few)
    if not files:
        raise UserError(f"{key}={typed}: no such file: give a picture, a folder or zip of them, or 'photos/*.jpg'")
    require_few(len(files))
    return _decoded([str(path) for path in files], files, opened, typed, key, shape, dataset)


def _numbers(path: Path, typed: str, key: str, shape: tuple[int, ...], require_few: Callable[[int], None]) -> Asked:
    """Pictures in an array, of the model's own shape: uint8, or float32 in [−1, 1].

    Raises:
        UserError: if it holds others.
    """
    wanted = " × ".join(map(str, shape))
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{key}={typed}: is no .npy file that can be read ({reason_of(error)})") from error
    pictures = found[None] if found.shape == shape else found
    if pictures.shape[1:] != shape or not len(pictures) or pictures.dtype not in (np.uint8, np.float32):
        raise UserError(
            f"{key}={typed}: is {found.dtype} {found.shape}: give uint8, or float32 in [-1, 1], (n, {wanted})"
        )
    require_few(len(pictures))
    if pictures.dtype == np.float32 and not (np.abs(pictures) <= 1).all():
        raise UserError(f"{key}={typed}: holds numbers that are not in [-1, 1]: scale them as the run's data are")
    names = [f"{path.name}[{i}]" for i in range(len(pictures))]
    return Asked(names, np.array(pictures), [])


def _of_source(
    place: Path,
    typed: str,
    key: str,
    shape: tuple[int, ...],
    dataset: Mapping[str, object],
    require_few: Callable[[int], None],
) -> Asked:
    listing = listed(place)
    if not listing.pictures:
        raise UserError(f"{key}={typed}: holds no pictures ({listing.told() or 'it is empty'})")
    names = [file.name for file in listing.pictures]
    require_few(len(names))
    if place.is_dir():
        return _decoded(names, names, InFolder(place), typed, key, shape, dataset, listing.told)
    archive.require_readable(typed, place.stat().st_size, [listing.entries[name] for name in names])
    opener = InZip(place)
    try:
        members = [listing.entries[name] for name in names]
        return _decoded(names, members, opener, typed, key, shape, dataset, listing.told)
    finally:
        opener.close()


def picture_like(picture: Image.Image, shape: tuple[int, ...], dataset: Mapping[str, object]) -> np.ndarray:
    """A picture in memory as a dataset's are: uint8 (C, H, W). Raises UserError if it cannot be read."""
    return _decoded(["picture"], [picture], Image.Image.copy, "picture", "", shape, dataset).values[0]


def _decoded(
    names: Sequence[str],
    items: Sequence[object],
    open_item: Callable[..., Image.Image],
    typed: str,
    key: str,
    shape: tuple[int, ...],
    dataset: Mapping[str, object],
    told: Callable[[Sequence[str]], str] | None = None,
) -> Asked:
    channels, height, width = shape
    who = f"{key}={typed}" if key else typed
    if channels > 4:
        raise UserError(
            f"{who}: this model makes pictures of {channels} channels, which no such file has: give a .npy file of "
            f"uint8, or float32 in [-1, 1], (n, {channels}, {height}, {width})"
        )
    around = "black" if dataset.get("name") == "arrays" else "white"  # which has no key for it
    background = colour_of(dataset.get("background", around))
    fit, deep = str(dataset.get("fit", "crop")), dataset.get("depth") == "full"
    canvas = Canvas(height, width, channels, fit, background, deep, 1 if dataset.get("detail") == 1 else 2)
    given, rules = dataset.get("range"), dataset.get("rules")
    between = (float(given[0]), float(given[1])) if isinstance(given, list) else None
    source = PictureSource(names, items, items, open_item, between, rules if isinstance(rules, int) else 2)
    values, contents = decoded_now(source, canvas)
    lost = {names[entry.index]: entry.why for entry in contents.unreadable}
    if not len(values):
        first = next(iter(lost))
        if len(names) == 1:
            raise UserError(f"{who}: cannot be read ({lost[first]}): give another picture")
        raise UserError(
            f"{who}: none of its {len(names)} pictures can be read, e.g. {printable(first)} ({lost[first]})"
        )
    notes = [line for line in [told(list(lost)) if told else _told(lost, len(names))] if line]
    shown = Presentation(str(dataset.get("binarise", "none")))
    kept = [name for name in names if name not in lost]
    return Asked(kept, shown.stored(Samples(values), PART).values, [*notes, *contents.notes])


def _told(lost: Mapping[str, str], count: int) -> str:
    """What cannot be read of files, and why; empty if all can."""
    if not lost:
        return ""
    name, why = next(iter(lost.items()))
    return f"{len(lost)} of {count} pictures cannot be read and are left out, such as {printable(name)}: {why}"
