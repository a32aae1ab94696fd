"""``gan-eval``: metrics of a checkpoint, or of two folders of pictures."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from gan_cli.commands.evaluated import Facts, of_checkpoint, of_folders
from gan_cli.commands.tool import Evaluation
from gan_cli.config.library import Library
from gan_cli.config.paths import expanded, says_folder
from gan_cli.memory import enough
from gan_cli.metrics.evaluation import Findings, judge_samples, judged, provenance
from gan_cli.metrics.metric import METRICS
from gan_cli.output import screen
from gan_cli.output.replacing import put_text, require_writable
from gan_cli.output.text import printable
from gan_cli.version import __version__

log = logging.getLogger(__name__)


class Measured(NamedTuple):
    """What an evaluation has found: values by name, why other metrics were left out, facts about it, its JSON file."""

    values: dict[str, float | None]
    left_out: dict[str, str]
    facts: Facts
    path: Path


def run(config: Evaluation, library: Library) -> None:
    """Prints the table and writes the JSON file."""
    found = measure(config, library)
    _print(found.values, found.left_out, found.facts)
    log.info("written: %s", found.path)


def measure(config: Evaluation, library: Library) -> Measured:
    """Measures, and writes the JSON file.

    Raises:
        UserError: if the data or the checkpoint cannot be read or do not fit into memory, or a chosen metric does not
            fit them.
    """
    with enough(f"count={config.count}", "use a smaller count or batch_size"):
        return _measured(config, library)


def _measured(config: Evaluation, library: Library) -> Measured:
    logging.basicConfig(level=logging.INFO, handlers=[screen.handler()])
    if config.out:
        require_writable(expanded(config.out, "out="), "out=")
    choices = config.metrics or {name: library.choice("metrics", name) for name in library.options("metrics")}
    metrics = {name: library.build(METRICS, choice) for name, choice in choices.items()}
    if config.checkpoint:
        evidence, facts, default = of_checkpoint(config, library, draws=judge_samples(metrics))
    else:
        evidence, facts, default = of_folders(config, library)
    options = {name: choice.keywords() for name, choice in choices.items()}
    path = _path(config, default, options)
    require_writable(path, "out=")
    evidence.picture = lambda name: path.with_name(f"{path.stem}-{name}.png")
    found = Findings()
    try:
        judged(evidence, metrics, chosen=bool(config.metrics), into=found)
    except KeyboardInterrupt:
        if found.values:
            _print(found.values, found.left_out, facts)
        raise
    values, left_out = found.values, found.left_out
    facts |= provenance(evidence, config.extractor.name)
    if evidence.judge is not None and "D_accuracy/generated" in values:
        described = evidence.judge.described(evidence.training.shape)
        if facts["ema"]:
            described["opponent"] = "G's moving average, which D has not met: ema=false has the one it met"
        facts["discriminator"] = described
    if evidence.notes:
        facts["notes"] = evidence.notes
    if evidence.kinds:
        facts["kinds"] = evidence.kinds
    facts["options"] = {name: options[name] for name in metrics if name not in left_out}
    facts |= {"program": f"gan-cli {__version__}", "date": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    content = json.dumps({"metrics": values, "left_out": left_out, **facts}, indent=2, allow_nan=False)
    put_text(path, content + "\n", "out=")  # before anything is shown
    return Measured(values, left_out, facts, path)


def _path(config: Evaluation, default: Path, options: Mapping[str, object]) -> Path:
    """The path of the JSON file; different metrics and options give different files."""
    out = expanded(config.out, "out=") if config.out else default.parent
    if config.out and not says_folder(config.out):
        return out
    asked = [
        options,
        config.model_dump(exclude={"metrics", "out", "device", "batch_size"}),
        config.extractor.keywords(),
    ]
    digest = hashlib.blake2b(json.dumps(asked, default=str).encode(), digest_size=3).hexdigest()
    return out / f"{default.stem}-{digest}.json"


def _print(values: dict[str, float | None], left_out: dict[str, str], facts: Facts) -> None:
    console = screen.console(stderr=False)
    described, notes = facts.get("discriminator"), facts.get("notes")
    asked = str(described["asked"]).partition(",")[0] if isinstance(described, dict) else ""
    table, above = Table("metric", "value", "", box=None), ""
    for name, value in values.items():
        told = [str(notes[name])] if isinstance(notes, dict) and name in notes else []
        told += [asked] if asked and (name.startswith("D_") or name == "jsd_bound") else []
        note = ", ".join(told)
        shown, above = note if note != above else "", note
        table.add_row(Text(printable(name)), "not finite" if value is None else f"{value:.6g}", shown)
    console.print(table)
    for reason in dict.fromkeys(left_out.values()):
        names = ", ".join(name for name, why in left_out.items() if why == reason)
        console.print(printable(f"left out: {names}: {reason}"), markup=False, highlight=False)
    each = [(k, value) for k, value in _flat(facts) if not k.startswith(("options", "dataset", "notes", "kinds"))]
    console.print(
        printable(", ".join(f"{key} {value}" for key, value in each)), markup=False, highlight=False, soft_wrap=True
    )


def _flat(facts: Facts, prefix: str = "") -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for key, value in facts.items():
        pairs += _flat(value, f"{prefix}{key} ") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs
