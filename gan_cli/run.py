"""One run, from an empty or half-filled folder to its last checkpoint."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import torch

from gan_cli import __version__, figures, screen
from gan_cli.build import Setup, build
from gan_cli.config import Config
from gan_cli.errors import Diverged, Interrupted, UserError
from gan_cli.library import Library
from gan_cli.observers.checkpoints import Checkpoints
from gan_cli.observers.hints import Hints
from gan_cli.observers.interrupts import Interrupts
from gan_cli.observers.log import Log
from gan_cli.observers.progress import Progress, summary
from gan_cli.observers.samples import SampleGrids
from gan_cli.resume import Resumption
from gan_cli.run_folder import RunFolder
from gan_cli.train import train

log = logging.getLogger(__name__)


def run(
    config: Config, library: Library, path: Path, resumption: Resumption | None = None, *, live: bool = True
) -> None:
    """Trains as the config says and leaves everything in the run folder ``path``.

    Args:
        resumption: the checkpoint to continue, else a fresh start.
        live: show a live line if there is a terminal; False inside a sweep.

    Raises:
        UserError: if the config or the data is wrong, or the folder cannot be written.
        Diverged: if a value is no longer finite and the config says stop.
        Interrupted: after SIGINT or SIGTERM, with everything saved.
    """
    folder = RunFolder(path)
    folder.open()
    try:
        _run(config, library, folder, resumption, live=live and screen.interactive())
    finally:
        folder.close()


def _run(config: Config, library: Library, folder: RunFolder, resumption: Resumption | None, *, live: bool) -> None:
    setup = build(config, library)
    start = restore(setup, resumption.state) if resumption else 0
    hints = Hints(config.loss.name, getattr(setup.game.loss, "probability", True))
    figure = figures.build(config.figure, setup) if config.figure else None
    progress = Progress(start, config.steps, live=live)
    last: dict[str, Any] = {}
    quality: dict[str, float] = {}

    def judge(samples: torch.Tensor) -> None:
        if hasattr(setup.dataset, "quality"):
            quality.update(setup.dataset.quality(samples.numpy()))
            log.info(
                "modes %d of %d, high quality %.2f %%",
                quality["modes"],
                quality["of_modes"],
                100 * quality["high_quality"],
            )

    record = Log(
        folder.metrics,
        setup.players,
        every=config.log_every,
        steps=config.steps,
        images_per_step=setup.images_per_step,
        dataset_size=len(setup.samples),
        bounds_jsd=getattr(setup.game.loss, "bounds_jsd", False),
        stop_on_divergence=config.on_divergence == "stop",
        listeners=(last.update, progress.record, hints.record),
        measure=figure.measure if figure else None,
    )
    grids = SampleGrids(
        folder.samples,
        setup.sampler,
        setup.minibatches,
        every=config.sample_every,
        steps=config.steps,
        count=config.sample_count,
        seed=config.seed,
        listeners=(hints.samples, judge),
    )
    at = start

    def state(step: int) -> dict[str, Any]:
        require_finite(setup, step)
        record.flush()
        return {**state_of(setup, step), "log": record.state()}

    checkpoints = Checkpoints(
        folder.path, state, every=config.checkpoint_every, steps=config.steps, keep=config.keep_checkpoints
    )

    def status(name: str, reason: str | None = None) -> None:
        facts: dict[str, Any] = {"step": at, "steps": config.steps, "images": at * setup.images_per_step}
        folder.write_status(name, reason, **facts, **quality, seconds=record.seconds)

    def count(step: int, statistics: Any) -> None:
        nonlocal at
        at = step

    if resumption:
        record.restore(resumption.state["log"], setup.device)
        folder.rewind(start)
        log.info("continuing %s from step %d", folder.path, start)
    else:
        checkpoints.save(0)  # from here on a kill loses no run, and a folder that cannot be written is known at once
        grids.write_real()
    status("running")
    log.info("%s", describe(setup))
    try:
        with Interrupts(config.steps) as interrupts, progress:
            train(
                setup.players,
                setup.minibatches,
                setup.sampler.prior,
                setup.ema,
                (count, record, grids, checkpoints, progress, interrupts),
                batch_size=config.batch_size,
                steps=range(start + 1, config.steps + 1),
                updates=config.updates,
                seed=config.seed,
                device=setup.device,
            )
    except Interrupted:
        checkpoints.save(at)
        status("interrupted", "by a signal")
        log.warning("interrupted at step %d, saved; continue with: gan-train resume=%s", at, folder.path)
        raise
    except Diverged as error:
        status("diverged", str(error))
        raise
    except BaseException as error:
        status("failed", str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise
    if figure is not None:
        records = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
        numbers = figure.draw(records, folder.path / "figure.png")
        (folder.path / "figure.json").write_text(json.dumps(numbers, indent=2) + "\n")
        log.info("figure: %s", folder.path / "figure.png")
    status("finished")
    if last:
        log.info("finished %d steps: %s", config.steps, summary(last))
    log.info("last samples: %s", folder.samples / f"step-{config.steps:09d}.png")


def state_of(setup: Setup, step: int) -> dict[str, Any]:
    """Everything the run is at a step: plain values and tensors."""
    return {
        "version": __version__,
        "config": setup.config.saved(),
        "data": {"fingerprint": setup.samples.fingerprint(), "shape": list(setup.samples.shape)},
        "classes": setup.sampler.classes,
        "step": step,
        "networks": {player.name: player.network.state_dict() for player in setup.players},
        "players": {player.name: player.state() for player in setup.players},
        "ema": setup.ema.network.state_dict() if setup.ema else None,
    }


def restore(setup: Setup, state: dict[str, Any]) -> int:
    """Puts a checkpoint's state into freshly built parts and returns its step.

    Raises:
        UserError: if the data or the weights are not those of the checkpoint.
    """
    if state["data"]["fingerprint"] != setup.samples.fingerprint():
        raise UserError(
            f"dataset={setup.config.dataset.name}: its pictures are not those the checkpoint was trained on: "
            "point dataset.root or dataset.path at them"
        )
    try:
        for player in setup.players:
            player.network.load_state_dict(state["networks"][player.name])
            player.restore(state["players"][player.name])
        if setup.ema:
            setup.ema.network.load_state_dict(state["ema"] or state["networks"]["generator"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise UserError(f"resume: the checkpoint's weights do not fit: {str(error).splitlines()[0]}") from error
    return state["step"]


def require_finite(setup: Setup, step: int) -> None:
    """Raises Diverged rather than let weights that are not finite replace a good checkpoint."""
    if setup.config.on_divergence == "stop":
        weights = [p.detach() for player in setup.players for p in player.network.parameters()]
        if not torch.isfinite(torch.stack(torch._foreach_norm(weights))).all():
            raise Diverged(f"weights not finite at step {step}")


def describe(setup: Setup) -> str:
    """One line on what is being trained, and on what."""
    config = setup.config
    sizes = {p.name: sum(w.numel() for w in p.network.parameters()) for p in setup.players}
    shape = "×".join(str(n) for n in setup.samples.shape)
    where = torch.cuda.get_device_name(setup.device) if setup.device.type == "cuda" else f"{setup.device.type}"
    if setup.device.type == "cpu":
        where += f" ({torch.get_num_threads()} threads)"
    return (
        f"{config.architecture.name} ({sizes['generator']:,} + {sizes['discriminator']:,} weights), "
        f"{config.loss.name}, "
        f"{len(setup.samples):,} {config.dataset.name} of {shape}, batch {config.batch_size}, on {where}"
    )
