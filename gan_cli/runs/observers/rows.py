"""Rows of a table as a picture: the distribution of each column, and the correlations, beside those of the data."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gan_cli.data.coding import decoded
from gan_cli.data.columns import Fields
from gan_cli.metrics.marginals import correlations
from gan_cli.output.panels import Panel, panels


def of_rows(columns: Fields, samples: np.ndarray, data: np.ndarray) -> Image.Image:
    """Samples (n, d) over data (m, d); either may be empty. A column that is asked for is not shown."""
    learnt = tuple(column for column in columns if column.kind != "label")
    both = [decoded(learnt, values) for values in (data, samples)]
    shown = [Panel(c.name, both[0][c.name], both[1][c.name], [*c.values]) for c in learnt]
    together = None
    if len(samples) > 1 and len(data) > 1 and np.isfinite(samples).all():
        together = correlations(learnt, *both)
    return panels(shown, together[:2] if together is not None else None)
