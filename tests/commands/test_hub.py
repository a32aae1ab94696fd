"""A folder for the Hub: what is in it, what is not, and that it is the model that was trained."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS
from PIL import Image

import gan_cli
from gan_cli.commands.sampling.hub import placeless, placeless_word
from gan_cli.output import sealed_json
from gan_cli.output.pictures import grid

FILES = ["README.md", "config.json", "model.safetensors", "samples.png"]


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("keys", [(*TINY_DCGAN, "conditional=true"), TINY_POINTS], ids=["dcgan", "points"])
def test_a_hub_folder_is_the_model(gan_sample, trained, keys):
    run = trained(*keys)
    Path("there").mkdir()
    result = gan_sample(f"checkpoint={run}", "export=hub", "out=there")
    assert (result.code, result.lines) == (0, ["gan-sample: wrote the generator and its card of step 2: there"])
    assert names_in(Path("there")) == FILES
    drawn = gan_cli.load(run).sample(64)
    with Image.open("there/samples.png") as image:
        assert image.info["seeds"] == "0-63"
        assert len(drawn.shape) == 2 or np.array_equal(image, grid(drawn, 10))
    Path("cache/blobs").mkdir(parents=True)
    Path("cache/snapshot").mkdir()
    for name in FILES:  # as huggingface_hub keeps what it has loaded
        Path("there", name).rename(Path("cache/blobs") / name[::-1])
        Path("cache/snapshot", name).symlink_to(Path("../blobs") / name[::-1])
    assert torch.equal(gan_cli.load("cache/snapshot").sample(64), drawn)
    if len(drawn.shape) == 4:
        again = gan_sample("checkpoint=cache/snapshot/model.safetensors", "export=hub", "out=again")
        assert again.code == 0
        assert Path("again/model.safetensors").read_bytes() == Path("cache/snapshot/model.safetensors").read_bytes()
        assert "## Metrics\n\nNone was measured" in Path("again/README.md").read_text()


def test_a_new_run_starts_from_a_hub_folder(gan_train, gan_sample, trained):
    run = trained(*TINY_MLP)
    assert gan_sample(f"checkpoint={run}", "export=hub", "out=there").code == 0
    result = gan_train(*TINY_MLP, "start=there", "steps=1", "hydra.run.dir=new")
    assert result.code == 0
    assert re.search(r"start=there \(step 2\): the generator takes (\d+) of \1 tensors", result.err)


def test_a_folder_that_did_not_come_whole_or_is_no_run_says_so(gan_train, gan_sample, gan_eval, trained):
    assert gan_sample(f"checkpoint={trained(*TINY_MLP)}", "export=hub", "out=hub").code == 0
    alone = "hub: holds model.safetensors, an exported generator alone, and no checkpoints: give the folder of a run"
    assert alone in gan_eval("checkpoint=hub").err
    assert alone in gan_train("resume=hub").err
    weights, about = Path("hub/model.safetensors"), Path("hub/config.json")
    there, told = weights.read_bytes(), about.read_bytes()

    def said() -> None:
        for result in (gan_sample("checkpoint=hub", "out=a.png"), gan_train("start=hub", "dry_run=true", *TINY_MLP)):
            assert result.code == 2
            (line,) = result.err.splitlines()
            yield line.partition("=hub")[2]

    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    for file in (weights, about):
        file.write_bytes(pointer)
        fix = f"/model.safetensors: {file.name} is a pointer of Git LFS, not the file: git lfs pull"
        assert list(said()) == [fix] * 2
        weights.write_bytes(there)
    about.write_bytes(told)
    weights.rename("hub/model.safetensors.incomplete")
    line = "has no checkpoints, and config.json without model.safetensors: if it is an export, copy it whole, or"
    assert all(line in each for each in said())


def test_nothing_is_written_over(gan_sample, trained):
    run = trained(*TINY_MLP)
    Path("mine").mkdir()
    Path("mine/README.md").write_text("mine")
    Path("file").touch()
    Path("link").symlink_to("nowhere")
    there = "is there already, and stays as it is: give another, out=PATH, or remove it"
    for out in ("mine", "mine/", "file", "link"):
        result = gan_sample(f"checkpoint={run}", "export=hub", f"out={out}")
        assert (result.code, result.lines) == (2, [f"out={out}: {there}"])
    result = gan_sample(f"checkpoint={run}", "export=hub", "out=a.safetensors")
    assert (result.code, result.lines) == (2, ["out=a.safetensors: export=hub writes a folder: give a folder"])
    assert Path("mine/README.md").read_text() == "mine"
    assert sorted(path.name for path in Path().rglob("*")) == ["README.md", "file", "link", "mine"]
    place = run / "generated/step-000000002/hub"
    place.mkdir(parents=True)
    (place / "README.md").touch()
    result = gan_sample(f"checkpoint={run}", "export=hub")
    assert (result.code, result.lines) == (2, [f"out={place}: {there}"])
    (place / "README.md").unlink()


def test_a_folder_is_whole_or_not_there(gan_sample, trained, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    aside = Path(f".{os.getpid()}.there")
    aside.mkdir()
    (aside / "README.md").touch()  # of a process of this number that was killed
    monkeypatch.setattr("gan_cli.commands.sampling.hub.save_png", full)
    result = gan_sample(f"checkpoint={trained(*TINY_MLP)}", "export=hub", "out=there")
    assert (result.code, len(result.lines)) == (2, 1)
    assert not list(Path().iterdir())


def test_a_card_says_what_was_measured_where(gan_sample, gan_eval, trained):
    keys = [*TINY_MLP, "metrics=[kernel]", "extractor=pixels", "evaluate_count=32", "logger=tensorboard"]
    shutil.copytree(trained(*keys), "run")
    Path("run/.hydra/resume-1").mkdir()
    Path("run/.hydra/resume-1/overrides.yaml").write_text("- resume=/jane/run\n- steps=2\n")
    assert gan_eval("checkpoint=run", "metrics=kernel", "extractor=pixels", "count=40", "seed=5").code == 0
    (mine,) = Path("run").glob("evaluation-*.json")
    found = json.loads(mine.read_text())
    noted = {
        "metrics": {"errors": 3.0},
        "samples": 0,
        "notes": {"errors": "of 200 pictures of split=test, by the moving average"},
    }
    Path("run/evaluation-noted.json").write_text(json.dumps(found | noted))
    for name, more in {"other": {"checkpoint_hash": "0" * 16}, "raw": {"ema": False}, "torn": {"metrics": [1]}}.items():
        Path(f"run/evaluation-{name}.json").write_text(json.dumps(found | more))
    result = gan_sample("checkpoint=run", "export=hub", "out=there")
    others = "evaluation-other.json, evaluation-raw.json, evaluation-torn.json"
    assert f"gan-sample: left out of the card: 3 of other weights: {others}" in result.lines
    card = Path("there/README.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.splitlines() if line.startswith("| ")]
    where = {(name, said): where for name, said, where in rows}
    logged = gan_cli.Run(Path("run")).metrics[-1]["metric/kernel"]
    assert where["kernel", f"{logged:.6g}"] == "in training, step 2, evaluate_count=32, extractor=pixels"
    assert where["kernel", f"{found['metrics']['kernel']:.6g}"] == (
        "gan-eval, 40 samples against 40 of the train split, extractor pixels (resize none), seed 5, "
        f"{found['program']}, {found['date']}"
    )
    assert where["errors", "3"].startswith("gan-eval, of 200 pictures of split=test, by the moving average, extr")
    assert front_matter(card) == {
        "library_name": "gan-cli",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["generative-model", "gan", "mlp", "digits"],
    }
    commands = [line for line in card.splitlines() if line.startswith("gan-train ")]
    assert commands[-2].startswith(
        "gan-train steps=2 sample_every=1 experiment=lecture architecture=mlp 'architecture.generator.hidden=[16]'"
    )
    assert commands[-1] == "gan-train resume=latest steps=2"
    assert "logger" not in card


def test_nothing_says_where_it_was_made_and_no_name_is_markup(gan_sample, gan_train, tmp_path):
    names = ("a|b", "<img src=x>", "![c](d)", "`e`*f*")
    place = tmp_path / "jane" / "photos"
    for i, name in enumerate(names):
        (place / name).mkdir(parents=True)
        for j in range(4):
            Image.new("L", (8, 8), 60 * i + j).save(place / name / f"{j}.png")
    keys = [key for key in TINY_MLP if "limit" not in key]
    data = ("dataset=image_folder", "dataset.channels=1", f"dataset.path={place}", f"dataset.root={tmp_path}/cache")
    assert gan_train(*keys, *data, "conditional=true", "steps=1", f"hydra.run.dir={tmp_path}/run").code == 0
    (tmp_path / "jane").rename(tmp_path / "gone")  # a model needs no data to be loaded
    assert gan_sample("checkpoint=run", "export=hub", "out=there").code == 0
    card, config = Path("there/README.md").read_text(), Path("there/config.json").read_text()
    assert not [text for text in (card, config) if "jane" in text or str(tmp_path.parent) in text]
    assert "dataset.path=photos dataset.root=cache" in card
    for written in (r"a\|b", "&lt;img src=x>", r"![c]\(d)", r"\`e\`\*f\*"):
        assert f"({written})" in card
    assert gan_cli.load("there").names == gan_cli.load("run").names == tuple(sorted(names))


def test_paths_are_their_last_part_wherever_they_stand():
    config = {"a": "/home/jane/p", "b": ["~jane/q", 3], "c": {"d": "C:\\Users\\jane\\r", "e": "../jane/s/", "f": "x/y"}}
    found = {"a": "p", "b": ["q", 3], "c": {"d": "r", "e": "s", "f": "x/y"}}
    assert placeless(config) == found
    for word, expected in [
        ("dataset.path=/home/jane/a b, c (1)", "dataset.path=a b, c (1)"),
        ("dataset.path='/home/jane/p'", "dataset.path=p"),
        ("own=[/home/jane/p,{k: ~jane/q}]", "own=[p,{k: q}]"),
        ("loss=hinge", "loss=hinge"),
        ("dataset.path=/", "dataset.path=folder"),
    ]:
        assert placeless_word(word) == expected


def test_an_altered_config_is_refused_and_names_build_only_options(gan_sample, trained):
    assert gan_sample(f"checkpoint={trained(*TINY_MLP)}", "export=hub", "out=there").code == 0
    path = Path("there/config.json")
    facts, _ = sealed_json.read(path.read_text())
    path.write_text(path.read_text().replace('"scale": 1.0', '"scale": 1.5'))
    with pytest.raises(ValueError, match=r"weights do not fit config\.json, which is altered"):
        gan_cli.load("there")
    facts["config"]["architecture"] |= {"name": "evil", "class": "os.system"}
    path.write_text(sealed_json.written(facts))
    with pytest.raises(ValueError, match="architecture=evil: no such option"):
        gan_cli.load("there")
    path.unlink()
    with pytest.raises(ValueError, match=r"lacks config\.json"):
        gan_cli.load("there")
