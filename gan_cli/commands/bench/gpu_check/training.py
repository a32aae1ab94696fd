"""One config, trained a few steps at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from gan_cli.algorithm import play
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library
from gan_cli.config.schema import Config, validate
from gan_cli.training.build import build
from gan_cli.training.capture import Eager, Recorder
from gan_cli.training.cuda_graphs import Machine
from gan_cli.training.precision import set_precision
from gan_cli.training.setup import Setup
from gan_cli.training.state import state_of

MLP = ("architecture=mlp", "architecture.generator.hidden=[64]", "architecture.discriminator.hidden=[64]")


def config_of(keys: Sequence[str], device: torch.device) -> Config:
    """The config of a command with these keys, on a device."""
    return check(Command.parse(["experiment=lecture", *keys, f"device={device}"]), Library(), validate)


class Training:
    """A config built on a device, and its training, eager or recorded by ``machine``."""

    def __init__(self, keys: Sequence[str], device: torch.device, machine: Machine | None) -> None:
        self.setup: Setup = build(config_of((*keys, "capture=false"), device), Library())
        self.executor: Eager = Recorder(machine, strict=True) if machine else Eager()
        self.step = 0

    def run(self, steps: int, *observers: Callable[..., None]) -> None:
        setup = self.setup
        set_precision(setup.precision, setup.device, setup.config.deterministic)  # others may have changed it
        play(setup, range(self.step + 1, self.step + steps + 1), observers, self.executor)
        self.step += steps

    def bits(self) -> dict[str, bytes]:
        """Every weight, average and moment, as bytes."""
        state = state_of(self.setup, self.step)
        return {name: t.cpu().contiguous().numpy().tobytes() for name, t in _tensors(state).items()}


def _tensors(node: object, path: str = "") -> dict[str, torch.Tensor]:
    if isinstance(node, torch.Tensor):
        return {path: node}
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return {name: tensor for key, value in items for name, tensor in _tensors(value, f"{path}/{key}").items()}
