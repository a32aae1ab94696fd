"""The configs that gan-bench times: every combination of the compared values. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from gan_cli.commands.out_of_place import without_effect
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library
from gan_cli.config.mistakes import shown
from gan_cli.config.overrides import Overrides
from gan_cli.config.schema import Config, validate
from gan_cli.errors import UserError
from gan_cli.sweeps.plugins import require_countable


@dataclass(frozen=True)
class Variant:
    """One config to be timed, and a name that tells it from the others."""

    name: str
    config: Config


def variants(command: Command, compared: Sequence[str], library: Library, *, to_quality: bool = False) -> list[Variant]:
    """Every combination of the compared values, each a config that gan-train would take.

    Args:
        to_quality: they are trained until they are good enough, rather than for a few steps.

    Raises:
        UserError: with one line for every mistake.
    """
    problems = [f"{flag}: is for gan-train: leave it out" for flag in command.flags if _foreign(flag, command)]
    sweep = Command(["--multirun"], list(compared), command.config_dirs)
    axes = [axis for axis in sweep.parsed(library) if axis.typed]
    problems += [f"--compare {problem}" for problem in sweep.parsed(library).problems]
    problems += [
        f"--compare {axis.texts[0]}: compares one value with nothing: --compare {axis.texts[0]},…"
        for axis in axes
        if len(axis.values) == 1
    ]
    problems += [f"--compare {axis.typed}: list the values to compare" for axis in axes if axis.continuous]
    typed = command.parsed(library)
    problems += [f"{both.typed}: is compared too: leave one out" for axis in axes if (both := typed.find(axis.key))]
    if problems:
        raise UserError(*problems)
    require_countable(axes)
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
        problems += _idle(config, one.parsed(library), to_quality)
        problems += without_effect(one.parsed(library), config, measured=to_quality)
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return made


def _foreign(flag: str, command: Command) -> bool:
    return flag not in ("--config-dir", *command.config_dirs)


def _idle(config: Config, overrides: Overrides, to_quality: bool) -> list[str]:
    """Keys that would have no effect here, or another than they say."""
    idle = [key for key, value in (("resume", config.resume), ("start", config.start)) if value]
    idle += ["dry_run"] if config.dry_run else []
    idle += ["patience", "time_limit"] if to_quality else []
    several = [f"devices={config.devices}: gan-bench times one process: leave it out"] if config.devices > 1 else []
    if config.ensemble:
        several.append(f"ensemble={config.ensemble}: gan-bench times one seed at a time: leave it out")
    if isinstance(config.batch_size, dict) and not to_quality:
        several.append(f"batch_size={shown(config.batch_size)}: gan-bench times steps of one size: give a number")
    of_what = "the training until then" if to_quality else "the speed of a step"
    return several + [
        f"{override.typed}: has no effect on {of_what}: leave it out"
        for override in overrides.every
        if override.key in (*idle, "sweep") or override.of_hydra
    ]
