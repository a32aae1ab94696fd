"""Rows of a table as the numbers that networks see, and back: see ``gan_cli.data.columns.Column``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from gan_cli.data.columns import Column, Fields, width

KNOTS = 256  # values by which a number's distribution is known; of so many different ones, each
EDGE = 1e-4  # the share at which ranks end: 3.7 deviations of a normal distribution
Cells = Mapping[
    str, np.ndarray
]  # by column: float64 (N,), NaN without a value; or the numbers of categories, int64 (N,)


def number_column(name: str, x: np.ndarray, decimals: int | None, ranked: bool) -> Column:
    """A column of numbers, float64 (N,), NaN where a cell has no value.

    Args:
        ranked: stored by its ranks, else standardised.
    """
    there = x[~np.isnan(x)]
    column = Column(name=name, decimals=decimals, gaps=len(there) < len(x))
    if not ranked or not len(there):
        scale = float(there.std()) if len(there) else 1.0
        mean = float(there.mean()) if len(there) else 0.0
        return column.model_copy(update={"mean": mean, "scale": scale if 0 < scale < math.inf else 1.0})
    values, counts = np.unique(there, return_counts=True)
    if len(values) <= KNOTS:
        above = np.cumsum(counts) / len(there)
        low, high = np.concatenate([[0.0], above[:-1]]), above
        return column.model_copy(update={"at": values.tolist(), "low": low.tolist(), "high": high.tolist()})
    knots = np.quantile(there, np.linspace(0, 1, KNOTS + 1))
    at, first, repeated = np.unique(knots, return_index=True, return_counts=True)
    low, high = first / KNOTS, (first + repeated - 1) / KNOTS
    return column.model_copy(update={"at": at.tolist(), "low": low.tolist(), "high": high.tolist()})


def encoded(columns: Sequence[Column], cells: Cells, draws: np.random.Generator) -> np.ndarray:
    """The features of rows, float32 (N, d). A value that many rows have lies anywhere in their share of the ranks.

    Args:
        draws: where in it.
    """
    count = len(next(iter(cells.values())))
    found = np.zeros((count, width(columns)), np.float32)
    place = 0
    for column in columns:
        part, place = found[:, place : place + column.features], place + column.features
        if column.kind == "number":
            x, at_random = cells[column.name], draws.random(count)
            gone = np.isnan(x)
            part[:, 0] = np.where(gone, 0.0, _stored(column, np.where(gone, 0.0, x), at_random))
            if column.gaps:
                part[np.arange(count), 1 + gone] = 1
        elif column.kind == "category":
            part[np.arange(count), cells[column.name]] = 1
    return found


def decoded(columns: Fields, values: np.ndarray, labels: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The cells of each column: float64 with NaN where there is no value, or the numbers of categories.

    Args:
        values: features (N, d), of which the largest of a choice is what is chosen.
        labels: of the column that is asked for: classes (N,), or a condition (N, 1); without, it is left out.
    """
    found: dict[str, np.ndarray] = {}
    place = 0
    for column in columns:
        part, place = values[:, place : place + column.features], place + column.features
        if column.kind == "label":
            if labels is not None:
                found[column.name] = in_units(column, labels.reshape(-1)) if column.is_number else labels
        elif column.kind == "category":
            found[column.name] = part.argmax(axis=1)
        else:
            x = in_units(column, part[:, 0])
            found[column.name] = np.where(part[:, 1:].argmax(axis=1) == 1, np.nan, x) if column.gaps else x
    return found


def _stored(column: Column, x: np.ndarray, at_random: np.ndarray) -> np.ndarray:
    """Numbers as networks see them: normal, by their ranks, or standardised."""
    if not column.at:
        return (x - column.mean) / column.scale
    at, low, high = (np.array(each) for each in (column.at, column.low, column.high))
    left = np.clip(np.searchsorted(at, x, "right") - 1, 0, len(at) - 1)
    right = np.minimum(left + 1, len(at) - 1)
    gap = np.where(right > left, at[right] - at[left], 1.0)
    between = np.clip((x - at[left]) / gap, 0, 1)
    share = np.where(
        between > 0, high[left] + between * (low[right] - high[left]), low[left] + at_random * (high[left] - low[left])
    )
    return torch.special.ndtri(torch.from_numpy(np.clip(share, EDGE, 1 - EDGE))).numpy()


def in_units(column: Column, x: np.ndarray) -> np.ndarray:
    """What ``_stored`` was made of, or a condition, float64, rounded to the column's decimals."""
    y = x.astype(np.float64)
    if column.at:
        share = torch.special.ndtr(torch.from_numpy(y)).numpy()
        shares = np.stack([column.low, column.high], axis=1).ravel()
        y = np.interp(share, shares, np.repeat(np.array(column.at), 2))
    else:
        y = y * column.scale + column.mean
    return y if column.decimals is None else np.round(y, column.decimals) + 0.0  # which makes 0 of −0


def are_whole(column: Column, cells: np.ndarray) -> bool:
    """Whether the cells of a column of numbers, NaN where there is none, are whole ones that int64 has room for."""
    return column.decimals == 0 and not (np.abs(cells) >= 2.0**63).any()


def named(fields: Fields, values: np.ndarray, labels: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Samples by column or channel, in their units: whole numbers without gaps int64 where that has room for them,
    categories as texts; the column that is asked for only with labels."""
    if values.ndim == 3:
        return {column.name: in_units(column, values[:, place]) for place, column in enumerate(fields)}
    found: dict[str, np.ndarray] = {}
    columns = {column.name: column for column in fields}
    for name, cells in decoded(fields, values, labels).items():
        column = columns[name]
        if not column.is_number:
            found[name] = np.array(column.values, object)[cells]
        else:
            found[name] = cells.astype(np.int64) if are_whole(column, cells) and not column.gaps else cells
    return found


def accurate(columns: Fields) -> type:
    """The type in which numbers in their units have more digits than their spread needs."""
    return np.float64 if any(column.is_far for column in columns) else np.float32


def standardise(values: np.ndarray, columns: Fields) -> np.ndarray:
    """Points (N, d) or signals (N, C, L) in their units as networks see them, float32; the values are written over."""
    for place, column in enumerate(columns):
        values[:, place] -= column.mean
        values[:, place] /= column.scale
    return values.astype(np.float32, copy=False)


def restored(columns: Fields, values: np.ndarray) -> np.ndarray:
    """Points (N, d) of numbers alone, or signals (N, C, L), in their units; as they are without columns.

    They are float32, or float64 where that would round too much. A column that is asked for is not among them.
    """
    if not columns:
        return values
    features = (column for column in columns if column.features)
    parts = [in_units(column, values[:, place]) for place, column in enumerate(features)]
    return np.stack(parts, axis=1).astype(accurate(columns))
