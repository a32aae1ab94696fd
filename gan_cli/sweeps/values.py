"""The values that a sweep is to try, checked before anything is made or run. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.command import Command
from gan_cli.config.compose import Composed, compose, compose_each, wrong_options
from gan_cli.config.draft import without_echoes
from gan_cli.config.interpolations import BY_TIME, name_unused
from gan_cli.config.options import GROUPS, Values
from gan_cli.config.overrides import PRESETS, Override, Overrides, key_of
from gan_cli.config.paths import expanded
from gan_cli.errors import UserError
from gan_cli.sweeps.plugins import SearchOptions, Sweeping, require_countable

if TYPE_CHECKING:
    from gan_cli.config.library import Library
    from gan_cli.config.schema import Config

ENOUGH = 24
FEW = 3  # values of a key that are named when all are wrong
ASKED = ("sweep.dir", "sweep.subdir", "job.chdir", "output_subdir")  # of Hydra's keys
CHDIR = "hydra.job.chdir=true: what is read and written is named from the folder of the command: leave it out"


@dataclass(frozen=True)
class Space:
    """What a sweep is to try, checked.

    Args:
        config: of its first usable run.
        folder: of the whole sweep.
        unusable: values that are left out, and why.
        added: typed keys that not every option has.
        output_subdir: the folder in each run's for its config and its command; None for nowhere.
    """

    config: Config
    folder: Path
    unusable: Sequence[tuple[str, str]] = ()
    added: frozenset[str] = frozenset()
    output_subdir: str | None = None


def prepare(
    command: Command, library: Library, validate: Callable[[Values, Library], Config], how: Sweeping, name: str
) -> Space:
    """Checks every value of a sweep; typed options that are not there are taken out of the command of a grid.

    Nothing may be wrong with the space of a search, nor with the values of a ``sweep=…``.

    Args:
        name: of the sweep if it has none.

    Raises:
        UserError: with one line for every mistake.
    """
    whole = with_params(command, library, how.params)
    own = whole.overrides[: len(whole.overrides) - len(command.overrides)]
    if how.search:
        from gan_cli.sweeps.search.space import parse

        parse([override.text for override in command.parsed(library)], how.params, library)
    else:
        require_countable(whole.parsed(library))
    found = _space(whole, library, validate, name)
    needed = {key_of(text) for text in own}
    if wrong := [reason for text, reason in found.unusable if how.search or key_of(text) in needed]:
        raise UserError(*wrong)
    command.overrides = whole.overrides[len(own) :]
    return found


def _space(command: Command, library: Library, validate: Callable[[Values, Library], Config], name: str) -> Space:
    """Checks every value; options that are not there are taken out of the command.

    Raises:
        UserError: with one line for every mistake, if no run is usable.
    """
    unusable = _without_unusable(command, library)
    overrides = command.parsed(library)
    problems: list[str] = []
    folders: dict[str, str] = {}
    misplaced, subdir = "", None
    added: set[str] = set()
    usable: list[Config] = []
    for composed in _one_value_at_a_time(command, library, list(overrides), name, usable):
        if isinstance(composed, UserError):
            problems += composed.problems
            continue
        try:
            added |= composed.added
            raw = composed.hydra["sweep.dir raw"]
            folder = str(expanded(str(composed.hydra["sweep.dir"]), "hydra.sweep.dir="))
            folders.setdefault(raw if BY_TIME in raw else folder, folder)  # the clock goes on meanwhile
            misplaced = misplaced or _folder_problem(composed.hydra, overrides)
            subdir = composed.hydra["output_subdir"]
            usable += [] if usable else [validate(composed.values, library)]
        except UserError as error:
            problems += without_echoes(error.problems, composed.linked)
    outside = [line for line in problems if line.startswith(tuple(f"{o.key}=" for o in overrides if o.continuous))]
    if not usable or outside:
        raise UserError(*_few_of_each(outside or problems))
    if misplaced:
        raise UserError(misplaced)
    if len(folders) > 1:
        one, other, *_ = folders.values()
        raise UserError(
            f"hydra.sweep.dir: would be {one} and {other}: all runs of a sweep lie in one folder; "
            "what differs between them goes into hydra.sweep.subdir"
        )
    added |= _not_everywhere(overrides)
    return Space(usable[0], Path(next(iter(folders.values()))), unusable, frozenset(added), subdir)


def _without_unusable(command: Command, library: Library) -> list[tuple[str, str]]:
    """Takes options that are not there out of a command; returns them, and why.

    Raises:
        UserError: if an override cannot be read, or all its options are not there.
    """
    overrides = command.parsed(library)
    if overrides.problems:
        raise UserError(*overrides.problems)
    unusable: list[tuple[str, str]] = []
    for override in overrides:
        wrong = [wrong_options(override, value, library) for value in override.values]
        bad = [(text, lines[0]) for text, lines in zip(override.texts, wrong, strict=True) if lines]
        if bad and len(bad) == len(override.texts):
            raise UserError(*(line for lines in wrong for line in lines))
        if bad:
            good = [text for text, lines in zip(override.texts, wrong, strict=True) if not lines]
            kept = ",".join([good[0], *(text.partition("=")[2] for text in good[1:])])
            command.overrides = [kept if text == override.typed else text for text in command.overrides]
            unusable += bad
    return unusable


def runs_of(overrides: Iterable[Override], search: SearchOptions | None) -> int:
    """How many runs a grid or a search has; a random search draws nothing twice."""
    overrides = list(overrides)
    grid = math.prod(len(override.values) for override in overrides)
    if search is None:
        return grid
    endless = search.sampler == "tpe" or any(override.continuous for override in overrides)
    return search.n_trials if endless else min(search.n_trials, grid)


def _folder_problem(hydra: Values, overrides: Overrides) -> str:
    """What is wrong with where the runs of a sweep are to lie; empty if nothing is."""
    below = hydra["sweep.subdir"]
    if hydra["job.chdir"]:
        return CHDIR
    if Path(below).is_absolute() or ".." in Path(below).parts:
        return f"hydra.sweep.subdir={below}: must lie below hydra.sweep.dir={hydra['sweep.dir raw']}"
    folders = hydra["sweep.dir raw"], hydra["sweep.subdir raw"]
    return "".join(name_unused(overrides.find("name"), "hydra.sweep.dir", *folders))


def _not_everywhere(overrides: Overrides) -> set[str]:
    """The keys with one value of groups that are swept: a run whose option lacks one fails alone."""
    swept = {o.key for o in overrides if o.is_group and len(o.values) > 1}
    return {
        o.key
        for o in overrides
        if len(o.values) == 1
        and not o.is_group
        and o.key.partition(".")[0] in GROUPS
        and (swept & {o.key.partition(".")[0], *PRESETS})
    }


def with_params(command: Command, library: Library, params: Mapping[str, object]) -> Command:
    """A command and the values that its ``sweep=…`` wants tried, over which what is typed wins."""
    typed = command.parsed(library)
    return replace(
        command, overrides=[*(f"{k}={v}" for k, v in params.items() if not typed.find(k)), *command.overrides]
    )


def _few_of_each(problems: Sequence[str]) -> list[str]:
    """The lines, but no more than some about different values of one key."""
    of_key: dict[str, list[str]] = {}
    for problem in dict.fromkeys(problems):
        of_key.setdefault(problem.partition("=")[0], []).append(problem)
    shown = []
    for key, lines in of_key.items():
        shown += lines[:FEW]
        if len(lines) > FEW:
            shown[-1] += f" (and so {len(lines) - FEW} more values of {key})"
    return shown


def _one_value_at_a_time(
    command: Command, library: Library, overrides: Sequence[Override], name: str, usable: Sequence[Config]
) -> Iterator[Composed | UserError]:
    """Every swept value once, beside the first values of the others: enough to see each, few enough to be quick.

    Args:
        usable: what has been found so far; while there is none, more than ``ENOUGH`` values of a key are looked at.
    """

    def composed(texts: Sequence[str]) -> Composed | UserError:
        try:
            return compose(command, library, texts, ASKED, name)
        except UserError as error:
            return error

    firsts = [override.texts[0] for override in overrides]
    yield (first := composed(firsts))
    for i, override in enumerate(overrides):
        several = dict(zip(override.texts[1:], override.values[1:], strict=True))
        plain = not override.is_group and not any(isinstance(value, list | dict) for value in several.values())
        if plain and isinstance(first, Composed) and "override_dirname" not in str(first.hydra["sweep.dir raw"]):
            forced = [f"++{text}" if key_of(text) in first.added else text for text in firsts]
            values = [*several.values()]
            for i, made in enumerate(compose_each(command, library, forced, override.key, values, ASKED, name)):
                if i >= ENOUGH and usable:
                    break
                yield made
            continue
        for text in several:
            yield composed([text if j == i else each for j, each in enumerate(firsts)])
