"""The runs of a sweep: the job that Hydra calls for each, here or in the processes of a launcher."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gan_cli.commands.job_folder import output_dir, stamp
from gan_cli.commands.out_of_place import without_effect
from gan_cli.commands.plan import Sweep
from gan_cli.config.command import Command
from gan_cli.config.compose import plain
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.overrides import key_of
from gan_cli.config.reading_overrides import read
from gan_cli.config.root import Root
from gan_cli.config.schema import validate
from gan_cli.errors import Diverged, Interrupted, TimeUp, UserError, of_storage
from gan_cli.exit_codes import exit_code
from gan_cli.output.text import lines_of
from gan_cli.runs import time_limit
from gan_cli.runs.hydra_files import write
from gan_cli.runs.observers import interrupts
from gan_cli.sweeps import job_processes as workers
from gan_cli.sweeps import sweep
from gan_cli.sweeps.outcomes import Outcome, code_of_sweep, opening, table
from gan_cli.sweeps.search import register

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_cli.config.schema import Config

log = logging.getLogger("gan_cli")


def train(command: Command, library: Library, plan: Sweep) -> None:
    """Trains the runs of a sweep, here or where its launcher has them, and says how they ended."""
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra

    job, folder = SweepJob(library, plan.output_subdir, plan.runs), plan.folder
    register()
    print(lines_of(opening(folder, plan.runs, at_once=plan.at_once)), file=sys.stderr)
    GlobalHydra.instance().clear()
    with workers.stopped_together(folder) if plan.in_processes else nullcontext():
        try:
            hydra = Hydra.create_main_hydra2("train", create_config_search_path(str(shipped_conf())))
            words = command.words_for_hydra(library, plan.added, plan.extra)
            returned = hydra.multirun(command.config_name, job, words)
        finally:
            GlobalHydra.instance().clear()
    outcomes = list(_outcomes(returned))
    print(lines_of(table(folder, plan.unusable, outcomes)), file=sys.stderr)
    if plan.unusable:
        raise UserError(*(reason for _, reason in plan.unusable))
    if job.faults:
        raise job.faults[0]
    if code := code_of_sweep(folder, outcomes):  # of runs in other processes
        raise SystemExit(code)


@dataclass
class SweepJob:
    """What Hydra calls for each run of a sweep. A launcher may take it to another process.

    Attributes:
        output_subdir: as of the plan.
        runs: how many there are.
        main: the process that the sweep was begun in.
        began: when that was, of which its time limit is.
        faults: of the runs in this process.
    """

    library: Library
    output_subdir: str | None
    runs: int
    main: int = field(default_factory=os.getpid)
    began: float = field(default_factory=time_limit.began)
    faults: list[Exception] = field(default_factory=list)

    def __call__(self, cfg: DictConfig) -> float | Outcome | None:
        """The best value of the watched metric, or how the run ended otherwise."""
        ended = self._train(cfg)
        if late := interrupts.late():
            if not self._elsewhere:
                raise SystemExit(late.exit_code)
            workers.begin_no_more(late)
        return ended

    @property
    def _elsewhere(self) -> bool:
        return os.getpid() != self.main

    def _train(self, cfg: DictConfig) -> float | Outcome | None:
        from hydra.core.hydra_config import HydraConfig

        hydra_config, path = HydraConfig.get(), output_dir()
        before = stamp(path)

        def record() -> None:
            if self.output_subdir is not None:
                files = {"config.yaml": cfg, "hydra.yaml": HydraConfig.instance().cfg}
                write(path / self.output_subdir, {**files, "overrides.yaml": hydra_config.overrides.task})

        if self._elsewhere and (stopped := workers.begin(path.name, str(cfg.device), self.began)):
            return Outcome(path, stopped.exit_code, stopped.reason, "not begun")
        try:
            config = self._checked(cfg, hydra_config.overrides.task)
            if config.time_limit and time_limit.is_up(config.time_limit):
                up = TimeUp(config.time_limit)
                log.warning("%s: not begun: %s; continue: the same command", path.name, up.reason)
                return self._stopped(Outcome(path, up.exit_code, up.reason, "not begun"))
            place = f"{hydra_config.job.num + 1} of {self.runs}"
            return sweep.run_one(config, self.library, path, hydra_config.sweeper, place, record)
        except Interrupted as error:
            if self._elsewhere:
                workers.stop(error)
            return self._stopped(Outcome(path, error.exit_code, error.reason))
        except Exception as error:  # kept for after the sweep: one bad run does not stop the others
            fault = of_storage(error) or error
            self.faults.append(fault)
            reason = sweep.note(path, fault, record)
            if not isinstance(fault, UserError | Diverged):
                log.exception("unexpected fault")
            how = "refused" if isinstance(fault, UserError) else "failed"
            return Outcome(path, exit_code(fault), reason, how if stamp(path) == before else "")

    def _checked(self, cfg: DictConfig, overrides: list[str]) -> Config:
        """The checked config of a run; the sweep's own values are checked too.

        Raises:
            UserError: with one line for every mistake.
        """
        config = validate(plain(cfg, [key_of(text) for text in overrides]), self.library)
        typed = read([text.lstrip("+") for text in overrides], self.library, root=Root)
        if idle := without_effect(typed, config):
            raise UserError(*idle)
        return config

    def _stopped(self, outcome: Outcome) -> Outcome:
        """How a run was stopped, to be told in the sweep's own process; in that process, the sweep ends with it."""
        if not self._elsewhere:
            raise SystemExit(outcome.code)
        return outcome


def _outcomes(returned: object) -> Iterator[Outcome]:
    """Of the runs that are not finished, in the order of the runs: in lists of what Hydra has of each job."""
    from hydra.core.utils import JobReturn

    if isinstance(returned, list | tuple):
        for each in returned:
            yield from _outcomes(each)
    elif isinstance(returned, JobReturn) and isinstance(returned.return_value, Outcome):
        yield returned.return_value
