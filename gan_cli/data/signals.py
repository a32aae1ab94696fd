"""Signals of one dimension, from arrays or a folder of sounds: ``dataset=signals``."""

from __future__ import annotations

import logging
import wave
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gan_cli import memory
from gan_cli.config.paths import expanded
from gan_cli.data.array_files import Labels, labels_of, pair
from gan_cli.data.coding import accurate, standardise
from gan_cli.data.columns import Column, Fields
from gan_cli.data.finding import is_junk
from gan_cli.data.listing import of_known_classes
from gan_cli.data.rows import Rows, in_blocks, of_split
from gan_cli.data.samples import UNKNOWN, Samples
from gan_cli.data.sounds import read_wav
from gan_cli.errors import UserError, reason_of
from gan_cli.output.text import printable

log = logging.getLogger(__name__)
BLOCK = 1024  # windows that are read at a time


@dataclass(frozen=True)
class Recordings:
    """What is read: signals (C, L) of any length, each with its label, and why others cannot be used.

    Attributes:
        labels: of each; None where there are none.
        rate: values per second; 0 where that is not known.
        lost: a name and a reason for each that cannot be read.
    """

    signals: Sequence[np.ndarray]
    labels: Labels | None
    rate: float
    lost: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Signals(Rows):
    """Windows of ``length`` values, scaled so that each channel goes from −1 to 1.

    Args:
        channels: of all signals; None: as many as the first has. One is the mean of several.
        cut: ``windows``: each signal is cut into as many as it has room for; ``first`` or ``centre``: one of each.
        rate: values per second; None: as sounds say.
        unlabelled: whether signals without a label are kept; see ``classes_of`` and ``_sounds``.
    """

    length: int
    channels: int | None
    cut: str
    key: str | None
    labels_key: str | None
    rate: float | None
    unlabelled: bool = False

    @cached_property
    def recordings(self) -> Recordings:
        """All that the source holds.

        Raises:
            UserError: if it cannot be read, or holds no signals.
        """
        path = expanded(self.path, "dataset.path=")
        sounds = path.is_dir() or path.suffix.lower() == ".wav"
        for name, value in {"key": self.key, "labels_key": self.labels_key}.items():
            if sounds and value is not None:
                raise UserError(f"dataset.{name}={value}: is for arrays, and {self.path} holds sounds: leave it out")
        found = _sounds(path, self.who, unlabelled=self.unlabelled) if sounds else self._arrays(path)
        channels = self.channels or len(found.signals[0])
        if odd := next((len(signal) for signal in found.signals if len(signal) != channels != 1), 0):
            raise UserError(
                f"dataset.channels={channels}: a signal has {odd}: use dataset.channels=1, the mean of all, or give "
                "signals of as many"
            )
        return found

    def _arrays(self, path: Path) -> Recordings:
        values, labels, others = pair(path, self.path, self.key, self.labels_key)
        if others:
            log.info("%s: left out: its arrays %s", self.path, ", ".join(map(printable, others[:8])))
        if values.ndim not in (2, 3):
            raise UserError(f"{self.who}: holds {values.shape}: give signals (N, L) or (N, C, L)")
        if values.ndim == 3 and values.shape[2] < self.length <= values.shape[1]:
            log.info("%s: %s is taken for (N, L, C)", self.path, values.shape)
            values = values.transpose(0, 2, 1)
        if values.ndim == 2:
            values = values[:, None]
        told = None if labels is None else labels_of(labels, self.who, unlabelled=self.unlabelled)
        return Recordings(values, told, 0.0)  # type: ignore[arg-type]

    @cached_property
    def windows(self) -> tuple[np.ndarray, np.ndarray]:
        """The signal and the first value of each window, int64 (n,) each."""
        whole: list[int] = []
        starts: list[int] = []
        for number, signal in enumerate(self.recordings.signals):
            spare = signal.shape[1] - self.length
            if spare < 0:
                continue
            first = {"first": [0], "centre": [spare // 2]}.get(self.cut, range(0, spare + 1, self.length))
            whole += [number] * len(first)
            starts += first
        if not whole:
            longest = max(signal.shape[1] for signal in self.recordings.signals)
            raise UserError(
                f"dataset.length={self.length}: the longest of {len(self.recordings.signals):,} signals has {longest} "
                "values: use a smaller one"
            )
        return np.array(whole), np.array(starts)

    @cached_property
    def classes(self) -> np.ndarray | None:
        """The class of each window."""
        classes = self.recordings.labels.classes if self.recordings.labels else None
        return None if classes is None else classes[self.windows[0]]

    def rows_of(self, split: str) -> np.ndarray:
        """The windows of a split: every tenth signal is for tests, and all of its windows; of one signal, its last."""
        signals, count = self.windows[0], len(self.recordings.signals)
        if count < 10:
            cuts = len(signals) - len(signals) // 10
            rows = np.arange(len(signals))
            return rows if split == "all" else rows[cuts:] if split == "test" else rows[:cuts]
        return np.flatnonzero(np.isin(signals, of_split(count, split)))

    @cached_property
    def meaning(self) -> Fields:
        """Each channel with the scale by which its values of the chosen windows go from −1 to 1."""
        rate = self.rate if self.rate is not None else self.recordings.rate
        found = self._columns(np.float32, rate)
        return found if accurate(found) is np.float32 else self._columns(np.float64, rate)

    def _columns(self, dtype: type, rate: float) -> Fields:
        windows = (self._values(rows, dtype) for rows in in_blocks(self.chosen, BLOCK))
        return channel_columns(self.who, windows, rate)

    def _values(self, rows: np.ndarray, dtype: type) -> np.ndarray:
        """Windows as they are read, (n, C, L)."""
        channels = self.channels or len(self.recordings.signals[0])
        size = 2.0 * np.dtype(dtype).itemsize * len(rows) * channels * self.length
        memory.require(size, self.who, "use dataset.limit=…, or a smaller length")
        values: np.ndarray = np.empty((len(rows), channels, self.length), dtype)
        for row, number, start in zip(values, self.windows[0][rows], self.windows[1][rows], strict=True):
            part = self.recordings.signals[number][:, start : start + self.length]
            row[:] = part if len(part) == channels else part.mean(axis=0)
        return values

    def samples_of(self, rows: np.ndarray) -> Samples:
        values = standardise(self._values(rows, accurate(self.meaning)), self.meaning)
        if (labels := self.recordings.labels) is None:
            return Samples(values, fields=self.meaning)
        return labels.given_to(values, self.windows[0][rows], self.meaning)

    def load(self) -> Samples:
        """float32 (N, C, length); one line says how they were cut, and what is left out and why."""
        samples = self.samples_of(self.chosen)
        log.info("%s", self.told(len(samples)))
        return samples

    def told(self, count: int) -> str:
        """What is in the source, in a line."""
        signals, used = self.recordings.signals, len(np.unique(self.windows[0]))
        given = sum(signal.shape[1] for signal in signals)
        parts = [f"{count:,} windows of {self.length} values, of {len(signals):,} signals"]
        if (short := len(signals) - used) > 0:
            parts.append(f"left out: {short:,} signals shorter than that")
        if left := given - len(self.windows[0]) * self.length:
            parts.append(f"{left / given:.1%} of all values lie in no window")
        if lost := self.recordings.lost:
            parts.append(f"{len(lost):,} files cannot be read, such as {printable(lost[0][0])} ({lost[0][1]})")
        return f"{self.path}: " + "; ".join(parts)


def channel_columns(who: str, signals: Iterable[np.ndarray], rate: float) -> Fields:
    """Each channel of signals, with the scale by which it goes from −1 to 1.

    Args:
        signals: some at a time, (n, C, L).

    Raises:
        UserError: if they are not finite.
    """
    ends = [(some.min(axis=(0, 2)), some.max(axis=(0, 2))) for some in signals]
    lows, highs = (np.array(each, np.float64) for each in zip(*ends, strict=True))
    found = []
    for channel, (low, high) in enumerate(zip(lows.min(axis=0).tolist(), highs.max(axis=0).tolist(), strict=True)):
        if not np.isfinite([low, high]).all():
            raise UserError(f"{who}: holds numbers that are not finite: mend or remove them")
        mean, half = (high + low) / 2, (high - low) / 2
        found.append(Column(name=f"channel {channel}", mean=mean, scale=half or 1.0, rate=rate))
    return tuple(found)


def _sounds(path: Path, who: str, *, unlabelled: bool) -> Recordings:
    """The WAV files of a folder, in the order of their names; folders at the first level are classes.

    Args:
        unlabelled: whether files beside these, or in one called ``unlabelled``, are of no known class; else the
            folders are no classes where files lie beside them.
    """
    every = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix.lower() == ".wav")
    files = [file for file in every if not any(map(is_junk, file.relative_to(path).parts))]
    if not files:
        raise UserError(f"{who}: holds no .wav files: give a folder of them, or a .npy or .npz of signals")
    memory.require(4.0 * sum(file.stat().st_size for file in files), who, "give fewer")
    signals, rates, lost, kept = [], Counter[int](), [], []
    for file in files:
        try:
            signal, rate = read_wav(file)
        except (wave.Error, EOFError, OSError, ValueError) as error:
            lost.append((file.name, reason_of(error)))
            continue
        signals.append(signal)
        rates[rate] += 1
        kept.append(file)
    if not signals:
        raise UserError(f"{who}: none of its {len(files)} .wav files can be read, e.g. {lost[0][0]} ({lost[0][1]})")
    if len(rates) > 1:
        told = ", ".join(f"{count:,} of {rate:,} Hz" for rate, count in rates.most_common(4))
        raise UserError(f"{who}: its sounds have different rates ({told}): resample them to one")
    parts = [file.relative_to(path).parts for file in kept] if path.is_dir() else [()]
    names = sorted({part[0] for part in parts if len(part) > 1})
    if unlabelled:
        names = of_known_classes(names)
    if len(names) < 2 or (any(len(part) < 2 for part in parts) and not unlabelled):
        return Recordings(signals, None, float(next(iter(rates))), lost)
    number = {name: label for label, name in enumerate(names)}
    labels = np.array([number.get(part[0], UNKNOWN) for part in parts], np.int64)
    return Recordings(signals, Labels(labels, tuple(map(printable, names))), float(next(iter(rates))), lost)
