"""Other programs' words are answered with what they are called here, and every answer is a command that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import config_of

from gan_cli.config.library import Library
from gan_cli.config.options import GROUPS
from gan_cli.config.root import Root
from gan_cli.config.typed import known_keys
from gan_cli.config.words import EPOCHS, _answers, epochs_here, key_here, option_here

VALUES = {  # what is typed for a key in the tests below; 2 for the others
    "architecture": "mlp",
    "dataset.size": "16",
    "dataset.channels": "3",
    "dataset.flip": "true",
    "optimizer": "adamw",
    "schedule": "cosine",
    "loss": "hinge",
    "metrics": "frechet",
    "optimizer.betas": "0.3",
    "resume": "latest",
    "hydra.run.dir": "here",
    "loss.smoothing": "0.1",
    "prior": "normal",
}
KEYS, LIBRARY = _answers("keys"), Library()
OPTIONS = [  # a word for each answer
    (group, word)
    for group in LIBRARY.groups()
    for word in {answer: word for word, answer in _answers("options", group).items()}.values()
]


def typed_for(key: str) -> str:
    target = KEYS[key].split()[-1].partition("=")[0]
    return VALUES.get(target, "2")


def test_every_answer_to_a_key_is_a_command(tmp_path):
    known = {*known_keys(Root, GROUPS), "hydra.run.dir"}
    for answer in sorted(set(KEYS.values())):
        word = next(key for key in KEYS if KEYS[key] == answer)
        found = key_here(word, str(tmp_path) if "dataset.path" in answer else typed_for(word))
        if found.startswith(" "):
            continue
        for part in found.split():
            key, _, value = part.partition("=")
            assert key in known or key.startswith("penalty."), answer
            if key in LIBRARY.groups() and not value.startswith("["):
                assert value in LIBRARY.options(key), answer
        if len(found.split()) > 1:
            config_of(*found.split())


@pytest.mark.parametrize("group", sorted({group for group, _ in OPTIONS}))
def test_every_answer_to_an_option_is_a_command(group, tmp_path):
    assert not _answers("options", group).keys() & set(LIBRARY.options(group))
    for word in (word for one, word in OPTIONS if one == group):
        command = option_here(group, word, LIBRARY.options(group)).replace("PATH", str(tmp_path)).split()
        for part in command:
            key, _, value = part.partition("=")
            if key in LIBRARY.groups() and not value.startswith("["):
                assert value in LIBRARY.options(key), part
        if len(command) > 1:
            config_of(*command)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("dataset=./photos", "dataset=./photos: no such option: here it is dataset=image_folder dataset.path=./photos"),
        ("dataset.path=./photos", "dataset.path=./photos: no such key: here it is dataset=image_folder dataset.path="),
        ("epochs=10", "epochs=10: no such key: here it is steps=3125"),
        ("epochs=3 dataset=mnist batch_size=100", "epochs=3: no such key: here it is steps=1800"),
        ("ema_decay=0.99", "ema_decay=0.99: no such key: here it is ema_half_life=2207"),  # 32 ln ½ / ln .99
        ("ema_kimg=2.5", "ema_kimg=2.5: no such key: here it is ema_half_life=2500"),
        ("kimg=10 batch_size=100", "kimg=10: no such key: here it is steps=100"),
        ("epochs=3 dataset.limit=640", "epochs=3: no such key: here it is steps=60"),
        ("batch=32", "batch=32: no such key: here it is batch_size=32"),
        ("lr=1e-4", "lr=0.0001: no such key: here it is optimizer.lr=0.0001"),
        ("--lr 1e-4", "--lr: no such flag: here it is optimizer.lr=1e-4"),
        ("--batch-size=32", "--batch-size: no such flag: keys are written batch_size=32"),
        ("gpu=0", "gpu=0: no such key: here it is device=cuda:0"),
        ("gpu=true", "gpu=true: no such key: here it is device=cuda"),
        ("amp=true", "here it is precision=bf16"),
        ("workers=4", "workers=4: no such key: it is not needed: pictures are decoded once"),
        ("output_dir=out", "here it is hydra.run.dir=out"),
        ("ema=false", "ema=false: is a key of gan-eval and gan-sample, not of gan-train: here it is ema_half_life=0"),
        ("loss=wgan", "loss=wgan: no such option: here it is loss=wasserstein; all of them: gan-train --help "),
        ("metrics=[fid]", "metrics=fid: no such option: here it is metrics=frechet extractor=inception"),
        ("penalty=gp", "penalty=gp: no such option: here it is penalty=gradient_penalty"),
        ("dataset=Fashion-MNIST", "here it is dataset=fashion_mnist"),
        ("dataset=MNIST", "dataset=MNIST: no such option: here it is dataset=mnist"),
        ("loss=bce", "here it is loss=non_saturating"),
        ("latest", "latest: overrides are written key=value: resume=latest"),
        ("~nobody/x", "~nobody/x"),
        (f"dataset={'x' * 300}", "no such option"),
        ("metric=fid", "metric=fid: no such key: here it is metrics=frechet extractor=inception"),
        ("fid=true", "here it is metrics=frechet extractor=inception"),
        (
            "--loss wgan-gp",
            "--loss wgan-gp: no such flag: here it is loss=wasserstein loss.clip=0 penalty=gradient_penalty",
        ),
        ("--epochs 10", "epochs=10: no such key: here it is steps=3125"),
        ("--kimg 10", "kimg=10: no such key: here it is steps=312"),
        ("data=cifar10", "data=cifar10: no such key: here it is dataset=cifar10"),
        ("latent=uniform", "latent=uniform: no such key: here it is prior=uniform"),
        ("cuda=false", "cuda=false: no such key: here it is device=cpu"),
        ("G.lr=1e-4", "no such key: it is generator, as in generator.lr=1e-4"),
        ("--config my.yaml", "--config: no such flag: it is a file experiment/NAME.yaml in a folder of your own"),
        ("--dry-run", "--dry-run: no such flag: keys are written dry_run=true"),
        ("wgan-gp", "wgan-gp: overrides are written key=value: experiment=wgan_gp"),
        ("ring", "ring: overrides are written key=value: dataset=ring or experiment=ring"),
        ("resume", "resume: overrides are written key=value: resume=latest"),
        ("train experiment=ring", "train: overrides are written key=value: leave it out"),
        ("optimizer.momentum=0.9", "no such key: it is a key of optimizer=counting, optimizer=rmsprop, optimizer=sgd"),
        ("generator.width=64", "generator.width=64: no such key (did you mean 'architecture.generator.width'?)"),
        ("adam.lr=1e-4", "no such key: here it is optimizer=adam"),
        ("penalty=r1 penalty.weight=1", "penalty.weight=1: of which penalty? penalty.r1.weight=1"),
        ("project=mine", "project=mine: no such key (did you mean 'logger.wandb.project'?)"),
        ("augment=true", "augment=true: must be a list of names: gan-train --help augment"),
        ("photos", "photos: overrides are written key=value: dataset=image_folder dataset.path=photos"),
    ],
)
def test_a_word_of_others_is_answered(gan_train, command, said):
    Path("photos").mkdir()
    result = gan_train(*command.split())
    assert result.code == 2
    assert any(said in line for line in result.errors), result.err


def test_tools_are_told_of_the_checkpoint(gan_sample, gan_eval):
    for tool in (gan_sample, gan_eval):
        (line,) = tool("latest").err.splitlines()  # and no second one, that the checkpoint is missing
        assert line.endswith(": error: latest: overrides are written key=value: checkpoint=latest")


def test_epochs_are_passes_through_the_data():
    assert epochs_here("2", 1000, 64) == "steps=31"
    assert epochs_here("0.5", 1000, 50) == "steps=10"
    assert epochs_here("2", None, 64) == "steps=…, 2 times the number of pictures divided by batch_size=64"
    assert not EPOCHS & KEYS.keys()


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("batch_size", r"batch_size: 64\s+# larger is steadier(.|\n)*\{0:32,100000:64\}"),
        ("discriminator.steps", r"steps: 1\s+# the paper's k"),
        ("optimizer.lr", r"optimizer=adam\n +lr: 5.0e-4\s+# 2e-4 is(.|\n)*optimizer=sgd"),
        ("penalty.r1.interval", r"^penalty=r1\n    interval: 1\s+# only every so many"),
        ("architecture.discriminator.norm", r"architecture=mlp\n    norm: none"),
        ("model.importance_samples", r"^model=vae\n    importance_samples: 1\s+# k: log"),
        ("lr", r"^lr: here it is optimizer.lr=…\n\noptimizer=adam\n +lr: 5.0e-4"),
        ("batchsize", r"^batchsize: here it is batch_size=…\n\nbatch_size: 64"),
        ("stepz", r"--help stepz: no such group, option, key or topic \(did you mean 'steps'\?\)"),
    ],
)
def test_help_explains_keys(gan_train, key, found):
    result = gan_train("--help", key)
    assert re.search(found, result.out + result.err), result.out + result.err
    assert "instance_noise" not in result.out
