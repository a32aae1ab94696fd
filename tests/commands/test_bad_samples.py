"""What ``gan-sample`` refuses, in one line for each mistake, before anything is written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, TINY_POINTS

import gan_cli
from gan_cli.commands.sampling import keys
from gan_cli.commands.sampling.grammar import Term, terms
from gan_cli.config.numbers import numbers

MISTAKES = [
    (["seeds=5-2"], ["seeds=5-2: the range 5-2 runs backwards: write 2-5"]),
    (["seeds=abc"], ["seeds=abc: must be whole numbers and ranges, such as 0-63 or 3,7,10-20"]),
    (["seeds=0-99999999"], ["seeds=0-99999999: are more than 10,000,000 numbers: take them in parts"]),
    (["n=0", "truncation=-1"], ["n=0: must be at least 1", "truncation=-1: must be at least 0.0"]),
    (["n=4", "seeds=0-3"], ["n=4: the seeds are given already, seeds=0-3: leave one out"]),
    (["seeds=3,3"], ["seeds=3,3: names a number twice: name each once"]),
    (["seedz=3"], ["seedz=3: no such key (did you mean 'seeds'?)"]),
    (["n=20000"], ["format=grid: would hold 20,000 pictures, at most 10,000 fit: use format=png or npz"]),
    (["format=strip"], ["format=strip: single pictures can be written as: grid, png, npz*"]),
    (["format=png", "columns=4"], ["columns=4: is for format=grid, not png: leave it out"]),
    (["format=npz", "captions=true"], ["captions=true: is for format=grid, not npz: leave it out"]),
    (["export=onnx", "captions=true"], ["captions=true: has no effect on export=onnx: leave it out"]),
    (["frames=12"], ["frames=12: has no effect on single pictures: leave it out"]),
    (["label=3"], ["label=3: this generator is not conditional: leave it out"]),
    (["interpolation=linear", "n=1"], ["n=1: an interpolation needs two seeds or more, such as seeds=0,1"]),
    (["interpolation=linear", "n=3", "fps=5"], ["fps=5: is for format=gif or mp4, not strip: leave it out"]),
    (
        ["arithmetic=1-2", "interpolation=linear"],
        ["arithmetic=1-2: cannot go with interpolation=linear: leave one out"],
    ),
    (["arithmetic=1-2", "seeds=0-3"], ["seeds=0-3: has no effect on arithmetic=1-2: leave it out"]),
    (
        ["arithmetic=12"],
        ["arithmetic=12: must be sums and differences of seeds, such as 12-7+31 or (1,2,3)-(4,5,6)+(7,8,9)"],
    ),
    (["morph=true", "ema=false"], ["ema=false: has no effect on morph=true: leave it out"]),
    (["export=onnx", "format=png"], ["format=png: has no effect on export=onnx: leave it out"]),
    (
        ["project=gone.png"],
        ["project=gone.png: no such file: give a picture, a folder or zip of them, or 'photos/*.jpg'"],
    ),
    (["project=taken"], ["project=taken: cannot be read (no kind of picture that is read here*"]),
    (["project=a.png", "out=a.png"], ["out=a.png: is project=a.png itself, or beside it: give another name"]),
    (["project=a.png", "truncation=0.5"], ["truncation=0.5: has no effect on project=a.png: leave it out"]),
    (["project=a.png", "encoder=alone"], ["encoder=alone: model=gan has no encoder here: leave it out"]),
    (["project=a.png", "directions=3"], ["directions=3: cannot go with project=a.png: leave one out"]),
    (["project=a.png", "features=none", "feature_weight=1"], ["feature_weight=1.0: has no effect on features=none*"]),
    (["project=a.png", "feature_weight=2"], ["feature_weight=2: must be at most 1.0"]),
    (["restarts=3"], ["restarts=3: has no effect on single pictures: leave it out"]),
    (["directions=0"], ["directions=0: must be at least 1"]),
    (["directions=5"], ["directions=5: a latent of this generator has 4 numbers: at most 4"]),
    (["directions=3:3"], ["directions=3:3: needs different classes on both sides: write from:to*"]),
    (["directions=3:cat"], ["directions=3:cat: must be whole numbers and ranges*"]),
    (["directions=3", "sigmas=0"], ["sigmas=0: must be greater than 0.0"]),
    (["directions=3:8", "method=weights"], ["method=weights: has no effect on directions=3:8: leave it out"]),
    (["latents=gone.npy"], ["latents=gone.npy: no such file: give a .npy file of numbers, (n, 4)"]),
    (["latents=taken"], ["latents=taken: is no .npy file that can be read (*"]),
    (["latents=gone.npy", "n=3"], ["n=3: the latents are given already, latents=gone.npy: leave one out"]),
    (["out=a.jpg"], ["out=a.jpg: must end in .png, or be a folder: out=a.png"]),
    (["out=a.npz"], ["out=a.npz: must end in .png, or be a folder: out=a.png, or format=npz"]),
    (["out=a.png", "format=png"], ["out=a.png: format=png writes a file for each sample: give a folder"]),
    (
        ["out=taken/a.png"],
        ["out=taken/a.png: cannot be written (File exists): give another, out=PATH"],
    ),
    (["device=cuda:99"], ["device=cuda:99: this machine has {devices} CUDA devices: use device=auto"]),
]


@pytest.mark.parametrize(("typed", "expected"), MISTAKES, ids=lambda words: words[0].split(":")[0])
def test_a_mistake_is_one_line_and_writes_nothing(gan_sample, trained, typed, expected):
    folder = trained(*TINY_MLP)
    Path("taken").touch()
    before = sorted([*folder.rglob("*"), *Path().rglob("*")])
    result = gan_sample(f"checkpoint={folder}", *typed)
    assert result.code == 2
    expected = [line.format(devices=torch.cuda.device_count()) for line in expected]
    assert len(result.lines) == len(expected)
    for said, line in zip(result.lines, expected, strict=True):
        assert said.startswith(line[:-1]) if line.endswith("*") else said == line
    assert sorted([*folder.rglob("*"), *Path().rglob("*")]) == before


def test_files_that_hold_no_latents_are_refused(gan_sample, trained):
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save("nan.npy", np.full((2, 4), np.nan))
    np.save("wide.npy", np.zeros((2, 5)))
    np.savez("several.npz", np.zeros((2, 4)))
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000, 4), }".ljust(117) + b"\n"
    Path("torn.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + head)
    for name, expected in {
        "objects.npy": "is no .npy file that can be read (",
        "nan.npy": "holds numbers that are not finite",
        "wide.npy": "is 2 × 5, and latents of this generator are (n, 4)",
        "several.npz": "holds no array of numbers: give one, (n, 4)",
        "torn.npy": "is no .npy file that can be read (",
    }.items():
        result = gan_sample(f"checkpoint={trained(*TINY_MLP)}", f"latents={name}", "out=here.png")
        assert (result.code, len(result.lines), Path("here.png").exists()) == (2, 1, False)
        assert result.lines[0].startswith(f"latents={name}: {expected}")


def test_what_a_generator_cannot_draw_is_refused(gan_sample, trained):
    conditional, points = trained(*TINY_MLP, "conditional=true"), trained(*TINY_POINTS)
    uniform = trained(*TINY_MLP, "prior=uniform")
    for folder, typed, expected in [
        (conditional, ["label=99"], "label=99: 99 is out of range: the labels are 0 to 9"),
        (conditional, ["arithmetic=1-2"], "label: is missing: the pictures of arithmetic=… share one, such as label=0"),
        (points, ["format=png"], "format=png: is for pictures, and this generator makes points: leave it out"),
        (points, ["captions=true"], "captions=true: is for pictures, and this generator makes points: leave it out"),
        (points, ["interpolation=linear"], "interpolation=linear: is for pictures, and this generator makes points: "),
        (
            uniform,
            ["interpolation=spherical"],
            "interpolation=spherical: leaves the cube of prior=uniform: use interpo",
        ),
    ]:
        result = gan_sample(f"checkpoint={folder}", *typed, "out=here")
        assert result.code == 2
        assert [line[: len(expected)] for line in result.lines] == [expected]
        assert not Path("here").exists()


def test_a_checkpoint_that_is_not_there_is_named(gan_sample):
    for typed, expected in [
        (
            "latest",
            f"checkpoint=latest: there is no run with checkpoints under {Path.cwd()}/outputs: "
            "give its folder, checkpoint=PATH",
        ),
        ("gone", "checkpoint=gone: no such file or folder: give a run folder, a checkpoint, or latest"),
        (".", f"checkpoint={Path.cwd()}: has no checkpoints: give the folder of a run, such as outputs/<date>/<time>"),
        ("null", "checkpoint: is missing: checkpoint=RUN_FOLDER, a checkpoint in it, or latest"),
    ]:
        result = gan_sample(f"checkpoint={typed}")
        assert (result.code, result.lines) == (2, [expected])
    with pytest.raises(ValueError, match="path=latest: there is no run"):
        gan_cli.load("latest")


def test_a_missing_package_is_one_line(gan_sample, trained, monkeypatch):
    monkeypatch.setattr(keys, "find_spec", lambda name: None)
    for typed, expected in [
        (["morph=true", "format=mp4"], "format=mp4: needs imageio-ffmpeg: pip install 'gan-cli[video]'"),
        (["export=onnx"], "export=onnx: needs onnx and onnxscript: pip install 'gan-cli[export]'"),
        (["export=safetensors"], "export=safetensors: needs safetensors: pip install 'gan-cli[export]'"),
        (["export=hub"], "export=hub: needs safetensors: pip install 'gan-cli[export]'"),
    ]:
        result = gan_sample(f"checkpoint={trained(*TINY_MLP)}", *typed)
        assert (result.code, result.lines) == (2, [expected])


def test_samples_that_are_not_finite_are_refused(gan_sample, trained):
    folder = shutil.copytree(trained(*TINY_MLP), "run")
    path = max((Path(folder) / "checkpoints").iterdir())
    state = torch.load(path, weights_only=True)
    for tensor in (state["ema"] or state["networks"]["generator"]).values():
        tensor.fill_(float("nan"))
    torch.save(state, path)
    for form in ("grid", "png"):
        result = gan_sample("checkpoint=run", f"format={form}")
        assert result.code == 2
        assert result.lines[0].startswith("checkpoint=run: its samples at step 2 are not finite, training diverged")
        assert not Path("run/generated").exists()


@pytest.mark.parametrize("n", ["a", 1.5, 0, None])
def test_load_refuses_what_is_no_number_of_samples(trained, n):
    with pytest.raises(ValueError, match="must be a whole number of samples"):
        gan_cli.load(trained(*TINY_MLP)).sample(n)


def test_numbers_and_sums_are_read_as_they_are_written():
    assert numbers("3,7,10-12") == numbers(" 3, 7, 10 - 12 ") == numbers("[3,7,10-12]") == [3, 7, 10, 11, 12]
    assert terms("12-7+31") == [Term(1, [12]), Term(-1, [7]), Term(1, [31])]
    assert terms("(1, 2)-(4-6)") == [Term(1, [1, 2]), Term(-1, [4, 5, 6])]
    for wrong in ("", "-3", "1.5", "3,,4", "3-", "a", "1e3"):
        with pytest.raises(ValueError, match="must be whole numbers"):
            numbers(wrong)
    for wrong in ("12", "1+", "+1-2", "(1,2", "1*2", "((1))-2"):
        with pytest.raises(ValueError, match="sums and differences"):
            terms(wrong)


def test_a_mistaken_command_is_refused_without_torch():
    program = (
        "import sys; from gan_cli.commands.sampling.keys import SAMPLING\ntry: SAMPLING.main(['checkpoint=x', 'n=0'])\n"
    )
    program += "except ValueError: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
