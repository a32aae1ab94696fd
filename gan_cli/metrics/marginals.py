"""How the columns of generated rows are distributed, each by itself and in pairs, compared with rows of the data."""

from __future__ import annotations

import numpy as np

from gan_cli.data.coding import Cells, decoded
from gan_cli.data.columns import Fields
from gan_cli.data.samples import Samples
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric, needs_samples

LEAST = 20  # rows of each kind
RARE = 0.01  # share of a value whose correlations are not looked at: a few rows more or less would make them


class Marginals(Metric):
    """Distances between the columns of generated rows and of held-out rows, where there are any, in their units.

    ``ks`` is the mean, over columns of numbers, of the Kolmogorov–Smirnov statistic max |F − F′|, and ``ks_worst`` the
    largest; ``tv`` the mean, over categories, of the total variation ½ Σ |p − p′|, and ``tv_worst`` the largest.
    ``correlation`` is the mean of |r − r′| over all pairs of numbers and indicators of values, of different columns;
    ``correlation_worst`` the largest. A column that is asked for has the shares of the training data; where nobody is
    asked for it, it is left out. A cell without a value is a value: a number is compared where it has one, and whether
    it has one is an indicator. ``…_floor`` is the same of as many training rows in the place of generated ones: what
    perfect samples score. It wants held-out rows.
    """

    def better(self, evidence: Evidence) -> Better:
        return {"ks": "low", "ks_worst": "low", "tv": "low", "tv_worst": "low", "correlation": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        if not evidence.training.fields or len(evidence.training.shape) != 1:
            return "needs rows of columns with names, as dataset=table has them"
        return needs_samples(evidence, LEAST)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        columns, held_out, drawn = evidence.training.fields, evidence.held_out, evidence.drawn
        made = _cells(columns, drawn)
        columns = tuple(column for column in columns if column.name in made)  # without labels, not what is asked for
        if held_out is None or len(held_out) < LEAST:  # rows of the data beside themselves would score 0
            values = distances(columns, _cells(columns, evidence.real), made)
            rows = "rows that were trained on: there are too few others, for a floor too"
            evidence.note(values, f"compared with {len(evidence.real):,} {rows}")
            return values
        cells = _cells(columns, held_out)
        found = distances(columns, cells, made)
        same = evidence.some_samples(evidence.training, len(drawn), "marginals")
        floor = distances(columns, cells, _cells(columns, same))
        values = {**found, **{f"{name}_floor": floor[name] for name in found if "worst" not in name}}
        evidence.note(values, f"compared with {len(held_out):,} held-out rows")
        return values


def _cells(columns: Fields, samples: Samples) -> Cells:
    return decoded(columns, samples.values, samples.labels)


def distances(columns: Fields, real: Cells, fake: Cells) -> dict[str, float]:
    """The distances of two tables by name; of kinds of columns that there are none of, none."""
    ks, tv = [], []
    for column in columns:
        x, y = real[column.name], fake[column.name]
        if column.kind == "label":
            continue  # nobody learns how often it is asked for
        if column.kind == "category":
            tv.append(total_variation(x, y, len(column.values)))
            continue
        if column.gaps:
            tv.append(abs(float(np.isnan(x).mean() - np.isnan(y).mean())))
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        ks.append(kolmogorov_smirnov(x, y) if len(x) and len(y) else 1.0)
    found: dict[str, float] = {}
    for name, values in (("ks", ks), ("tv", tv), ("correlation", correlation_gaps(columns, real, fake))):
        if len(values):
            found |= {name: float(np.mean(values)), f"{name}_worst": float(np.max(values))}
    return found


def kolmogorov_smirnov(x: np.ndarray, y: np.ndarray) -> float:
    """max |F − F′| of two samples (n,) and (m,), which may have ties."""
    x, y = np.sort(x), np.sort(y)
    at = np.concatenate([x, y])
    below = np.searchsorted(x, at, "right") / len(x) - np.searchsorted(y, at, "right") / len(y)
    return float(np.abs(below).max())


def total_variation(x: np.ndarray, y: np.ndarray, values: int) -> float:
    """½ Σ |p − p′| of two samples of categories, by number."""
    p, q = (np.bincount(each, minlength=values) / len(each) for each in (x, y))
    return float(np.abs(p - q).sum() / 2)


def correlation_gaps(columns: Fields, real: Cells, fake: Cells) -> np.ndarray:
    """|r − r′| of each pair of numbers and indicators that are of different columns: (pairs,)."""
    found = correlations(columns, real, fake)
    if found is None:
        return np.empty(0)
    one, other, of = found
    rows, others = np.triu_indices(len(of), 1)
    return np.abs(one - other)[rows, others][of[rows] != of[others]]


def correlations(columns: Fields, real: Cells, fake: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Pearson's r of numbers and of indicators of values that are not rare, (k, k), of real and of generated rows.

    Returns:
        Both, and the column that each is of, (k,); None where there are not two columns.
    """
    of: list[int] = []
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for place, column in enumerate(columns):
        x, y = real[column.name], fake[column.name]
        if column.is_number:
            gone = [(np.isnan(x), np.isnan(y))] if column.gaps else []
            usual = float(np.nanmean(x)) if not np.isnan(x).all() else 0.0
            both = [(np.where(np.isnan(x), usual, x), np.where(np.isnan(y), usual, y)), *gone]
        else:
            often = np.bincount(x, minlength=len(column.values)) >= RARE * len(x)
            both = [(x == value, y == value) for value in np.flatnonzero(often)]
            both = both[: max(1, len(both) - 1)] if len(both) == 2 else both  # of two, one says all
        parts += both
        of += [place] * len(both)
    if len(set(of)) < 2:
        return None
    one, other = (_correlations(np.stack([pair[i] for pair in parts]).astype(np.float64)) for i in (0, 1))
    return one, other, np.array(of)


def _correlations(x: np.ndarray) -> np.ndarray:
    """Pearson's r of the rows (k, n): (k, k); 0 where one does not vary."""
    x = x - x.mean(axis=1, keepdims=True)
    size = np.sqrt((x**2).sum(axis=1))
    return (x @ x.T) / np.maximum(np.outer(size, size), 1e-12)
