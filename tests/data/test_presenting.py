"""Pictures binarised and dequantised: when it is drawn, from what, and that everybody sees the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, assert_same_run, config_of, minibatch_of, setup_of, state_in
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.config.schema import completed
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.presenting import Presentation
from gan_cli.data.reading import HELD_OUT, TRAINED_ON, load, still
from gan_cli.data.samples import Samples
from gan_cli.random import seed_all

LIBRARY, CPU = Library(), torch.device("cpu")


def digits(**options):
    return LIBRARY.build_by_name("dataset", "digits", **{"size": 8, "limit": 500, **options})


def test_pixels_are_white_with_the_probability_of_their_grey():
    grey = Samples(np.broadcast_to(np.array([0, 1, 64, 128, 255], np.uint8)[:, None, None], (40_000, 5, 1, 1)).copy())
    drawn = Presentation("fixed").stored(grey, "train").values
    assert set(np.unique(drawn)) == {0, 255}
    np.testing.assert_allclose(drawn.mean(axis=(0, 2, 3)) / 255, np.array([0, 1, 64, 128, 255]) / 255, atol=0.01)
    anew = Presentation("dynamic")(torch.from_numpy(grey.values)).numpy()
    np.testing.assert_allclose((anew.mean(axis=(0, 2, 3)) + 1) / 2, np.array([0, 1, 64, 128, 255]) / 255, atol=0.01)
    sharp = Presentation("threshold").stored(grey, "train").values[0, :, 0, 0]
    assert sharp.tolist() == [0, 0, 0, 255, 255]


def test_the_fixed_draw_is_one_for_each_part_whatever_the_limit_and_is_what_judges_of_dynamic_ones_see():
    fixed, dynamic = digits(binarise="fixed"), digits(binarise="dynamic")
    samples = load(fixed, "digits")
    np.testing.assert_array_equal(load(digits(binarise="fixed", limit=200), "digits").values, samples.values[:200])
    grey = load(dynamic, "digits")
    assert len(np.unique(grey.values)) > 50  # so that it can be drawn anew
    np.testing.assert_array_equal(still(dynamic, grey, TRAINED_ON).values, samples.values)
    np.testing.assert_array_equal(still(fixed, samples, TRAINED_ON).values, samples.values)
    unseen = fixed.held_out()
    drawn = [still(dataset, unseen, HELD_OUT).values for dataset in (fixed, dynamic)]
    np.testing.assert_array_equal(*drawn)
    same = Presentation("fixed").stored(unseen.take(slice(500)), TRAINED_ON).values
    assert (same != drawn[0][:500]).mean() > 0.02  # other pixels than with the draw of training pictures


def test_dynamic_ones_are_drawn_anew_at_each_place_and_the_same_at_the_same():
    batches = Minibatches(load(digits(), "digits"), CPU, seed=0, presentation=Presentation("dynamic"))
    seen = []
    for place in (0, 1, 0):
        seed_all("here", place, device=CPU)
        seen.append(minibatch_of(batches, "model", 0, 200)[0])
    assert torch.equal(seen[0], seen[2])
    assert (seen[0] != seen[1]).float().mean() > 0.02
    assert set(seen[0].unique().tolist()) == {-1.0, 1.0}


def test_dequantised_levels_are_filled_evenly_and_lose_nothing():
    samples = load(digits(), "digits")
    rows = torch.from_numpy(samples.values)
    x = Presentation(dequantise=True)(rows.clone())
    y = (x.double() + 1) * 128
    assert torch.equal(y.floor().long(), rows.long())
    within = (y - y.floor()).flatten().numpy()
    np.testing.assert_allclose(np.histogram(within, 10, (0, 1))[0] / len(within), 0.1, atol=0.01)


@pytest.mark.parametrize("key", ["binarise=threshold", "binarise=dynamic", "binarise=fixed", "dequantise=true"])
def test_a_game_on_them_resumes_exactly_and_shows_what_it_sees(gan_train, key):
    keys = (*TINY_MLP, f"dataset.{key}", "dataset.flip=true", "sample_every=2", "checkpoint_every=4", "log_every=1")
    assert gan_train(*keys, "steps=6", "hydra.run.dir=whole").code == 0
    if key in ("binarise=dynamic", "dequantise=true"):  # which draw in each move
        assert gan_train(*keys, "steps=4", "hydra.run.dir=parts").code == 0
        assert gan_train("resume=parts", "steps=6").code == 0
        assert_same_run(Path("whole"), Path("parts"))
    colours = set(np.unique(np.asarray(Image.open("whole/samples/real.png"))))
    assert (colours == {0, 255}) == key.startswith("binarise")
    result = gan_train("resume=whole", "steps=8", "dataset.binarise=threshold", "dataset.dequantise=false")
    assert (result.code == 0) == (key == "binarise=threshold")
    if result.code:
        assert "the checkpoint has" in result.errors[0]


def test_old_configs_without_the_keys_keep_their_bytes(gan_train):
    assert gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=run").code == 0
    saved = state_in(Path("run"))["config"]
    new = {key: saved["dataset"].pop(key) for key in ("binarise", "dequantise", "classes")}
    assert new == {"binarise": "none", "dequantise": False, "classes": []}
    assert {key: completed(saved, LIBRARY)["dataset"][key] for key in new} == new


def test_auto_is_what_the_model_wants():
    assert config_of().dataset.binarise == "none"
    assert config_of("model=fvsbn").dataset.binarise == "dynamic"
    assert config_of("model=fvsbn", "dataset.binarise=fixed").dataset.binarise == "fixed"
    assert config_of("model=fvsbn", "model.levels=256").dataset.binarise == "none"
    assert config_of("dataset.dequantise=true").dataset.dequantise is True


def test_chosen_classes_keep_their_numbers_everywhere(tmp_path):
    every, some = digits(limit=0), digits(limit=300, classes=[7, 3])
    samples, whole = some.load(), every.load()
    assert samples.classes == 10
    np.testing.assert_array_equal(samples.values, whole.values[np.isin(whole.labels, [3, 7])][:300])
    assert set(samples.labels) == set(some.held_out().labels) == set(some.unused().labels) == {3, 7}
    for name, grey in (("cat", 10), ("dog", 90), ("10", 200)):
        for i in range(3):
            (tmp_path / "all" / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), grey + i).save(tmp_path / "all" / name / f"{i}.png")
    options = {"path": str(tmp_path / "all"), "root": str(tmp_path), "size": 8, "channels": 1}
    folder = LIBRARY.build_by_name("dataset", "image_folder", **options, classes=["dog", "10"]).load()
    assert folder.labels.tolist() == [0, 0, 0, 2, 2, 2]  # 10, cat, dog in natural order
    assert folder.names == ("10", "cat", "dog")
    assert sorted(folder.values[:, 0, 0, 0]) == [90, 91, 92, 200, 201, 202]


def test_a_conditional_game_on_one_class_shows_that_one(gan_train):
    setup = setup_of(*TINY_MLP, "dataset.classes=[3]", "conditional=true")
    assert set(setup.samples.labels) == {3}
    assert setup.sampler.classes == 10
