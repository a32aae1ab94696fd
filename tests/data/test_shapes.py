"""Pictures of any shape, with and without alpha: how they are brought to a canvas, made, judged and shown."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_PROGRESSIVE, TINY_R3GAN, TINY_RESNET, setup_of, state_in
from PIL import Image

from gan_cli.data.canvas import Canvas
from gan_cli.data.colours import colour_of, grey_of
from gan_cli.data.formats import decoded
from gan_cli.data.images import resized
from gan_cli.data.samples import Samples
from gan_cli.metrics.extractors.extractor import bytes_of, channels_refused
from gan_cli.models.doubling import can_double, doubling_of, nearest
from gan_cli.output.pictures import deep_image_of, grid, image_of, save_png, visible

RED, CLEAR = (200, 30, 40, 255), (0, 0, 0, 0)


def on(canvas: Canvas, image: Image.Image) -> np.ndarray:
    return decoded(image, canvas, {}).pixels


def hand_made(kind: str) -> tuple[Image.Image, np.ndarray]:
    """A picture of 40 × 20 (wide), its left half of colour 200, 30, 40, its right half 10, 250, 0."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20], pixels[:, 20:] = RED[:3], (10, 250, 0)
    image = Image.fromarray(pixels)
    return image.convert(kind), pixels


@pytest.mark.parametrize("how", ["files", "arrays"])
def test_pad_crop_and_stretch_by_hand(how):
    """On 16 × 16: pad shows 8 rows between 4 and 4; crop the middle square, stretch all, each half of it."""
    image, pixels = hand_made("RGB")

    def brought(fit, height=16, width=16, background=(1, 2, 3)):
        canvas = Canvas(height, width, 3, fit, background)
        if how == "files":
            return on(canvas, image)
        return resized(pixels[None], canvas)[0].transpose(1, 2, 0)

    padded = brought("pad")
    assert (padded == (1, 2, 3)).all(axis=2).sum() == 8 * 16
    assert (padded[[0, 3, 12, 15]] == (1, 2, 3)).all()
    assert (padded[4:12, :5] == RED[:3]).all()
    assert (padded[4:12, 11:] == (10, 250, 0)).all()
    for fit in ("crop", "stretch"):
        square = brought(fit)
        assert (square[:, :5] == RED[:3]).all()
        assert (square[:, 11:] == (10, 250, 0)).all()
    tall = brought("pad", 24, 8)  # 4 rows of 8 in the middle of 24
    assert (tall == (1, 2, 3)).all(axis=2).sum() == 20 * 8
    assert (tall[10:14, :1] == RED[:3]).all()
    exact = brought("crop", 20, 10)  # no pixel is resized: 15 to 25 of 40
    assert np.array_equal(exact, pixels[:, 15:25])
    wide = brought("crop", 4, 32)  # 40 × 5 of 40 × 20
    assert (wide[:, :13] == RED[:3]).all()


@pytest.mark.parametrize("kind", ["RGBA", "LA", "PA", "P", "La", "RGBa"])
def test_alpha_is_kept_by_four_and_two_channels_and_lies_over_the_background_else(kind):
    """The left half is red, opaque; the right one is nothing."""
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, :8], pixels[:, 8:] = RED, CLEAR
    image, grey = Image.fromarray(pixels), round(0.299 * 200 + 0.587 * 30 + 0.114 * 40)
    if kind == "P":
        image = image.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
        image.info["transparency"] = image.getpixel((15, 0))
    else:
        image = image.convert("RGBA" if kind == "RGBa" else "LA" if kind in ("La", "LA") else kind).convert(kind)
    colour = (grey,) * 3 if kind in ("LA", "La") else RED[:3]
    four = on(Canvas(16, 16, 4, background=(9, 8, 7)), image)
    assert np.allclose(four[0, 0], (*colour, 255), atol=1)
    assert (four[0, 15] == (9, 8, 7, 0)).all()  # what is not seen is one colour
    two = on(Canvas(16, 16, 2, background=(9, 9, 9)), image)
    assert np.allclose(two[0, 0], (grey, 255), atol=1)
    assert (two[0, 15] == (9, 0)).all()
    three = on(Canvas(16, 16, 3, background=(9, 8, 7)), image)
    assert np.allclose(three[0, 0], colour, atol=1)
    assert (three[0, 15] == (9, 8, 7)).all()
    assert (on(Canvas(16, 16, 1, background=(9, 9, 9)), image)[0, 15] == 9).all()
    assert (on(Canvas(16, 16, 3), image)[0, 15] == 255).all()  # as it always was
    padded = on(Canvas(16, 32, 4, "pad", (9, 8, 7)), image)
    assert (padded[:, :8] == (9, 8, 7, 0)).all()  # around it there is nothing either
    assert padded[..., 3].sum() == 16 * 8 * 255


def test_a_deep_picture_with_a_clear_value_keeps_it_as_alpha():
    image = Image.fromarray(np.full((8, 8), 65535, np.uint16))
    image.putpixel((0, 0), 77)
    image.info["transparency"] = 77
    two = on(Canvas(8, 8, 2, background=(5, 5, 5)), image)
    assert two[0, 0].tolist() == [5, 0]
    assert two[7, 7].tolist() == [255, 255]
    assert on(Canvas(8, 8, 1, background=(5, 5, 5)), image)[0, 0].tolist() == [5]


def sixteen_bits(values: np.ndarray) -> bytes:
    """A PNG of uint16 (H, W, C), written by hand: Pillow cannot."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")  # as where folders are decoded
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_levels_of_16_bits_are_kept_at_full_depth(channels):
    values = np.random.default_rng(0).integers(0, 65536, (6, 9, channels))
    if channels in (2, 4):
        values[..., -1] = 65535 - values[..., -1] // 2  # somewhat transparent
    with Image.open(io.BytesIO(sixteen_bits(values))) as image:
        found = decoded(image, Canvas(6, 9, channels, full_depth=True), {})
    assert found.pixels.dtype == np.float32
    np.testing.assert_allclose(found.pixels, values / 65535 * 2 - 1, atol=2e-6)
    flat = decoded(Image.open(io.BytesIO(sixteen_bits(values))), Canvas(6, 9, 1, full_depth=True), {}).pixels
    grey = values[..., :3] @ [0.299, 0.587, 0.114] if channels > 2 else values[..., 0]
    alpha = values[..., -1] / 65535 if channels in (2, 4) else 1
    np.testing.assert_allclose(flat[..., 0], 2 * (grey / 65535 * alpha + 1 - alpha) - 1, atol=1e-5)


def test_bytes_at_full_depth_are_those_of_bytes_but_for_rounding():
    image, _ = hand_made("RGB")
    for fit in ("crop", "pad", "stretch"):
        bytes_ = on(Canvas(12, 20, 4, fit, (3, 4, 5)), image).astype(float)
        deep = on(Canvas(12, 20, 4, fit, (3, 4, 5), full_depth=True), image)
        np.testing.assert_allclose((deep + 1) * 127.5, bytes_, atol=1.5)
    assert Canvas(64, 64, 3).marks() == [64, 3]  # the caches of old runs are found


def test_floats_are_kept_between_bytes():
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    found = decoded(Image.fromarray(values), Canvas(8, 8, 1, full_depth=True), {"F": (0.0, 1.0)})
    np.testing.assert_allclose(found.pixels[..., 0], 2 * values - 1, atol=1e-6)
    assert found.depth == ("F", 0.0, 1.0)


def test_a_small_start_is_doubled():
    assert [doubling_of(*sides) for sides in ((64, 96), (48, 64), (28, 28), (8, 8), (256, 256), (4, 4))] == [
        (4, 6, 4), (6, 8, 3), (7, 7, 2), (4, 4, 1), (4, 4, 6), (4, 4, 0),
    ]  # fmt: skip
    for size in (8, 16, 32, 64, 128, 256, 512, 1024):
        assert doubling_of(size, size)[:2] == (4, 4)
        assert doubling_of(size, size).side == size
    assert not can_double(30, 30, 8, 256)
    assert not can_double(64, 512, 8, 256)
    assert not can_double(8, 9, 8, 256)
    assert not can_double(16, 160, 8, 256)  # 4 × 40
    for sides in ((30, 30), (60, 90), (45, 64), (8, 9), (16, 160), (500, 500), (5, 5), (1000, 4), (720, 1280)):
        found = nearest(*sides, 8, 256)
        assert can_double(*found, 8, 256), (sides, found)
    assert nearest(30, 30, 8, 256) == (32, 32)
    assert nearest(62, 95, 8, 256) == (64, 96)


RECTANGLES = {
    "mlp": (*TINY_MLP, "dataset.size=[5,9]"),
    "dcgan": (*TINY_DCGAN, "dataset.size=[8,12]"),
    "dcgan-norms": (
        *(*TINY_DCGAN, "dataset.size=[12,20]", "architecture.discriminator.norm=spectral", "conditional=true"),
        *("architecture.discriminator.minibatch_std=true", "architecture.generator.upsampling=bilinear"),
    ),
    "resnet": (*TINY_RESNET, "dataset.size=[10,16]", "conditional=true"),
    "r3gan": (*TINY_R3GAN, "dataset.size=[8,28]"),
    "progressive": (*TINY_PROGRESSIVE, "dataset.size=[16,24]", "architecture.start=8"),
    "vae": ("model=vae", *TINY_DCGAN, "dataset.size=[12,8]"),
}
EXPLICIT = {
    "pixelcnn": ("model=pixelcnn", "model.layers=1", "model.width=6"),
    "nice": ("model=nice", "model.hidden=[8]"),
    "realnvp": ("model=realnvp", "model.width=4", "model.couplings=2"),
    "rbm": ("model=rbm", "model.hidden=6", "schedule=constant", "model.chain=3"),
    "ngram": ("model=ngram", "model.n=2"),
}


@pytest.mark.parametrize("name", [*RECTANGLES, *EXPLICIT])
def test_every_network_makes_rectangles(name):
    small = ("dataset.size=[4,8]", "dataset.limit=64", "batch_size=8", "sample_count=4")
    setup = setup_of(*(RECTANGLES.get(name) or (*EXPLICIT[name], *small)), "evaluate_count=8")
    sampler, shape = setup.sampler, setup.samples.shape
    assert shape[1] != shape[2]
    made = sampler.sample(3, seed=1)
    assert made.shape == (3, *shape)
    assert made.isfinite().all()


def test_geometry_of_augmentations_and_classifiers_on_rectangles():
    from gan_cli.games import augmentation
    from gan_cli.metrics.extractors.classifier import network

    x = torch.rand(2, 3, 12, 20)
    for change in (augmentation.translated, augmentation.cut_out, augmentation.blitted, augmentation.warped):
        assert change(x).shape == x.shape
    for height, width in ((4, 9), (12, 20), (28, 28), (64, 96), (40, 33)):
        assert network((3, height, width), 5)(torch.rand(2, 3, height, width)).shape == (2, 5)


@pytest.mark.parametrize("name", ["color", "ada_color"])
def test_augmentation_of_colours_leaves_alpha(name):
    from gan_cli.games.augmentation import AUGMENTATIONS

    for channels in (2, 4):
        x = torch.rand(5, channels, 6, 4) * 2 - 1
        changed = AUGMENTATIONS[name](x, None)
        assert torch.equal(changed[:, -1], x[:, -1])
        assert not torch.equal(changed[:, :-1], x[:, :-1])


def test_a_grey_picture_at_full_depth_has_a_file_of_16_bits(tmp_path):
    levels = np.array([[0, 1, 257], [32768, 65534, 65535]])
    save_png(deep_image_of(torch.from_numpy(levels / 32767.5 - 1).float()[None]), tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as image:
        np.testing.assert_array_equal(np.asarray(image), levels)


def test_transparent_pictures_are_shown_over_a_chequerboard_and_many_channels_side_by_side():
    pixels = torch.zeros(1, 4, 16, 16, dtype=torch.uint8)
    pixels[0, :3, :, :8], pixels[0, 3, :, :8] = 50, 255
    pixels[0, 3, :, 8:12] = 51
    seen = visible(pixels)[0]
    assert (seen[:, :, :8] == 50).all()
    assert set(seen[:, :, 12:].unique().tolist()) == {204, 255}
    assert set(seen[:, :, 8:12].unique().tolist()) == {round(0.8 * 204), round(0.8 * 255)}
    assert visible(pixels[:, 2:])[0].shape == (1, 16, 16)
    assert image_of(pixels[0]).mode == "RGBA"
    assert image_of(pixels[0, 2:]).mode == "LA"
    many = torch.arange(5, dtype=torch.uint8)[None, :, None, None].expand(1, 5, 2, 3).contiguous()
    assert visible(many)[0, 0].tolist() == [
        *2 * [[0, 0, 0, 1, 1, 1, 2, 2, 2]],
        *2 * [[3, 3, 3, 4, 4, 4, 0, 0, 0]],
    ]
    sheet = grid(torch.zeros(2, 6, 64, 64), 2)
    assert sheet.size == (2 * (3 * 64 + 2) + 2, 2 * 64 + 4)
    five = Samples(np.zeros((1, 5, 8, 8), np.uint8))
    assert channels_refused("inception", five) is not None
    assert channels_refused("inception", Samples(np.zeros((1, 4, 8, 8), np.uint8))) is None
    over_white = bytes_of(pixels.numpy())[0]
    assert over_white[:, 0, 0].tolist() == [50, 50, 50]
    assert over_white[:, 0, 15].tolist() == [255, 255, 255]


@pytest.fixture
def mixed(tmp_path):
    """Forty pictures of mixed sizes: transparent, opaque, grey, of 16 bits."""
    generator, folder = np.random.default_rng(0), tmp_path / "mixed"
    folder.mkdir()
    for i in range(40):
        height, width = generator.integers(5, 60, 2)
        pixels = generator.integers(0, 256, (height, width, 4), dtype=np.uint8)
        pixels[: height // 2, :, 3] = 0
        image = Image.fromarray(pixels)
        if i % 4 == 3:
            image = Image.fromarray(generator.integers(0, 65536, (height, width)).astype(np.uint16))
        image.convert("RGB" if i % 4 == 1 else image.mode).save(folder / f"{i:02d}.png")
    return folder


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_folder_of_mixed_sizes_with_transparency(gan_train, gan_sample, gan_eval, mixed, fit):
    """Through each fit with four channels on a rectangle: trained, resumed, sampled with alpha, judged, exported."""
    keys = (
        *("experiment=lecture", "architecture.width=4", "prior.size=4", "batch_size=8", "sample_count=4"),
        *("dataset=image_folder", f"dataset.path={mixed}", "dataset.size=[8,12]", "dataset.channels=4"),
        *(f"dataset.fit={fit}", "dataset.background=tomato"),
    )
    deep = ("dataset.depth=full",) if fit == "stretch" else ()
    assert gan_train(*keys, *deep, "steps=2", "hydra.run.dir=run").code == 0
    state = state_in(Path("run"))
    assert state["data"]["shape"] == [4, 8, 12]
    assert state["data"].get("full_depth", False) is bool(deep)
    with Image.open("run/samples/real.png") as real:
        assert real.mode == "RGB"  # over the chequerboard
    assert gan_train("resume=run", "steps=3").code == 0
    assert gan_sample("checkpoint=run", "seeds=0-2", "format=png", "out=made").code == 0
    with Image.open(next(Path("made").glob("*.png"))) as one:
        assert (one.mode, one.size) == ("RGBA", (12, 8))
    assert gan_sample("checkpoint=run", "seeds=0-2", "format=npz", "out=made.npz").code == 0
    assert np.load("made.npz")["images"].dtype == (np.float32 if deep else np.uint8)
    if fit == "crop":  # a square takes what it can of it, and its graph makes rectangles
        result = gan_train(*keys, "dataset.size=8", "start=run", "steps=1", "hydra.run.dir=square")
        assert result.code == 0, result.err
        assert "the generator takes" in result.err
        assert "anew: project" in result.err
        assert gan_sample("checkpoint=run", "export=torch", "out=made").code == 0
        program = torch.export.load("made/generator.pt2").module()
        assert program(torch.zeros(5, 4)).shape == (5, 4, 8, 12)
    if fit == "pad":
        result = gan_eval("checkpoint=run", "count=20", "extractor=pixels", "metrics=[precision_recall,two_sample]")
        assert result.code == 0, result.err
        folders = (f"real={mixed}", "samples=made", "size=[8,12]", "fit=pad", "channels=4", "count=3")
        result = gan_eval(*folders, "extractor=pixels", "metrics=[sliced_wasserstein]", "out=folders.json")
        assert result.code == 0, result.err
        assert json.loads(Path("folders.json").read_text())["fit"] == "pad"


BAD = {
    "dataset.size=[8]x": "cannot be read",
    "dataset.size=[8,12,3]": "dataset.size=[8, 12, 3]: must be a number of pixels, or [height,width], such as [64,96]",
    "dataset.size=8x12": "dataset.size=8x12: must be a number of pixels, or [height,width], such as [64,96]",
    "dataset.size=[8,2000]": "must be at most 1024",
    "dataset.size=[2,8]": "must be at least 4",
    "dataset.size=[60,90]": "dataset.size=[60,90]: architecture=dcgan needs sides of 4 to 7, the longer up to 16, "
    "doubled as often, from 8 to 256, such as dataset.size=[64,96]",
    "dataset.fit=squash": "dataset.fit=squash: must be one of 'crop', 'pad' or 'stretch'",
    "dataset.background=grin": "dataset.background=grin: must be a colour: a name such as black, six digits "
    "such as ff8800, or a grey from 0 to 255",
    "dataset.background=300": "must be a colour",
    "dataset.channels=4": "dataset.channels=4: must be one of 1 or 3",
    "architecture=resnet dataset.size=[12,24]": "architecture.discriminator.smallest=8: must be a power of two from "
    "4 to 4, where 4 is 6 × 12, such as 4",
    "architecture=progressive dataset.size=[48,64] architecture.size=64": "architecture.size=64: is above "
    "dataset.size=[48,64] (that is 32, if 4 is 6 × 8), which the networks are built for: use 32 or less",
    "model=realnvp dataset.size=[32,30]": "dataset.size=[32,30] cannot be halved 2 times: use model.scales=1",
    "dataset=image_folder dataset.path=. dataset.rules=1 dataset.channels=4": "dataset.rules=1: brings pictures to "
    "squares of 1 or 3 channels",
    "dataset=image_folder dataset.path=. dataset.depth=16": "dataset.depth=16: must be one of 8 or 'full'",
}


@pytest.mark.parametrize("typed", BAD)
def test_a_bad_shape_is_answered_in_one_line(gan_train, typed):
    result = gan_train("experiment=lecture", *typed.split(), "hydra.run.dir=none")
    assert result.code == 2
    assert len(result.errors) == 1, result.err
    assert BAD[typed] in result.errors[0]
    assert not Path("none").exists()


def test_colours():
    assert [colour_of(typed) for typed in ("white", 7, "Tomato", "ff8800", "#ff8800", "rgb(1,2,3)")] == [
        (255, 255, 255), (7, 7, 7), (255, 99, 71), (255, 136, 0), (255, 136, 0), (1, 2, 3),
    ]  # fmt: skip
    assert [grey_of(colour) for colour in ((255, 255, 255), (7, 7, 7), (255, 136, 0))] == [255, 7, 156]
    for typed in (-1, 256, True, 3.5, None, "", "#ff880080", "nothing", [1, 2, 3]):
        with pytest.raises(ValueError, match="must be a colour"):
            colour_of(typed)


def test_a_square_typed_as_two_sides_is_the_same_config(gan_train):
    result = gan_train(*TINY_MLP, "dataset.size=[8,8]", "--cfg", "job")
    assert "size: 8\n" in result.out
