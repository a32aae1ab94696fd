"""A command composed as far as that is possible, with the mistakes that were found, and its checked config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gan_cli.config.command import Command
from gan_cli.config.compose import Composed, compose, wrong_options
from gan_cli.config.library import Library
from gan_cli.config.options import Values
from gan_cli.config.overrides import PRESETS
from gan_cli.errors import UserError

Typed = TypeVar("Typed")


@dataclass(frozen=True)
class Draft:
    """A command composed with the first value of each key, and the mistakes found so far."""

    command: Command
    library: Library
    composed: Composed
    problems: Sequence[str]
    failed: Sequence[str]  # keys whose options do not exist

    def checked(self, validate: Callable[[Values, Library], Typed]) -> Typed:
        """The typed config.

        Args:
            validate: plain nested values to a typed config; raises UserError.

        Raises:
            UserError: with one line for every mistake.
        """
        problems = list(self.problems)
        if not self.composed.values:  # it cannot be composed at all
            raise UserError(*dict.fromkeys(problems))
        try:
            config = validate(self.composed.values, self.library)
        except UserError as error:
            echoes = tuple(f"{key}." for key in self.failed)
            echoes += tuple(f"{key}: " for key in self.command.parsed(self.library).unread)
            found = [problem for problem in error.problems if not problem.startswith(echoes)]
            if set(PRESETS) & set(self.failed):  # the preset may have chosen the options that have these keys
                found = [problem for problem in found if not of_another_option(problem)]
            problems += without_echoes(found, self.composed.linked) if problems or found else error.problems
        if problems:
            raise UserError(*dict.fromkeys(problems))
        return config


def of_another_option(problem: str) -> bool:
    """Whether a line says of a key that another option of its group has it: ``dataset.path`` with dataset=digits."""
    group = problem.partition(".")[0]
    return ": no such key" in problem and f" {group}=" in problem.partition(": no such key")[2]


def without_echoes(problems: Sequence[str], linked: Mapping[str, str]) -> list[str]:
    """The lines about values but for those that a key has taken over from one of which there is a line too.

    A key without a value needs no line where another line's fix sets it.
    """
    told = [problem.partition("=")[0].partition(":")[0] for problem in problems]
    kept = [problem for problem, key in zip(problems, told, strict=True) if linked.get(key) not in told]
    missing = {problem: problem.partition(":")[0] for problem in kept if ": has no value: set " in problem}
    set_by = {key for key in missing.values() for problem in kept if problem not in missing and f" {key}=" in problem}
    return [problem for problem in kept if missing.get(problem) not in set_by]


def draft(command: Command, library: Library, ask: Sequence[str] = ()) -> Draft:
    """Composes a command, as far as that is possible.

    Args:
        ask: keys of Hydra's whose values are requested.
    """
    overrides = command.parsed(library)
    problems = list(overrides.problems)
    failed = []
    for override in overrides:
        if wrong := wrong_options(override, override.values[0], library):
            problems += wrong
            failed.append(override.key)
    try:
        composed = compose(command, library, [o.texts[0] for o in overrides if o.key not in failed], ask)
    except UserError as error:
        problems += error.problems
        composed = Composed()
    return Draft(command, library, composed, problems, failed)


def check(command: Command, library: Library, validate: Callable[[Values, Library], Typed]) -> Typed:
    """Composes and validates a command; see ``Draft.checked``."""
    return draft(command, library).checked(validate)
