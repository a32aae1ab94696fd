"""``dry_run=true``: shows what a run would do, without writing anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gan_cli.commands.dry_run import outlook
from gan_cli.commands.dry_run.layers import tables
from gan_cli.commands.dry_run.pace import Pace, pace_of
from gan_cli.config.asking import is_own
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.images import ImageDataset
from gan_cli.data.knows import DATASET, Dataset, KnowsConditions, KnowsDepth, KnowsLeftOut, Shipped
from gan_cli.data.reading import load, require_room
from gan_cli.data.samples import Samples
from gan_cli.ensemble.train import Ensemble
from gan_cli.errors import UserError
from gan_cli.memory import available
from gan_cli.metrics.evaluation import metrics_of
from gan_cli.metrics.evidence import Outline
from gan_cli.metrics.extractors.asked import extractor_of
from gan_cli.metrics.judge import Judge
from gan_cli.output import screen
from gan_cli.output.text import lines_of
from gan_cli.runs.description import advice
from gan_cli.runs.ensemble_folder import config_of_member
from gan_cli.runs.peak import Peak, peak_of
from gan_cli.runs.room import needed, require
from gan_cli.runs.start import begin
from gan_cli.training.averaged import Averaged
from gan_cli.training.budget import enough
from gan_cli.training.build import assemble
from gan_cli.training.devices import ready
from gan_cli.training.fitting import check
from gan_cli.training.freezing import told as frozen
from gan_cli.training.in_parts import told as in_parts
from gan_cli.training.setup import Setup


def dry_run(config: Config, library: Library, folder: Path, start: int = 0) -> None:
    """Prints what a run is, what it takes, and its networks layer by layer; with ``dry_run=full``, its config too.

    Args:
        folder: of the run, which need not be there.
        start: the step after which a resumed run goes on.

    Raises:
        UserError: for anything that a real run refuses before its first step, except faults in shipped or stored data,
            which are not read (a dataset of your own is loaded); and for a run that does not fit into memory.
    """
    device, precision = ready(config)
    dataset = library.build(DATASET, config.dataset)
    require_room(dataset, f"dataset={config.dataset.name}")
    samples, count = _samples(config, dataset)
    half = "bf16" if device.type == "cpu" and precision == "bf16" else "fp32"
    setup = assemble(config, library, torch.device("cpu"), half, dataset, samples)
    few = check(setup)
    notes = _notes(setup, library, count)
    layers, disk, members = tables(setup, few), needed(setup), max(1, config.ensemble)
    free = available(device)  # before anything lies there
    with enough(config):
        if device.type != "cpu":
            setup = assemble(config, library, device, precision, dataset, samples)
        peak, missing, pace = _measured(setup, library, start, free)
    lines = [
        outlook.about_data(setup, count),
        outlook.about_game(setup),
        outlook.about_length(setup, start, count),
        *([outlook.about_time(setup, pace)] if pace else []),
        outlook.about_memory(config, peak, free),
        outlook.about_disk(disk, folder, members),
        *notes,
    ]
    console = screen.console(stderr=False)
    for line in lines:
        console.print(lines_of(line), highlight=False, markup=False)
    for table in layers:
        console.print(table)
    console.print(_config_of(config), highlight=False, markup=False)
    console.print(f"device: {device}, {precision}; nothing was written")
    if missing:
        raise UserError(missing)
    require(disk, folder, config.keep_checkpoints, members)


def _samples(config: Config, dataset: Dataset) -> tuple[Samples, int | None]:
    """Samples, blank ones of a shipped dataset, and how many a run has; None where only reading them tells."""
    if isinstance(dataset, Shipped) and not is_own(dataset):
        return _blank(dataset, config.model.model_dump().get("labels", 0)), outlook.count_of(dataset)
    samples = load(dataset, config.dataset.name)
    return samples, len(samples)


def _notes(setup: Setup, library: Library, count: int | None) -> list[str]:
    """Lines about what is left out, frozen or unusual; another run's weights are taken over, and told of, here."""
    config, game, dataset, samples = setup.config, setup.game, setup.dataset, setup.samples
    begun = [] if config.resume else begin(setup, library)[1]  # a resumed run has its weights
    left_out = dataset.left_out() if isinstance(dataset, KnowsLeftOut) else []
    notes = [*left_out, *begun, *frozen(game, config.freeze), *in_parts(setup), *advice(setup, count)]
    if not config.metrics:
        return notes
    evidence = Outline(
        samples.shape,
        samples.classes,
        planned=config.evaluate_count,
        count=count,
        source=extractor_of(library, config.extractor),
        dataset=dataset,
        judge=Judge.of(config, game, setup.sampler.classes, torch.device("cpu")),
        model=Averaged(setup),
        fields=samples.fields,
    )
    unfit = metrics_of(config, library, evidence).left_out
    return notes + [f"metrics={name}: left out: {reason}" for name, reason in unfit.items()]


def _measured(setup: Setup, library: Library, start: int, free: float) -> tuple[Peak | None, str | None, Pace | None]:
    """What training takes at its peak, why that does not fit into what is free, and its pace if it does."""
    for network in setup.game.networks.values():
        network.train()
    peak = peak_of(setup)
    missing = outlook.shortfall(setup.config, peak, free) if peak else None
    sampled = peak.samples if peak else setup.batch_sizes.largest
    return peak, missing, None if missing else pace_of(setup, start, sampled, _together(setup, library))


def _together(setup: Setup, library: Library) -> Ensemble | None:
    """All members of an ensemble; None of a single run."""
    config = setup.config
    members = [
        assemble(config_of_member(config, seed), library, setup.device, "fp32", setup.dataset, setup.samples)
        for seed in config.seeds
    ]
    return Ensemble(members, library) if members else None


def _config_of(config: Config) -> str:
    """The whole config as it will be saved, or how to see it."""
    if config.dry_run != "full":
        return "config: dry_run=full shows it whole, as it will be saved"
    from omegaconf import OmegaConf

    return lines_of(OmegaConf.to_yaml(OmegaConf.create(config.saved())).rstrip())


def _blank(dataset: Shipped, told: int) -> Samples:
    """Blank samples of a shipped dataset, one for each class, or as many as ``told`` labels."""
    classes = dataset.classes
    if isinstance(dataset, ImageDataset) and all(isinstance(wanted, int) for wanted in dataset.only):
        dataset.chosen_labels()  # names are known once the data are read
    if isinstance(dataset, KnowsConditions) and (conditions := dataset.conditions):
        return Samples(_zeros(2, dataset), np.zeros((2, len(conditions)), np.float32), conditions=conditions)
    there = outlook.count_of(dataset) or told
    number = max(1, classes, min(-(-told // max(1, classes)) * classes, there))
    return Samples(_zeros(number, dataset), np.arange(number) % classes if classes else None)


def _zeros(count: int, dataset: Shipped) -> np.ndarray:
    """As many samples of the shape and the kind of numbers that the dataset gives."""
    in_bytes = len(dataset.shape) == 3 and not (isinstance(dataset, KnowsDepth) and dataset.full_depth)
    return np.zeros((count, *dataset.shape), np.uint8 if in_bytes else np.float32)
