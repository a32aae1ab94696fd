"""What numbered files and folders of a run are called. Torch-free.

Names are matched whole: the copies that a sync or a file manager leaves beside a file, such as
``step-000000010 (1).png``, are nobody's.
"""

from __future__ import annotations

import re
from pathlib import Path

CHECKPOINT, GRID = "step-{:09d}.pt", "step-{:09d}.png"
MEMBER, RESUMPTION = "seed-{}", "resume-{}"  # folders of an ensemble; of ``.hydra``
ASIDE = re.compile(r"\.\d+\..+|\..+\.tmp")  # half written: of ``replacing``, of a checkpoint


def number_in(name: str, template: str) -> int | None:
    """The number in a name that is the template's to the last letter; None in any other."""
    head, tail = re.split(r"\{.*\}", template)
    digits = name.removeprefix(head).removesuffix(tail)
    number = int(digits) if digits.isascii() and digits.isdigit() else None
    return number if number is not None and template.format(number) == name else None


def numbered(folder: Path, template: str) -> dict[int, Path]:
    """What has such a name in a folder, by number, rising; of names with an ending, files alone."""
    wanted = Path.is_file if Path(template).suffix else Path.is_dir
    found = {
        number: path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (number := number_in(path.name, template)) is not None and wanted(path)
    }
    return dict(sorted(found.items()))
