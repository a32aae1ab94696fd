"""An exported generator draws what the one in the checkpoint draws."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, TINY_R3GAN, TINY_SIGNALS, TINY_TABLE
from PIL import Image

import gan_cli
from gan_cli import cli
from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.data.coding import named
from gan_cli.data.columns import read
from gan_cli.data.conditions import Columns

TINY_FACES = (*TINY_DCGAN, "dataset=image_folder", "dataset.path=faces", "dataset.root=data", "dataset.limit=0")
RUNS = {
    "mlp": TINY_MLP,
    "dcgan": TINY_DCGAN,
    "conditional-mlp": (*TINY_MLP, "conditional=true"),
    "conditional-dcgan": (*TINY_DCGAN, "conditional=true"),
    "r3gan": TINY_R3GAN,
    "points": TINY_POINTS,
    "table": TINY_TABLE,
    "signals": TINY_SIGNALS,
    "conditions": (*TINY_FACES, "conditional=true"),
    "embedded-conditions": (*TINY_FACES, "conditional=true", "conditioning=embedding"),
    "embedded-classes": (*TINY_DCGAN, "conditional=true", "conditioning=embedding"),
    "auxiliary-classes": (*TINY_R3GAN, "conditional=true", "conditioning=auxiliary"),
}


@pytest.fixture(scope="session")
def faces(tmp_path_factory) -> Path:
    """Pictures with an attribute and a number each."""
    place = tmp_path_factory.mktemp("faces")
    for i in range(16):
        Image.new("L", (8, 8), 10 * i).save(place / f"{i}.png")
    rows = [f"{i}.png,{'yes' if i % 3 else 'no'},{20 + i / 2}" for i in range(16)]
    (place / "labels.csv").write_text("\n".join(["file,smiling,age", *rows]))
    return place


@pytest.fixture(params=RUNS.values(), ids=RUNS.keys())
def run(request, trained, faces) -> Path:
    return trained(*(f"dataset.path={faces}" if key == "dataset.path=faces" else key for key in request.param))


def export(run: Path, kind: str, *keys: str) -> int:
    code = cli._exit_code(lambda: SAMPLING.main([f"checkpoint={run}", f"export={kind}", *keys]), "gan-sample")
    os.environ.pop("HYDRA_FULL_ERROR", None)
    return code


def inputs(sampler, n: int) -> tuple[torch.Tensor, ...]:
    z = sampler.latents(n, seed=1)
    if isinstance(sampler.classes, Columns):
        return z, torch.rand(n, sampler.classes)
    return (z, torch.arange(n) % sampler.classes) if sampler.classes else (z,)


@pytest.mark.parametrize("place", ["there", "there/generator.safetensors"])
def test_safetensors_are_loaded_back_to_the_bit(run, place):
    assert export(run, "safetensors", "out=there") == 0
    original, exported = gan_cli.load(run), gan_cli.load(place)
    assert torch.equal(original.sample(5), exported.sample(5))
    assert (exported.classes, exported.config.steps) == (original.classes, 2)


def test_a_torch_program_draws_the_same(run):
    assert export(run, "torch", "out=generator.pt2") == 0
    original, program = gan_cli.load(run), torch.export.load("generator.pt2").module()
    for n in (1, 5):
        given = inputs(original, n)
        assert torch.allclose(program(*given), original.decode(*given), atol=1e-5)


def test_an_onnx_model_draws_the_same(run):
    import onnxruntime

    assert export(run, "onnx", "out=generator.onnx") == 0
    original, session = gan_cli.load(run), onnxruntime.InferenceSession("generator.onnx")
    names = ["z", "labels"] if original.classes else ["z"]
    assert [i.name for i in session.get_inputs()] == names
    assert {i.shape[0] for i in (*session.get_inputs(), *session.get_outputs())} == {"batch"}
    for n in (1, 5):
        given = inputs(original, n)
        (drawn,) = session.run(["samples"], {k: v.numpy() for k, v in zip(names, given, strict=True)})
        np.testing.assert_allclose(drawn, original.decode(*given).numpy(), atol=1e-5)


@pytest.mark.parametrize("case", ["table", "signals"])
def test_an_exported_graph_holds_what_its_numbers_stand_for(trained, case):
    import onnx

    run = trained(*RUNS[case])
    assert export(run, "torch", "out=generator.pt2") == export(run, "onnx", "out=generator.onnx") == 0
    extra = {"fields.json": ""}
    torch.export.load("generator.pt2", extra_files=extra)
    metadata = {prop.key: prop.value for prop in onnx.load("generator.onnx").metadata_props}
    model = gan_cli.load(run)
    x = model.sample(5)
    for text in (extra["fields.json"], metadata["fields"]):
        cells = named(read(json.loads(text)), x.numpy())
        assert {name: array.tolist() for name, array in cells.items()} == {
            name: array.tolist() for name, array in model.in_units(x).items()
        }


def test_the_moving_average_is_exported_unless_it_is_not_wanted(trained):
    run = trained(*TINY_MLP, "ema_half_life=100000", "generator.lr=0.1")
    assert export(run, "safetensors", "out=average") == 0
    assert export(run, "safetensors", "out=raw", "ema=false") == 0
    z = gan_cli.load(run).latents(4, 0)
    average, raw, original = (gan_cli.load(place).decode(z) for place in ("average", "raw", run))
    assert torch.equal(average, original)
    assert not torch.equal(raw, original)


def test_an_exported_generator_can_be_sampled_and_exported_again(trained, capfd):
    run = trained(*TINY_MLP, "conditional=true")
    assert export(run, "safetensors") == 0
    folder = run / "generated/step-000000002"
    assert sorted(path.name for path in folder.iterdir()) == ["generator.json", "generator.safetensors"]
    for place, out in ((run, "a.npz"), (folder, "b.npz")):
        SAMPLING.main([f"checkpoint={place}", "n=8", "format=npz", f"out={out}"])
    assert (np.load("a.npz")["images"] == np.load("b.npz")["images"]).all()
    assert export(folder, "torch", "out=again.pt2") == 0
    assert export(folder, "torch", "out=again.pt2", "ema=false") == 2
    assert "the exported weights are the moving average" in capfd.readouterr().err


def test_a_damaged_export_is_named(trained):
    assert export(trained(*TINY_MLP), "safetensors", "out=there") == 0
    about, weights = Path("there/generator.json"), Path("there/generator.safetensors")
    facts, whole = json.loads(about.read_text()), weights.read_bytes()
    weights.write_bytes(whole[:-5])
    with pytest.raises(ValueError, match=r"generator\.safetensors: cannot be read"):
        gan_cli.load("there")
    weights.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    with pytest.raises(ValueError, match=r"generator\.safetensors: cannot be read \(ValueError: altered"):
        gan_cli.load("there")
    weights.write_bytes(whole)
    altered = "weights do not fit generator.json, which is altered"
    for content, expected in [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 1}', "cannot be read"),
        (json.dumps({**facts, "format": 99}), "from another version"),
        (json.dumps({**facts, "shape": [1, 16, 16]}), "weights do not fit"),
        (
            about.read_text().replace('"scale": 1.0', '"scale": 1.1'),
            "weights do not fit generator.json, which is altered",
        ),
        (about.read_text().replace('"sha256"', '"shA256"'), altered),
        ("[" * 100_000, "cannot be read"),
    ]:
        about.write_text(content)
        with pytest.raises(ValueError, match=expected):
            gan_cli.load("there")
    unsealed = {key: value for key, value in facts.items() if key not in ("sha256", "weights")}
    about.write_text(json.dumps({**unsealed, "format": 1}))  # as an older version wrote it
    assert gan_cli.load("there").sample(1).shape == (1, 1, 8, 8)
    about.unlink()
    with pytest.raises(ValueError, match=r"lacks generator\.json"):
        gan_cli.load("there")


UNTRACEABLE = """
from torch import nn
from gan_cli.models.mlp import MLP

class Moody(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
    def forward(self, z, labels=None):
        return self.network(z, labels) if z.sum().item() > -1e9 else z

class MoodyMLP(MLP):
    def __init__(self, generator: dict, discriminator: dict):
        super().__init__(generator, discriminator)
    def generator(self, latent, shape, classes):
        return Moody(super().generator(latent, shape, classes))
"""


def test_an_architecture_that_torch_cannot_follow_is_one_line(gan_train, capfd):
    from gan_cli.config.library import shipped_conf

    Path("moody.py").write_text(UNTRACEABLE)
    Path("own/architecture").mkdir(parents=True)
    shipped = (shipped_conf() / "architecture/mlp.yaml").read_text()
    own = shipped.replace("name: mlp", "name: moody").replace("gan_cli.models.mlp.MLP", "moody.MoodyMLP")
    Path("own/architecture/moody.yaml").write_text(own)
    keys = ["architecture=moody", *(key for key in TINY_MLP if key != "architecture=mlp")]
    assert gan_train("--config-dir", "own", "steps=1", "hydra.run.dir=run", *keys).code == 0
    assert export(Path("run"), "torch", "--config-dir", "own", "out=a.pt2") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("gan-sample: error: export=torch: torch cannot follow the code of this architecture (")
    assert not Path("a.pt2").exists()
