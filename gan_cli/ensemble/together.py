"""A run of several seeds at once. Its members are ordinary runs that it trains together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.ensemble.member import Member
from gan_cli.ensemble.results import mean_record, spreads, spreads_told, status_facts
from gan_cli.ensemble.train import Ensemble
from gan_cli.errors import Diverged, EarlyStop, Interrupted, first_line
from gan_cli.games.game import Statistics
from gan_cli.output import screen
from gan_cli.runs.checkpoint import file_of
from gan_cli.runs.description import opening
from gan_cli.runs.ensemble_folder import EnsembleFolder, config_of_member, is_over, member_folder, write_config
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.guard.looks import is_looked_at
from gan_cli.runs.guard.signs import Kept
from gan_cli.runs.observers.interrupts import Interrupts, told_of
from gan_cli.runs.observers.progress import Progress, summary
from gan_cli.runs.resume import Resumption
from gan_cli.runs.room import needed, require
from gan_cli.runs.status import status_of
from gan_cli.runs.time_limit import TimeLimit
from gan_cli.training.budget import enough, require_training
from gan_cli.training.outline import blank
from gan_cli.training.setup import Loaded
from gan_cli.training.state import State

log = logging.getLogger(__name__)
LONG = 5000  # steps after which the time for compilation has been saved again


def run_ensemble(
    config: Config, library: Library, path: Path, resumption: Resumption | None, *, live: bool
) -> float | None:
    """Trains all members, with a run folder for each in ``path``; else like ``gan_cli.runs.run.run``."""
    folder = EnsembleFolder(path)
    folder.open()
    with closing(folder), ExitStack() as members:
        run = EnsembleRun(config, library, folder, resumption, members, live=live and screen.interactive())
        require(needed(run.ensemble.setup), path, config.keep_checkpoints, config.ensemble)
        return run.finish()


class AllOver(Exception):
    """All members have ended."""


class EnsembleRun:
    """All members, their common training, and its status."""

    def __init__(
        self,
        config: Config,
        library: Library,
        folder: RunFolder,
        resumption: Resumption | None,
        closes: ExitStack,
        *,
        live: bool,
    ) -> None:
        self.config, self.folder, self.closes = config, folder, closes
        self.at = self.start = resumption.state["step"] if resumption else 0
        states = resumption.state["members"] if resumption else dict.fromkeys(config.seeds)
        self.members: list[Member] = []
        self.done = bool(resumption and resumption.over)
        self.progress = Progress(self.start, config.steps, live=live)
        if not resumption:
            self.status("running")  # from here on the folder can be resumed
        self.broken_off = status_of(folder.path).get("status") != "finished"  # a whole that has finished goes further
        try:
            self._build(states, library)
        except BaseException as error:
            if not resumption:
                how = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
                self.status(how, first_line(error))
            raise

    def _build(self, states: Mapping[int, State | None], library: Library) -> None:
        for seed in self.config.seeds:
            like = self.members[0].setup.loaded if self.members else None
            self.members.append(self._member(seed, states[seed], library, like))
            if not like:
                self._require_room(library)
        config = self.config
        self.ensemble = Ensemble([member.setup for member in self.members], library, compile=config.compile)
        for i, member in enumerate(self.members):
            member.hand_out = partial(self._hand_out, i)
        self.sums: dict[str, Tensor] = {}  # (E,) each; as in the members' logs
        self.counts: dict[str, int] = {}
        self.steps_in_interval = 0
        self.kept = Kept()

    def _member(self, seed: int, state: State | None, library: Library, like: Loaded | None) -> Member:
        config = config_of_member(self.config, seed)
        folder = RunFolder(member_folder(self.folder.path, seed))
        folder.open()
        self.closes.enter_context(closing(folder))
        write_config(self.folder.path, folder.path, seed)
        stopped = bool(state and state.get("stopped"))
        left = self.broken_off and stopped  # by a kill, between its last checkpoint and its status
        resumption = Resumption(folder.path, folder.checkpoints, state, config, left) if state else None
        ended = self.broken_off and status_of(folder.path).get("step", 0) <= self.at
        over = bool(state) and is_over(folder.path) and (ended or not (folder.checkpoints / file_of(self.at)).exists())
        member = Member(config, library, folder, resumption, like=like, over=over)
        self.closes.enter_context(closing(member.lines))
        self.closes.enter_context(member.loggers)
        member.forgets = bool(status_of(folder.path).get("together"))
        return member

    def _require_room(self, library: Library) -> None:
        some = self.members[0].setup
        if outline := blank(self.config, library, some.samples.shape, some.sampler.classes):
            require_training(self.config, outline, some.samples.shape, some.sampler.classes, some.device)

    @property
    def going(self) -> list[Member]:
        """The members that have not ended. The others are computed along with them, and their results dropped."""
        return [member for member in self.members if not member.over]

    def finish(self) -> float | None:
        """Trains to the end, and writes ``status.json`` however the training ends."""
        limit = TimeLimit(self.config.time_limit, self._saving) if self.config.time_limit else None
        try:
            with Interrupts(self.config.steps, limit) as interrupts:
                return self._play(interrupts)
        except (Interrupted, Diverged):
            raise
        except KeyboardInterrupt:
            self._all_status("interrupted", Interrupted.reason)
            raise
        except BaseException as error:
            self._all_status("failed", first_line(error))
            raise

    def _saving(self) -> float:
        """The seconds that the last checkpoints of all members took."""
        return sum(member.checkpoints.seconds for member in self.going)

    def _play(self, interrupts: Interrupts) -> float | None:
        """From the first step to the last status; what interrupts it finds everything saved."""
        try:
            self.folder.sweep()
            self.each(Member.begin)
            self.each(Member.complete_early)
            self._take_in()
            self.status("running")
            first, *others = opening(self.ensemble.setup)
            log.info("%d seeds at once, each: %s", len(self.config.seeds), first)
            for line in others:
                log.info("%s", line)
            if not self.config.compile and self.config.steps >= LONG:
                log.info("compile=true takes a minute or two at the start and trains up to twice as fast")
            if self.done:
                self.each(Member.complete)
            else:
                self._train(interrupts)
        except AllOver:
            pass
        for member in self.going:
            member.leave("finished")
        return self._end()

    def _end(self) -> float | None:
        """Writes the last messages and the status; returns what a sweeper optimises: the mean over the members."""
        if any(member.last for member in self.members):
            log.info("finished %d steps: %s", self.at, summary(mean_record(self.members)))
        self._tell_spreads("")
        lost = [member.folder.path.name for member in self.members if member.fate == "diverged"]
        if lost:
            reason = f"{len(lost)} of {len(self.members)} members: {', '.join(lost)}"
            self.status("diverged", reason)
            alone = self.folder.path / lost[0]
            raise Diverged(reason, f"its status.json says why; on with it alone: resume={alone} guard=rollback")
        self.status("finished")
        return spreads(self.members).get("best", (None, None))[0]

    def _tell_spreads(self, when: str) -> None:
        if told := spreads_told(self.members):
            log.info("%s%s over %d seeds", when, told, len(self.members))

    def _train(self, interrupts: Interrupts) -> None:
        try:
            with enough(self.config), self.progress:
                observers = (self.observe, self.progress, interrupts)
                for member in self.going:
                    member.record.start_clock()
                self.ensemble.train(range(self.start + 1, self.config.steps + 1), observers)
        except Interrupted as stop:
            self._save()
            self._all_status("interrupted", stop.reason)
            log.warning("%s", told_of(stop, self.at, self.folder.path))
            raise

    def _save(self) -> None:
        """A checkpoint of each; older ones go only now: at every moment all share a step."""
        self.each(lambda member: member.checkpoints.write(self.at))
        self.each(lambda member: member.checkpoints.prune())

    def observe(self, step: int, statistics: Sequence[Statistics]) -> None:
        """The one observer of the training. It calls the members' observers only when one of them is due."""
        self.at = step
        if is_looked_at(self.config, step):  # something may be written; not at every step, on a file system far away
            self.folder.require_same()
        for move in statistics:
            for name, value in move.items():
                self.sums[name] = self.sums[name] + value if name in self.sums else value
                self.counts[name] = self.counts.get(name, 0) + 1
        self.steps_in_interval += 1
        self.kept(step, statistics)
        some = self.going[0]
        if some.record.due(step):
            self.each(lambda member: member.write(step))
            self.sums, self.counts, self.steps_in_interval = {}, {}, 0
            self.progress.record(mean_record(self.members))
        if some.grids.due(step):
            self.each(lambda member: member.grids.write(step))
            self._tell_spreads(f"step {step}  ")
        if some.evaluations and some.evaluations.due(step):
            with ExitStack() as clocks:
                for member in self.going:  # the clock of each is stopped while all are evaluated
                    clocks.enter_context(member.record.not_counted())
                self.each(lambda member: member.evaluate(step))
        if is_looked_at(self.config, step):
            self._fold()
            self.each(lambda member: member.guard.look(step))
        if self.config.logger:
            self.each(lambda member: member.loggers(step, ()))
        if some.checkpoints.due(step):
            self._save()

    def each(self, action: Callable[[Member], object]) -> None:
        """Calls ``action`` for every member that has not ended; if a member ends by it, the others continue."""
        for member in self.going:
            member.at = self.at
            with member.speaking():
                try:
                    action(member)
                except EarlyStop as stop:
                    member.hand_out()
                    member.stop_early(str(stop))
                    member.leave("finished", str(stop))
                except Diverged as error:
                    log.warning("%s", error)
                    member.leave("diverged", error.reason)
            if member.over:
                log.warning("%s is over: %s at step %d", member.folder.path.name, member.fate, self.at)
        if not self.going:
            raise AllOver

    def _take_in(self) -> None:
        """Takes over the sums of an interrupted log interval from the members; those of ended members do not matter."""
        some = self.going[0].record
        self.sums = {
            name: torch.stack([(some if member.over else member.record).sums[name] for member in self.members])
            for name in some.sums
        }
        self.counts, self.steps_in_interval = dict(some.counts), some.steps_in_interval

    def _fold(self) -> None:
        """Tells each member which of its statistics are not finite."""
        for member, lost in zip(self.members, self.kept.first_lost(), strict=False):
            member.guard.lose(lost)

    def _hand_out(self, i: int) -> None:
        self.ensemble.hand_out(i)
        self._fold()
        sums = {name: value[i] for name, value in self.sums.items()}
        self.members[i].record.hold(sums, dict(self.counts), self.steps_in_interval)

    def _all_status(self, name: str, reason: str | None = None) -> None:
        for member in self.going:
            member.at = self.at
            member.status(name, reason)
        self.status(name, reason)

    def status(self, name: str, reason: str | None = None) -> None:
        """Writes the status of the whole."""
        self.folder.write_status(name, reason, **status_facts(self.config, self.members, self.at))
