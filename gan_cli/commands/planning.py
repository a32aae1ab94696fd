"""Plans what ``gan-train`` runs: the checked config of a command, and where and how it is run. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.commands.claiming import claim_sweep, claimed, wanted_folder
from gan_cli.commands.out_of_place import of_new_runs, of_other_commands, of_other_runs, require_use
from gan_cli.commands.plan import Single, Sweep
from gan_cli.config.command import Command
from gan_cli.config.draft import Draft, draft
from gan_cli.config.interpolations import BY_TIME, name_unused
from gan_cli.config.library import Library
from gan_cli.config.mistakes import shown
from gan_cli.config.options import Values
from gan_cli.config.overrides import PLAIN_GAME, key_of
from gan_cli.config.quoting import quoted
from gan_cli.config.schema import validate
from gan_cli.errors import UserError
from gan_cli.parallel import launch, place
from gan_cli.runs.loggers.logger import LOGGER
from gan_cli.sweeps import sweep
from gan_cli.sweeps.plugins import check_search, sweeping
from gan_cli.sweeps.values import CHDIR, prepare, runs_of, with_params

if TYPE_CHECKING:
    from gan_cli.config.schema import Config


def planned(command: Command, library: Library) -> Single | Sweep:
    """The plan to run a command, with its checked config; the run folder is made last.

    Raises:
        UserError: with one line for every mistake.
    """
    typed = command.parsed(library)
    if misplaced := [*of_other_commands(typed), *of_other_runs(typed, multirun=command.multirun)]:
        raise UserError(*misplaced)
    if command.multirun:
        swept = _swept(command, library)
        _require_machine(swept.config, library)
        claim_sweep(swept.folder)
        return swept
    made = draft(command, library, ("run.dir", "job.chdir"))
    if (here := place.given()) and made.composed.values:
        made = _adopted(made, here)
    resumes = made.composed.values.get("resume") is not None
    plan = _resumed(made) if resumes else _single(made)
    begins = None if resumes else _start_of(plan.config, library)
    if made.composed.hydra["job.chdir"]:
        raise UserError(CHDIR)
    require_use(command.parsed(library), plan.config, library)
    _require_machine(plan.config, library)
    if plan.config.dry_run or resumes:
        return plan
    plan = claimed(plan, made.composed, library)
    if begins and not plan.resumption:
        plan.composed.start = begins
        words = [word for word in command.overrides if key_of(word) != "start"]
        command.overrides = [*words, f"start={quoted(begins)}"]  # which repeats the run
        plan = replace(plan, config=plan.config.model_copy(update={"start": begins}))
    return plan


def _require_machine(config: Config, library: Library) -> None:
    """Refuses more processes than the machine could ever run, and loggers whose packages are missing."""
    launch.require_cores(config)
    for logger in config.logger.values():
        library.build(LOGGER, logger)


def _adopted(made: Draft, here: place.Place) -> Draft:
    """The draft with ``devices`` set to the number of started processes."""
    values = made.composed.values
    place.adopt(made.command, here, made.command.parsed(made.library).find("devices"), values["devices"])
    if made.composed.whole is not None:
        made.composed.whole.devices = here.world
    return replace(made, composed=replace(made.composed, values={**values, "devices": here.world}))


def _plan(made: Draft, config: Config, folder: Path) -> Single:
    assert made.composed.whole is not None  # or else it has mistakes, and no config
    return Single(config, made.composed.whole, folder, made.composed.added)


def _single(made: Draft) -> Single:
    config = made.checked(validate)
    space = made.command.parsed(made.library).find("sweep")
    if space and space.values[0] is not None:
        raise UserError(f"{space.typed}: is a space of values to try: add --multirun")
    raw = str(made.composed.hydra["run.dir raw"])
    name = made.command.parsed(made.library).find("name")
    if BY_TIME not in raw and (unused := name_unused(name, "hydra.run.dir", raw)):
        raise UserError(*unused)
    return _plan(made, config, wanted_folder(made.composed))


def _resumed(made: Draft) -> Single:
    from gan_cli.runs.resume import resumed

    if idle := of_new_runs(made.command.parsed(made.library)):
        raise UserError(*idle)
    resumption = resumed(made, place.lock_wait())
    return _plan(made, resumption.config, resumption.folder).resuming(resumption)


def _start_of(config: Config, library: Library) -> str | None:
    """The checkpoint that ``start=`` means now, where that changes: the newest run, or what several processes look up.

    Raises:
        UserError: if it cannot be read.
    """
    if config.start is None:
        return None
    from gan_cli.runs.start import find

    source = find(config.start, library)
    return str(source.path) if config.start == "latest" or config.devices > 1 else None


def _require_start(starts: Sequence[object], library: Library) -> None:
    """Reads what the runs of a sweep are to start from, before there is a folder for them.

    Raises:
        UserError: if it cannot be read, or would change while a sweep goes on.
    """
    for start in starts:
        if start == "latest":
            raise UserError("start=latest: of a sweep, that changes with each of its runs: give the folder of the run")
        if start is not None:
            from gan_cli.runs.start import find

            find(str(start), library)


def _swept(command: Command, library: Library) -> Sweep:
    overrides = command.parsed(library)
    if overrides.problems:
        raise UserError(*overrides.problems)
    if here := place.given():
        place.adopt(command, here, None, here.world)
    if overrides.value("resume") is not None:
        raise UserError("resume: continues one run: leave out --multirun")
    how = sweeping(command, library)
    check_search(how, overrides)
    name = sweep.name_from(overrides)
    whole = with_params(command, library, how.params).parsed(library)
    alone = PLAIN_GAME in whole.every and PLAIN_GAME not in overrides.every  # a sweep of one's own over models
    command.overrides += [PLAIN_GAME.text] if alone else []

    def usable(values: Values, library: Library) -> Config:
        config = validate(values, library)
        require_use(whole, config, library)
        return config

    space = prepare(command, library, usable, how, name)
    check_search(how, overrides, space.config)
    if space.config.resume is not None:
        raise UserError(f"resume={space.config.resume}: continues one run: leave out --multirun")
    if space.config.dry_run:
        raise UserError(f"dry_run={shown(space.config.dry_run)}: shows one run: leave out --multirun")
    if (starts := overrides.find("start")) is not None:
        _require_start(starts.values, library)
    if space.config.name == name:
        command.overrides.append(f"name={name}")
    same = [*(override.key for override in overrides if len(override.values) == 1), "name", *(["experiment"] * alone)]
    extra = [
        f"hydra.job.config.override_dirname.exclude_keys=[{','.join(same)}]",  # folders say what differs
        f"hydra.sweep.dir={quoted(str(space.folder))}",  # as it is now
        "hydra.output_subdir=null",  # a run's command is written once it is known to train
        *how.extra,
    ]
    return Sweep(
        config=space.config,
        folder=space.folder,
        output_subdir=space.output_subdir,
        unusable=space.unusable,
        added=space.added,
        extra=extra,
        # read again: values that are left out are gone
        runs=runs_of(with_params(command, library, how.params).parsed(library), how.search),
        at_once=how.search is None or how.search.sampler == "random",
        in_processes=how.in_processes,
    )
