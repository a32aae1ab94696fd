"""One run, from an empty or half-filled folder to its last checkpoint."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.knows import KnowsModes
from gan_cli.distributed import alone, world
from gan_cli.errors import Diverged, EarlyStop, Interrupted
from gan_cli.games.game import Statistics
from gan_cli.metrics.evaluation import decoded_batches
from gan_cli.output import screen
from gan_cli.runs import figures
from gan_cli.runs.environment import environment
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.loggers.logger import LOGGER
from gan_cli.runs.names import GRID
from gan_cli.runs.observers.checkpoints import Checkpoints
from gan_cli.runs.observers.evaluations import Evaluations, due
from gan_cli.runs.observers.hints import Hints
from gan_cli.runs.observers.interrupts import Interrupts
from gan_cli.runs.observers.log import Log
from gan_cli.runs.observers.loggers import Loggers
from gan_cli.runs.observers.progress import Progress, summary
from gan_cli.runs.observers.pruning import Pruner
from gan_cli.runs.observers.samples import SampleGrids
from gan_cli.runs.records import Record, records_in
from gan_cli.runs.results import compared, results_of
from gan_cli.runs.resume import Resumption
from gan_cli.runs.status import Status, job_of, status_of
from gan_cli.train import play
from gan_cli.training.build import build
from gan_cli.training.capture import own_stream, recorder
from gan_cli.training.setup import Loaded, Setup
from gan_cli.training.state import State, require_finite, restore, state_of

log = logging.getLogger(__name__)


def run(
    config: Config,
    library: Library,
    path: Path,
    resumption: Resumption | None = None,
    *,
    live: bool = True,
    wait: float = 0.0,
    pruner: Pruner | None = None,
) -> float | None:
    """Trains as the config says and leaves everything in the run folder ``path``.

    Args:
        resumption: the checkpoint to continue, else a fresh start.
        live: show a live line if there is a terminal; False inside a sweep.
        wait: seconds to wait for another process to leave the folder.
        pruner: may end the run after an evaluation, if other runs of its search are better.

    Returns:
        The best value of the watched metric, if one is watched: what a sweeper optimises.

    Raises:
        UserError: if the config or the data is wrong, or the folder cannot be written.
        Diverged: if a value is no longer finite and the config says stop.
        Interrupted: after SIGINT, SIGTERM or SIGHUP, with everything saved.
    """
    folder = RunFolder(path)
    folder.open(wait)
    try:
        made = Run(config, library, folder, resumption, live=live and screen.interactive(), pruner=pruner)
        with made.loggers:
            return made.finish()
    finally:
        folder.close()


class Run:
    """The parts of a run and the observers around its training."""

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
    ) -> None:
        self.config, self.folder, self.resumption = config, folder, resumption
        self.setup = setup = build(config, library, resumption.state if resumption else None, like)
        self.recorder = recorder(setup)
        self.environment = environment(setup.device)
        self.at = self.start = restore(setup, resumption.state) if resumption else 0
        self.last: Record = {}  # the newest record of the log
        self.quality: dict[str, float] = {}  # of the newest samples of a mixture
        self.figure = figures.figure_of(config.figure, setup) if config.figure else None
        self.progress = Progress(self.start, config.steps, live=live)
        self.hints = Hints(config.loss.name)
        self.record = Log(
            folder.metrics,
            setup.players,
            every=config.log_every,
            steps=config.steps,
            batch_sizes=setup.batch_sizes,
            dataset_size=len(setup.samples),
            consequences=setup.game.consequences,
            stop_on_divergence=config.on_divergence == "stop",
            listeners=(self.last.update, self.progress.record, self.hints.record),
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
            listeners=(self.hints.samples, self._judge),
        )
        self.checkpoints = Checkpoints(
            folder.path, self.state, every=config.checkpoint_every, steps=config.steps, keep=config.keep_checkpoints
        )
        self.evaluations = None
        if config.metrics:
            self.evaluations = Evaluations(
                setup,
                library,
                folder.metrics,
                folder.path,
                save_best=self.checkpoints.save_best,
                not_counted=self.record.not_counted,
                pruner=pruner,
            )
        self.loggers = Loggers(
            [library.build(LOGGER, choice) for choice in config.logger.values()],
            folder,
            config,
            at=lambda: self.at,
            not_counted=self.record.not_counted,
        )

    def finish(self) -> float | None:
        """Trains to the end, and writes ``status.json`` however the training ends."""
        self.begin()
        log.info("%s", describe(self.setup))
        if told := self.setup.samples.told():
            log.info("classes: %s", told)
        reason = None
        try:
            self._train()
        except EarlyStop as stop:
            reason = str(stop)
            alone(self.stop_early)(reason)
        except Interrupted:
            self.checkpoints.save(self.at)
            self.status("interrupted", "by a signal")
            log.warning("interrupted at step %d, saved; continue: gan-train resume=%s", self.at, self.folder.path)
            raise
        except KeyboardInterrupt:  # between two steps there is nothing to save that is not in the last checkpoint
            self.status("interrupted", "by a signal")
            raise
        except Diverged as error:
            self.status("diverged", str(error))
            raise
        except BaseException as error:
            self.status("failed", str(error).splitlines()[0] if str(error) else type(error).__name__)
            raise
        if self.figure is not None:
            alone(self._draw)(self.figure)
        self.status("finished", reason)
        if self.last:
            log.info("finished %d steps: %s", self.at, summary(self.last))
        if self.config.published:
            found = results_of(status_of(self.folder.path), records_in(self.folder.metrics)[0])
            for line in compared([figure.model_dump() for figure in self.config.published], found):
                log.info("%s", line)
        last, seeds = self.folder.samples / GRID.format(self.at), self.grids.seeds_text
        log.info("last samples: %s: seeds %s of gan-sample checkpoint=%s", last, seeds, self.folder.path)
        return self.evaluations.best if self.evaluations else None

    def begin(self) -> None:
        """Everything before the first step."""
        if self.resumption:
            self._go_on(self.resumption.state)
        else:
            self.checkpoints.save(0)  # from here on a kill loses no run, and a folder that cannot be written is known
            self.grids.write_real()
        self.status("running")

    def _train(self) -> None:
        setup = self.setup
        with Interrupts(self.config.steps) as interrupts, self.progress, own_stream(setup.device):
            watching = (self._count, self.record, self.grids, self.evaluations, self.loggers, self.checkpoints)
            observers = [*(observer for observer in watching if observer is not None), self.progress, interrupts]
            play(setup, range(self.start + 1, self.config.steps + 1), observers, self.recorder)

    def _go_on(self, state: State) -> None:
        self.record.restore(state["log"], self.setup.device)
        if self.evaluations and state.get("evaluations"):
            self.evaluations.restore(state["evaluations"])
        self.folder.rewind(self.start)
        log.info("continuing %s from step %d", self.folder.path, self.start)

    def stop_early(self, reason: str) -> None:
        log.info("stopped early at step %d: %s", self.at, reason)
        if self.record.counts:
            self.record.write(self.at)
        self.grids.write(self.at)
        self.checkpoints.save(self.at)

    def _count(self, step: int, statistics: object) -> None:
        self.at = step

    def _judge(self, samples: torch.Tensor) -> None:
        if isinstance(self.setup.dataset, KnowsModes):
            found = self.setup.dataset.quality(samples.numpy())
            self.quality.update(found)
            share = 100 * found["high_quality"]
            log.info("modes %d of %d, high quality %.2f %%", found["modes"], found["of_modes"], share)

    def _draw(self, figure: figures.Figure) -> None:
        records, _ = records_in(self.folder.metrics)
        numbers = figure.draw([record for record in records if "seconds" in record], self.folder.path / "figure.png")
        (self.folder.path / "figure.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
        log.info("figure: %s", self.folder.path / "figure.png")

    def state(self, step: int) -> State:
        """The state for a checkpoint.

        Raises:
            Diverged: if the weights are not finite.
        """
        require_finite(self.setup, step)
        self.record.flush()
        evaluations = self.evaluations.state() if self.evaluations else None
        return {**state_of(self.setup, step), "log": self.record.state(), "evaluations": evaluations}

    def status(self, name: str, reason: str | None = None) -> None:
        """Writes ``status.json``."""
        facts: Status = {"step": self.at, "steps": self.config.steps}
        facts["images"] = self.setup.batch_sizes.images_seen(self.at)
        if self.evaluations and self.config.watch:
            facts["best"] = {
                "metric": self.config.watch,
                "better": "low" if self.evaluations.sign < 0 else "high",
                "value": self.evaluations.best,
                "step": self.evaluations.best_step,
            }
        if self.setup.samples.names:
            facts["classes"] = list(self.setup.samples.names)
        facts["sample_seeds"] = self.grids.seeds_text
        facts["environment"] = self.environment
        facts["config"] = self.config.saved()
        if job := job_of():
            facts["job"] = job
        self.folder.write_status(name, reason, **facts, **self.quality, seconds=self.record.seconds)


def follow(config: Config, library: Library, resumption: Resumption | None = None) -> None:
    """Trains in every process but the first, without observers; takes part in the work of evaluations.

    Raises:
        UserError: if the config or the data is wrong.
    """
    setup = build(config, library, resumption.state if resumption else None)
    start = restore(setup, resumption.state) if resumption else 0

    def share(step: int, statistics: Sequence[Statistics]) -> None:
        if config.metrics and due(config, step):
            decoded_batches(setup.sampler, config.evaluate_count, config.seed)

    play(setup, range(start + 1, config.steps + 1), [share])


def describe(setup: Setup) -> str:
    """One line about the networks, the data and the device."""
    config = setup.config
    sizes = [f"{sum(w.numel() for w in p.network.parameters()):,}" for p in reversed(setup.players)]  # G first
    shape = "×".join(str(n) for n in setup.samples.shape)
    where = torch.cuda.get_device_name(setup.device) if setup.device.type == "cuda" else f"{setup.device.type}"
    if setup.device.type == "cpu":
        where += f" ({torch.get_num_threads()} threads)"
    if (processes := world()) > 1:
        where = f"{processes} processes, each on {where}"
    gan = config.model.name == "gan"
    return (
        f"{config.architecture.name if gan else config.model.name} ({' + '.join(sizes)} weights), "
        f"{config.loss.name + ', ' if gan else ''}"
        f"{len(setup.samples):,} {config.dataset.name} of {shape}, batch {config.batch_size}, "
        f"on {where}, {setup.precision}"
    )
