"""The names of numbered files and folders of a run. Torch-free.

Names are matched whole, so that copies that a sync or a file manager makes, such as ``step-000000010 (1).png``, are
ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

CHECKPOINT, GRID = "step-{:09d}.pt", "step-{:09d}.png"
REAL, AUGMENTED = "real.png", "augmented.png"
EXPORTED = "generator.safetensors"
HUB_FILE, HUB_ABOUT = "model.safetensors", "config.json"  # as models are laid out on the Hugging Face Hub
MEMBER, RESUMPTION = "seed-{}", "resume-{}"  # folders of an ensemble; of ``.hydra``
ASIDE = re.compile(r"\.\d+\..+|\..+\.tmp")  # half written: of ``replacing``, of a checkpoint


def number_in(name: str, template: str) -> int | None:
    """The number in a name that matches the template exactly; else None."""
    head, tail = re.split(r"\{.*\}", template)
    digits = name.removeprefix(head).removesuffix(tail)
    number = int(digits) if digits.isascii() and digits.isdigit() else None
    return number if number is not None and template.format(number) == name else None


def below(root: Path, name: str) -> Iterator[Path]:
    """What is called so anywhere below a folder; a folder that is deleted meanwhile is passed over."""
    for place, folders, files in os.walk(root):
        if name in folders or name in files:
            yield Path(place, name)


def numbered(folder: Path, template: str) -> dict[int, Path]:
    """The files with such names in a folder, by number, in ascending order; folders, if the template has no suffix."""
    wanted = Path.is_file if Path(template).suffix else Path.is_dir
    found = {
        number: path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (number := number_in(path.name, template)) is not None and wanted(path)
    }
    return dict(sorted(found.items()))
