"""Metrics of distances: random parts rather than heads, ties decided exactly, memory bounded."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gan_cli.commands.sampling.sheets import _real
from gan_cli.config.library import Library
from gan_cli.data.samples import Samples
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.pixels import Pixels

distance = pytest.importorskip("scipy.spatial.distance")

LIBRARY = Library()
SHARES = ("precision", "recall", "density", "coverage")


def metric(name: str, **options):
    return LIBRARY.build_by_name("metrics", name, **options)


def evidence(real: np.ndarray, fake: np.ndarray, **known) -> Evidence:
    known = {"source": Pixels(), **known}
    return Evidence(training=Samples(real), real=Samples(real), fake=Samples(fake), **known)


def shares(found: Evidence) -> dict[str, float]:
    return {**metric("precision_recall")(found), **metric("density_coverage")(found)}


def exact_shares(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """By the definitions, in whole numbers: int (N, …) and (M, …)."""
    x, y = (values.reshape(len(values), -1).astype(np.int64) for values in (real, fake))

    def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.stack([((row - b) ** 2).sum(axis=1) for row in a])

    def reach(a: np.ndarray, k: int) -> np.ndarray:
        return np.sort(squared(a, a), axis=1)[:, k]  # place 0 is itself, or its copy

    cross = squared(x, y)
    return {
        "precision": (cross <= reach(x, 3)[:, None]).any(axis=0).mean(),
        "recall": (cross <= reach(y, 3)).any(axis=1).mean(),
        "density": (cross < reach(x, 5)[:, None]).sum() / (5 * len(y)),
        "coverage": (cross < reach(x, 5)[:, None]).any(axis=1).mean(),
    }


def classes_of_pictures(each: int, seed: int) -> np.ndarray:
    """Ten classes in their order, as folders have them: uint8 (10 · each, 8, 8)."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).integers(60, 190, (10, 1, 8, 8))
    return (centres + generator.integers(-60, 61, (10, each, 8, 8))).reshape(-1, 8, 8).astype(np.uint8)


def folders(name: str, pictures: np.ndarray, each: int) -> None:
    for i, picture in enumerate(pictures):
        file = Path(name) / str(i // each) / f"{i:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)


def test_the_shares_of_sorted_folders_are_those_of_a_random_part(gan_eval):
    real, fake = classes_of_pictures(12, 1), classes_of_pictures(48, 2)
    folders("real", real, 12)
    folders("samples", fake, 48)
    keys = ("size=8", "channels=1", "extractor=pixels", "metrics=[precision_recall,density_coverage]", "out=found.json")
    result = gan_eval("real=real", "samples=samples", *keys)
    assert result.code == 0, result.err
    found = json.loads(Path("found.json").read_text())["metrics"]
    generator = np.random.default_rng(5)
    x = real.reshape(len(real), -1).astype(float)
    expected: dict[str, list[float]] = {key: [] for key in SHARES}
    for _ in range(30):
        y = fake[generator.permutation(len(fake))[: len(real)]].reshape(len(real), -1).astype(float)
        (own_x, own_y), cross = (np.sort(distance.cdist(z, z), axis=1) for z in (x, y)), distance.cdist(x, y)
        within = cross < own_x[:, [5]]
        expected["precision"].append((cross <= own_x[:, [3]]).any(axis=0).mean())
        expected["recall"].append((cross <= own_y[:, 3]).any(axis=1).mean())
        expected["density"].append(within.sum() / (5 * len(y)))
        expected["coverage"].append(within.any(axis=1).mean())
    for key in SHARES:  # the head, two and a half classes of ten, has a recall of a quarter
        mean, spread = np.mean(expected[key]), np.std(expected[key])
        assert abs(found[key] - mean) < 5 * spread, key


@pytest.mark.parametrize(
    ("name", "options", "key", "tolerance"),
    [
        ("precision_recall", {}, "recall", 0.1),
        ("density_coverage", {}, "coverage", 0.1),
        ("memorisation", {"samples": 100}, "copied", 0.15),
        ("memorisation", {"samples": 100}, "nearest_training_of_held_out", 0.25),
        ("parzen", {"test": 100, "validation": 50}, "parzen", 1.2),
        ("parzen", {"test": 100, "validation": 500}, "parzen", 1.2),
    ],
)
def test_no_metric_takes_the_head_of_sorted_data_for_a_sample_of_it(name, options, key, tolerance):
    generator = np.random.default_rng(0)

    def kinds(n: int, spread: float) -> np.ndarray:  # sorted; each kind of its own width
        scale = np.repeat(np.linspace(0.3, spread, 10), n // 10)[:, None]
        return (generator.standard_normal((n, 4)) * scale + 20 * scale).astype(np.float32)

    training, held_out, unused, fake = kinds(400, 2.0), kinds(600, 2.0), kinds(300, 2.0), kinds(800, 2.0)
    fake[:160] = training[np.arange(160)]  # copies come first

    def value(sort: bool) -> float:
        def order(values: np.ndarray) -> np.ndarray:
            return values if sort else generator.permutation(values)

        sets = {"held_out": lambda: Samples(order(held_out)), "unused": lambda: Samples(order(unused))}
        known = SimpleNamespace(**sets)
        return metric(name, **options)(evidence(order(training), order(fake), dataset=known))[key]

    shuffled = np.mean([value(sort=False) for _ in range(5)])
    assert value(sort=True) == pytest.approx(shuffled, abs=tolerance)


@dataclass(frozen=True)
class Sorted:
    """A uniform density on [0, 1]² whose draws come in order."""

    points: int
    seed: int = 0

    def load(self) -> Samples:
        values = np.random.default_rng(self.seed).random((self.points, 2))
        return Samples(np.sort(values, axis=0).astype(np.float32))

    def log_density(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0].astype(np.float64)  # anything that tells the head from the rest


def test_the_gap_of_log_densities_is_of_a_random_part_of_the_draws():
    density = Sorted(500)
    found = metric("divergence")(evidence(density.load().values, density.load().values, dataset=density))
    assert abs(found["log_density_gap"]) < 0.05  # ½ − ½; the head has .05


def test_points_beneath_a_plot_are_no_stride_of_the_data():
    turns = np.tile(np.array([[0, 0], [1, 1]], np.float32), (4000, 1))
    library = SimpleNamespace(build=lambda *_: SimpleNamespace(load=lambda: Samples(turns)))
    config = SimpleNamespace(dataset=SimpleNamespace(name="turns"), seed=0, sample_count=80)
    sampler = SimpleNamespace(config=config, labels_of=lambda seeds: None)
    trained = SimpleNamespace(sampler=sampler, weights=SimpleNamespace(data=None))
    shown = _real(trained, library)
    assert len(shown) == 2000
    assert shown.mean() == pytest.approx(0.5, abs=0.06)


def repeated(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Every real picture five times; the samples are the same shuffled, a tenth inverted."""
    generator = np.random.default_rng(seed)
    real = np.repeat(generator.integers(0, 256, (60, 1, 12, 12), dtype=np.uint8), 5, axis=0)
    fake = generator.permutation(real)
    fake[:30] = 255 - fake[:30]
    return real, fake


def test_a_picture_that_occurs_five_times_is_recalled_by_its_copies(gan_eval):
    real, fake = repeated(0)
    folders("real", real[:, 0], 30)
    folders("samples", fake[:, 0], 30)
    keys = (
        "size=12",
        "channels=1",
        "extractor=pixels",
        "metrics=[precision_recall,density_coverage]",
        "out=found.json",
    )
    assert gan_eval("real=real", "samples=samples", *keys).code == 0
    found = json.loads(Path("found.json").read_text())["metrics"]
    assert found["recall"] == 1
    assert {key: found[key] for key in SHARES} == pytest.approx(exact_shares(real, fake), abs=1e-12)


class Careless:
    """Features that depend on the size of the batch in their last digits, as those of a network do."""

    def prepare(self, training, held_out, device) -> None:
        pass

    def refusal(self, samples) -> None:
        return None

    def features(self, values: np.ndarray) -> np.ndarray:
        mixing = np.random.default_rng(0).standard_normal((values[0].size, 30))
        found = values.reshape(len(values), -1) / 255 @ mixing
        return (found * (1 + 1e-6 * np.sin(len(values) + np.arange(len(values))))[:, None]).astype(np.float32)


@pytest.mark.parametrize("source", [Pixels(), Careless()])
def test_equal_pictures_are_at_distance_zero_in_any_features(source):
    real, fake = repeated(1)
    assert shares(evidence(real, fake, source=source))["recall"] == 1
    everything = shares(evidence(real, real.copy(), source=source))
    assert (everything["precision"], everything["recall"]) == (1, 1)


@pytest.mark.parametrize("kind", ["bytes", "floats", "far from the origin", "small numbers"])
def test_ties_are_decided_as_in_whole_numbers(kind):
    generator = np.random.default_rng(3)
    real, fake = (generator.integers(0, 3, (1100, 1, 2, 3), dtype=np.uint8) for _ in range(2))  # more than a tile
    expected = exact_shares(real, fake)
    if kind == "bytes":
        assert shares(evidence(real, fake)) == pytest.approx(expected, abs=1e-12)
        return
    scale, shift = {"floats": (1.0, 0.0), "far from the origin": (0.25, 1000.0), "small numbers": (2.0**-40, 0.0)}[kind]
    x, y = ((scale * values.reshape(len(values), -1) + shift).astype(np.float32) for values in (real, fake))
    assert shares(evidence(x, y)) == pytest.approx(expected, abs=1e-12)


def test_points_that_occur_several_times_are_recalled_whatever_their_numbers():
    generator = np.random.default_rng(4)
    real = np.repeat(generator.standard_normal((40, 50)).astype(np.float32), 5, axis=0)
    fake = generator.permutation(real) * np.where(np.arange(200) < 20, -1, 1)[:, None].astype(np.float32)
    assert shares(evidence(real, fake))["recall"] == 1


@pytest.mark.parametrize("name", ["memorisation", "parzen", "precision_recall", "density_coverage"])
def test_distances_take_little_more_memory_than_the_data(name):
    generator = np.random.default_rng(0)
    if name in ("memorisation", "parzen"):  # few samples are looked for in many
        many = generator.integers(0, 256, (8_000, 3, 32, 32), dtype=np.uint8)
        few = many[:50]
        options = {"samples": 50} if name == "memorisation" else {"test": 25, "validation": 25, "bandwidths": [0.2]}
        real, fake, unseen = (many, few, few) if name == "memorisation" else (few, many, few)
    else:
        options = {}
        real, fake, unseen = (generator.integers(0, 256, (2_000, 3, 16, 16), dtype=np.uint8) for _ in range(3))
    found = evidence(real, fake, dataset=SimpleNamespace(held_out=lambda: Samples(unseen)))
    tracemalloc.start()
    try:
        metric(name, **options)(found)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * (real.nbytes + fake.nbytes) + 64 * 2**20


def test_what_a_metric_does_not_look_at_is_said_once(caplog):
    caplog.set_level("INFO")
    generator = np.random.default_rng(0)
    real, fake, unseen = (generator.standard_normal((n, 3)).astype(np.float32) for n in (300, 200, 80))
    found = evidence(real, fake, dataset=SimpleNamespace(held_out=lambda: Samples(unseen)))
    for _ in range(2):
        metric("precision_recall")(found)
        metric("memorisation", samples=100)(found)
        metric("kernel")(found)
        metric("parzen")(found)
    assert caplog.messages == [
        "neighbours: 200 of 300 samples, drawn at random",
        "memorisation: 100 of 200 samples, drawn at random",
        "nearest_training: 100 generated and 80 held-out samples, against 300 of training",
        "kernel: subsets of 50, a quarter of the samples, not of 1,000",
        "parzen: of 40 held-out samples, σ chosen on 40 others: no more are held out",
    ]
