"""``dry_run=true``: shows what a run would do, without writing anything."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.table import Table
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from gan_cli.config.asking import is_own
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.images import ImageDataset
from gan_cli.data.knows import DATASET, Shipped
from gan_cli.data.reading import load, require_room
from gan_cli.data.samples import Samples, as_input
from gan_cli.games.game import parameters_of
from gan_cli.memory import available, shortage
from gan_cli.metrics.evaluation import metrics_of
from gan_cli.metrics.evidence import Outline
from gan_cli.metrics.extractors.asked import extractor_of
from gan_cli.metrics.judge import Judge
from gan_cli.output import screen
from gan_cli.output.text import lines_of
from gan_cli.runs.peak import peak_of
from gan_cli.runs.room import needed, require, shown
from gan_cli.runs.start import begin
from gan_cli.training import cpu
from gan_cli.training.averaged import Averaged
from gan_cli.training.budget import less_memory
from gan_cli.training.build import assemble, pick_device
from gan_cli.training.compiler import require_compiler
from gan_cli.training.fitting import check
from gan_cli.training.freezing import told as frozen
from gan_cli.training.in_parts import told as in_parts
from gan_cli.training.precision import choose, set_precision
from gan_cli.training.setup import Setup


class Layer(NamedTuple):
    """A module without parts: its name, its class, the shape of its output without the batch, its weights."""

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int


def dry_run(config: Config, library: Library) -> None:
    """Prints the resolved config, both networks layer by layer, and what memory and disk they will take.

    Raises:
        UserError: for anything that a real run refuses before its first step, except faults in shipped or stored data,
            which are not read; a dataset of your own is loaded.
    """
    from omegaconf import OmegaConf

    console = screen.console(stderr=False)
    written = OmegaConf.to_yaml(OmegaConf.create(config.saved()))
    console.print(lines_of(written), highlight=False, markup=False)
    device = pick_device(config.device)
    precision = choose(config, device)
    set_precision(precision, device, config.deterministic)
    if config.compile and not config.ensemble:
        require_compiler(device)
    dataset = library.build(DATASET, config.dataset)
    require_room(dataset, f"dataset={config.dataset.name}")
    samples = (
        _blank(dataset) if not is_own(dataset) and isinstance(dataset, Shipped) else load(dataset, config.dataset.name)
    )
    if device.type == "cpu":
        cpu.tune()
    half = "bf16" if device.type == "cpu" and precision == "bf16" else "fp32"
    setup = assemble(config, library, torch.device("cpu"), half, dataset, samples)
    count, game = check(setup), setup.game
    begun = [] if config.resume else begin(setup, library)[1]  # a resumed run has its weights
    told = [*begun, *frozen(game, config.freeze), *in_parts(setup)]
    if config.metrics:
        evidence = Outline(
            samples.shape,
            samples.classes,
            planned=config.evaluate_count,
            source=extractor_of(library, config.extractor),
            dataset=dataset,
            judge=Judge.of(config, game, torch.device("cpu")),
            model=Averaged(setup),
        )
        for name, reason in metrics_of(config, library, evidence).left_out.items():
            console.print(f"metrics={name}: left out: {reason}", markup=False, highlight=False)
    rows = _layers(setup, count)
    weights = parameters_of(game)
    for name in reversed(list(game.networks)):  # G before D
        table = Table("layer", "kind", "output", "weights", title=name, title_justify="left")
        for layer in rows[name]:
            table.add_row(layer.name, layer.kind, str(layer.shape), f"{layer.weights:,}")
        table.add_row("total", "", "", f"{weights[name]:,}", style="bold")
        console.print(table)
    disk, members = needed(setup), max(1, config.ensemble)
    for line in told:
        console.print(lines_of(line), highlight=False, markup=False)
    console.print(f"memory: {_memory(config, library, device, precision, setup)}")
    console.print(
        f"disk: about {shown(disk.checkpoint)} a checkpoint, {shown(members * disk.total)} at most: "
        f"{members * disk.at_once} at once, grids and log; {shown(shutil.disk_usage(Path.cwd()).free)} are free here"
    )
    console.print(f"device: {device}, {precision}; nothing was written")
    require(disk, Path(), config.keep_checkpoints, members)


def _memory(config: Config, library: Library, device: torch.device, precision: str, setup: Setup) -> str:
    """What training takes at its peak, and where that is more than there is. Trains ``setup``, or one like it."""
    members = max(1, config.ensemble)
    try:
        if device.type != "cpu":
            setup = assemble(config, library, device, precision, setup.dataset, setup.samples)
        for network in setup.game.networks.values():
            network.train()
        found = peak_of(setup)
    except (MemoryError, RuntimeError) as error:
        if shortage(error) is None:
            raise
        return f"{shortage(error)} for a step of few samples: {less_memory(config)}"
    if found is None:
        return "is measured on Linux, for CPUs, and on CUDA devices"
    total, there = members * found.total, available(device)
    each = "each process " if config.devices > 1 else ""
    line = f"{each}about {shown(total)} at the peak of training ({found.how}), besides the program and the data"
    return line if total <= there else f"{line}, and {shown(there)} are free: {less_memory(config)}"


def _blank(dataset: Shipped) -> Samples:
    """Blank samples of a shipped dataset, one for each label."""
    shape, classes = tuple(dataset.shape), dataset.classes
    if isinstance(dataset, ImageDataset) and all(isinstance(wanted, int) for wanted in dataset.only):
        dataset.chosen_labels()  # names are known once the data are read
    values = np.zeros((max(1, classes), *shape), np.uint8 if len(shape) == 3 else np.float32)
    return Samples(values, np.arange(classes) if classes else None)


def _layers(setup: Setup, count: int) -> dict[str, list[Layer]]:
    """The layers of each network, in order of use, noted while every player's cost is computed once.

    Args:
        count: samples in that pass.
    """
    game, sampler = setup.game, setup.sampler
    rows: dict[str, list[Layer]] = {name: [] for name in game.networks}
    handles = []
    for player, network in game.networks.items():
        for name, module in network.eval().named_modules():
            if not list(module.children()) or is_parametrized(module):

                def note(
                    module: nn.Module, args: object, output: object, name: str = name, player: str = player
                ) -> None:
                    if all(row.name != name for row in rows[player]):
                        count = sum(p.numel() for p in module.parameters())
                        first = output[0] if isinstance(output, tuple | list) else output  # of an LSTM
                        shape = tuple(first.shape[1:]) if isinstance(first, Tensor) else ()
                        kind = type(module).__name__
                        rows[player].append(Layer(name, kind, shape, count))

                if "parametrizations" not in name:
                    handles.append(module.register_forward_hook(note))
    x = as_input(setup.samples.values[np.arange(count) % len(setup.samples)])
    z, labels = sampler.latents_of(range(count)), sampler.labels_of(range(count))
    for player in game.networks:
        game.cost(player, x, z, labels, {})
    for handle in handles:
        handle.remove()
    return rows
