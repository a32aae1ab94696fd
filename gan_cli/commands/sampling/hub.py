"""A folder as the Hugging Face Hub shows a model: weights, config, card and grid.

Nothing in it says where on a machine it was made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from PIL import Image

from gan_cli.commands.sampling.card import GRID, Card
from gan_cli.commands.sampling.draw import drawn_shots, shots
from gan_cli.commands.sampling.keys import Sampling
from gan_cli.commands.sampling.measured import Row, by_gan_eval, in_training
from gan_cli.commands.sampling.sheets import sheet
from gan_cli.config.library import Library
from gan_cli.config.overrides import key_of
from gan_cli.config.paths import expanded
from gan_cli.output.pictures import save_png
from gan_cli.output.replacing import making
from gan_cli.output.screen import say
from gan_cli.runs import checkpoint, weights
from gan_cli.runs.commands import own_folders, repeated
from gan_cli.runs.hydra_files import Unreadable, overrides_of
from gan_cli.runs.links import leads_out
from gan_cli.runs.loading import Trained
from gan_cli.runs.names import HUB_ABOUT, HUB_FILE, RESUMPTION, numbered
from gan_cli.runs.status import status_of
from gan_cli.runs.weights import Weights

PLACE = re.compile(r"(?:\.\.[\\/]|~|/|\\\\|[A-Za-z]:[\\/]|file:).*")  # where something lies on a machine
WITHIN = re.compile(r"(?<=[\[\](){},:='\"\s])(?:\.\.[\\/]|~|/|\\\\|[A-Za-z]:[\\/]|file:)[^,'\"\[\](){}]*")
ELSEWHERE = ("hydra", "logger", "name")  # keys that are about where a run is kept and who looks on


@dataclass(frozen=True)
class Model:
    """The contents of the folder."""

    weights: Weights
    card: str
    grid: Image.Image
    seeds: str

    @classmethod
    def of(cls, config: Sampling, found: Trained, library: Library) -> Model:
        """Draws the grid and gathers what is known of the run; says what is left out of the card."""
        wanted = shots(config, found.sampler)
        values = torch.cat([part for _, part in drawn_shots(config, found, wanted)])
        made = {**placeless(found.weights.config), "logger": {}}
        folder, commands = found.weights.folder, list[list[str]]()
        rows: list[Row] = []
        if weights.exported(expanded(str(config.checkpoint), "checkpoint=")) is None:
            _, path, _ = checkpoint.find(str(config.checkpoint), "checkpoint")
            rows, others = by_gan_eval(folder, path, ema=found.weights.ema)
            if others:
                say("gan-sample", f"left out of the card: {len(others)} of other weights: {', '.join(others)}")
            if config.ema or not found.weights.config.get("ema_half_life"):
                rows += in_training(folder, found.weights.step, found.sampler.config)
            commands = _commands(folder)
        card = Card(found, made, status_of(folder), config.seeds_text, rows, commands, bool(library.own))
        image = sheet(config, found, library, wanted, values)
        return cls(replace(found.weights, config=made), card.text(), image, config.seeds_text)

    def write(self, path: Path) -> None:
        """Makes the folder, whole or not at all."""
        with making(path) as folder:
            weights.write(self.weights, folder / HUB_FILE, folder / HUB_ABOUT)
            save_png(self.grid, folder / GRID, seeds=self.seeds)
            (folder / "README.md").write_text(self.card, encoding="utf-8")


def placeless(node: Any) -> Any:
    """Values in which a path of the machine is its last part: ``/home/jane/photos`` → ``photos``."""
    if isinstance(node, dict):
        return {key: placeless(value) for key, value in node.items()}
    if isinstance(node, list):
        return [placeless(value) for value in node]
    return _last(node) if isinstance(node, str) and PLACE.fullmatch(node) else node


def placeless_word(word: str) -> str:
    """The same of an override as it was typed."""
    key, _, value = word.partition("=")
    bare = value.strip("'\"")
    if PLACE.fullmatch(bare):
        return f"{key}={_last(bare)}"
    return f"{key}={WITHIN.sub(lambda match: _last(match[0]), value)}"


def _last(path: str) -> str:
    return PureWindowsPath(path).name or "folder"


def _commands(folder: Path) -> list[list[str]]:
    """The words of the command that began the run, and of those that went on with it with other keys."""
    home, commands = folder / ".hydra", []
    for place in (home, *numbered(home, RESUMPTION).values()):
        files = place / "overrides.yaml", place / "hydra.yaml"
        if any(leads_out(file, folder.resolve()) for file in files):
            continue
        try:
            words = overrides_of(files[0])
            own = [_last(path) for path in own_folders(files[1])]
        except Unreadable:
            continue
        kept = [placeless_word(word) for word in words if key_of(word).partition(".")[0] not in (*ELSEWHERE, "resume")]
        if place == home:
            commands.append(repeated(kept, own))
        elif kept and commands:
            commands.append(repeated(["resume=latest", *kept], own))
    return commands
