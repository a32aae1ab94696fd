"""D is asked as it played; it has a probability only where that is one; values have the names of what they are."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, TINY_PROGRESSIVE, metrics_in, setup_of, state_in
from torch import nn

from gan_cli.config.library import Library
from gan_cli.data.samples import Samples, as_input
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.growing import shown_at
from gan_cli.games.view import View, as_in_training
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.classifier import Classifier
from gan_cli.metrics.extractors.pixels import Pixels
from gan_cli.metrics.judge import Judge
from gan_cli.models.growth import Stage
from gan_cli.runs.figures.saturation import Saturation
from gan_cli.runs.observers.progress import summary

LIBRARY = Library()
CPU = torch.device("cpu")
PLAYED = (
    *TINY_DCGAN,
    "dataset.size=16",
    "architecture.width=8",
    "dataset.limit=400",
    "batch_size=16",
    "steps=60",
    "ema_half_life=0",
)


def found_in(path: str) -> dict:
    return json.loads(Path(path).read_text())


def game_value(real: torch.Tensor, fake: torch.Tensor) -> float:
    """log 2 + ½ E log D(x) + ½ E log(1 − D(G(z)))"""
    log_d = nn.functional.logsigmoid
    return math.log(2) + float(log_d(real).mean() + log_d(-fake).mean()) / 2


def test_a_discriminator_with_batch_norm_is_asked_in_minibatches_of_one_kind(trained, gan_eval):
    folder = trained(*PLAYED)
    result = gan_eval(
        f"checkpoint={folder}", "metrics=discriminator", "count=320", "extractor=pixels", "out=found.json"
    )
    assert result.code == 0, result.err
    found = found_in("found.json")
    setup, state = setup_of(*PLAYED), state_in(folder)
    discriminator, generator = setup.game.discriminator, setup.game.generator
    discriminator.load_state_dict(state["networks"]["discriminator"])
    generator.load_state_dict(state["networks"]["generator"])
    shuffle = torch.Generator().manual_seed(0)

    @torch.no_grad()
    def logits(x: torch.Tensor) -> torch.Tensor:  # D in training, 16 of one kind at a time
        batches = x[torch.randperm(len(x), generator=shuffle)].split(16)
        return torch.cat([discriminator(batch, None) for batch in batches])

    training = logits(as_input(setup.samples.values))
    held_out = logits(as_input(setup.dataset.held_out().values))
    fake = logits(setup.sampler.sample(320))
    expected = {
        "D_accuracy/training": float((training > 0).float().mean()),
        "D_accuracy/held_out": float((held_out > 0).float().mean()),
        "D_accuracy/generated": float((fake < 0).float().mean()),
        "jsd_bound": game_value(held_out, fake),
    }
    for key, value in expected.items():
        assert found["metrics"][key] == pytest.approx(value, abs=0.06), key
    assert expected["D_accuracy/training"] > 0.75  # and by running statistics of mixed minibatches it is far from it
    last = metrics_in(folder)[-1]
    assert found["metrics"]["D_accuracy/training"] == pytest.approx(last["D/real"], abs=0.15)
    assert found["discriminator"]["asked"] == "in minibatches of 16 of one kind, with their own statistics"
    assert found["discriminator"]["jsd_bound"] == "of minibatches of 16"
    assert "minibatches of 16" in result.out


def test_the_accuracy_on_training_samples_is_theirs_whatever_split_is_compared_with(trained, gan_eval):
    folder = trained(*PLAYED)
    found = {}
    for split in ("train", "test"):
        keys = ("metrics=[discriminator,sliced_wasserstein]", "extractor=pixels", f"split={split}", "count=500")
        assert gan_eval(f"checkpoint={folder}", *keys, f"out={split}.json").code == 0
        found[split] = found_in(f"{split}.json")["metrics"]
    for key in ("training", "held_out", "generated"):
        assert found["train"][f"D_accuracy/{key}"] == found["test"][f"D_accuracy/{key}"]
    assert found["train"]["sliced_wasserstein"] != found["test"]["sliced_wasserstein"]
    loss = LIBRARY.build_by_name("loss", "non_saturating")
    training, held_out = (Samples(np.full((9, 1), value, np.float32)) for value in (2, -2))
    judge = Judge(Linear(), loss, View(), 4, False, CPU)
    assert discriminator_metric(judge, training, held_out, held_out, real=held_out)["D_accuracy/training"] == 1


def test_samples_of_an_average_that_d_has_not_met_are_said_to_be(trained, gan_eval):
    folder = trained(*TINY_DCGAN, "ema_half_life=100")
    for ema in ("true", "false"):
        keys = ("metrics=discriminator", "count=64", f"ema={ema}", f"out={ema}.json")
        assert gan_eval(f"checkpoint={folder}", *keys).code == 0
    assert "moving average" in found_in("true.json")["discriminator"]["opponent"]
    assert "opponent" not in found_in("false.json")["discriminator"]


NETWORKS = {
    "batch": ("architecture.discriminator.norm=batch", "dataset.size=16"),
    "spectral": ("architecture.discriminator.norm=spectral", "dataset.size=16"),
    "minibatch_std": ("architecture.discriminator.norm=layer", "architecture.discriminator.minibatch_std=true"),
    "layer": (
        "architecture.discriminator.norm=layer",
        "instance_noise.sigma=0.3",
        "augment=[color,translation,cutout]",
    ),
    "adaptive": (
        "architecture.discriminator.norm=layer",
        "augment=[blit,ada_color]",
        *("augmentation.target=0.6", "augmentation.probability=0.5"),
    ),
    "packed": ("architecture.discriminator.norm=layer", "pack=2"),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_asking_d_leaves_every_bit_of_it_and_knows_whether_minibatches_matter(kind):
    setup = setup_of(*TINY_DCGAN, *NETWORKS[kind])
    discriminator = setup.game.discriminator
    judge = Judge.of(setup.config, setup.game, setup.sampler.classes, CPU)
    before = {name: value.clone() for name, value in discriminator.state_dict().items()}
    modes = [module.training for module in discriminator.modules()]
    drawn = torch.get_rng_state()
    logits = judge.logits(setup.samples)
    assert torch.equal(judge.logits(setup.samples), logits)  # its own draws are the same each time
    assert judge.sees_others(setup.samples.shape) == (kind in ("batch", "minibatch_std"))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert [module.training for module in discriminator.modules()] == modes
    for name, value in discriminator.state_dict().items():
        assert value.numpy().tobytes() == before[name].numpy().tobytes(), name


def test_dropout_is_off_and_said_to_be():
    setup = setup_of(*TINY_MLP, "architecture.discriminator.dropout=0.5")
    judge = Judge.of(setup.config, setup.game, setup.sampler.classes, CPU)
    with as_in_training(setup.game.discriminator), torch.no_grad():
        assert not setup.game.discriminator.hidden[-1].training
    assert judge.described(setup.samples.shape)["asked"] == "one by one, without dropout"


@pytest.mark.parametrize("step", [2, 4])  # at 4 × 4, and while 8 × 8 fades in
def test_a_d_that_grows_is_asked_about_what_it_sees_in_a_move(step):
    """Data are reduced and faded before noise is added, samples of G reduced alone, which were faded when drawn."""
    setup = setup_of(*TINY_PROGRESSIVE, "instance_noise.sigma=0.3")
    seen: list[torch.Tensor] = []
    setup.game.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    judge = Judge.of(setup.config, setup.game, setup.sampler.classes, CPU, step)
    stage = setup.game.growth.at(8 * step)
    one = np.random.default_rng(0).integers(0, 256, (1, 1, 16, 16), np.uint8)
    for real in (True, False):
        seen.clear()
        judge.logits(Samples(one.repeat(400, axis=0)), real=real)
        wanted = shown_at(stage if real else Stage(stage.resolution), as_input(one), 16)[0]
        x = torch.cat(seen[2:])  # after two minibatches that tell whether minibatches matter
        assert x.shape[1:] == wanted.shape
        torch.testing.assert_close(x.mean(dim=0), wanted, rtol=0, atol=0.1)
        assert x.std(dim=0).mean().item() == pytest.approx(0.3, rel=0.05)


class Companions(nn.Module):
    """Says how many samples it is shown, and the mean of their first coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        self.sizes.append(len(x))
        return x[:, 0] + 10 * x.mean()


@pytest.mark.parametrize("count", [8, 9, 15, 20])
def test_the_last_minibatch_is_as_large_as_the_others(count):
    network = Companions()
    loss = LIBRARY.build_by_name("loss", "non_saturating")
    judge = Judge(network, loss, View(), 8, False, CPU)
    assert judge.least((1,)) == 8
    logits = judge.logits(Samples(np.ones((count, 1), np.float32)))
    assert set(network.sizes) == {8}
    assert logits.tolist() == pytest.approx([11] * count)


def test_sorted_samples_are_asked_about_in_random_company():
    values = np.repeat([-1.0, 1.0], 400)[:, None].astype(np.float32)
    loss = LIBRARY.build_by_name("loss", "non_saturating")
    for pack in (1, 2):
        judge = Judge(Companions(), loss, View(pack=pack), 16, False, CPU)
        logits = judge.logits(Samples(values))
        assert len(logits) == len(values) / pack
        assert logits.abs().max() < 10  # of a minibatch, or a pack, of one kind: 11
    packs = Judge(nn.Flatten(0), loss, View(pack=2), 16, False, CPU)
    assert packs.view(torch.tensor([[1.0], [2.0]])).tolist() == [[1.0, 2.0]]


def test_samples_that_make_no_whole_pack_are_counted(caplog):
    caplog.set_level("INFO")
    loss = LIBRARY.build_by_name("loss", "non_saturating")
    judge = Judge(FirstOfPack(), loss, View(pack=4), 8, False, CPU)
    assert len(judge.logits(Samples(np.ones((11, 1), np.float32)))) == 2
    assert "3 of 11 samples make no whole pack" in caplog.text


class FirstOfPack(nn.Module):
    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return x[:, 0]


def discriminator_metric(judge: Judge, training: Samples, held_out: Samples, fake: Samples, real=None):
    known = SimpleNamespace(held_out=lambda: held_out)
    found = Evidence(training=training, real=real or training, source=Pixels(), dataset=known, judge=judge, fake=fake)
    metric = LIBRARY.build_by_name("metrics", "discriminator")
    return metric.refusal(found) or metric(found)


def test_too_few_samples_for_a_minibatch_are_refused_or_left_out_with_a_word(caplog):
    caplog.set_level("INFO")
    loss = LIBRARY.build_by_name("loss", "non_saturating")
    judge = Judge(Companions(), loss, View(), 8, False, CPU)
    few, many = (Samples(np.ones((n, 1), np.float32)) for n in (7, 30))
    found = discriminator_metric(judge, many, few, many)
    assert set(found) == {"D_accuracy/training", "D_accuracy/generated"}
    assert "D_accuracy/held_out is left out: 7 samples, and D is asked about 8 at a time" in caplog.text
    assert "about 8 samples at a time, as in training, and there are 7" in discriminator_metric(judge, many, many, few)


class ByLabel(nn.Module):
    """Right about each class that it has met."""

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.tensor([1.0, -1.0, 1.0])[labels]


def test_held_out_samples_of_classes_never_met_do_not_count(caplog, tmp_path):
    caplog.set_level("INFO")
    loss = LIBRARY.build_by_name("loss", "non_saturating")
    judge = Judge(ByLabel(), loss, View(), 4, True, CPU)
    training = Samples(np.zeros((8, 1), np.float32), np.array([0, 1, 0, 1, 0, 1, 0, 1]))
    held_out = Samples(np.zeros((6, 1), np.float32), np.array([0, 0, 0, 1, 2, 2]))
    found = discriminator_metric(judge, training, held_out, training)
    assert found["D_accuracy/held_out"] == 0.75
    assert "2 of 6 held-out samples are of classes that D has never met" in caplog.text

    generator = np.random.default_rng(0)
    labels = np.repeat([0, 2], 60)  # class 1 has no training picture
    pictures = (
        generator.integers(0, 60, (180, 1, 8, 8), dtype=np.uint8) + np.repeat([0, 90, 180], 60)[:, None, None, None]
    )
    pictures = pictures.astype(np.uint8)
    training = Samples(np.concatenate([pictures[:60], pictures[120:]]), labels)
    source = Classifier(str(tmp_path), seed=0, epochs=15)
    source.prepare(training, lambda: Samples(pictures, np.repeat([0, 1, 2], 60)), CPU)
    assert source.accuracy == 1
    assert "60 of 180 held-out pictures are of classes without a training picture" in caplog.text
    samples = Samples(pictures)
    evidence = Evidence(training=training, real=training, source=source, fake=samples)
    found = LIBRARY.build_by_name("metrics", "modes")(evidence)
    assert (found["modes"], found["of_modes"]) == (2, 2)


class Linear(nn.Module):
    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return x[:, 0]


class Constant(nn.Module):
    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return z * 0 - 3


CRITICS = {"wasserstein", "hinge", "least_squares", "relativistic", "relativistic_average"}


@pytest.mark.parametrize("name", sorted({*LIBRARY.options("loss")}))
def test_a_probability_is_logged_only_of_a_discriminator_that_is_one(name):
    game = AdversarialGame(Constant(), Linear(), LIBRARY.build_by_name("loss", name))
    _, statistics = game.discriminator_cost(torch.tensor([[2.0], [4.0]]), torch.zeros(2, 1), None, {})
    if name in CRITICS:
        assert not {"D/real", "D/fake"} & set(statistics)
        assert (statistics["critic/real"], statistics["critic/fake"]) == (3, -3)
    else:
        assert not {"critic/real", "critic/fake"} & set(statistics)
        assert float(statistics["D/real"]) == pytest.approx(sum(1 / (1 + math.exp(-v)) for v in (2, 4)) / 2)
        assert float(statistics["D/fake"]) == pytest.approx(1 / (1 + math.exp(3)))


@pytest.mark.parametrize("divergence", ["gan", "jensen_shannon", "kl", "pearson", "total_variation"])
def test_an_f_gan_has_a_probability_only_where_its_critic_is_the_log_of_one(divergence):
    game = AdversarialGame(Constant(), Linear(), LIBRARY.build_by_name("loss", "f_gan", divergence=divergence))
    _, statistics = game.discriminator_cost(torch.ones(2, 1), torch.zeros(2, 1), None, {})
    assert ("D/real" in statistics) == (divergence in ("gan", "jensen_shannon"))
    assert ("critic/real" in statistics) == (divergence not in ("gan", "jensen_shannon"))


def test_a_critic_has_scores_in_the_log_on_the_screen_and_in_the_report(gan_train, gan_eval):
    from gan_cli.commands.report.collect import collect

    keys = (*TINY_POINTS, "loss=wasserstein", "steps=3", "log_every=1", "hydra.run.dir=run")
    result = gan_train(*keys)
    assert result.code == 0, result.err
    record = metrics_in(Path("run"), clock=True)[-1]
    assert record["loss/discriminator"] == pytest.approx(record["critic/fake"] - record["critic/real"], abs=1e-6)
    assert "D/real" not in record
    assert "critic(x)" in summary(record)
    assert "D(x)" not in summary(record)
    (run,) = collect(["run"])
    assert run.results["critic/real"] == record["critic/real"]
    result = gan_eval("checkpoint=run", "metrics=discriminator")
    assert result.code == 2
    assert "needs a D that is a probability, not a critic" in result.err


def test_a_loss_of_ones_own_that_says_nothing_of_itself_is_evaluated(gan_train, gan_eval):
    Path("plain.py").write_text(
        "from torch.nn.functional import softplus\n"
        "class Plain:\n"
        "    def discriminator(self, real, fake):\n"
        "        return softplus(-real).mean() + softplus(fake).mean()\n"
        "    def generator(self, fake, real=None):\n"
        "        return softplus(-fake).mean()\n"
    )
    Path("own/loss").mkdir(parents=True)
    Path("own/loss/plain.yaml").write_text("name: plain\nclass: plain.Plain\n")
    own = ("--config-dir", "own")
    measured = ("metrics=discriminator", "evaluate_every=1", "evaluate_count=64")
    result = gan_train(*own, *TINY_MLP, "loss=plain", "steps=2", "log_every=1", *measured, "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert "D/real" in metrics_in(Path("run"))[0]
    assert "jsd_lower_bound" not in metrics_in(Path("run"))[0]
    assert gan_train(*own, *TINY_MLP, "loss=plain", *measured, "dry_run=true").code == 0
    result = gan_eval(*own, "checkpoint=run", "metrics=discriminator", "count=64", "out=found.json")
    assert result.code == 0, result.err
    found = found_in("found.json")
    assert set(found["metrics"]) == {"D_accuracy/training", "D_accuracy/generated", "D_accuracy/held_out"}
    assert "extractor" not in found  # nothing was compared in its features


def test_the_noise_d_is_asked_with_is_that_of_its_training_so_far(trained, gan_eval):
    folder = trained(*TINY_MLP, "instance_noise.sigma=0.5", "instance_noise.images=32")
    assert gan_eval(f"checkpoint={folder}", "metrics=discriminator", "count=64", "out=found.json").code == 0
    assert "noise of 0.25" in found_in("found.json")["discriminator"]["asked"]  # after 2 · 8 images of 32


def test_a_saturating_gradient_is_measured_of_networks_as_they_play():
    norms = ("architecture.generator.norm=batch", "architecture.discriminator.norm=batch")
    noise = ("instance_noise.sigma=0.2", "instance_noise.images=96")
    setup = setup_of("experiment=lecture_saturation", *norms, *noise, "dataset.points=100", "batch_size=16")
    before = {player.name: [b.clone() for b in player.network.buffers()] for player in setup.players}
    measured = Saturation(setup).measure(48)["saturation/D"]
    for player in setup.players:
        assert all(torch.equal(b, c) for b, c in zip(player.network.buffers(), before[player.name], strict=True))
    with torch.no_grad():  # both with the statistics of this minibatch, and half of the noise
        x = setup.game.generator(setup.sampler.latents(16, 0), None)
        draws = [setup.game.discriminator(x + 0.1 * torch.randn_like(x), None).sigmoid().mean() for _ in range(200)]
    assert measured == pytest.approx(float(torch.stack(draws).mean()), abs=4 * float(torch.stack(draws).std()))
