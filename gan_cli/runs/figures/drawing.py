"""Writes the figure of a finished run into its folder."""

from __future__ import annotations

import json
import logging

from gan_cli.output.replacing import replacing, written
from gan_cli.runs.figures import Figure
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.records import records_in

log = logging.getLogger(__name__)


def draw(figure: Figure, folder: RunFolder) -> None:
    """Writes ``figure.png`` and ``figure.json``.

    Raises:
        UserError: if they cannot be written.
    """
    from matplotlib.figure import Figure as Canvas

    records, _ = records_in(folder.metrics)
    canvas = Canvas(figsize=figure.size, layout="constrained")
    picture, about = (folder.path / f"figure.{ending}" for ending in ("png", "json"))
    with written(picture, f"then continue with resume={folder.path}"):
        with replacing(picture) as aside:
            numbers = figure.draw(records, canvas)
            canvas.savefig(aside, dpi=110, metadata={"Software": None}, format="png")
        with replacing(about) as aside:
            aside.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    log.info("figure: %s", ": ".join(filter(None, (str(picture), figure.told(numbers)))))
