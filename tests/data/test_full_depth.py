"""Pictures at full depth: float32 in [−1, 1], trained on, drawn, judged and shown as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, assert_same_run, state_in, tensors

from gan_cli.config.library import Library
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.presenting import Presentation
from gan_cli.data.samples import Samples, as_input, as_stored
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.pixels import Pixels

OWN = """
import numpy as np
from gan_cli.data import Samples

class Deep:
    def __init__(self, deep: bool):
        self.deep = deep
    def load(self):
        values = np.random.default_rng(0).integers(0, 256, (40, 2, 6, 4)).astype(np.uint8)
        return Samples(values.astype(np.float32) * np.float32(2 / 255) - 1 if self.deep else values)
"""
METRICS = ("frechet", "kernel", "sliced_wasserstein", "precision_recall", "density_coverage", "memorisation", "parzen")


def write_own() -> str:
    Path("deep.py").write_text(OWN)
    for name in ("bytes", "deep"):
        path = Path("own/dataset", f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name: {name}\nclass: deep.Deep\ndeep: {str(name == 'deep').lower()}\n")
    return "own"


def both(count: int, seed: int, shape: tuple[int, ...]) -> tuple[Samples, Samples]:
    """The same pictures as bytes and as float32."""
    values = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    return Samples(values), Samples(as_input(values).contiguous().numpy())


@pytest.mark.parametrize("name", [*METRICS, "swd"])
def test_a_metric_says_the_same_of_the_same_pictures_as_bytes_and_at_full_depth(name):
    class Split:
        def __init__(self, unseen):
            self.unseen = unseen

        def load(self):
            raise AssertionError

        def held_out(self):
            return self.unseen

    shape, found = (3, 17, 21) if name == "swd" else (2, 3, 4), []
    metric = Library().build_by_name("metrics", name)
    for real, fake, unseen in zip(*(both(60, seed, shape) for seed in (1, 2, 3)), strict=True):
        found.append(metric(Evidence(training=real, real=real, source=Pixels(), dataset=Split(unseen), fake=fake)))
    assert found[1] == pytest.approx(found[0], rel=1e-4, abs=1e-5)


def test_a_run_on_the_same_pictures_at_full_depth_is_the_same_run_and_goes_on_as_one(gan_train, gan_eval):
    where = f"--config-dir={Path(write_own()).absolute()}"
    small = [*(key for key in TINY_MLP if not key.startswith("dataset.")), "log_every=2", "sample_every=2"]
    for name in ("bytes", "deep"):
        assert gan_train(where, *small, f"dataset={name}", "steps=4", f"hydra.run.dir={name}").code == 0
        ours = state_in(Path(name))
        assert ours["data"]["shape"] == [2, 6, 4]
    one, other = (tensors(state_in(Path(name))) for name in ("bytes", "deep"))
    assert {key: tensor.numpy().tobytes() for key, tensor in one.items()} == {
        key: tensor.numpy().tobytes() for key, tensor in other.items()
    }
    assert Path("bytes/samples/real.png").read_bytes() == Path("deep/samples/real.png").read_bytes()
    assert gan_train(where, *small, "dataset=deep", "steps=2", "hydra.run.dir=half").code == 0
    assert gan_train(where, "resume=half", "steps=4").code == 0
    assert_same_run(Path("half"), Path("deep"))
    measured = ("count=12", "extractor=pixels", "metrics=[precision_recall,sliced_wasserstein]")
    assert gan_eval(where, "checkpoint=deep", *measured).code == 0
    levels = ("model=vae", "model.likelihood=logistic", "architecture=mlp", "dataset=deep")
    result = gan_train(where, *levels, "steps=1", "hydra.run.dir=none")
    assert result.code == 2
    assert "at full depth: give it bytes" in result.errors[0]
    assert not Path("none").exists()


def test_pictures_at_full_depth_keep_their_numbers_on_every_way():
    values = np.linspace(-1, 1, 2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    samples = Samples(values)
    np.testing.assert_array_equal(as_input(values).numpy(), values)
    batches = Minibatches(samples, torch.device("cpu"), seed=0)
    drawn, _ = batches.at(torch.arange(2))
    np.testing.assert_array_equal(drawn.numpy(), values)
    np.testing.assert_array_equal(as_stored(drawn * 2, full_depth=True).numpy(), np.clip(2 * values, -1, 1))
    assert samples.fingerprint() != Samples(as_stored(drawn, full_depth=False).numpy()).fingerprint()
    assert samples.matches(Samples(np.ascontiguousarray(values)).fingerprint())


def test_grey_between_the_levels_of_bytes_is_binarised_by_what_it_is():
    grey = np.array([-1, -0.5, 0.001, 0.25, 1], np.float32)
    samples = Samples(np.broadcast_to(grey[:, None, None], (40_000, 5, 1, 1)).copy())
    assert Presentation("threshold").stored(samples, "train").values[0, :, 0, 0].tolist() == [0, 0, 255, 255, 255]
    fixed = Presentation("fixed").stored(samples, "train").values
    assert fixed.dtype == np.uint8
    np.testing.assert_allclose(fixed.mean(axis=(0, 2, 3)) / 255, (grey + 1) / 2, atol=0.01)
    anew = Presentation("dynamic")(torch.from_numpy(samples.values)).numpy()
    np.testing.assert_allclose((anew.mean(axis=(0, 2, 3)) + 1) / 2, (grey + 1) / 2, atol=0.01)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((2, 1, 4, 4), 1.5), r"must lie in \[-1, 1\], and these hold 1.5 to 1.5: scale them"),
        (np.full((2, 1, 4, 4), np.nan), "not finite"),
        (np.full((2, 1, 4, 4), -np.inf), "not finite"),
        (np.zeros((2, 5, 6, 3)), "looks like"),
    ],
)
def test_other_numbers_are_refused(values, said):
    with pytest.raises(ValueError, match=said):
        Samples(values.astype(np.float32))
