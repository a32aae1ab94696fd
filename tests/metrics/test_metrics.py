"""Each metric against answers known otherwise: closed forms, planted faults, independent implementations."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY_POINTS, config_of

from gan_cli.config.library import Library
from gan_cli.data.columns import Column
from gan_cli.data.samples import Samples
from gan_cli.games.game import LogLikelihood
from gan_cli.games.sampler import Sampler
from gan_cli.games.view import View
from gan_cli.metrics.classes import inception_score, kl_of_counts
from gan_cli.metrics.densities import cell_counts, jsd_of_counts
from gan_cli.metrics.distances import frechet_distance, mean_and_covariance, mmd2
from gan_cli.metrics.evaluation import draw
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.classifier import Classifier
from gan_cli.metrics.extractors.inception import Inception
from gan_cli.metrics.extractors.pixels import Pixels
from gan_cli.metrics.judge import Judge
from gan_cli.metrics.lattice import Lattice
from gan_cli.metrics.neighbours import closest, radii
from gan_cli.metrics.parzen import log_likelihoods
from gan_cli.models.units import of_densities

LIBRARY = Library()


def metric(name: str, **options):
    return LIBRARY.build_by_name("metrics", name, **options)


def points(values, fake=None, **known) -> Evidence:
    samples = Samples(np.asarray(values, np.float32))
    return Evidence(
        training=samples,
        real=samples,
        source=Pixels(),
        fake=None if fake is None else Samples(np.asarray(fake, np.float32)),
        **known,
    )


def gaussian(n: int, d: int, seed: int, mean: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, d)) + mean).astype(np.float32)


def test_frechet_distance_of_known_gaussians():
    eye, mean = np.eye(3), np.zeros(3)
    assert frechet_distance(mean, eye, mean, eye) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(mean, eye, mean + 2, eye) == pytest.approx(12)
    assert frechet_distance(mean, eye, mean, 9 * eye) == pytest.approx(3 * (3 - 1) ** 2)
    flat = np.diag([1.0, 1.0, 0.0])  # a covariance without full rank
    assert frechet_distance(mean, flat, mean, eye) == pytest.approx(1)


def test_frechet_distance_agrees_with_scipy_and_torch_fidelity():
    linalg = pytest.importorskip("scipy.linalg")
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    mixing = np.random.default_rng(3).standard_normal((20, 20))
    x, y = gaussian(500, 20, 0) @ mixing, gaussian(400, 20, 1, mean=0.3)
    (m1, c1), (m2, c2) = mean_and_covariance(x), mean_and_covariance(y)
    ours = frechet_distance(m1, c1, m2, c2)
    theirs = ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * linalg.sqrtm(c1 @ c2).real)
    assert ours == pytest.approx(theirs, rel=1e-6)
    statistics = [fid.fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y.astype(np.float64))]
    (theirs,) = fid.fid_statistics_to_metric(*statistics, verbose=False).values()
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_too_few_samples_for_a_covariance_are_refused():
    few, enough = (points(gaussian(9, 8, 0), gaussian(n, 8, 1)) for n in (8, 9))
    reason = "the covariance of 8 features needs 9 real and as many generated samples, and there are 8"
    help = ": give more, or use metrics=kernel"
    assert metric("frechet").refusal(few) == reason + help
    assert metric("frechet").refusal(enough) is None
    assert "needs 4 real" in metric("precision_recall").refusal(points(gaussian(9, 8, 0), gaussian(3, 8, 1)))


@pytest.mark.parametrize("name", ["frechet", "kernel", "precision_recall", "density_coverage", "two_sample", "swd"])
@pytest.mark.parametrize("side", [0, 8, 16])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 14])
def test_where_samples_are_few_another_metric_is_named_that_takes_them(name, side, count):
    samples = Samples(np.zeros((count, 3, side, side), np.uint8) if side else gaussian(count, 3, 0))
    evidence = Evidence(training=samples, real=samples, source=Pixels(), fake=samples)
    reason = metric(name).refusal(evidence)
    if reason is None or "give more" not in reason:
        return
    _, found, other = reason.partition(", or use metrics=")
    assert bool(found) == (count > 1)
    if found:
        assert other != name
        assert metric(other).refusal(evidence) is None
        assert np.isfinite(list(metric(other)(evidence).values())).all()


def test_kernel_distance_agrees_with_torch_fidelity():
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    x, y = gaussian(200, 16, 0), gaussian(200, 16, 1, mean=0.2)
    options = {"kid_subsets": 1, "kid_subset_size": 200, "rng_seed": 0, "verbose": False, "kid_kernel": "poly"}
    options |= {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    theirs = kid.kid_features_to_metric(
        torch.from_numpy(x.astype(np.float64)), torch.from_numpy(y.astype(np.float64)), **options
    )
    assert mmd2(x, y) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)


def test_kernel_distance_of_equal_distributions_is_zero_within_its_error():
    found = metric("kernel", subset_size=300)(points(gaussian(4000, 8, 0), gaussian(4000, 8, 1)))
    assert abs(found["kernel"]) < 4 * found["kernel_error"]
    apart = metric("kernel", subset_size=300)(points(gaussian(4000, 8, 0), gaussian(4000, 8, 1, mean=0.2)))
    assert apart["kernel"] > 10 * apart["kernel_error"] > 0


def test_the_error_of_the_kernel_distance_is_that_of_other_draws_of_the_samples():
    """Twice the true one of equal distributions, whose subsets differ more than their mean; never half of it."""
    for shift, low, high in ((0.0, 1.0, 2.6), (0.3, 0.7, 1.3)):
        found = [
            metric("kernel", subsets=50, subset_size=80)(
                points(gaussian(400, 4, seed), gaussian(400, 4, 1000 + seed, mean=shift), seed=seed)
            )
            for seed in range(60)
        ]
        true = np.std([each["kernel"] for each in found], ddof=1)
        assert low < np.mean([each["kernel_error"] for each in found]) / true < high


def test_precision_and_recall_agree_with_torch_fidelity():
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = gaussian(300, 5, 0), 0.6 * gaussian(300, 5, 1)
    ours = metric("precision_recall")(points(real, fake))
    options = {"prc_neighborhood": 3, "prc_batch_size": 100, "save_cpu_ram": False, "verbose": False}
    theirs = prc.prc_features_to_metric(torch.from_numpy(fake).double(), torch.from_numpy(real).double(), **options)
    assert ours == pytest.approx({"precision": theirs["precision"], "recall": theirs["recall"]}, rel=1e-6)
    assert ours["precision"] > ours["recall"] + 0.2  # narrower than the data


def test_density_and_coverage_are_those_of_their_definition():
    real, fake = gaussian(120, 3, 0), gaussian(120, 3, 1, mean=0.5)
    distance = np.linalg.norm(real[:, None].astype(np.float64) - real, axis=2)
    reach = np.sort(distance, axis=1)[:, 5]  # place 0 is itself
    within = np.linalg.norm(real[:, None].astype(np.float64) - fake, axis=2) < reach[:, None]  # (real, fake)
    found = metric("density_coverage")(points(real, fake))
    assert found["density"] == pytest.approx(within.sum() / (5 * len(fake)))
    assert found["coverage"] == pytest.approx(within.any(axis=1).mean())


def test_duplicates_and_missing_regions_lower_recall_and_coverage():
    real = gaussian(600, 4, 0)
    copies = np.repeat(gaussian(6, 4, 1), 100, axis=0)
    everything, collapsed = (
        {**metric("precision_recall")(points(real, fake)), **metric("density_coverage")(points(real, fake))}
        for fake in (gaussian(600, 4, 2), copies)
    )
    assert everything["recall"] > 0.7
    assert everything["coverage"] > 0.9
    assert collapsed["recall"] < 0.1
    assert collapsed["coverage"] < 0.2


def test_distances_come_in_blocks_and_know_near_duplicates():
    x = gaussian(1500, 2, 0) + 100  # more than a block, far from the origin
    x[7] = x[1400] + 1e-4
    distance, nearest = closest(x[7:8], np.delete(x, 7, axis=0))
    assert nearest[0] == 1399
    assert distance[0] == pytest.approx(1e-4, rel=0.2)
    assert radii(x, 1, Lattice(x))[7] == pytest.approx(2e-8, rel=0.4)


def test_sliced_wasserstein_distance_of_a_shift():
    x = gaussian(4000, 2, 0)
    found = metric("sliced_wasserstein", projections=2000)(points(x, x + np.array([3, 0])))
    assert found["sliced_wasserstein"] == pytest.approx(3 * 2 / math.pi, rel=0.03)  # E |cos θ| = 2/π


def test_inception_score_of_known_predictions():
    certain = np.tile(np.eye(4), (25, 1))
    assert inception_score(certain) == pytest.approx(4)
    assert inception_score(np.full((100, 4), 0.25)) == pytest.approx(1)
    isc = pytest.importorskip("torch_fidelity.metric_isc")
    logits = torch.randn(300, 7, generator=torch.Generator().manual_seed(0)).double()
    theirs = isc.isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    assert inception_score(logits.softmax(1).numpy()) == pytest.approx(theirs, rel=1e-6)


def test_modes_of_a_mixture_and_the_divergence_of_their_shares():
    ring = LIBRARY.build_by_name("dataset", "ring", points=4000)
    samples = ring.load()
    every = metric("modes")(points(samples.values, samples.values, dataset=ring))
    assert every["modes"] == every["of_modes"] == 8
    assert every["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    assert every["mode_kl"] < 0.01
    half = samples.values[samples.labels < 4]
    dropped = metric("modes")(points(samples.values, half, dataset=ring))
    assert dropped["modes"] == 4
    assert dropped["mode_kl"] == pytest.approx(math.log(2), abs=0.01)
    nowhere = metric("modes")(points(samples.values, 0 * half, dataset=ring))
    assert nowhere["modes"] == 0
    assert nowhere["mode_kl"] == math.inf


class EachMode(torch.nn.Module):
    """A perfect generator of a mixture whose labels are its modes."""

    def __init__(self, means, sigma: float) -> None:
        super().__init__()
        self.means, self.sigma = torch.tensor(means), sigma

    def forward(self, z, labels):
        return self.means[labels] + self.sigma * z


def test_a_perfect_generator_that_is_told_classes_is_judged_perfect_where_they_are_unequal():
    means = [[-5.0, 0.0], [5.0, 0.0]]
    mixture = LIBRARY.build_by_name("dataset", "mixture", means=means, weights=[0.9, 0.1], sigma=1.0, points=5000)
    data, config = mixture.load(), config_of(*TINY_POINTS)
    prior = SimpleNamespace(sample=lambda n, device, generator: torch.randn(n, 2, generator=generator))
    sampler = Sampler(EachMode(means, 1.0), prior, config, 2, torch.device("cpu"))
    fake = draw(sampler, 2000, 0, data)
    found = Evidence(data, data, Pixels(), dataset=mixture, fake=fake)
    assert metric("modes")(found)["mode_kl"] < 1e-3  # log(5/3) = 0.51, were both asked for equally often
    assert metric("frechet")(found)["frechet"] < 0.2
    divergence = metric("divergence")(found)
    assert divergence["jsd"] < divergence["jsd_floor"] + 0.01


def test_kl_of_counts():
    assert kl_of_counts(np.array([1, 1]), np.array([3, 1])) == pytest.approx(0.5 * math.log(2 / 3) + 0.5 * math.log(2))
    assert kl_of_counts(np.array([0, 5]), np.array([1, 1])) == pytest.approx(math.log(2))
    assert kl_of_counts(np.array([1, 5]), np.array([0, 1])) == math.inf


def test_jensen_shannon_divergence_of_shifted_gaussians():
    cells = cell_counts([gaussian(400_000, 1, 0), gaussian(400_000, 1, 1, mean=1.0)], 256)
    assert cells.shape == (2, 256)
    assert jsd_of_counts(*cells) == pytest.approx(0.1114214822, rel=0.01)
    assert jsd_of_counts(np.array([1, 0]), np.array([0, 1])) == pytest.approx(math.log(2))


@pytest.mark.parametrize("cells", [2, 3, 7, 100, 256])
def test_cells_are_of_equal_mass(cells):
    draw = np.random.default_rng(0).standard_normal((25_600, 2)).astype(np.float32)
    (counts,) = cell_counts([draw], cells)
    assert len(counts) == cells
    assert np.abs(counts - 25_600 / cells).max() <= 6  # a number of each cut


def test_divergence_from_a_density_and_its_floor():
    normal = LIBRARY.build_by_name("dataset", "gaussian", dimension=1, mean=0.0, sigma=1.0)
    shifted = points(normal.load().values, gaussian(100_000, 1, 5, mean=1.0), dataset=normal)
    found = metric("divergence")(shifted)
    assert found["jsd"] == pytest.approx(0.1114214822, rel=0.03)
    assert found["jsd_floor"] < 0.001
    assert found["log_density_gap"] == pytest.approx(0.5, abs=0.02)  # E_q log p is lower by m²/2


def test_parzen_log_likelihood_is_that_of_its_mixture():
    centres, x = gaussian(50, 3, 0), gaussian(7, 3, 1)
    (found,) = log_likelihoods(x, centres, [0.4])
    squared = ((x[:, None].astype(np.float64) - centres) ** 2).sum(axis=2)
    density = np.exp(-squared / (2 * 0.4**2)).mean(axis=1) / (0.4 * math.sqrt(2 * math.pi)) ** 3
    assert found == pytest.approx(np.log(density), rel=1e-9)


def test_parzen_chooses_the_bandwidth_on_samples_it_does_not_test_on():
    normal = LIBRARY.build_by_name("dataset", "gaussian", dimension=1, mean=0.0, sigma=1.0, points=4000)
    evidence = points(normal.load().values, normal.load().values[:2000], dataset=normal)
    found = metric("parzen", validation=500, test=3000)(evidence)
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert found["parzen"] == pytest.approx(-entropy, abs=0.06)
    assert found["parzen_bandwidth"] < 0.5
    assert 0.01 < found["parzen_error"] < 0.02  # of a normal, √(½ / 3000) = .013; the estimate's tails are heavier


def test_a_fresh_discriminator_tells_different_from_equal():
    same = metric("two_sample")(points(gaussian(3000, 2, 0), gaussian(3000, 2, 1)))
    assert abs(same["two_sample"] - 0.5) < 4 * same["two_sample_error"]
    shifted = metric("two_sample")(points(gaussian(3000, 2, 0), gaussian(3000, 2, 1, mean=1.0)))
    best = 0.5 * (1 + math.erf(math.sqrt(2) / 2 / math.sqrt(2)))  # Φ(|m|/2) with m = (1, 1)
    assert shifted["two_sample"] == pytest.approx(best, abs=0.03)


def test_planted_copies_are_found(tmp_path):
    generator = np.random.default_rng(0)
    training, unseen, fresh = (generator.integers(0, 256, (200, 1, 8, 8), dtype=np.uint8) for _ in range(3))
    fresh[:60] = training[:60]
    known = SimpleNamespace(held_out=lambda: Samples(unseen))
    evidence = Evidence(
        training=Samples(training),
        real=Samples(training),
        source=Pixels(),
        dataset=known,
        fake=Samples(fresh),
        picture=lambda name: tmp_path / f"{name}.png",
    )
    found = metric("memorisation", pairs=5)(evidence)
    assert found["copied"] == pytest.approx(0.3, abs=0.03)
    assert (tmp_path / "memorisation.png").is_file()
    evidence.fake = Samples(generator.integers(0, 256, (200, 1, 8, 8), dtype=np.uint8))
    assert metric("memorisation", pairs=5)(evidence)["copied"] < 0.06


class Threshold(torch.nn.Module):
    def forward(self, x, labels=None):
        return 4 * x[:, 0]


def test_the_discriminators_accuracy_and_its_bound():
    loss = LIBRARY.build_by_name("loss", "non_saturating")
    real, fake = np.array([[1.0], [1.0], [1.0], [-1.0]]), np.array([[-1.0], [1.0]])
    judge = Judge(Threshold(), loss, View(), 2, False, torch.device("cpu"))
    known = SimpleNamespace(held_out=lambda: Samples(np.array([[1.0], [-1.0]], np.float32)))
    found = metric("discriminator")(points(real, fake, judge=judge, dataset=known))
    assert found["D_accuracy/training"] == 0.75
    assert found["D_accuracy/held_out"] == 0.5
    assert found["D_accuracy/generated"] == 0.5
    wrong_and_right = (math.log1p(math.exp(4)) + math.log1p(math.exp(-4))) / 2
    assert found["jsd_bound"] == pytest.approx(math.log(2) - wrong_and_right)


def labelled(n: int, seed: int) -> Samples:
    """Bright bars at one of four places, in noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(4, size=n)
    pictures = generator.integers(0, 60, (n, 1, 16, 16), dtype=np.uint8)
    for i, label in enumerate(labels):
        pictures[i, 0, 4 * label : 4 * label + 3] += 150
    return Samples(pictures, labels)


def test_the_classifier_learns_once_and_sees_dropped_classes(tmp_path, monkeypatch):
    training, unseen = labelled(600, 0), labelled(200, 1)
    known = SimpleNamespace(held_out=lambda: unseen)

    def evidence(fake: Samples) -> Evidence:
        source = Classifier(str(tmp_path), seed=0, epochs=10)
        return Evidence(training=training, real=training, source=source, dataset=known, fake=fake)

    keep = labelled(300, 2)
    some = evidence(Samples(keep.values[keep.labels < 3]))
    assert some.extractor.accuracy > 0.95
    found = metric("modes")(some)
    assert (found["modes"], found["of_modes"]) == (3, 4)
    assert found["mode_kl"] == pytest.approx(math.log(4 / 3), abs=0.08)
    assert found["class_share/3"] == 0
    assert metric("inception_score")(some)["inception_score"] == pytest.approx(3, rel=0.15)
    hashed = some.extractor.provenance()["weights"]
    (file,) = (tmp_path / "classifiers").iterdir()
    monkeypatch.setattr(Classifier, "_learn", lambda *_: pytest.fail("learnt again"))
    assert evidence(keep).extractor.provenance()["weights"] == hashed
    monkeypatch.undo()
    file.write_bytes(b"torn")
    assert evidence(keep).extractor.provenance()["weights"] == hashed  # learnt again, to the same weights


def test_the_modes_of_stacked_digits_are_counted_channel_by_channel(tmp_path):
    small = {"source": "digits", "size": 16, "limit": 3000, "root": str(tmp_path)}
    stacked = LIBRARY.build_by_name("dataset", "stacked_mnist", stacks=1500, **small)
    every = stacked.load()
    assert every.shape == (3, 16, 16)
    glyphs = stacked.glyphs()
    first = (every.values[0, :, None] == glyphs.values[:, 0]).all(axis=(2, 3)).argmax(axis=1)  # which each channel is
    assert every.labels[0] == glyphs.labels[first] @ [100, 10, 1]
    fake = Samples(every.values[every.labels < 400])  # red digits from 0 to 3
    source = Classifier(str(tmp_path), seed=0, epochs=4)
    evidence = Evidence(training=every, real=every, source=source, dataset=stacked, fake=fake)
    found = metric("modes")(evidence)
    assert found["of_modes"] == 1000
    right = len(np.unique(every.labels[every.labels < 400]))
    assert abs(found["modes"] - right) < 0.15 * right
    assert found["mode_kl"] > math.log(1000 / 400)
    assert evidence.pair[0].shape == (1500, 3 * 128)
    assert "stacks" in metric("inception_score").refusal(evidence)


def test_pictures_without_labels_are_refused_by_the_classifier(tmp_path):
    bare = Samples(labelled(50, 0).values)
    evidence = Evidence(training=bare, real=bare, source=Classifier(str(tmp_path), 0, 1), fake=bare)
    assert "extractor=inception or extractor=pixels" in metric("frechet").refusal(evidence)
    assert metric("modes").refusal(evidence) == "needs labelled pictures"
    assert metric("inception_score").refusal(evidence).endswith("kinds apart: use extractor=inception")
    some = labelled(50, 0)
    evidence = Evidence(training=some, real=some, source=Pixels(), fake=some)
    assert metric("inception_score").refusal(evidence).endswith("kinds apart: use extractor=classifier or inception")
    for source in (Pixels(), Inception("nowhere")):  # whose kinds are not the dataset's
        evidence = Evidence(training=some, real=some, source=source, fake=some)
        assert metric("modes").refusal(evidence).endswith("the labels of this dataset: use extractor=classifier")


def test_inception_is_the_published_network_and_missing_weights_say_what_to_do(tmp_path):
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    missing = Inception(str(tmp_path / "none" / "weights.pth"))
    bare = labelled(3, 0)
    with pytest.raises(ValueError, match=r"no such file and no download.*weights-inception-2015-12-05.*put it there"):
        missing.prepare(bare, lambda: None, torch.device("cpu"))
    # the published weights cannot be shipped: random ones in a file of the same form
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blank = object.__new__(fidelity.FeatureExtractorInceptionV3)
        monkey = torch.load
        try:
            fidelity.torch.load = lambda *a, **k: (_ for _ in ()).throw(FileNotFoundError)
            with pytest.raises(FileNotFoundError):
                blank.__init__("inception", ["2048", "logits_unbiased"], feature_extractor_weights_path="none")
        finally:
            fidelity.torch.load = monkey
    torch.save(blank.state_dict(), tmp_path / "weights.pth")
    ours = Inception(str(tmp_path / "weights.pth"))
    ours.prepare(bare, lambda: None, torch.device("cpu"))
    theirs = fidelity.FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(tmp_path / "weights.pth")
    )
    expected = theirs(torch.from_numpy(bare.values).expand(-1, 3, -1, -1))
    assert torch.equal(torch.from_numpy(ours.features(bare.values)), expected[0])
    assert np.allclose(ours.probabilities(bare.values), expected[1].softmax(1))


class Known:
    """A game whose samples have 0, 1, 2 … nats."""

    unit = of_densities((2,))

    def log_likelihood(self, x, labels=None):
        return LogLikelihood(torch.arange(float(len(x))))


def modelled(classes: int = 0, conditions=None, **known) -> Evidence:
    """Twenty points, and a model of them."""
    game = Known()

    def likelihood(x, labels, seed, draws):
        return game.log_likelihood(x, labels)

    model = SimpleNamespace(game=game, classes=classes, conditions=conditions, likelihood=likelihood)
    return points(gaussian(20, 2, 0), model=model, **known)


def test_what_is_given_is_part_of_what_a_likelihood_is_of():
    asked = metric("likelihood", draws=None)
    for classes, conditions, said in (
        (0, None, ""),
        (3, None, ", given the label"),
        (2, "two", ", given the conditions"),
    ):
        evidence = modelled(classes, conditions)
        asked(evidence)
        assert evidence.kinds["nats/training"] == f"exact, density of points, in their own units{said}"
        assert evidence.notes["nats/training"].endswith(f"{said}, 20 training samples")


def test_a_density_of_standardised_points_is_not_in_their_units():
    evidence = modelled()
    evidence.training = replace(evidence.training, fields=(Column(name="a", scale=10.0), Column(name="b", scale=2.0)))
    metric("likelihood", draws=None)(evidence)
    assert evidence.kinds["nats/training"] == "exact, density of points, as networks see them"


def test_what_is_watched_is_there():
    """Of training samples alone, where no others are held out."""
    asked = metric("likelihood", draws=None)
    for held_out, wanted in ((None, ["nats/training"]), (Samples(gaussian(10, 2, 1)), ["nats"])):
        evidence = modelled(dataset=SimpleNamespace(held_out=lambda found=held_out: found))
        assert [*asked.better(evidence)] == wanted
        assert {*wanted} <= asked(evidence).keys()
