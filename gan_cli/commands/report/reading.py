"""The files of run folders, whoever made them: bounded, checked, and nothing in them is looked up or run.

What a file says is taken if it is of the kind that is written there. Links that lead out of a run folder are not
followed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gan_cli.config.interpolations import followed
from gan_cli.config.mistakes import explain
from gan_cli.config.root import Published
from gan_cli.errors import UserError
from gan_cli.output.screen import say
from gan_cli.output.text import printable, shortened
from gan_cli.runs.commands import own_folders
from gan_cli.runs.hydra_files import DEEPEST, Unreadable, bytes_of, config_of, overrides_of

STATUS, METRICS, PICTURE = 4_000_000, 256_000_000, 64_000_000  # bytes of a file, at most
LARGEST = 50_000  # values in a status or a config


_said: set[str] | None = None  # in the context of ``each_once``


@contextmanager
def each_once() -> Iterator[None]:
    """In this context a line is said once, however often its cause is met again."""
    global _said
    _said = set()
    try:
        yield
    finally:
        _said = None


def note(line: str) -> None:
    if _said is not None:
        if line in _said:
            return
        _said.add(line)
    say("gan-report", line)


def file_in(folder: Path, *parts: str) -> Path | None:
    """A file of a run, or None: it is not there, no file, or a link out of the folder, which is said."""
    path = folder.joinpath(*parts)
    try:
        if not path.is_file():
            return None
        if path.resolve().is_relative_to(folder.resolve()):
            return path
    except (OSError, RuntimeError):  # a loop of links
        return None
    note(f"{path}: leads out of the run folder: left out")
    return None


def plain(value: Any) -> Any:
    """Nested values of JSON's kinds, whose texts are one line each.

    Raises:
        ValueError: if they are too many, or too deep in each other.
    """
    left = LARGEST

    def made(node: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if depth > DEEPEST or left < 0:
            raise ValueError("is not as gan-train writes it")
        if isinstance(node, Mapping):
            return {printable(key): made(value, depth + 1) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [made(value, depth + 1) for value in node]
        if node is None or isinstance(node, bool) or (isinstance(node, int) and abs(node) < 2**63):
            return node
        return node if isinstance(node, float) and math.isfinite(node) else printable(node)

    return made(value, 0)


Step = Annotated[int, Field(ge=0, lt=2**53)]  # as a page can count
Number = Annotated[float, Field(allow_inf_nan=False, gt=-1e100, lt=1e100)]
Line = Annotated[str, Field(max_length=100_000)]


class Best(BaseModel):
    model_config = ConfigDict(strict=True)

    metric: Line
    value: Number | None
    step: Step = 0
    better: Literal["low", "high"] = "low"


class Told(BaseModel):
    """What a ``status.json`` holds that a report shows, and whatever else."""

    model_config = ConfigDict(strict=True, extra="allow")

    status: Annotated[Line, Field(max_length=40)]
    reason: Line | None = None
    step: Step | None = None
    steps: Step | None = None
    seconds: Number | None = None
    best: Best | None = None
    modes: Number | None = None
    of_modes: Number | None = None
    high_quality: Number | None = None
    spread: dict[Line, Number] = {}
    notes: dict[Line, Line] = {}
    kinds: dict[Line, Line] = {}
    better: dict[Line, Literal["low", "high"]] = {}
    left_out: dict[Line, Line] = {}
    classes: list[Line] | None = None
    conditions: list[Line] | None = None
    environment: dict[Line, Line] | None = None
    seeds: list[int] | None = None
    config: dict[str, Any] | None = None


def status_in(folder: Path) -> dict[str, Any]:
    """What ``status.json`` says; empty if it is no run's.

    Raises:
        Unreadable: if it is one's, and not as a run writes it.
    """
    path = file_in(folder, "status.json")
    if path is None:
        return {}
    try:
        found = json.loads(bytes_of(path, STATUS), parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise Unreadable("no keys with values")
    if "status" not in found:
        if file_in(folder, "metrics.jsonl"):
            raise Unreadable("no status")
        return {}  # another program's
    try:
        made = Told.model_validate(plain(found)).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise Unreadable(shortened(explain(error, [])[0], 300)) from error
    except ValueError as error:
        raise Unreadable(str(error)) from error
    if "modes" in made and not {"of_modes", "high_quality"} <= made.keys():
        raise Unreadable("modes: has no of_modes and high_quality beside it")
    if (config := made.get("config")) is not None and "published" in config:
        config["published"] = _published(folder, config["published"])
    return made


def _published(folder: Path, found: object) -> list[dict[str, Any]]:
    """Figures of papers, those that are."""
    figures = found if isinstance(found, list) else [found] if found else []
    kept = []
    for figure in figures:
        try:
            kept.append(Published.model_validate(figure).model_dump())
        except ValidationError as error:
            note(f"{folder}: published.{explain(error, [])[0]}: left out")
    return kept


def overrides_in(folder: Path, *parts: str) -> list[str] | None:
    """The words of a command that Hydra has written down; None if it has not.

    Raises:
        Unreadable: if they are none.
    """
    path = file_in(folder, *parts, "overrides.yaml")
    return None if path is None else [printable(text).lstrip("+") for text in overrides_of(path)]


def own_folders_in(folder: Path, *parts: str) -> list[str]:
    """The folders of own options that a command was given, as far as Hydra has written them down."""
    path = file_in(folder, *parts, "hydra.yaml")
    try:
        return [] if path is None else [printable(text) for text in own_folders(path)]
    except Unreadable as error:
        note(f"{folder}: the command may lack --config-dir ({error})")
        return []


def config_in(folder: Path, *parts: str) -> dict[str, Any]:
    """A config that Hydra has written down; empty if it has not. ``${key}`` is followed, and nothing else.

    Raises:
        Unreadable: if it is none.
    """
    path = file_in(folder, *parts, "config.yaml")
    if path is None:
        return {}
    try:
        return followed(plain(config_of(path)))
    except ValueError as error:
        raise Unreadable(f"config.yaml: {error}") from error


def saved_in(folder: Path) -> dict[str, Any]:
    """The config in the newest checkpoint; empty without one. Imports torch."""
    from gan_cli.runs.checkpoint import newest

    try:
        found = plain(newest(folder, "resume")[1]["config"])
    except (UserError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
