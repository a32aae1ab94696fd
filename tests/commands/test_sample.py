"""What ``gan-sample`` writes, and that a seed is a picture."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import MODELS, TINY_DCGAN, TINY_MLP, TINY_POINTS
from PIL import Image, ImageSequence

import gan_cli
from gan_cli.commands.sampling import directing, keys
from gan_cli.commands.sampling.grammar import terms
from gan_cli.commands.sampling.ways import legs, loop, summed
from gan_cli.config.library import Library
from gan_cli.data.knows import DATASET
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples, as_input
from gan_cli.metrics.evaluation import draw
from gan_cli.output.captions import captioned
from gan_cli.output.pictures import DATA, HALF, PAPER, PULL, SAMPLES, as_bytes, columns_of, grid, pairs
from gan_cli.output.titles import HEIGHT
from gan_cli.random import stream
from gan_cli.runs.observers.samples import SampleGrids

WIDE_DCGAN = (*TINY_DCGAN, "architecture.width=32", "dataset.size=16", "prior.size=64")  # rounds like a real one


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def video(path: Path, width: int, height: int) -> tuple[np.ndarray, float]:
    """The pictures of a film, uint8 (n, H, W), and how many it shows in a second."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    fps = re.search(rb"([\d.]+) fps", done.stderr)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width), float(fps[1])


def frames(path: Path) -> list[np.ndarray]:
    """Every picture a GIF shows, as often as it shows it."""
    with Image.open(path) as image:
        shown = [(np.asarray(frame.convert("L")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
    shortest = min(duration for _, duration in shown)
    return [picture for picture, duration in shown for _ in range(duration // shortest)]


# --- a seed is a picture ---------------------------------------------------------------------------------------------
def test_a_seed_is_the_same_bits_whatever_else_is_drawn(trained):
    sampler = gan_cli.load(trained(*WIDE_DCGAN))

    def draw(seeds):
        drawn = sampler.decode_apart(sampler.latents_of(seeds), seeds)
        return {seed: picture.numpy().tobytes() for seed, picture in zip(seeds, drawn, strict=True)}

    many = draw(range(100))
    for seeds in ([7], [39, 7, 3], [71, 7, 39], range(99, 0, -1), range(5, 70)):
        assert all(many[seed] == picture for seed, picture in draw(seeds).items())


@pytest.mark.parametrize("run", [TINY_MLP, (*TINY_DCGAN, "conditional=true")], ids=["mlp", "conditional-dcgan"])
def test_a_seed_is_the_same_file_whatever_else_is_drawn(gan_sample, trained, run):
    folder = trained(*run)
    assert gan_sample(f"checkpoint={folder}", "format=png", "n=40", "out=many").code == 0
    assert gan_sample(f"checkpoint={folder}", "format=png", "seeds=33,12-13", "out=some").code == 0
    some = sorted(Path("some").iterdir())
    assert len(list(Path("many").iterdir())) == 40
    assert [path.name[:12] for path in some] == ["seed-0000012", "seed-0000013", "seed-0000033"]
    assert all(path.read_bytes() == (Path("many") / path.name).read_bytes() for path in some)


@pytest.mark.parametrize(
    "run",
    [(*WIDE_DCGAN, "conditional=true", "sample_count=37"), (*TINY_MLP, "seed=3"), (*TINY_POINTS, "conditional=true")],
    ids=["conditional-dcgan", "mlp-of-another-seed", "points"],
)
def test_a_seed_is_one_picture_in_a_grid_a_file_and_a_notebook(gan_sample, trained, run):
    folder = trained(*run)
    with Image.open(folder / "samples/step-000000002.png") as grid_of_training:
        text, shown = grid_of_training.text, np.asarray(grid_of_training)
    status = json.loads((folder / "status.json").read_text())
    assert text == {key: status[f"sample_{key}"] for key in ("seeds", "label") if f"sample_{key}" in status}
    assert f"seeds {text['seeds']} of gan-sample" in (folder / "train.log").read_text()
    assert gan_sample(f"checkpoint={folder}", *(f"{k}={v}" for k, v in text.items()), "out=again.png").code == 0
    with Image.open("again.png") as again:
        assert again.text == text
        assert np.array_equal(np.asarray(again), shown)
    assert gan_sample(f"checkpoint={folder}", "seeds=5-8", "format=npz", "out=some.npz").code == 0
    arrays, sampler = np.load("some.npz"), gan_cli.load(folder)
    pictures = sampler.sample(4, seed=5)
    apart = torch.cat([sampler.sample(1, seed=seed) for seed in (5, 6, 7, 8)])
    assert torch.equal(pictures, apart)
    assert np.array_equal(pictures if pictures.ndim == 2 else as_bytes(pictures), arrays[arrays.files[0]])
    alone = sampler.prior.sample(1, "cpu", stream(6, "samples"))
    assert torch.equal(sampler.latents_of([6]), alone)
    assert torch.equal(sampler.latents(3, 5)[1:2], alone)
    if sampler.classes:
        assert arrays["labels"].tolist() == [seed % sampler.classes for seed in (5, 6, 7, 8)]


def test_evaluations_judge_the_pictures_of_a_block_of_seeds_and_share_none(trained):
    sampler = gan_cli.load(trained(*TINY_MLP, "conditional=true"))
    even = Samples(np.zeros((20, 1, 8, 8), np.uint8), np.arange(20) % 10)
    second = draw(sampler, 12, 1, even)
    assert np.abs(second.values.astype(int) - as_bytes(sampler.sample(12, seed=12)).numpy()).max() <= 1
    assert second.labels.tolist() == [seed % 10 for seed in range(12, 24)]
    uneven = Samples(np.zeros((20, 1, 8, 8), np.uint8), np.repeat([3, 5], [15, 5]), classes=10)
    third = draw(sampler, 12, 2, uneven)
    assert sorted(third.labels) == [3] * 9 + [5] * 3
    shown = as_bytes(sampler.decode(sampler.latents(12, 24), torch.from_numpy(third.labels))).numpy()
    assert np.abs(third.values.astype(int) - shown).max() <= 1


def test_seeds_on_the_way_of_an_interpolation_and_in_a_sum_are_their_own_pictures(gan_sample, trained):
    folder = trained(*WIDE_DCGAN)
    for command in ("n=40 out=all.png columns=40", "seeds=3,39 interpolation=linear frames=4 out=way.png"):
        assert gan_sample(f"checkpoint={folder}", *command.split()).code == 0
    assert gan_sample(f"checkpoint={folder}", "arithmetic=39-3+7", "out=sum.png").code == 0

    def cell(name, place):
        return pixels(Path(name))[8:72, 8 + 72 * place : 72 + 72 * place]

    for name, place, seed in (("way.png", 0, 3), ("way.png", 3, 39), ("sum.png", 0, 39), ("sum.png", 1, 3)):
        assert np.array_equal(cell(name, place), cell("all.png", seed))


def test_files_grid_and_arrays_hold_the_same_pictures(gan_sample, trained):
    folder = trained(*TINY_DCGAN)
    for form, out in (("png", "files"), ("npz", "all.npz"), ("grid", "grid.png")):
        assert gan_sample(f"checkpoint={folder}", "seeds=2,5,9,11", f"format={form}", f"out={out}").code == 0
    arrays = np.load("all.npz")
    assert arrays["images"].dtype == np.uint8
    assert arrays["images"].shape == (4, 1, 8, 8)
    assert arrays["seeds"].tolist() == [2, 5, 9, 11]
    assert "labels" not in arrays
    for seed, image in zip(arrays["seeds"], arrays["images"], strict=True):
        assert (pixels(Path(f"files/seed-{seed:07d}.png")) == image[0]).all()
    sampler = gan_cli.load(folder)
    expected = torch.cat([sampler.sample(1, seed) for seed in (2, 5, 9, 11)])
    assert np.abs(as_bytes(expected).numpy().astype(int) - arrays["images"]).max() <= 1
    sheet = grid(torch.from_numpy(arrays["images"]).float() / 127.5 - 1, columns=2)
    assert (pixels(Path("grid.png")) == np.asarray(sheet)).all()


def test_a_label_is_a_column_and_belongs_to_the_file(gan_sample, trained):
    folder = trained(*TINY_MLP, "conditional=true")
    assert gan_sample(f"checkpoint={folder}", "n=12", "format=npz", "out=own.npz").code == 0
    assert np.load("own.npz")["labels"].tolist() == [*range(10), 0, 1]
    assert gan_sample(f"checkpoint={folder}", "n=3", "label=3,7", "format=npz", "out=each.npz").code == 0
    each = np.load("each.npz")
    assert each["seeds"].tolist() == [0, 0, 1, 1, 2, 2]
    assert each["labels"].tolist() == [3, 7] * 3
    assert (each["images"][0] != each["images"][1]).any()
    assert gan_sample(f"checkpoint={folder}", "n=3", "label=3,7", "out=each.png").code == 0
    assert pixels(Path("each.png")).shape == ((3 * 10 + 2) * 8, (2 * 10 + 2) * 8)
    assert gan_sample(f"checkpoint={folder}", "n=1", "label=7", "format=png", "out=files").code == 0
    assert (pixels(Path("files/seed-0000000-label-7.png")) == each["images"][1][0]).all()


@pytest.mark.parametrize(("classes", "wide", "seeds"), [(2, 10, 50), (3, 9, 33), (10, 10, 10)])
def test_a_grid_of_few_classes_is_about_square_with_a_latent_a_row_and_a_class_a_column(tmp_path, classes, wide, seeds):
    asked: list[tuple[int, int]] = []

    def decode_apart(z, places, labels):
        pairs = list(zip(z[:, 0].long().tolist(), labels.tolist(), strict=True))
        asked.extend(pairs)
        assert [seed for seed, _ in pairs] == list(places)
        return torch.stack([torch.full((1, 4, 4), (100 * label + seed % 100) / 1000) for seed, label in pairs])

    sampler = SimpleNamespace(
        classes=classes,
        names=(),
        prior=None,
        decode_apart=decode_apart,
        latents_of=lambda seeds: torch.tensor([[float(seed)] for seed in seeds]),
        labels_of=lambda seeds: torch.tensor([seed % classes for seed in seeds]),
        turn=lambda: torch.arange(classes),
        conditions=None,
    )
    labels = np.arange(100) % classes
    data = Minibatches(Samples(np.zeros((100, 1, 4, 4), np.uint8), labels), torch.device("cpu"), seed=0)
    heard: list[torch.Tensor] = []
    grids = SampleGrids(tmp_path, sampler, data, every=1, steps=1, count=100, seed=0)
    grids.listeners = [heard.append]
    grids.write(1)
    assert asked[:100] == [(seed, seed % classes) for seed in range(100)]  # for the guard
    assert len(heard[0]) == len(grids.real) == 100
    in_rows = np.array(asked[100:]).reshape(-1, wide, 2)
    assert (in_rows[..., 1] == np.arange(wide) % classes).all()
    assert (in_rows[..., 0].reshape(-1, classes) == np.arange(seeds)[:, None]).all()
    height, width = np.asarray(Image.open(tmp_path / "step-000000001.png")).shape
    assert width == (wide * 6 + 2) * 16
    assert 0.5 < width / height < 2
    assert grids.keys == {"seeds": f"0-{seeds - 1}", "label": "all"}


# --- the nearest latents, and directions -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "run",
    [(*TINY_DCGAN, "conditional=true"), MODELS["adversarial_autoencoder"], MODELS["vae_gan"]],
    ids=["conditional-dcgan", "adversarial_autoencoder", "conditional-vae_gan"],
)
def test_a_projected_picture_is_written_as_a_pair_a_latent_and_its_numbers(gan_sample, trained, run):
    folder = trained(*run)
    Path("photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        Image.fromarray(rng.integers(0, 255, (9, 12, 3), np.uint8)).save(f"photos/{i}.png")
    Path("photos/torn.jpg").write_bytes(b"\xff\xd8\xff")
    search = ("restarts=2", "iterations=4", "n=5")
    result = gan_sample(f"checkpoint={folder}", "project=photos", *search, "out=near.png")
    assert result.code == 0
    assert "1 of 3 pictures cannot be read: torn.jpg" in result.err
    about, latents = json.loads(Path("near.json").read_text()), np.load("near.npy")
    assert [each["file"] for each in about["pictures"]] == ["0.png", "1.png"]
    assert latents.shape == (2, 4)
    pairs = [cells_of(Path("near.png"), row, 2) for row in range(2)]
    for (target, sample), each in zip(pairs, about["pictures"], strict=True):
        assert each["rmse"] == pytest.approx(np.sqrt(np.square(target - sample).mean()))
        assert each["psnr"] == pytest.approx(20 * np.log10(255 / each["rmse"]))
        assert each["end_cost"] <= each["start_cost"]
    assert gan_sample(f"checkpoint={folder}", "project=photos/?.png", *search, "out=again.png").code == 0
    for ending in (".npy", ".png"):  # whatever else is projected, and each time
        assert Path("again").with_suffix(ending).read_bytes() == Path("near").with_suffix(ending).read_bytes()
    if about["features"] == "none":
        assert gan_sample(f"checkpoint={folder}", "project=photos/0.png", *search, "features=extractor").code == 0
        (path,) = (folder / "generated").glob("*-project-0-*-features-extractor.json")
        assert json.loads(path.read_text())["features"] == "extractor"
    assert gan_sample(f"checkpoint={folder}", "latents=near.npy", "format=npz", "out=drawn.npz").code == 0
    drawn = np.load("drawn.npz")
    assert np.array_equal(drawn["latents"], latents)
    assert "labels" not in drawn or drawn["labels"].tolist() == [each["label"] for each in about["pictures"]]
    for (_, sample), image in zip(pairs, drawn["images"], strict=True):
        assert np.abs(image[0] - sample).max() <= 1


def cells_of(path: Path, row: int, columns: int) -> list[np.ndarray]:
    """A row of pictures of 8 × 8, which are enlarged 8 times under a strip of titles."""
    small = pixels(path)[HEIGHT:][::8, ::8].astype(float)
    return [small[2 + 10 * row : 10 + 10 * row, 2 + 10 * i : 10 + 10 * i] for i in range(columns)]


@pytest.mark.parametrize("model", ["nice", "realnvp"])
def test_a_flow_has_the_exact_inverse_of_a_picture(gan_sample, trained, model):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save("photo.png")
    assert gan_sample(f"checkpoint={trained(*MODELS[model])}", "project=photo.png", "n=2", "out=near.png").code == 0
    about = json.loads(Path("near.json").read_text())
    assert (about["method"], about["pictures"][0]["rmse"], about["pictures"][0]["psnr"]) == ("exact inverse", 0, None)
    if model == "realnvp":  # conditional
        nats = about["pictures"][0]["negative_log_likelihood_by_label"]
        assert about["pictures"][0]["label"] == int(min(nats, key=nats.get))


def test_strips_go_along_a_direction_a_row_in_steps_of_deviations(gan_sample, trained):
    folder = trained(*TINY_MLP, "prior=uniform", "prior.scale=2")
    keys = ("directions=3", "seeds=5,7", "frames=5", "sigmas=2", "truncation=0.5", "out=strips.png")
    assert gan_sample(f"checkpoint={folder}", *keys).code == 0
    about, vectors, sampler = json.loads(Path("strips.json").read_text()), np.load("strips.npy"), gan_cli.load(folder)
    assert about["steps_in_sigma"] == [-2, -1, 0, 1, 2]
    assert about["sigma"] == pytest.approx(2 / np.sqrt(3))
    for row, (seed, vector) in enumerate((seed, vector) for seed in (5, 7) for vector in vectors):
        steps = torch.tensor(about["steps_in_sigma"])[:, None] * about["sigma"]
        expected = as_bytes(sampler.decode(0.5 * sampler.latents_of([seed]) + steps * torch.tensor(vector)))[:, 0]
        assert np.abs(np.stack(cells_of(Path("strips.png"), row, 5)) - expected.numpy()).max() <= 1


def test_a_direction_between_classes_is_that_of_the_mean_codes_of_pictures(gan_sample, trained, monkeypatch):
    monkeypatch.setattr(directing, "FEWEST", 1)
    folder = trained(*MODELS["vae_gan-gaussian"])
    assert gan_sample(f"checkpoint={folder}", "directions=0,1:3", "out=codes.png").code == 0
    sampler, about = gan_cli.load(folder), json.loads(Path("codes.json").read_text())
    data = Library().build(DATASET, sampler.config.dataset).load()
    codes = sampler.encode(as_input(data.values)).double().numpy()
    sides = [codes[np.isin(data.labels, side)] for side in ([0, 1], [3])]
    assert about["counts"] == [len(side) for side in sides]
    expected = sides[1].mean(axis=0) - sides[0].mean(axis=0)
    assert np.allclose(np.load("codes.npy")[0], expected / np.linalg.norm(expected), atol=1e-4)


def test_a_direction_between_classes_is_that_of_latents_of_classified_samples(gan_sample, trained, monkeypatch):
    def brightness(values):
        return np.eye(10)[3 + (values.mean(axis=(1, 2, 3)) > 128)]  # taken for 3, or for 4

    taught = SimpleNamespace(tells_classes=True, of_labels=True, probabilities=brightness)
    monkeypatch.setattr(directing, "prepared", lambda *_: taught)
    monkeypatch.setattr(directing, "DRAWN", 300)
    folder = trained(*TINY_MLP)
    assert gan_sample(f"checkpoint={folder}", "directions=3:4", "out=taught.png").code == 0
    sampler, about = gan_cli.load(folder), json.loads(Path("taught.json").read_text())
    taken = brightness(as_bytes(sampler.sample(300)).numpy()).argmax(axis=1)
    z = sampler.latents(300, 0).double().numpy()
    expected = z[taken == 4].mean(axis=0) - z[taken == 3].mean(axis=0)
    assert np.allclose(np.load("taught.npy")[0], expected / np.linalg.norm(expected), atol=0.02)  # a sample at the edge
    assert abs(about["counts"][1] - sum(taken == 4)) <= 2
    assert 0.6 < about["directions"][0]["roc_area"] <= 1


@pytest.mark.parametrize("model", ["ngram", "made", "rbm"])
def test_models_without_such_latents_say_what_has_them(gan_sample, trained, model):
    Image.new("L", (8, 8)).save("photo.png")
    folder = trained(*MODELS[model])
    for typed in ("project=photo.png", "directions=3"):
        result = gan_sample(f"checkpoint={folder}", typed, "out=here")
        assert (result.code, len(result.lines), Path("here").exists()) == (2, 1, False)
        assert result.lines[0].startswith(f"{typed}: ")
        assert result.lines[0].endswith("use a model with latents, such as gan or vae")


def test_sheets_are_about_square_whatever_is_on_them():
    for count in range(1, 130):
        for classes in range(40):
            columns = columns_of(count, classes)
            rows = -(-count // columns)
            assert 1 <= columns <= count
            assert not 1 < classes <= 20 or columns % classes == 0 or columns == count
            if count > 8 and classes**2 <= 2 * count:
                assert 0.4 <= columns / rows <= 2.5, (count, classes)


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_truncation_scales_the_latents(gan_sample, trained, prior):
    folder = trained(*TINY_MLP, f"prior={prior}")
    for value in ("0", "0.5", "1"):
        assert (
            gan_sample(f"checkpoint={folder}", "n=4", "format=npz", f"truncation={value}", f"out={value}.npz").code == 0
        )
    assert gan_sample(f"checkpoint={folder}", "n=4", "format=npz", "out=none.npz").code == 0
    images = {name: np.load(f"{name}.npz")["images"].astype(float) for name in ("0", "0.5", "1", "none")}
    assert (images["1"] == images["none"]).all()
    assert (images["0"] == images["0"][:1]).all()
    assert 0 < images["0.5"].std(axis=0).mean() < images["1"].std(axis=0).mean()


def test_ema_false_draws_with_the_other_weights(gan_sample, trained):
    folder = trained(*TINY_MLP, "ema_half_life=100000", "generator.lr=0.1")
    for name, ema in (("a", "true"), ("b", "false")):
        assert gan_sample(f"checkpoint={folder}", "n=2", "format=npz", f"ema={ema}", f"out={name}.npz").code == 0
    assert (np.load("a.npz")["images"] != np.load("b.npz")["images"]).any()


# --- ways between latents --------------------------------------------------------------------------------------------
def test_spherical_keeps_the_length_of_a_latent_and_linear_does_not():
    a, b = torch.tensor([3.0, 0, 0]), torch.tensor([0, 3.0, 0])
    (arc,) = legs(torch.stack([a, b]), "spherical", 5)
    (line,) = legs(torch.stack([a, b]), "linear", 5)
    assert torch.allclose(arc.norm(dim=1), torch.full((5,), 3.0))
    assert torch.allclose(arc[2], torch.tensor([3.0, 3, 0]) / 2**0.5)
    assert torch.allclose(line[2], torch.tensor([1.5, 1.5, 0]))
    for way in (arc, line):
        assert torch.allclose(way[[0, -1]], torch.stack([a, b]), atol=1e-6)
    assert torch.allclose(legs(torch.stack([a, -a]), "spherical", 3)[0, 1], torch.zeros(3))  # in line: no arc


def test_a_loop_comes_back_to_the_first_without_repeating_a_frame():
    ends = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    way = loop(ends, "linear", 5)
    assert way.shape == (12, 4)
    assert torch.equal(way[[0, 4, 8]], ends)
    steps = (way.roll(-1, 0) - way).norm(dim=1)
    assert torch.allclose(steps.view(3, 4), steps.view(3, 4)[:, :1])  # the way back is no jump either


def test_interpolation_strip_begins_and_ends_at_its_seeds(gan_sample, trained):
    folder = trained(*TINY_MLP)
    command = (f"checkpoint={folder}", "seeds=3,8,5")
    assert gan_sample(*command, "interpolation=spherical", "frames=4", "out=strip.png").code == 0
    assert gan_sample(*command, "columns=3", "out=seeds.png").code == 0
    strip, seeds = pixels(Path("strip.png")) / 8, pixels(Path("seeds.png")) / 8
    assert strip.shape == ((2 * 10 + 2) * 8, (4 * 10 + 2) * 8)

    def cell(sheet, row, column):
        return sheet[row * 80 + 16 : row * 80 + 80, column * 80 + 16 : column * 80 + 80]

    for row, column, seed in ((0, 0, 0), (0, 3, 1), (1, 0, 1), (1, 3, 2)):
        assert np.abs(cell(strip, row, column) - cell(seeds, 0, seed)).max() <= 1 / 8
    assert np.abs(cell(strip, 0, 1) - cell(seeds, 0, 0)).max() > 1 / 8


@pytest.mark.parametrize("form", ["gif", "mp4"])
def test_interpolation_animates(gan_sample, trained, form):
    folder = trained(*TINY_MLP)
    command = ("interpolation=linear", "n=3", "frames=5", "fps=20", f"format={form}", f"out=way.{form}")
    assert gan_sample(f"checkpoint={folder}", *command).code == 0
    if form == "gif":
        with Image.open("way.gif") as image:
            assert (image.n_frames, image.info["loop"], image.info["duration"]) == (12, 0, 50)
            assert image.size == (256, 256)
    else:
        pictures, fps = video(Path("way.mp4"), 256, 256)
        assert (len(pictures), fps) == (12, 20)


def test_arithmetic_adds_averaged_latents(gan_sample, trained):
    folder = trained(*TINY_DCGAN)
    sampler = gan_cli.load(folder)
    z = {seed: sampler.latents(1, seed)[0] for seed in (1, 2, 4, 7)}
    latents = summed(sampler, terms("(1,2)-4+7"))
    assert torch.allclose(latents[0], (z[1] + z[2]) / 2)
    assert torch.allclose(latents[-1], (z[1] + z[2]) / 2 - z[4] + z[7])
    result = gan_sample(f"checkpoint={folder}", "arithmetic=(1,2)-4+7", "out=sum.png")
    assert result.code == 0
    expected = np.asarray(grid(sampler.decode(latents), columns=4)).astype(int)
    assert np.abs(pixels(Path("sum.png")) - expected).max() <= 1


@pytest.mark.parametrize("form", ["gif", "mp4"])
def test_morph_shows_the_runs_samples_in_order(gan_sample, trained, form):
    folder = shutil.copytree(trained(*TINY_MLP), "run")
    shutil.rmtree("run/checkpoints")
    for step in (1, 2, 3):
        Image.new("L", (91, 61), 50 * step).save(f"run/samples/step-{step:09d}.png")
    result = gan_sample(f"checkpoint={folder}", "morph=true", f"format={form}", "fps=4")
    assert result.lines == [f"gan-sample: wrote 3 sample grids: run/generated/morph.{form}"]
    if form == "gif":
        assert [int(frame.mean()) for frame in frames(Path("run/generated/morph.gif"))] == [50, 100] + [150] * 5
    else:  # odd sides get one more pixel: the codec wants even ones
        pictures, fps = video(Path("run/generated/morph.mp4"), 92, 62)
        assert fps == 4
        assert np.abs(pictures.mean(axis=(1, 2)) - [50, 100, *[150] * 5]).max() < 3


# --- points ----------------------------------------------------------------------------------------------------------
def test_points_are_plotted_over_the_data(gan_sample, trained):
    folder = trained(*TINY_POINTS)
    assert gan_sample(f"checkpoint={folder}", "n=50", "out=plot.png").code == 0
    colours = {tuple(colour) for colour in pixels(Path("plot.png")).reshape(-1, 3)}
    assert {DATA, SAMPLES, HALF, PULL} <= colours  # and the surface
    assert gan_sample(f"checkpoint={folder}", "n=50", "format=npz", "out=points.npz").code == 0
    points = np.load("points.npz")["points"]
    assert (points.dtype, points.shape) == (np.float32, (50, 2))


STRIPES = """
from pathlib import Path
import numpy as np
from gan_cli.data import Samples

class Line:
    def __init__(self, points: int, size: int):
        self.shape = (size,)
    def load(self):
        if Path("gone").exists():
            raise ValueError("the tape is gone")
        return Samples(np.linspace(0, 1, 60, dtype=np.float32).reshape(-1, *self.shape))
"""


@pytest.mark.parametrize("size", [1, 2])
def test_points_are_plotted_without_the_data_too(gan_sample, gan_train, size):
    Path("line.py").write_text(STRIPES)
    Path("own/dataset").mkdir(parents=True)
    Path("own/dataset/line.yaml").write_text(f"name: line\nclass: line.Line\npoints: 60\nsize: {size}\n")
    own = ("--config-dir", "own")
    options = [key for key in TINY_POINTS if not key.startswith("dataset")]
    assert gan_train(*own, "steps=1", "dataset=line", "hydra.run.dir=run", *options).code == 0
    Path("gone").touch()
    result = gan_sample(*own, "checkpoint=run", "n=20", "out=plot.png")
    assert result.code == 0
    assert "the tape is gone" in result.lines[0]
    colours = {tuple(colour) for colour in pixels(Path("plot.png")).reshape(-1, 3)}
    assert SAMPLES in colours
    assert DATA not in colours


# --- where it is written ---------------------------------------------------------------------------------------------
def test_the_newest_run_and_a_telling_name_by_default(gan_sample, trained):
    shutil.copytree(trained(*TINY_MLP), "outputs/2026-01-31/10-00-00")
    written = "outputs/2026-01-31/10-00-00/generated/step-000000002-seeds-1-3,7-truncation-0.5.png"
    result = gan_sample("checkpoint=latest", "seeds=1-3,7", "truncation=0.5")
    assert result.lines == [f"gan-sample: wrote 4 pictures of step 2: {written}"]
    assert Path(written).is_file()
    assert gan_cli.load("latest").config.steps == 2
    assert gan_cli.load("outputs/2026-01-31/10-00-00/checkpoints").config.steps == 2
    one = "outputs/2026-01-31/10-00-00/checkpoints/step-000000002.pt"
    assert gan_sample(f"checkpoint={one}", "n=1", "out=new/folder").code == 0
    assert [path.name for path in Path("new/folder").iterdir()] == ["step-000000002-seeds-0-0.png"]


def test_a_full_disk_leaves_the_old_file_whole_and_no_part_of_a_new_one(gan_sample, trained, monkeypatch):
    folder = trained(*TINY_MLP)

    def full(self, path, *_, **__):
        Path(path).write_bytes(b"half a pict")
        raise OSError(28, "No space left on device")

    Path("here").mkdir()
    Path("here/a.png").write_text("the old one")
    monkeypatch.setattr(Image.Image, "save", full)
    result = gan_sample(f"checkpoint={folder}", "n=2", "out=here/a.png")
    assert result.lines == ["out=here/a.png: cannot be written (No space left on device): give another, out=PATH"]
    assert result.code == 2
    assert [path.read_text() for path in Path("here").iterdir()] == ["the old one"]


def test_interrupted_says_how_many_pictures_are_there(gan_sample, trained, monkeypatch):
    folder, save = trained(*TINY_MLP), Image.Image.save

    def until_ctrl_c(self, path, *rest):
        if "seed-0000002" in str(path):
            raise KeyboardInterrupt
        save(self, path, *rest)

    monkeypatch.setattr(Image.Image, "save", until_ctrl_c)
    result = gan_sample(f"checkpoint={folder}", "seeds=0-2", "format=png", "out=here")
    assert result.code == 130
    assert result.err.endswith("gan-sample: 2 of 3 pictures are in here\ngan-sample: interrupted\n")
    assert len(list(Path("here").iterdir())) == 2


def test_help_is_the_file_of_keys(gan_sample):
    result = gan_sample("--help")
    assert result.code == 0
    assert all(f"\n{key}:" in result.out for key in keys.Sampling.model_fields)


# --- one colour for the data, one for samples ------------------------------------------------------------------------
@pytest.mark.parametrize("data", ["ring", "mixture"])
def test_data_and_samples_have_the_same_colours_in_every_plot(gan_sample, trained, data):
    folder = trained(*(key for key in TINY_POINTS if "dataset=" not in key), f"dataset={data}")
    assert gan_sample(f"checkpoint={folder}", "n=50", "out=plot.png").code == 0

    def colours(path):
        return {tuple(colour) for colour in pixels(path).reshape(-1, 3)}

    assert DATA != SAMPLES
    assert colours(folder / "samples/real.png") == {PAPER, DATA}
    for path in (folder / "samples/step-000000002.png", Path("plot.png")):
        assert {DATA, SAMPLES} <= colours(path)
    names = pixels(folder / "samples/step-000000002.png")[:20]  # the legend, above everything that is drawn
    assert {DATA, SAMPLES} <= {tuple(colour) for colour in names[:, :160].reshape(-1, 3)}
    assert np.array_equal(pixels(folder / "samples/real.png")[:20, :50], names[:, :50])


def test_pairs_say_in_the_colours_of_plots_which_row_is_which():
    sheet = np.asarray(pairs(torch.ones(3, 1, 8, 8), -torch.ones(3, 1, 8, 8)))
    half = len(sheet) // 2
    for part, colour, other, grey in ((sheet[:half], SAMPLES, DATA, 255), (sheet[half:], DATA, SAMPLES, 0)):
        found = {tuple(colour) for colour in part[:20].reshape(-1, 3)}
        assert colour in found
        assert other not in found
        assert (part[22 + 20 : 22 + 70, 20:70] == grey).all()


def test_a_contact_sheet_has_the_seed_under_each_picture_and_its_class(gan_sample, trained):
    run, far = trained(*TINY_MLP, "conditional=true"), 10**17 + 3
    assert gan_sample(f"checkpoint={run}", "captions=true", f"seeds=0-9,{far}", "columns=4", "out=a.png").code == 0
    assert gan_sample(f"checkpoint={run}", "captions=true", f"seeds=7,{far}", "columns=2", "out=b.png").code == 0
    assert gan_sample(f"checkpoint={run}", "captions=false", "format=npz", f"seeds=7,{far}", "out=c.npz").code == 0
    many, few, drawn = pixels(Path("a.png")), pixels(Path("b.png")), np.load("c.npz")["images"]
    width, height = few.shape[1] // 2, few.shape[0]
    assert many.shape == (3 * height, 4 * width)
    assert (few[:, :width] == many[height : 2 * height, 3 * width :]).all()  # of seed 7, wherever it stands
    assert (few[:, width:] == many[2 * height :, 2 * width : 3 * width]).all()
    left = (width - 64) // 2
    assert (few[2:66, left : left + 64] == drawn[0, 0].repeat(8, axis=0).repeat(8, axis=1)).all()
    written = (few[66:94] > 128).reshape(2, 14, 2, width)[:, :, 1].any(axis=1)  # the lines of the far seed, by column
    assert 100 < np.ptp(written[0].nonzero()) < width - 2  # all of its 18 digits
    assert written[1].any()


def test_captions_fit_below_their_pictures():
    sheet = captioned(torch.zeros(2, 3, 8, 8), 2, [["0", "cat"], ["1", "a name that is much too long for its column"]])
    assert (sheet.mode, sheet.size) == ("RGB", (200, 96))
    assert np.asarray(sheet)[:, 99:101].max() == 0  # nothing runs into the next column
