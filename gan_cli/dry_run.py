"""``dry_run=true``: what a run would be, without writing anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor, nn

from gan_cli import screen
from gan_cli.asking import is_own
from gan_cli.augment import packed
from gan_cli.build import assemble, pick_device
from gan_cli.compiler import require_compiler
from gan_cli.config import Config
from gan_cli.data.reading import load
from gan_cli.data.samples import Samples
from gan_cli.extractors.asked import extractor_of
from gan_cli.fitting import check
from gan_cli.library import Library
from gan_cli.metrics.evaluation import metrics_of
from gan_cli.metrics.evidence import Outline
from gan_cli.metrics.judge import Judge
from gan_cli.precision import choose, set_precision


def dry_run(config: Config, library: Library) -> None:
    """Prints the resolved config, both networks layer by layer, and what memory and disk they will take.

    Raises:
        UserError: for anything a real run would refuse before its first step, short of reading shipped or stored data;
            a dataset of one's own is asked for its samples.
    """
    from omegaconf import OmegaConf

    console = screen.console(stderr=False)
    console.print(OmegaConf.to_yaml(OmegaConf.create(config.saved())), highlight=False, markup=False)
    device = pick_device(config.device)
    precision = choose(config, device)
    set_precision(precision, device, config.deterministic)
    if config.compile and not config.ensemble:
        require_compiler(device)
    dataset = library.build("dataset", config.dataset)
    samples = load(dataset, config.dataset.name) if is_own(dataset) else _blank(dataset)
    setup = assemble(config, library, torch.device("cpu"), "fp32", dataset, samples)
    count = check(setup)
    generator, discriminator, sampler = setup.game.generator, setup.game.discriminator, setup.sampler
    if config.metrics:
        evidence = Outline(
            samples.shape,
            samples.classes,
            planned=config.evaluate_count,
            source=extractor_of(library, config.extractor),
            dataset=dataset,
            judge=Judge.of(config, discriminator, setup.game.loss, torch.device("cpu")),
        )
        metrics_of(config, library, evidence)
    z, labels = sampler.latents_of(range(count)), sampler.labels_of(range(count))
    with torch.no_grad():
        rows = {"generator": _layers(generator, z, labels)}
        rows["discriminator"] = _layers(discriminator, packed(generator(z, labels), config.pack), labels)
    weights = 0
    for name, layers in rows.items():
        table = Table("layer", "kind", "output", "weights", title=name, title_justify="left")
        for layer in layers:
            table.add_row(layer["name"], layer["kind"], str(layer["shape"]), f"{layer['weights']:,}")
        count = sum(p.numel() for p in (generator if name == "generator" else discriminator).parameters())
        table.add_row("total", "", "", f"{count:,}", style="bold")
        weights += count
        console.print(table)
    activations = sum(_numel(row["shape"]) for row in rows["generator"]) + 2 * sum(
        _numel(row["shape"]) for row in rows["discriminator"]
    )
    averaged = sum(p.numel() for p in generator.parameters()) if config.ema_half_life else 0
    training = 4 * (
        4 * weights + averaged + config.batch_size // config.devices * activations
    )  # weights, gradients, two moments
    checkpoint = 4 * (3 * weights + averaged)
    each = "each process about " if config.devices > 1 else "about "
    console.print(f"memory: {each}{_mebibytes(training)} for weights, optimizers and activations, besides the data")
    console.print(
        f"disk: about {_mebibytes(checkpoint)} a checkpoint, "
        f"{_mebibytes(checkpoint * (config.keep_checkpoints + 1))} at most"
    )
    console.print(f"device: {device}, {precision}; nothing was written")


def _blank(dataset: Any) -> Samples:
    """A sample of each label that a shipped dataset says it has, all zero."""
    shape, classes = tuple(dataset.shape), getattr(dataset, "classes", 0)
    values = np.zeros((max(1, classes), *shape), np.uint8 if len(shape) == 3 else np.float32)
    return Samples(values, np.arange(classes) if classes else None)


def _layers(network: nn.Module, x: Tensor, labels: Tensor | None) -> list[dict[str, Any]]:
    """Name, kind, output shape without the batch, and weights of each part that has no parts, in order of use."""
    rows: list[dict[str, Any]] = []
    handles = []
    for name, module in network.named_modules():
        if not list(module.children()) or hasattr(module, "parametrizations"):

            def note(module: nn.Module, args: Any, output: Any, name: str = name) -> None:
                count = sum(p.numel() for p in module.parameters())
                first = output[0] if isinstance(output, tuple | list) else output  # of an LSTM, what it returns first
                shape = tuple(first.shape[1:]) if isinstance(first, Tensor) else ()
                rows.append({"name": name, "kind": type(module).__name__, "shape": shape, "weights": count})

            if "parametrizations" not in name:
                handles.append(module.register_forward_hook(note))
    network.eval()(x, labels)
    for handle in handles:
        handle.remove()
    return rows


def _numel(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB" if size >= 2**20 else f"{size / 2**10:,.0f} KiB"
