"""What a sweep is to try, checked before anything is made or run. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.command import Command
from gan_cli.config.compose import compose, wrong_options
from gan_cli.config.options import GROUPS, Values
from gan_cli.config.overrides import PRESETS, Override, Overrides
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from gan_cli.config.library import Library
    from gan_cli.config.schema import Config

ASKED = ("sweep.dir", "sweep.subdir", "job.chdir")  # of Hydra's keys
CHDIR = "hydra.job.chdir=true: what is read and written is named from the folder of the command: leave it out"


@dataclass(frozen=True)
class Space:
    """What a sweep is to try, checked.

    Args:
        config: of its first usable run.
        folder: of the whole sweep.
        unusable: values that are left out, and why.
        added: typed keys that not every option has.
    """

    config: Config
    folder: Path
    unusable: Sequence[tuple[str, str]] = ()
    added: frozenset[str] = frozenset()


def prepare(command: Command, library: Library, validate: Callable[[Values, Library], Config], name: str) -> Space:
    """Checks every value of a sweep; options that are not there are taken out of the command.

    Args:
        name: of the sweep if it has none.

    Raises:
        UserError: with one line for every mistake, if no run is usable.
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
    overrides = command.parsed(library)
    problems: list[str] = []
    found: Config | None = None
    folders: dict[str, str] = {}
    misplaced = ""
    added: set[str] = set()
    for texts in _one_value_at_a_time(list(overrides)):
        linked: Sequence[str] = ()
        try:
            composed = compose(command, library, texts, ASKED, name)
            linked = composed.linked
            added |= composed.added
            raw, folder = composed.hydra["sweep.dir raw"], composed.hydra["sweep.dir"]
            folders.setdefault(raw if "${now:" in raw else folder, folder)  # the clock goes on meanwhile
            misplaced = misplaced or _folder_problem(composed.hydra)
            found = found or validate(composed.values, library)
        except UserError as error:
            echoes = tuple(f"{key}=" for key in linked)
            problems += [problem for problem in error.problems if not problem.startswith(echoes)]
    outside = [line for line in problems if line.startswith(tuple(f"{o.key}=" for o in overrides if o.continuous))]
    if found is None or outside:
        raise UserError(*dict.fromkeys(outside or problems))
    if misplaced:
        raise UserError(misplaced)
    if len(folders) > 1:
        one, other, *_ = folders.values()
        raise UserError(
            f"hydra.sweep.dir: would be {one} and {other}: all runs of a sweep lie in one folder; "
            "what differs between them goes into hydra.sweep.subdir"
        )
    return Space(found, Path(next(iter(folders.values()))), unusable, frozenset(added) | _not_everywhere(overrides))


def _folder_problem(hydra: Values) -> str:
    """What is wrong with where the runs of a sweep are to lie; empty if nothing is."""
    below = hydra["sweep.subdir"]
    if hydra["job.chdir"]:
        return CHDIR
    if Path(below).is_absolute() or ".." in Path(below).parts:
        return f"hydra.sweep.subdir={below}: must lie below hydra.sweep.dir={hydra['sweep.dir']}"
    return ""


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


def prepare_search(
    command: Command,
    library: Library,
    validate: Callable[[Values, Library], Config],
    params: Mapping[str, object],
    name: str,
) -> Space:
    """Checks the values of a search; nothing may be wrong with its space.

    Args:
        params: the space of a ``sweep=…``, over which what is typed wins.
        name: of the search if it has none.

    Raises:
        UserError: with one line for every mistake.
    """
    from gan_cli.sweeps.search.space import parse

    overrides = command.parsed(library)
    parse([override.text for override in overrides], params, library)
    space = [f"{key}={value}" for key, value in params.items() if not overrides.find(key)]
    found = prepare(replace(command, overrides=[*space, *command.overrides]), library, validate, name)
    if found.unusable:
        raise UserError(*(reason for _, reason in found.unusable))
    return found


def _one_value_at_a_time(overrides: Sequence[Override]) -> Iterator[list[str]]:
    """Every swept value once, beside the first values of the others: enough to see each, few enough to be quick."""
    yield [override.texts[0] for override in overrides]
    for i, override in enumerate(overrides):
        for text in override.texts[1:]:
            yield [text if j == i else other.texts[0] for j, other in enumerate(overrides)]
