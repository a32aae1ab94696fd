"""What the tests keep of Hydra's work is what Hydra makes, and no file that has changed since."""

from __future__ import annotations

from pathlib import Path

import composed_once
import pytest
from conftest import TINY_MLP, config_of
from hydra._internal import config_loader_impl
from omegaconf import OmegaConf

from gan_cli.config.command import Command
from gan_cli.config.draft import draft
from gan_cli.config.library import Library


@pytest.fixture
def own():
    """A folder of options, and a function that writes the rate of one."""

    def write(rate: float) -> None:
        Path("own/optimizer").mkdir(parents=True, exist_ok=True)
        text = f"defaults:\n  - adam\nlr: {rate}\n"
        Path("own/optimizer/mine.yaml").write_text(text + "name: mine\nclass: gan_cli.training.optimizers.Adam\n")

    return write


@pytest.mark.parametrize(
    "keys",
    [
        (*TINY_MLP, "steps=3", "+hydra.job.name=a"),
        ("experiment=ring", "penalty=[r1,gradient_penalty]", "seed=4", "hydra.run.dir=x"),
        ("-m", "seed=0,1", "hydra/launcher=joblib", "optimizer=sgd"),
        ("--config-dir", "own", "optimizer=mine"),
    ],
)
def test_hydra_puts_together_the_same(own, monkeypatch, keys):
    own(0.5)

    def composed() -> str:
        found = draft(Command.parse(keys), Library(*Command.parse(keys).config_dirs)).composed.whole
        return OmegaConf.to_yaml(found)

    kept, again = composed(), composed()
    monkeypatch.setattr(config_loader_impl, "create_defaults_list", composed_once.create_defaults_list)
    monkeypatch.setattr(composed_once.Loader, "_compose_config_from_defaults_list", composed_once.compose)
    monkeypatch.setattr(composed_once.ConfigRepository, "load_config", composed_once.load)
    assert kept == again == composed()


def test_a_file_that_has_changed_is_read_again(own):
    rates = []
    for rate in (0.25, 0.75):  # of as many letters
        own(rate)
        keys = ("--config-dir", "own", "optimizer=mine")
        rates.append(draft(Command.parse(keys), Library("own")).composed.values["optimizer"]["lr"])
    assert rates == [0.25, 0.75]
    assert config_of("optimizer=sgd").optimizer.name == "sgd"
    assert config_of("optimizer=adam").optimizer.name == "adam"
