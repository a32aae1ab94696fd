"""A run under way, and how it ends."""

from __future__ import annotations

import logging
from contextlib import suppress

import torch

from gan_cli.algorithm import play
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.knows import KnowsModes
from gan_cli.distributed import alone
from gan_cli.errors import Diverged, EarlyStop, Interrupted, WentBack, first_line
from gan_cli.games.game import Judges
from gan_cli.runs import figures
from gan_cli.runs.checkpoint import file_of, require_readable
from gan_cli.runs.description import opening
from gan_cli.runs.environment import environment
from gan_cli.runs.figures.drawing import draw
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.guard.guard import Guard
from gan_cli.runs.guard.looks import is_looked_at
from gan_cli.runs.guard.policies import GUARD
from gan_cli.runs.loggers.logger import LOGGER
from gan_cli.runs.names import AUGMENTED, GRID, REAL
from gan_cli.runs.observers.checkpoints import Checkpoints
from gan_cli.runs.observers.evaluations import Evaluations
from gan_cli.runs.observers.interrupts import Interrupts, told_of
from gan_cli.runs.observers.log import Log
from gan_cli.runs.observers.loggers import Loggers
from gan_cli.runs.observers.progress import Progress, summary
from gan_cli.runs.observers.pruning import Pruner
from gan_cli.runs.observers.samples import SampleGrids
from gan_cli.runs.records import Record, records_in
from gan_cli.runs.results import compared, results_of
from gan_cli.runs.resume import Resumption
from gan_cli.runs.start import Origin, begin, origin_of
from gan_cli.runs.status import Status, cluster_job, status_of
from gan_cli.runs.time_limit import TimeLimit
from gan_cli.training.budget import enough
from gan_cli.training.build import build
from gan_cli.training.capture import recorder
from gan_cli.training.cuda_graphs import own_stream
from gan_cli.training.setup import Loaded
from gan_cli.training.state import State, not_finite, restore, state_of

log = logging.getLogger(__name__)


class Running:
    """A run under way: its parts, and the observers around its training."""

    def __init__(
        self,
        config: Config,
        library: Library,
        folder: RunFolder,
        resumption: Resumption | None,
        *,
        live: bool,
        pruner: Pruner | None = None,
        like: Loaded | None = None,
        together: bool = False,
    ) -> None:
        self.config, self.folder, self.resumption = config, folder, resumption
        with enough(config):
            self.setup = setup = build(config, library, resumption.state if resumption else None, like)
        self.origin = origin_of(resumption.state) if resumption else self._begin(library)
        self.recorder = recorder(setup)
        self.environment = environment(setup.device)
        self.at = self.start = restore(setup, resumption.state) if resumption else 0
        self.done = bool(resumption and resumption.over)  # but for what comes after the last checkpoint
        self.elsewhere = bool(  # the resumed checkpoint is not the one of its step, as best.pt
            resumption and resumption.checkpoint.is_file() and resumption.checkpoint.name != file_of(self.at)
        )
        self.forgets = False  # whether later checkpoints than the resumed one are what a kill has left
        self.stopped: str | None = resumption.state.get("stopped") if resumption and resumption.over else None
        self.last: Record = {}  # the newest record of the log
        self.quality: dict[str, float] = {}  # of the newest samples of a mixture
        self._observe(library, live=live, pruner=pruner, together=together)

    def _observe(self, library: Library, *, live: bool, pruner: Pruner | None, together: bool) -> None:
        """Makes the observers of its training."""
        config, folder, setup = self.config, self.folder, self.setup
        self.figure = figures.figure_of(config.figure, setup) if config.figure else None
        self.progress = Progress(self.start, config.steps, live=live)
        self.record = Log(
            folder.metrics,
            setup.players,
            every=config.log_every,
            steps=config.steps,
            batch_sizes=setup.batch_sizes,
            dataset_size=len(setup.samples),
            consequences=setup.game.consequences,
            measure=self.figure.measure if self.figure else None,
        )
        self.grids = SampleGrids(
            folder.samples,
            setup.sampler,
            setup.minibatches,
            every=config.sample_every,
            steps=config.steps,
            count=config.sample_count,
            seed=config.seed,
            game=setup.game,
        )
        policy = library.build(GUARD, config.guard)
        self.guard = Guard(setup, policy, folder, self.grids.real, together=together, best=self._best)
        self.record.listeners = (self.last.update, self.progress.record, self.guard.record)
        self.grids.listeners = (self.guard.samples, self._judge)
        self.checkpoints = Checkpoints(
            folder.path,
            self.state,
            every=config.checkpoint_every,
            minutes=config.checkpoint_minutes,
            steps=config.steps,
            keep=config.keep_checkpoints,
            needed=lambda: self.guard.needed,
        )
        if not self.elsewhere and (resumed := folder.checkpoints / file_of(self.at)).is_file():
            self.checkpoints.trust(resumed)
        self.evaluations = None
        if config.metrics:
            self.evaluations = Evaluations(
                setup,
                library,
                folder.metrics,
                folder.path,
                save_best=self.checkpoints.save_best,
                not_counted=self.record.not_counted,
                guard=self.guard,
                pruner=pruner,
            )
        self.loggers = Loggers(
            [library.build(LOGGER, choice) for choice in config.logger.values()],
            folder,
            config,
            at=lambda: self.at,
            not_counted=self.record.not_counted,
        )

    def _begin(self, library: Library) -> Origin | None:
        """Takes the weights that the run starts from, if from another's."""
        origin, lines = begin(self.setup, library)
        for line in lines:
            log.info("%s", line)
        return origin

    def finish(self) -> float | None:
        """Trains to the end, and writes ``status.json`` however the training ends."""
        limit = TimeLimit(self.config.time_limit, lambda: self.checkpoints.seconds) if self.config.time_limit else None
        try:
            with Interrupts(self.config.steps, limit) as interrupts:
                self._play(interrupts)
        except (Interrupted, WentBack):
            raise
        except KeyboardInterrupt:
            self.status("interrupted", Interrupted.reason)
            raise
        except Diverged as error:
            self.status("diverged", error.reason)
            raise
        except BaseException as error:
            self.status("failed", first_line(error))
            raise
        if self.last:
            log.info("finished %d steps: %s", self.at, summary(self.last))
        if self.config.published:
            found = results_of(status_of(self.folder.path), records_in(self.folder.metrics)[0])
            for line in compared([figure.model_dump() for figure in self.config.published], found):
                log.info("%s", line)
        last, keys = self.folder.samples / GRID.format(self.at), self.grids.keys
        label = f" label={keys['label']}" if "label" in keys else ""
        told = (last, keys["seeds"], self.folder.path, label)
        log.info("last samples: %s: seeds %s of gan-sample checkpoint=%s%s", *told)
        return self.evaluations.best if self.evaluations else None

    def _play(self, interrupts: Interrupts) -> None:
        """From the first step to the last status; what interrupts it finds everything saved."""
        self.begin()
        for line in opening(self.setup):
            log.info("%s", line)
        try:
            if self.done:
                alone(self.complete)()
            else:
                self._train(interrupts)
        except EarlyStop as stop:
            alone(self.stop_early)(str(stop))
        except WentBack:
            if interrupts.received is None:
                raise
            self.status("interrupted", Interrupted.reason)
            raise Interrupted(interrupts.received) from None
        except Interrupted as stop:
            saved = self.checkpoints.save(self.at)
            self.status("interrupted", stop.reason)
            log.warning("%s", told_of(stop, self.at, self.folder.path, saved=saved))
            raise
        if self.figure is not None:
            alone(draw)(self.figure, self.folder)
        self.status("finished", self.stopped or self.guard.unwell)

    def begin(self) -> None:
        """Everything before the first step."""
        with suppress(Diverged):  # which is told at the first step
            require_readable(self.state(self.at))
        if self.resumption:
            self._go_on(self.resumption.state)
        else:
            self.folder.rewind(0)  # what is there of a run whose checkpoints are gone is no part of this one
            self.checkpoints.save(0)  # from here on a kill loses no run, and a folder that cannot be written is known
        if not (self.folder.samples / REAL).is_file():
            self.grids.write_real()
        game = self.setup.game
        if isinstance(game, Judges) and game.view.augment and not (self.folder.samples / AUGMENTED).is_file():
            self.grids.write_augmented(game.view)
        self.status("running")

    def _train(self, interrupts: Interrupts) -> None:
        setup = self.setup
        with enough(self.config), self.progress, own_stream(setup.device):
            reading = (self._count, self.record, self.grids, self.evaluations)
            telling = (self.guard, self.loggers, self.checkpoints, self.progress, interrupts)
            observers = [*(observer for observer in reading if observer is not None), *telling]
            self.record.start_clock()
            play(setup, range(self.start + 1, self.config.steps + 1), observers, self.recorder)

    def _go_on(self, state: State) -> None:
        self.record.restore(state["log"], self.setup.device)
        if self.evaluations and state.get("evaluations"):
            self.evaluations.restore(state["evaluations"], state["config"])
        self.guard.restore(state.get("guard"), self.start)
        if self.elsewhere:
            self.checkpoints.require(self.start)  # before those of later steps go: a kill loses no run
        logged = self.start - self.record.steps_in_interval
        self.folder.rewind(self.start, self.guard.notes(), forget=self.forgets, logged=logged)
        log.info("continuing %s from step %d", self.folder.path, self.start)
        before, now = state.get("threads"), torch.get_num_threads()
        if before not in (None, now) and self.setup.device.type == "cpu":
            told = (
                "threads: %d until now, and %d from here, which round otherwise; the same bits need OMP_NUM_THREADS=%d"
            )
            log.warning(told, before, now, before)

    def complete(self) -> None:
        """What came after the last checkpoint of a run that a kill ended there: its quality is that of its samples."""
        log.info("all %d steps are trained: what was not written after the last of them is written now", self.at)
        self.grids.write(self.at)
        self.checkpoints.prune()

    def stop_early(self, reason: str) -> None:
        self.stopped = reason
        log.info("stopped early at step %d: %s", self.at, reason)
        if self.record.counts:
            self.record.write(self.at)
        self.grids.write(self.at)
        self.checkpoints.save(self.at)

    def _count(self, step: int, statistics: object) -> None:
        self.at = step
        if is_looked_at(self.config, step):  # something may be written; not at every step, on a file system far away
            self.folder.require_same()

    def _judge(self, samples: torch.Tensor) -> None:
        if isinstance(self.setup.dataset, KnowsModes):
            found = self.setup.dataset.quality(samples.numpy())
            self.quality.update(found)
            share = 100 * found["high_quality"]
            log.info("modes %d of %d, high quality %.2f %%", found["modes"], found["of_modes"], share)
            self.guard.count("modes", found["modes"])

    def _best(self) -> int | None:
        """The step of ``best.pt``."""
        return self.evaluations.best_step if self.evaluations and self.evaluations.best is not None else None

    def state(self, step: int) -> State:
        """The state for a checkpoint.

        Raises:
            Diverged: if the weights are not finite.
        """
        self.folder.require_same()
        if lost := not_finite(self.setup):
            raise Diverged(lost)
        self.record.flush()
        watched = {"log": self.record.state(), "evaluations": self.evaluations.state() if self.evaluations else None}
        origin = {"start": self.origin.saved()} if self.origin else {}
        state = {**state_of(self.setup, step), **origin, **watched}
        return {**state, "guard": self.guard.state(), "stopped": self.stopped}

    def status(self, name: str, reason: str | None = None, **more: object) -> None:
        """Writes ``status.json``."""
        facts: Status = {"step": self.at, "steps": self.config.steps, **more}
        facts["images"] = self.setup.batch_sizes.images_seen(self.at)
        if self.evaluations:
            facts |= self.evaluations.facts()
        if self.setup.samples.names:
            facts["classes"] = list(self.setup.samples.names)
        if self.setup.samples.conditions:
            facts["conditions"] = [condition.name for condition in self.setup.samples.conditions]
        facts |= {f"sample_{key}": text for key, text in self.grids.keys.items()}
        facts |= self.guard.facts()
        if self.origin:
            facts["start"] = self.origin.saved()
        facts["environment"] = self.environment
        facts["config"] = self.config.saved()
        if job := cluster_job():
            facts["job"] = job
        self.folder.write_status(name, reason, **facts, **self.quality, seconds=self.record.seconds)
