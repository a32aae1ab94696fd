"""What a run will be, in a few lines: its data, game, length, time, memory and disk."""

from __future__ import annotations

from pathlib import Path

from gan_cli.commands.dry_run.pace import Pace
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.schema import Config
from gan_cli.data.knows import Counted, Dataset
from gan_cli.games.game import LearnsLabels, parameters_of
from gan_cli.output import disk
from gan_cli.output.amounts import in_words, size
from gan_cli.runs.description import made_of, place_of
from gan_cli.runs.peak import Peak
from gan_cli.runs.room import Room
from gan_cli.training.budget import less_memory
from gan_cli.training.setup import Setup


def count_of(dataset: Dataset) -> int | None:
    """How many samples a run trains on; None where only reading them tells."""
    return dataset.count() if isinstance(dataset, Counted) else None


def about_data(setup: Setup, count: int | None) -> str:
    """``data: 10,000 samples of digits, 1×32×32, of 10 classes that no player is told of; 2,000 held out``"""
    config, samples, dataset = setup.config, setup.samples, setup.dataset
    number = "as many samples as it has" if count is None else f"{count:,} samples"
    line = f"data: {number} of {config.dataset.name}, {'×'.join(str(n) for n in samples.shape)}"
    if samples.classes:
        line += f", of {samples.classes:,} classes{_told_of(setup)}"
    if asked := len(samples.conditions):
        line += f", with {asked} condition{'s' * (asked > 1)}{_told_of(setup)}"
    held_out = dataset.held_out_count() if isinstance(dataset, Counted) else 0
    if held_out is not None:
        line += f"; {held_out:,} held out" if held_out else "; none held out"
    return line


def _told_of(setup: Setup) -> str:
    """Who is told of the classes or conditions."""
    if isinstance(setup.game, LearnsLabels):
        labels = setup.config.model.model_dump().get("labels", 0)
        return f", of which D is told {f'{labels:,} labels' if labels else 'every label'}"
    return "" if setup.config.conditional else " that no player is told of (conditional=true)"


def about_game(setup: Setup) -> str:
    """``game: dcgan, non_saturating: generator 699,745 + discriminator 662,337 weights``"""
    sizes = " + ".join(f"{name} {count:,}" for name, count in reversed(parameters_of(setup.game).items()))  # G first
    config = setup.config
    loss = f", {config.loss.name}" if config.model.heeds("loss") else ""
    return f"game: {made_of(config)}{loss}: {sizes} weights"


def about_length(setup: Setup, start: int, count: int | None) -> str:
    """``length: 2,200 steps of 64 samples: 140,800 seen, 14.1 epochs``"""
    config, sizes = setup.config, setup.batch_sizes
    seen = sizes.images_seen(config.steps) - sizes.images_seen(start)
    each = [stretch.size for stretch in sizes.stretches]
    batch = f"{min(each):,}" if min(each) == max(each) else f"{min(each):,} to {max(each):,}"
    line = (
        f"length: {config.steps - start:,} steps of {batch} samples{f' after the first {start:,}' if start else ''}: "
    )
    return f"{line}{seen:,} seen" + (f", {seen / count:,.1f} epochs" if count else "")


def about_time(setup: Setup, pace: Pace) -> str:
    """``time: about 4 minutes on cpu (2 threads), fp32: an estimate …``"""
    config, each = setup.config, 1000 * pace.steps / max(1, pace.count)
    apart = [key for key, on in (("evaluations", config.metrics), ("compile=true", config.compile)) if on]
    return (
        f"time: about {in_words(pace.steps + pace.grids)} on {place_of(setup.device)}, {setup.precision}: an estimate "
        f"from {pace.timed} steps timed now, {f'{each:,.0f}' if each >= 100 else f'{each:.3g}'} ms each"
        + (f", and {in_words(pace.grids)} for grids" if pace.grids >= 1 else "")
        + (f"; without {' and '.join(apart)}" if apart else "")
    )


def about_memory(config: Config, found: Peak | None, free: float) -> str:
    """What training takes at its peak, and what there is."""
    if found is None:
        return "memory: is measured on Linux, for CPUs, and on CUDA devices"
    total = _of_all(config, found)
    each = "each process " if config.devices > 1 else ""
    return (
        f"memory: {each}about {size(total)} at the peak of training ({found.how}), besides the program and the data; "
        f"{size(free)} are free here"
    )


def shortfall(config: Config, found: Peak, free: float) -> str | None:
    """What is said of a run that does not fit into memory; None of one that does."""
    if (total := _of_all(config, found)) <= free:
        return None
    return (
        f"batch_size={BatchSizes(config.batch_size).largest}: training takes about {size(total)} at its peak "
        f"({found.how}), and {size(free)} are free here: {less_memory(config)}"
    )


def _of_all(config: Config, found: Peak) -> float:
    return max(1, config.ensemble) * found.total


def about_disk(room: Room, folder: Path, members: int) -> str:
    return (
        f"disk: about {size(room.checkpoint)} a checkpoint, {size(members * room.total)} at most: "
        f"{members * room.at_once} at once, grids and log; {size(disk.free(folder))} are free there"
    )
