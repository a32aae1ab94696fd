"""What gan-bench is to time: every combination of the compared values. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from gan_cli.command import Command, key_of, parse_overrides
from gan_cli.composing import check
from gan_cli.config import Config, validate
from gan_cli.errors import UserError
from gan_cli.library import Library
from gan_cli.mistakes import shown

QUOTE = "'"


@dataclass(frozen=True)
class Variant:
    """One config to be timed, and what sets it apart from the others."""

    name: str
    config: Config


def variants(command: Command, compared: Sequence[str], library: Library) -> list[Variant]:
    """Every combination of the compared values, each a config that gan-train would take.

    Raises:
        UserError: with one line for every mistake.
    """
    problems = [f"{flag}: is for gan-train: leave it out" for flag in command.flags if _foreign(flag, command)]
    sweep = Command(["--multirun"], list(compared), command.config_dirs)
    axes, mistaken = parse_overrides(sweep, library)
    problems += [f"--compare {problem}" for problem in mistaken]
    problems += [
        f"--compare {axis.texts[0]}: compares one value with nothing: --compare {axis.texts[0]},…"
        for axis in axes
        if len(axis.values) == 1
    ]
    typed = {key_of(text).replace("/", "."): text for text in command.overrides}
    problems += [f"{typed[axis.key]}: is compared too: leave one out" for axis in axes if axis.key in typed]
    if problems:
        raise UserError(*problems)
    made = []
    for point in product(*(zip(axis.texts, axis.values, strict=True) for axis in axes)):
        one = Command([], [*command.overrides, *(text for text, _ in point)], command.config_dirs)
        name = " ".join(f"{axis.key}={shown(value)}" for axis, (_, value) in zip(axes, point, strict=True))
        try:
            config = check(one, library, validate)
        except UserError as error:
            problems += error.problems
            continue
        made.append(Variant(name or "gan-train", config))
        problems += _idle(config, one)
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return made


def _foreign(flag: str, command: Command) -> bool:
    return flag not in ("--config-dir", *command.config_dirs)


def _idle(config: Config, command: Command) -> list[str]:
    """Keys that would have no effect here."""
    idle = ["resume"] if config.resume else []
    idle += ["dry_run"] if config.dry_run else []
    several = [f"devices={config.devices}: gan-bench times one process: leave it out"] if config.devices > 1 else []
    return several + [
        f"{text.replace(QUOTE, '')}: has no effect on the speed of a step: leave it out"
        for text in command.overrides
        if (key := key_of(text)) in idle or key.startswith("hydra") or key == "sweep"
    ]
