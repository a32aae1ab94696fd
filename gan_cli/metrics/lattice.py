"""Squared distances between all points of two sets, a tile of their matrix at a time.

Whether one point is within reach of another is often decided by a tie, when the same picture lies in both sets or twice
in one; and a matrix product may round the same pair of points differently in different blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

SIDE = 1024  # rows and columns of a tile
NUMBERS = 2**21  # float64 coordinates of each set held at a time, 16 MiB
EXACT = 2.0**50  # squared lengths below it: a squared distance is then a whole number below 2⁵²

Points = Callable[[np.ndarray], np.ndarray]


class Lattice:
    """Rounds points to a lattice on which float64 adds the squares of coordinates without rounding.

    So the distance of a pair of points does not depend on the tile, and equal points are at distance 0. All points that
    are compared must be on one lattice. Its spacing is about 2⁻²⁵ of the largest distance from the mean, which is about
    the resolution of float32. Bytes are whole numbers already, and stay as they are.

    Args:
        sets: all points that are to be compared: uint8 (N, …) or float32 (N, …).
    """

    def __init__(self, *sets: np.ndarray) -> None:
        self.spacing, self.centre = 1.0, np.zeros(1)
        if all(values.dtype == np.uint8 for values in sets):
            return
        total = sum(values.sum(axis=0, dtype=np.float64).reshape(-1) for values in sets)
        mean = total / sum(len(values) for values in sets)
        longest = max(
            float(((block - mean) ** 2).sum(axis=1).max()) for values in sets for _, block in blocks(values, as_float64)
        )
        if longest:
            self.spacing = 2.0 ** -math.floor(math.log2(EXACT / longest) / 2)
        self.centre = np.rint(mean / self.spacing)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Whole numbers of spacings from the centre, float64 (n, F)."""
        return np.rint(as_float64(values) / self.spacing) - self.centre

    def tiles(self, x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Rows, columns and the tile |x_i − y_j|² there, in squared units of x and y (grey levels for bytes)."""
        for rows, columns, tile in tiles(x, y, self):
            tile *= self.spacing**2
            yield rows, columns, tile


def as_float64(values: np.ndarray) -> np.ndarray:
    """Flattens samples to float64 (n, F)."""
    return values.reshape(len(values), -1).astype(np.float64)


def blocks(values: np.ndarray, points: Points) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows, as points, so that no set is held in float64 as a whole."""
    size = max(16, min(SIDE, NUMBERS // max(1, math.prod(values.shape[1:]))))
    for start in range(0, len(values), size):
        rows = slice(start, min(start + size, len(values)))
        yield rows, points(values[rows])


def tiles(x: np.ndarray, y: np.ndarray, points: Points) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Tiles of the matrix |x_i − y_j|², float64, with the rows and columns they stand for.

    Args:
        points: some values of either set → float64 (n, F).
    """
    for rows, a in blocks(x, points):
        lengths = np.einsum("ij,ij->i", a, a)[:, None]
        for columns, b in blocks(y, points):
            tile = a @ b.T
            tile *= -2
            tile += lengths
            tile += np.einsum("ij,ij->i", b, b)
            yield rows, columns, tile
