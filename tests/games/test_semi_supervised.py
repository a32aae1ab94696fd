"""Semi-supervised learning: D of K classes and an implied one, held against closed forms, autograd and hand counts."""

from __future__ import annotations

import csv
import json
import math
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, metrics_in, minibatch_of, setup_of, state_in
from PIL import Image

import gan_cli
import gan_cli.losses
from gan_cli.algorithm import play
from gan_cli.config.library import Library
from gan_cli.data.array_files import classes_of
from gan_cli.data.labelled import balanced
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.games.semi_supervised import Classifier, real_logit
from gan_cli.metrics.classification import Classification
from gan_cli.models.noise import Noise
from gan_cli.models.weight_norm import RowLengths, WeightNormed, starting

SEMI = ("model=semi_supervised", "model.labels=20", *TINY_MLP)
STILL = ("architecture.discriminator.dropout=0", "architecture.discriminator.input_dropout=0")


def test_the_probability_of_data_is_that_of_the_implied_class():
    logits = torch.tensor([[0.3, -1.2, 2.0], [40.0, 41.0, -5.0], [-60.0, -61.0, -70.0]], dtype=torch.float64)
    total = logits.exp().sum(dim=1)
    torch.testing.assert_close(real_logit(logits).sigmoid(), total / (total + 1))
    classifier = Classifier(torch.nn.Identity(), 3)
    torch.testing.assert_close(classifier(logits), total.log())
    torch.testing.assert_close(classifier.classify(logits), logits)
    with pytest.raises(
        UserError, match=r"mine: classifier\(\) returned a module that gives .*: return a logit of each"
    ):
        Classifier(torch.nn.Identity(), 4, "mine").classify(logits)


@pytest.mark.parametrize("weight", [1.0, 0.3])
@pytest.mark.parametrize("keys", [(*SEMI, *STILL), ("model=semi_supervised", *TINY_DCGAN)], ids=["mlp", "batch norm"])
def test_ds_cost_and_gradient_are_those_of_a_softmax_over_one_class_more(keys, weight):
    """Cross-entropy over K + 1 classes, of which the last has the logit 0, written down without the game's help."""
    setup = setup_of(*keys, "model.labels=10", f"model.weight={weight}", "loss=non_saturating")
    game, size = setup.game, 20
    x, _ = minibatch_of(setup.minibatches, "discriminator", 0, size)
    z = torch.randn(size, 4, generator=torch.Generator().manual_seed(0))
    network = game.discriminator
    cost, statistics = game.cost("discriminator", x, z, None, {})
    ours = torch.autograd.grad(cost, list(network.parameters()))
    with torch.no_grad():
        fake = game.generator(z, None)

    known, labels = game.known.at(torch.arange(size) % 10)

    def log_p(samples: torch.Tensor) -> torch.Tensor:
        logits = network.classify(samples)
        return torch.cat([logits, torch.zeros(len(samples), 1)], dim=1).log_softmax(dim=1)  # (B, K + 1)

    of_known, of_data, of_fakes = log_p(known), log_p(x), log_p(fake)
    p_real = 1 - of_known[:, -1].exp()
    supervised = -(of_known[torch.arange(size), labels] - p_real.log()).mean()  # −E log p(k | x, real)
    game_value = -0.5 * (1 - of_data[:, -1].exp()).log().mean() - 0.5 * of_fakes[:, -1].mean()
    theirs = torch.autograd.grad(supervised + weight * game_value, list(network.parameters()))
    assert statistics["classification"].item() == pytest.approx(supervised.item(), rel=1e-4)
    assert statistics["adversarial"].item() == pytest.approx(game_value.item(), rel=1e-4)
    assert cost.item() == pytest.approx((supervised + weight * game_value).item(), rel=1e-4)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    assert game.consequences({"loss/discriminator": 9.0}) == {}
    bound = game.consequences({"loss/discriminator": 9.0, "adversarial": 0.5})
    assert bound["jsd_lower_bound"] == pytest.approx(math.log(2) - 0.5)


def test_labels_alone_are_learnt_where_the_game_has_no_weight():
    setup = setup_of(*SEMI, *STILL, "model.labels=10", "model.weight=0", "steps=3")
    x, _ = minibatch_of(setup.minibatches, "discriminator", 0, 20)
    z = torch.zeros(20, 4)
    cost, statistics = setup.game.cost("discriminator", x, z, None, {})
    again, _ = setup.game.cost("discriminator", -x, z + 1, None, {})
    assert torch.equal(cost, again)
    assert set(statistics) == {"classification", "error/labelled", "loss/discriminator"}
    play(setup, range(1, 3))


def test_each_label_is_shown_equally_often(monkeypatch):
    """Where labels do not divide the minibatch, others are shown once more each time; where they do, none is drawn."""
    game = setup_of(*SEMI, "model.labels=10").game
    counts = []
    at = game.known.at
    monkeypatch.setattr(game.known, "at", lambda rows: counts.append(rows.bincount(minlength=10)) or at(rows))
    torch.manual_seed(0)
    for _ in range(500):
        game._known(16)
    shown = torch.stack(counts)
    assert torch.equal(shown.amin(dim=1), torch.full((500,), 1))
    assert torch.equal(shown.amax(dim=1), torch.full((500,), 2))
    assert (shown.float().mean(dim=0) - 1.6).abs().max() < 0.09  # four standard deviations
    before = torch.get_rng_state()
    game._known(20)
    assert torch.equal(counts[-1], torch.full((10,), 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_are_drawn_balanced_and_by_the_seed_alone():
    labels = np.random.default_rng(0).integers(0, 10, 5000)
    kept = balanced(labels, 10, 100, seed=3)
    assert len(set(kept)) == 100
    assert np.bincount(labels[kept], minlength=10).tolist() == [10] * 10
    np.testing.assert_array_equal(kept, balanced(labels, 10, 100, seed=3))
    assert set(kept) != set(balanced(labels, 10, 100, seed=4))
    assert sorted(np.bincount(labels[balanced(labels, 10, 23, seed=0)], minlength=10)) == [2] * 7 + [3] * 3
    assert np.bincount(balanced(np.array([0, 2, 2, 0, 2]), 3, 4, seed=0)).sum() == 4  # a class without samples is none
    rare = np.array([0] * 50 + [1] * 3)
    for count, said in {8: "class 1 has 3 samples: use 6 or fewer", 1: "use 2 or more", 54: "the data have 53"}.items():
        with pytest.raises(UserError, match=said):
            balanced(rare, 2, count, seed=0)


def test_which_labels_are_kept_is_a_matter_of_their_seed():
    def kept(*keys: str) -> list[int]:
        setup = setup_of(*SEMI, *keys)
        return setup.game.labelled(setup.samples).tolist()

    first, other = kept(), kept("seed=1")
    assert kept("seed=1", "model.labels_seed=0") == first != other
    assert kept("model.labels=0") == list(range(64))


def test_errors_are_counted_as_by_hand_and_on_labels_that_were_not_told():
    """Logits whose largest is at a class that is known, of the average and of the weights."""
    values = np.zeros((6, 1, 8, 8), np.uint8)
    samples = Samples(values, np.array([0, 1, 2, 0, 1, 2]), classes=3)
    says = {True: [0, 1, 2, 0, 1, 1], False: [1, 1, 1, 1, 1, 1]}
    model = SimpleNamespace(
        classify=lambda x, averaged: torch.eye(3)[says[averaged][: len(x)]],
        game=SimpleNamespace(classify=None, labelled=lambda _: np.array([1, 4]), learn=print, told=print),
    )
    evidence = SimpleNamespace(
        model=model, held_out=samples, training=samples, dataset=None, note=lambda *_: None, notes={}
    )
    assert Classification()(evidence) == {"errors": 1, "errors_now": 4, "error_rate": 1 / 6, "of_samples": 6}
    evidence.held_out = None  # of the places 0, 2, 3, 5, with the labels 0, 2, 0, 2: the model says 0, 1, 2, 0
    assert Classification()(evidence) == {"errors": 3, "errors_now": 4, "error_rate": 3 / 4, "of_samples": 4}


def test_the_test_is_by_the_average_of_ds_weights_over_the_images_seen():
    setup = setup_of(*SEMI, "model.average=60")
    weight = next(iter(setup.game.discriminator.parameters()))
    average, images = weight.detach().double().clone(), 0

    def observe(step, statistics):
        nonlocal images
        before, images = images, images + 8
        decay = 0.5 ** ((images - before) / min(60, 0.1 * images))
        average.mul_(decay).add_(weight.detach().double(), alpha=1 - decay)

    play(setup, range(1, 12), [observe])
    theirs = next(iter(setup.game.average.network.parameters()))
    torch.testing.assert_close(theirs.double(), average, rtol=1e-5, atol=1e-7)
    assert not torch.equal(theirs, weight)


def test_weight_normed_layers_start_with_units_of_mean_0_and_variance_1():
    torch.manual_seed(0)
    x = torch.rand(64, 30) * 3 + 1
    network = torch.nn.Sequential(WeightNormed(30, 12), torch.nn.ReLU(), WeightNormed(12, 4, learns_scale=True))
    length = network[0].weight.norm(dim=1, keepdim=True)
    torch.testing.assert_close(network[0](x), x @ (network[0].weight / length).T)  # g = 1, b = 0
    with torch.no_grad(), starting(network):
        network(x)
    for layer in (network[:1], network):
        y = layer(x)
        torch.testing.assert_close(y.mean(dim=0), torch.zeros(y.shape[1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(y.var(dim=0, correction=0), torch.ones(y.shape[1]), atol=1e-4, rtol=0)
    before = network(2 * x)
    with torch.no_grad(), starting(network):  # once
        network(2 * x)
    assert torch.equal(network(2 * x), before)
    assert [name for name, _ in network.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias", "2.scale"]
    rows = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(RowLengths.apply, rows)
    assert torch.autograd.gradgradcheck(RowLengths.apply, rows)


def test_weight_normed_layers_of_d_start_on_the_data_in_its_first_move_alone(gan_train):
    keys = (*SEMI, "architecture.discriminator.norm=weight", "optimizer.lr=1e-12", "checkpoint_every=1")
    assert gan_train(*keys, "keep_checkpoints=9", "steps=3", "hydra.run.dir=run").code == 0
    scales = [
        torch.load(path, weights_only=True)["networks"]["discriminator"]["network.hidden.1.linear.scale"]
        for path in sorted(Path("run/checkpoints").iterdir())
    ]
    assert torch.equal(scales[0], torch.ones(16 * 5))
    assert (scales[1] != 1).all()
    assert torch.equal(scales[1], scales[3])
    result = gan_train(*keys, "start=run", "steps=2", "hydra.run.dir=on")  # what has been started stays so
    assert result.code == 0, result.err
    there = state_in(Path("on"))["networks"]["discriminator"]["network.hidden.1.linear.scale"]
    assert torch.equal(there, scales[3])


def test_noise_is_of_its_size_in_training_and_absent_from_the_test():
    noise, x = Noise(0.5), torch.ones(200, 300)
    torch.manual_seed(0)
    assert float((noise(x) - x).std()) == pytest.approx(0.5, rel=0.02)
    assert torch.equal(noise.eval()(x), x)
    setup = setup_of(
        *SEMI, *STILL, "architecture.discriminator.noise=0.5", "architecture.discriminator.input_noise=0.3"
    )
    x = torch.zeros(3, 1, 8, 8)
    network = setup.game.discriminator
    assert not torch.equal(network(x), network(x))
    assert sum(isinstance(part, Noise) and part.sigma > 0 for part in network.modules()) == 2
    assert torch.equal(network.eval()(x), network(x))


def test_errors_are_logged_watched_and_the_labels_that_were_told_are_said(gan_train, gan_eval):
    result = gan_train(
        *SEMI, "metrics=classification", "watch=errors", "evaluate_every=2", "steps=4", "hydra.run.dir=r"
    )
    assert result.code == 0, result.err
    measured = [record for record in metrics_in(Path("r")) if "metric/errors" in record]
    assert [record["metric/of_samples"] for record in measured] == [2000, 2000]
    assert measured[-1]["metric/error_rate"] == measured[-1]["metric/errors"] / 2000
    log = Path("r/train.log").read_text()
    kept = setup_of(*SEMI)
    places = kept.game.labelled(kept.samples)
    assert "labels: 20 of 64, 2 of each of 10 classes, drawn by seed 0: numbers " + ", ".join(map(str, places)) in log
    assert Path("r/checkpoints/best.pt").exists()
    assert gan_eval("checkpoint=r", "metrics=classification", "out=found.json").code == 0
    assert json.loads(Path("found.json").read_text())["metrics"]["errors"] == measured[-1]["metric/errors"]
    model = gan_cli.load("r")
    assert model.classify(torch.zeros(5, 1, 8, 8)).shape == (5, 10)
    assert not torch.equal(
        model.classify(torch.zeros(1, 1, 8, 8)), model.classify(torch.zeros(1, 1, 8, 8), averaged=False)
    )


MISTAKES = {
    "conditional=true": "conditional=true: the labels of model=semi_supervised are mostly missing: use",
    "pack=2": "pack=2: model=semi_supervised has no use for it: leave it out",
    "conditioning=auxiliary": "conditioning=auxiliary: model=semi_supervised has no use for it: leave it out",
    "compile=true": "compile=true: model=semi_supervised has no use for it: leave it out",
    "ensemble=2": "ensemble=2: model=semi_supervised cannot train several seeds as one computation",
    "model.labels=65": "model.labels=65: dataset.limit=64 leaves fewer: use fewer labels, or 0 for all of them",
    "model.labels=5": "model.labels=5: there are 10 classes: use 10 or more, one of each",
    "model.classes=7": "model.classes=7: dataset=digits has 10: leave it out",
    "model.classes=1": "model.classes=1: must be at least 2",
    "dataset=swiss_roll": "model=semi_supervised: dataset=swiss_roll has no classes to learn: use dataset=digits",
    "architecture=progressive": "architecture=progressive: has no classifier, which model=semi_supervised needs",
    "metrics=likelihood": "metrics=likelihood: model=semi_supervised has no likelihood: use metrics=parzen",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_makes_no_sense_is_answered_in_one_line(gan_train, mistake):
    keys = [key for key in SEMI if key.startswith(("model", "dataset", "batch")) or key == "experiment=lecture"]
    own = [] if mistake.startswith("architecture") else [key for key in SEMI if key.startswith("architecture")]
    if mistake == "dataset=swiss_roll":
        keys = [key for key in keys if not key.startswith("dataset")]
    found_with_data = mistake in ("model.labels=5", "model.classes=7")
    for dry in (["dry_run=true"], [])[: 1 + found_with_data]:
        result = gan_train(*keys, *own, mistake, *dry)
        assert result.code == 2, result.err
        assert result.errors == [line for line in result.err.splitlines() if MISTAKES[mistake] in line]
    assert not list(Path().rglob("checkpoints/*.pt"))


def test_other_models_say_that_they_tell_no_classes_apart(gan_train):
    result = gan_train(*TINY_MLP, "metrics=classification", "dry_run=true")
    assert result.code == 2
    assert "metrics=classification: model=gan tells no classes apart: use model=semi_supervised" in result.err
    result = gan_train(*TINY_MLP, "architecture.discriminator.norm=weight", "ensemble=2", "dry_run=true")
    assert result.code == 2
    assert (
        "architecture.discriminator.norm=weight: takes its scales from the first minibatch, which ensemble=2"
        in result.err
    )


def test_every_loss_teaches_both_players():
    setup = setup_of(*SEMI, "model.labels=10")
    game, (x, _) = setup.game, minibatch_of(setup.minibatches, "discriminator", 0, 16)
    for name in Library().options("loss"):
        game.loss = gan_cli.losses.build(name)
        for player in ("discriminator", "generator"):
            cost, statistics = game.cost(player, x, torch.randn(16, 4), None, {})
            gradients = torch.autograd.grad(cost, list(game.networks[player].parameters()))
            assert all(gradient.isfinite().all() for gradient in gradients), name
            assert any(gradient.any() for gradient in gradients), name
            assert all(value.isfinite() for value in statistics.values()), name


def test_classes_in_folders_are_learnt_and_without_a_test_split_the_test_is_by_the_rest(gan_train):
    for number, name in enumerate(("cat", "dog", "owl")):
        folder = Path("photos", name)
        folder.mkdir(parents=True)
        for each in range(5):
            Image.new("RGB", (12, 8), (80 * number, 10 * each, 0)).save(folder / f"{each}.png")
    keys = [key for key in SEMI if not key.startswith(("dataset", "model.labels"))]
    data = ("dataset=image_folder", "dataset.path=photos", "dataset.size=8", "model.labels=6")
    result = gan_train(*keys, *data, "steps=2", "metrics=classification", "hydra.run.dir=run")
    assert result.code == 0, result.err
    (measured,) = [record for record in metrics_in(Path("run")) if "metric/errors" in record]
    log = Path("run/train.log").read_text("utf-8")
    assert "labels: 6 of 15, 2 of each of 3 classes, drawn by seed 0: numbers" in log
    assert measured["metric/of_samples"] == 9
    assert "errors: of 9 training samples whose labels it was not told, by the moving average of the weights" in log


def test_a_column_of_a_table_is_learnt_from_a_few_of_its_rows(gan_train, gan_sample):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    lines = [f"{a:.3f},{b:.3f},{'up' if a > 0 else 'down'},{'red' if b > 0 else 'blue'}" for a, b in rows]
    Path("some.csv").write_text("\n".join(["a,b,way,colour", *lines]))
    keys = ("experiment=table", "model=semi_supervised", "dataset.path=some.csv", "model.labels=6", "steps=2")
    result = gan_train(*keys, "dataset.label=way", "metrics=classification", "batch_size=8", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert [record["metric/of_samples"] for record in metrics_in(Path("run")) if "metric/errors" in record] == [6]
    assert gan_sample("checkpoint=run", "seeds=0-2", "format=csv", "out=out.csv").code == 0
    header, *drawn = csv.reader(Path("out.csv").read_text().splitlines())
    assert header == ["a", "b", "way", "colour"]
    model = gan_cli.load("run")
    said = model.classify(model.sample(3)).argmax(dim=1).tolist()  # D's word: G is not asked for it
    assert [row[2] for row in drawn] == [["down", "up"][number] for number in said]
    assert model.in_units(model.sample(3))["way"].tolist() == [row[2] for row in drawn]
    result = gan_train(*keys, "dry_run=true")
    assert result.code == 2
    assert "model=semi_supervised: which column has the classes? add dataset.label=COLUMN" in result.err


@pytest.mark.parametrize("place", ["a table", "beside the folders", "a folder"])
def test_pictures_without_a_label_are_learnt_from(gan_train, gan_eval, place):
    """Of a folder with 12 pictures of two classes, and 18 of which nobody says what they are."""
    names = {"a table": ("all", "all", "all"), "beside the folders": ("all/cat", "all/dog", "all")}
    cats, dogs, others = names.get(place, ("all/cat", "all/dog", "all/Unlabelled"))
    for number, (name, count) in enumerate([(cats, 5), (dogs, 7), (others, 18)]):
        Path(name).mkdir(parents=True, exist_ok=True)
        for each in range(count):
            Image.new("L", (8, 8), 60 * number + 3 * each).save(Path(name, f"{number}{each:02}.png"))
    if place == "a table":
        rows = [
            f"{number}{each:02}.png,{['cat', 'dog'][number]}" for number in (0, 1) for each in range([5, 7][number])
        ]
        Path("all/labels.csv").write_text("\n".join(["file,kind", *rows, "200.png,"]))
    keys = [key for key in SEMI if not key.startswith(("dataset", "model.labels"))]
    data = ("dataset=image_folder", "dataset.path=all", "dataset.size=8", "dataset.channels=1", "steps=2")
    result = gan_train(*keys, *data, "model.labels=6", "metrics=classification", "hydra.run.dir=run")
    assert result.code == 0, result.err
    (measured,) = [record for record in metrics_in(Path("run")) if "metric/errors" in record]
    assert measured["metric/of_samples"] == 6  # of those that have labels, which it was not told
    log = Path("run/train.log").read_text("utf-8")
    assert "classes: 0 cat (5), 1 dog (7); 18 have none" in log
    assert "labels: 6 of 12, 3 of each of 2 classes, drawn by seed 0" in log
    game = setup_of(*keys, *data, "model.labels=0").game
    assert game.known.count == 12
    assert gan_eval("checkpoint=run", "metrics=classification").code == 0
    other = gan_train(*TINY_MLP, *data, "dataset.unlabelled=true", "conditional=false")
    assert other.code == 2
    assert (
        "dataset.unlabelled=true: keeps samples without a label to learn labels from, and model=gan learns" in other.err
    )


def test_rows_without_a_label_are_learnt_from(gan_train):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    said = [("up" if a > 0 else "down") if place % 3 == 0 else "" for place, (a, _) in enumerate(rows)]
    lines = [f"{a:.3f},{b:.3f},{way}" for (a, b), way in zip(rows, said, strict=True)]
    Path("some.csv").write_text("\n".join(["a,b,way", *lines]))
    keys = ("experiment=table", "dataset.path=some.csv", "dataset.label=way", "steps=2", "batch_size=8")
    result = gan_train(*keys, "model=semi_supervised", "model.labels=6", "hydra.run.dir=run")
    assert result.code == 0, result.err
    log = Path("run/train.log").read_text("utf-8")
    assert "54 of 60 rows" in log
    assert "40 of them have no way" in log
    assert "labels: 6 of 18, 3 of each of 2 classes" in log
    other = gan_train(*keys, "conditional=true", "metrics=[]", "hydra.run.dir=other")
    assert other.code == 0, other.err
    assert "18 of 60 rows" in Path("other/train.log").read_text("utf-8")


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 2, -1, -1] * 8),
        np.array([0, 1, 2, np.nan, np.nan] * 8),
        np.array(["a", "b", "c", "", ""] * 8),
        np.array([5.0, 6.0, 7.0, -1.0, np.nan] * 8, np.float32),
    ],
    ids=["-1", "nan", "empty", "both"],
)
@pytest.mark.parametrize("kind", ["points", "signals"])
def test_samples_of_arrays_without_a_label_are_learnt_from(labels, kind):
    shape = (40, 3) if kind == "points" else (40, 1, 16)
    np.savez("x.npz", x=np.random.default_rng(0).normal(size=shape).astype(np.float32), y=labels)
    data = "dataset=arrays" if kind == "points" else "dataset=signals"
    more = () if kind == "points" else ("dataset.length=16",)
    keys = [key for key in SEMI if not key.startswith("dataset")]
    game = setup_of(*keys, data, "dataset.path=x.npz", "model.labels=6", *more).game
    assert (game.discriminator.classes, game.known.count) == (3, 6)


def test_minus_one_is_a_class_beside_one_alone_and_for_models_that_learn_no_labels():
    found, names = classes_of(np.array([-1, 1, -1, 1]), "x", unlabelled=True)
    assert (found.tolist(), names) == ([0, 1, 0, 1], ("-1", "1"))
    found, names = classes_of(np.array([-1, 0, 1]), "x")
    assert (found.tolist(), names) == ([0, 1, 2], ("-1", "0", "1"))
    samples = Samples(np.zeros((4, 2), np.float32), np.array([-1, 1, 0, 1]), classes=2)
    assert samples.labelled.tolist() == [1, 2, 3]
    assert samples.take(np.arange(1)).classes == 2
    with pytest.raises(ValueError, match="-1 where it has none"):
        Samples(np.zeros((2, 2), np.float32), np.array([-2, 1]))
    with pytest.raises(UserError, match=r"model\.labels=4: the data have 3"):
        balanced(samples.labels, 2, 4, 0)


def test_sounds_without_a_label_are_learnt_from():
    for name, tone in (("hum/a", 0), ("hum/b", 5), ("buzz/c", 9), ("buzz/d", 20), ("e", 30), ("unlabelled/f", 40)):
        Path("all", name).parent.mkdir(parents=True, exist_ok=True)
        pulses = (1000 * np.sin(np.arange(64) * (tone + 1) / 9)).astype("<i2")
        with wave.open(f"all/{name}.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(pulses.tobytes())
    keys = [key for key in SEMI if not key.startswith("dataset")]
    game = setup_of(*keys, "dataset=signals", "dataset.path=all", "dataset.length=16", "model.labels=4").game
    assert (game.discriminator.classes, game.known.count) == (2, 4)


def test_of_pictures_that_come_again_the_label_stays(caplog):
    for name, tone in (("all/0.png", 9), ("all/cat/1.png", 9), ("all/cat/2.png", 50), ("all/dog/3.png", 90)):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), tone).save(name)
    options = {"path": "all", "root": "data", "size": 8, "channels": 1, "duplicates": "drop", "unlabelled": True}
    with caplog.at_level("INFO"):
        samples = Library().build_by_name("dataset", "image_folder", **options).load()
    assert samples.labels.tolist() == [0, 0, 1]
    assert "another label" not in caplog.text
