"""Pictures, points or signals from a ``.npy``, ``.npz`` or ``.pt``: ``dataset=arrays``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from gan_cli import memory
from gan_cli.config.mistakes import shown
from gan_cli.config.paths import expanded
from gan_cli.data.array_files import FEWER, Labels, labels_of, pair
from gan_cli.data.canvas import Canvas
from gan_cli.data.coding import accurate, standardise
from gan_cli.data.columns import Column, Fields
from gan_cli.data.formats import fitted
from gan_cli.data.presenting import Presentation
from gan_cli.data.rows import Rows, in_blocks, of_split
from gan_cli.data.samples import Samples, blocks
from gan_cli.data.signals import channel_columns
from gan_cli.data.sizes import Size, sides_of, size_of
from gan_cli.errors import UserError
from gan_cli.output.text import printable

log = logging.getLogger(__name__)
KINDS = {"pictures": (3, 4), "points": (2,), "signals": (2, 3)}  # and how many dimensions they may have
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (0.0, 65535.0))  # of numbers of pictures, as they are guessed
BLOCK = 1024  # rows that are read at a time
MOST = 256  # channels: an axis of more is height, width or time


@dataclass(frozen=True, kw_only=True)
class Arrays(Rows):
    """Samples as they lie in an array.

    Args:
        kind: ``pictures``, ``points``, ``signals``, or ``auto``: bytes are pictures, other numbers pictures where they
            have four dimensions, points where they have two, and of three, whole ones pictures and others signals.
        layout: where the channels are: ``first``, ``last``, or ``auto``.
        size: of pictures; None: as they are. Each channel is resized by itself (Lanczos), as picture files are.
        fit: ``crop``, ``pad`` with black, or ``stretch``, where the shape is another.
        range: black and white of pictures that are no bytes; None: by their numbers.
        unlabelled: whether samples without a label are kept; see ``classes_of``.
        standardise: whether points are stored as (x − mean) / deviation, and given back in their units.
    """

    kind: str
    layout: str
    key: str | None
    labels_key: str | None
    size: Size | None
    fit: str
    range: Sequence[float] | None
    standardise: bool
    flip: bool
    binarise: str = "none"
    dequantise: bool | str = False
    unlabelled: bool = False

    @property
    def presentation(self) -> Presentation:
        """How pictures are shown to a model."""
        return Presentation(self.binarise, self.dequantise is True)

    @cached_property
    def _read(self) -> tuple[np.ndarray, np.ndarray | None, Sequence[str]]:
        return pair(expanded(self.path, "dataset.path="), self.path, self.key, self.labels_key)

    @cached_property
    def holds(self) -> str:
        """What the array is: ``pictures``, ``points`` or ``signals``."""
        values = self._read[0]
        whole = values.dtype.kind in "bui"
        kind = self.kind
        if kind == "auto":
            kind = {2: "points", 3: "pictures" if whole else "signals"}.get(values.ndim, "pictures")
        if values.ndim not in KINDS[kind]:
            wanted = {"pictures": "(N, H, W) or (N, C, H, W)", "points": "(N, d)", "signals": "(N, L) or (N, C, L)"}
            raise UserError(f"{self.who}: holds {values.shape}, and {kind} are {wanted[kind]}: say dataset.kind=…")
        return kind

    @cached_property
    def values(self) -> np.ndarray:
        """All values with their channels first, as they lie on the disk: (N, C, H, W), (N, C, L) or (N, d)."""
        values = self._read[0]
        if self.holds == "points":
            return values
        if values.ndim == 2 + (self.holds == "pictures"):
            return values[:, None]
        last = self.layout == "last" or (self.layout == "auto" and _channels_last(values.shape))
        return np.moveaxis(values, -1, 1) if last else values

    @cached_property
    def _labels(self) -> Labels | None:
        """Of all rows."""
        labels = self._read[1]
        return None if labels is None else labels_of(labels, self.who, unlabelled=self.unlabelled)

    @cached_property
    def classes(self) -> np.ndarray | None:
        return self._labels.classes if self._labels else None

    def rows_of(self, split: str) -> np.ndarray:
        return of_split(len(self.values), split)

    def load(self) -> Samples:
        """Pictures (N, C, H, W), points (N, d) or signals (N, C, L); one line says what they were taken for.

        A ``.npy`` of bytes, or of float32 that need no change, stays on the disk if all of it is used.

        Raises:
            UserError: if the file cannot be read, or holds no samples.
        """
        self._require_fitting_keys()
        samples = self.samples_of(self.chosen)
        log.info("%s", self.told(samples))
        return samples

    def _require_fitting_keys(self) -> None:
        """Refuses keys that would change nothing, as the array is none of what they are for."""
        array, pictures = self._read[0], self.holds == "pictures"
        size = None if self.size is None else size_of(*sides_of(self.size))
        said = {"size": size, "flip": shown(self.flip), "fit": self.fit, "range": shown(self.range)}
        said |= {"binarise": self.binarise, "standardise": "false", "layout": self.layout}
        typed = {"flip": self.flip, "size": size, "fit": self.fit != "crop", "range": self.range is not None}
        typed |= {"binarise": self.binarise in ("threshold", "fixed")}  # else it may be what the model wants
        idle = {} if pictures else dict.fromkeys((key for key, there in typed.items() if there), "pictures")
        if not self.standardise and self.holds != "points":
            idle["standardise"] = "points"
        if self.layout != "auto" and array.ndim != 3 + pictures:
            idle["layout"] = "arrays that have an axis of channels"
        if pictures and typed["range"] and array.dtype.kind + str(array.itemsize) in ("u1", "b1"):
            idle["range"] = "pictures that are no bytes"
        if pictures and typed["fit"] and size is None:
            idle["fit"] = "pictures that are brought to another size (dataset.size)"
        if idle:
            holds = f"{self.path} holds {self.holds}, {array.dtype} {array.shape}"
            raise UserError(
                *(f"dataset.{k}={said[k]}: is for {what}, and {holds}: leave it out" for k, what in idle.items())
            )

    def told(self, samples: Samples) -> str:
        """What the file holds, in a line."""
        values, labels, others = self._read
        shape = " × ".join(map(str, samples.shape))
        parts = [f"{len(samples):,} of {len(values):,} {self.holds} of {shape}, read as {values.dtype} {values.shape}"]
        if self.holds == "pictures" and values.dtype != np.uint8 and values.dtype.kind != "b":
            parts.append("black and white are {:g} and {:g} (dataset.range)".format(*self.ends))
        if labels is not None:
            asked = len(samples.conditions)
            parts.append(f"labels: {asked} conditions" if asked else f"labels: {samples.classes} classes")
        if others:
            parts.append(
                f"left out: the arrays {', '.join(map(printable, others[:8]))}{' …' if len(others) > 8 else ''}"
            )
        return f"{self.path}: " + "; ".join(parts)

    def samples_of(self, rows: np.ndarray) -> Samples:
        found, meaning = self._values_of(rows) if self._stays else self._resized(rows), self.meaning
        if self._labels is None:
            return Samples(found, fields=meaning)
        return self._labels.given_to(found, rows, meaning)

    @property
    def _stays(self) -> bool:
        """Whether samples have the size that they have in the file."""
        return self.size is None or sides_of(self.size) == self.values.shape[2:]

    def _resized(self, rows: np.ndarray) -> np.ndarray:
        """As ``_values_of``, of another size."""
        assert self.size is not None
        canvas, dtype = Canvas(*sides_of(self.size), channels=1, fit=self.fit), self._values_of(rows[:1]).dtype
        mode, black = ("L", 0) if dtype == np.uint8 else ("F", -1.0)
        found = self._room(len(rows), (self.values.shape[1], canvas.height, canvas.width), dtype)
        for start in range(0, len(rows), BLOCK):
            for place, picture in enumerate(self._values_of(rows[start : start + BLOCK]), start):
                for channel, plane in enumerate(picture):
                    image = Image.fromarray(np.ascontiguousarray(plane))
                    found[place, channel] = np.asarray(fitted(image, canvas, mode, black))
        return found if mode == "L" else np.clip(found, -1, 1, out=found)

    def _values_of(self, rows: np.ndarray) -> np.ndarray:
        whole = len(rows) == len(self.values)
        if self.holds == "pictures" and self.values.dtype == np.uint8:
            return self.values if whole else self._some(rows, np.uint8)
        if self.holds == "pictures" and self.values.dtype == bool:
            return self._some(rows, np.uint8) * np.uint8(255)
        still = self.ends == (-1.0, 1.0) if self.holds == "pictures" else not self.meaning
        if whole and still and self.values.dtype == np.float32:
            return self.values
        if self.holds == "pictures":
            found = self._some(rows, np.float32)
            black, white = self.ends
            found -= black
            found *= 2 / (white - black)
            found -= 1
            return np.clip(found, -1, 1, out=found)
        return standardise(self._some(rows, accurate(self.meaning)), self.meaning)

    def _some(self, rows: np.ndarray, dtype: type) -> np.ndarray:
        """A copy of some rows in memory."""
        found = self._room(len(rows), self.values.shape[1:], np.dtype(dtype))
        for start in range(0, len(rows), BLOCK):
            found[start : start + BLOCK] = self.values[rows[start : start + BLOCK]]
        return found

    def _room(self, count: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Memory for samples of a shape; pictures have their channels last there."""
        self._require_room(count, shape, dtype)
        laid = np.empty((count, *shape[1:], shape[0]) if len(shape) == 3 else (count, *shape), dtype)
        return np.moveaxis(laid, -1, 1) if len(shape) == 3 else laid

    def _require_room(self, count: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        memory.require(count * np.prod(shape, dtype=float) * dtype.itemsize, self.who, FEWER)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Black and white of pictures that are no bytes.

        Raises:
            UserError: if they cannot be guessed.
        """
        if self.range is not None:
            return float(self.range[0]), float(self.range[1])
        low, high = np.inf, -np.inf
        for block in blocks(self.values):
            low, high = min(low, float(block.min())), max(high, float(block.max()))
        if not np.isfinite([low, high]).all():
            raise UserError(f"{self.who}: holds numbers that are not finite: mend or remove them")
        guessed = next(((a, b) for a, b in RANGES if a <= low and high <= b), None)
        if guessed is None:
            other = ", or dataset.kind=signals" if self._read[0].ndim == 3 else ""
            raise UserError(
                f"{self.who}: its pictures hold {low:g} to {high:g}: say dataset.range=[black,white]{other}"
            )
        return guessed

    @cached_property
    def meaning(self) -> Fields:
        """What the numbers of points, or channels of signals, are; nothing where they are as they are."""
        if self.holds == "signals":
            return channel_columns(self.who, (self.values[rows] for rows in in_blocks(self.chosen, BLOCK)), 0.0)
        if self.holds == "pictures" or not self.standardise:
            return ()
        found = self._columns(np.float32)
        return found if accurate(found) is np.float32 else self._columns(np.float64)

    def _columns(self, dtype: type) -> Fields:
        """The moments of points that are read as numbers of a type, if these will fit into memory."""
        self._require_room(len(self.chosen), self.values.shape[1:], np.dtype(dtype))
        means = self._mean(dtype, lambda x: x)
        scales = np.sqrt(self._mean(dtype, lambda x: (x - means) ** 2))
        decimals = 0 if self.values.dtype.kind in "ui" else None
        pairs = enumerate(zip(means.tolist(), scales.tolist(), strict=True))
        return tuple(Column(name=f"x{i}", mean=m, scale=s or 1.0, decimals=decimals) for i, (m, s) in pairs)

    def _mean(self, dtype: type, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The mean of something about each number of the points, float64 (d,), of some points at a time.

        They are added row after row, as NumPy adds all at once, or checkpoints would not know their data by the units.
        """
        total = np.empty((0, self.values.shape[1]))
        for rows in in_blocks(self.chosen, BLOCK if self.values.shape[1] > 1 else len(self.chosen)):
            x = self._some(rows, dtype).astype(np.float64)
            if not np.isfinite(x).all():
                raise UserError(f"{self.who}: holds numbers that are not finite: mend or remove them")
            total = np.concatenate([total, of(x)]).sum(axis=0, keepdims=True)
        return total[0] / len(self.chosen)


def _channels_last(shape: tuple[int, ...]) -> bool:
    """Whether the last axis is the channels: squares tell, else what is smaller."""
    _, first, *middle, last = shape
    if middle and middle[0] == last != first:
        return False
    if middle and first == middle[0] != last:
        return last <= MOST
    return last < first and last <= MOST
