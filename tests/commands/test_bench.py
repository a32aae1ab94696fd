"""gan-bench: its counts against closed forms, a peer of known speed, its table and its mistakes; never its figures."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, setup_of
from torch.nn import functional as F

import gan_cli
from gan_cli.commands.bench import contender, imports
from gan_cli.commands.bench.peer import Peer, PeerCommand
from gan_cli.commands.bench.work import Tally, period, work
from gan_cli.errors import UserError

QUICK = ("--repeats", "2", "--seconds", "0.01")
PEER = """
import sys, time
print("a table of options", flush=True)
for i in range({batches}):
    time.sleep({seconds})
    print({line}, flush=True)
sys.exit({end})
"""
EXAMPLES, PYTORCH_GAN = (
    '"[%d/25][%d/8] Loss_D: 1.38" % (0, i)',
    '"[Epoch %d/200] [Batch %d/938] [D loss: 0.6]" % (0, i)',
)


@pytest.fixture
def script(tmp_path):
    """A training script of somebody else's, that prints a line for each batch."""

    def call(line: str = EXAMPLES, batches: int = 10_000, seconds: float = 0.02, end: str = "0"):
        path = tmp_path / "main.py"
        path.write_text(PEER.format(line=line, batches=batches, seconds=seconds, end=end))
        return path

    return call


def step_flops(g: list[int], d: list[int], k: int = 1) -> int:
    """Of an alternating step whose layers take so many FLOPs forward: 1 for weights' gradients, 1 for inputs'."""
    samples = sum(g)
    discriminator = samples + 2 * sum(d) + 2 * (2 * sum(d) - d[0])  # real and fake; the pictures need no gradient
    generator = (samples + sum(d)) + sum(d) + (2 * samples - g[0])  # D is frozen
    return k * discriminator + generator


B = 8
PROJECT, PICTURE = 2 * B * 4 * 64, 2 * B * 8 * 8 * 4 * 16 // 4  # 4 → 4·4·4; each pixel sees a quarter of the 4×4 kernel
LOOK, JUDGE = 2 * B * 4 * 4 * 4 * 16, 2 * B * 64
MLP_G, MLP_D = [2 * B * 4 * 16, 2 * B * 16 * 64], [2 * B * 64 * 16, 2 * B * 16]
PLAIN = ("architecture.discriminator.activation=leaky_relu",)


@pytest.mark.parametrize(
    ("keys", "flops"),
    [
        (TINY_DCGAN, step_flops([PROJECT, PICTURE], [LOOK, JUDGE])),
        ((*TINY_DCGAN, "discriminator.steps=3"), step_flops([PROJECT, PICTURE], [LOOK, JUDGE], k=3)),
        ((*TINY_DCGAN, "precision=bf16"), step_flops([PROJECT, PICTURE], [LOOK, JUDGE])),
        ((*TINY_MLP, *PLAIN), step_flops(MLP_G, MLP_D)),
    ],
)
def test_flops_of_a_step_are_those_of_the_closed_form(keys, flops):
    assert work(setup_of("device=cpu", *keys)).flops == flops


@pytest.mark.parametrize(
    ("game", "mflop"),
    [
        (("examples_dcgan", "reuse_fakes=false"), 2484),
        (("examples_dcgan_32", "reuse_fakes=false"), 410.4),
        (("pytorch_gan", "reuse_fakes=false"), 18.92),
        (("pytorch_gan",), 15.92),
        (("pytorch_gan_dcgan", "reuse_fakes=false"), 930.2),
        (("pytorch_gan_dcgan",), 700.9),
    ],
    ids=str,
)
def test_the_games_of_peers_take_the_arithmetic_that_their_presets_say(game, mflop):
    name, *keys = game
    size = 28 if name == "pytorch_gan" else 64 if name == "examples_dcgan" else 32
    shipped = ("dataset=digits", f"dataset.size={size}", "dataset.limit=16")
    peers = Path(gan_cli.__file__).with_name("bench") / "peers"
    setup = setup_of("--config-dir", str(peers), "device=cpu", f"experiment={name}", *shipped, "batch_size=4", *keys)
    assert work(setup).flops / 4 == pytest.approx(mflop * 1e6, rel=1e-3)


def test_a_penalty_counts_with_its_double_backward_pass_as_often_as_it_is_due():
    # forward, slope, and the slope's own gradients: along the way it came, and along the way forward
    slope = 6 * MLP_D[0] + 3 * MLP_D[1]
    setup = setup_of("device=cpu", *TINY_MLP, *PLAIN, "penalty=r1", "penalty.r1.interval=6", "discriminator.steps=2")
    assert period(setup) == 3
    assert work(setup).flops == pytest.approx(step_flops(MLP_G, MLP_D, k=2) + slope / 3)


def test_bytes_are_inputs_read_and_outputs_written():
    x, y = torch.ones(100), torch.ones(100)
    with Tally() as tally:
        x.add_(y)  # two read, one written
        x.view(10, 10).t()  # nothing
        F.linear(x.view(10, 10), y.view(10, 10))
    assert tally.bytes == 3 * 400 + 3 * 400
    assert tally.flops == 2 * 10**3


def test_the_bench_prints_a_table_and_writes_its_numbers(gan_bench, tmp_path):
    result = gan_bench(*TINY_MLP, *QUICK, "--out", "made/bench.json")
    assert result.code == 0
    assert "images/s" in result.out
    assert "share of the better peak" in result.out
    written = json.loads((tmp_path / "made" / "bench.json").read_text())
    (row,) = written["rows"]
    assert written["threads"] == 1
    assert written["versions"]["torch"] == torch.__version__
    assert row["config"]["batch_size"] == 8
    assert len(row["images_per_second"]["all"]) == 2
    for key in ("flops_per_step", "bytes_per_step", "share_of_peak", "share_of_copy", "share_waiting_for_data"):
        assert row[key] > 0
    assert 0 < row["images_per_second"]["low"] <= row["images_per_second"]["median"]


def test_every_combination_of_compared_values_has_a_row_and_a_ratio(gan_bench):
    compare = ("--compare", "deterministic=false,true", "--compare", "precision=fp32,bf16")
    assert gan_bench(*TINY_MLP, *QUICK, *compare, "--out", "b.json").code == 0
    rows = json.loads(Path("b.json").read_text())["rows"]
    assert [row["name"] for row in rows] == [
        f"deterministic={value} precision={precision}" for value in ("false", "true") for precision in ("fp32", "bf16")
    ]
    assert [row["dtype"] for row in rows] == ["float32", "bfloat16"] * 2
    assert rows[0]["ratio"] == {"median": 1, "low": 1, "high": 1}


def test_each_variant_runs_under_its_own_switches_of_torch(gan_bench, monkeypatch):
    seen = []
    play = contender.play

    def spy(*args, **kwargs):
        seen.append(torch.are_deterministic_algorithms_enabled())
        play(*args, **kwargs)

    monkeypatch.setattr(contender, "play", spy)
    assert gan_bench(*TINY_MLP, *QUICK, "--compare", "deterministic=true,false").code == 0
    assert seen[-8:] == [True, True, False, False] * 2  # a turn, and the wait for data


@pytest.mark.parametrize("line", [EXAMPLES, PYTORCH_GAN])
def test_a_peer_of_known_speed_is_measured_at_it(script, line):
    command = PeerCommand.parse(f"{script(line, seconds=0.05)} --batch_size 64")
    with Peer(command, threads=1, gpu=False) as peer:
        rate = peer.turn(0.3)
    assert 0.5 * 64 / 0.05 < rate <= 64 / 0.05
    assert peer._process.poll() is not None


def test_a_peer_rests_while_it_is_not_its_turn(script):
    with Peer(PeerCommand.parse(f"{script()} --batchSize=1"), threads=1, gpu=False) as peer:
        peer.turn(0.05)
        time.sleep(0.1)
        waiting = peer._batches.qsize()
        time.sleep(0.2)
        assert peer._batches.qsize() == waiting


def test_the_ratio_is_to_the_peer(gan_bench, script):
    assert gan_bench(*TINY_MLP, *QUICK, "--peer", f"{script()} --batchSize 64", "--out", "b.json").code == 0
    peer, ours = json.loads(Path("b.json").read_text())["rows"]
    assert peer["batch_size"] == 64
    assert ours["ratio"]["median"] == ours["images_per_second"]["median"] / peer["images_per_second"]["median"]


MISTAKES = [
    ("stepz=3", "stepz=3: no such key (did you mean 'steps'?)"),
    ("resume=latest", "resume=latest: has no effect on the speed of a step: leave it out"),
    ("dry_run=true", "dry_run=true: has no effect"),
    ("sweep=lr", "sweep=lr: has no effect"),
    ("hydra.run.dir=x", "hydra.run.dir=x: has no effect"),
    ("devices=2", "devices=2: gan-bench times one process"),
    ("-m", "-m: is for gan-train"),
    ("--cfg job", "--cfg: is for gan-train"),
    ("--repeat 3", "--repeat: no such flag"),
    ("--repeats 1", "--repeats: 1: must be a whole number, at least 2"),
    ("--seconds 0", "--seconds: 0: must be a number of seconds greater than 0"),
    ("--repeats 3 --until frechet<=1", "--repeats 3: of a step's turns, and --until has none: give --seeds"),
    ("--seeds 3", "--seeds 3: of trainings to a quality: add --until"),
    ("--seeds 0 --until frechet<=1", "--seeds: 0: must be a whole number, at least 1"),
    ("--until frechet", "--until frechet: is no value, <= or >=, and a number: --until 'frechet<=10' (in quotes"),
    ("--until <=10", "--until <=10: at most or at least? --until 'frechet<=10'"),
    ("--until frechet=10", "--until frechet=10: at most or at least? --until 'frechet<=10' or 'frechet>=10'"),
    ("--until modes==8", "--until modes==8: at most or at least? --until 'modes<=10' or 'modes>=10'"),
    ("--until frechet<=ten", "--until frechet<=ten: ten: must be a number"),
    ("--until frechet<=30,,5", "--until frechet<=30,,5: nothing: must be a number"),
    ("--until frechet<=nan", "--until frechet<=nan: nan: must be a number"),
    ("--until frechet<=1 resume=latest", "resume=latest: has no effect on the training until then"),
    ("--until frechet<=1 patience=2 metrics=frechet watch=frechet", "patience=2: has no effect on the training until"),
    ("--until frechet<=1 --compare seed=0,1", "--compare seed=0,1: --until takes seed, seed + 1, …: give --seeds"),
    ("experiment=ring ensemble=4", "ensemble=4: gan-bench times one seed at a time"),
    ("--peer notes.txt=4 --peer x", "--peer x: one script at a time"),
    ("--waits first_step,lunch", "--waits first_step,lunch: lunch: no such wait: choose of first_step, evaluate"),
    ("--waits job steps=3", "steps=3: has no effect on --waits"),
    ("--waits job --seconds 2", "--seconds 2: has no effect on --waits"),
    ("--waits job --seeds 2", "--seeds 2: has no effect on --waits"),
    ("--until frechet<=1 --seconds 2", "--seconds 2: of a peer's turns, and there is no --peer: leave it out"),
    ("--before .", "--before .: another checkout, whose waits are compared: add --waits"),
    ("--waits job --before notes.txt", "--before notes.txt: is no checkout of this program"),
    ("--seconds soon", "--seconds: soon: must be a number"),
    ("--out .", "--out .: is a folder"),
    ("--out notes.txt/b.json", "--out notes.txt/b.json: cannot be written"),
    ("precision=fp32,bf16", "precision=fp32,bf16: several values make a sweep"),
    ("--compare precision=fp32", "--compare precision=fp32: compares one value with nothing"),
    ("--compare precision=fp32,fp8", "precision=fp8: must be one of"),
    ("--compare lr=1,2", "lr=1: no such key"),
    ("--compare loss=hinge,minmax", "loss=minmax: no such option (did you mean 'minimax'?)"),
    ("--compare", "--compare: expected one argument"),
    ("loss=hinge --compare loss=hinge,minimax", "loss=hinge: is compared too: leave one out"),
    ("--peer nowhere.py", "--peer nowhere.py: no such script"),
    ("--config-dir nowhere", "nowhere: no such folder"),
]


@pytest.mark.parametrize(("arguments", "line"), MISTAKES)
def test_a_mistake_is_one_line(gan_bench, arguments, line):
    Path("notes.txt").write_text("a file is no folder")
    result = gan_bench(*arguments.split())
    assert result.code == 2
    first = result.err.splitlines()[0]
    assert first.startswith("gan-bench: error: ")
    assert line in first


def test_a_mistaken_flag_of_the_measure_of_imports_is_one_line():
    with pytest.raises(UserError, match=r"^--size: invalid int value: 'x': python -m gan_cli\.bench\.imports --help$"):
        imports.main(["--size", "x"])


@pytest.mark.parametrize(
    ("words", "options", "line"),
    [
        ("--epochs 3", {}, "images per batch? Add its own argument, such as --batchSize 64"),
        ("--batchSize 8", {"batches": 4}, "too few batches: let it train for more epochs"),
        ("--batchSize 8", {"batches": 1, "end": "'no data here'"}, "exit code 1: no data here"),
    ],
)
def test_a_peer_that_cannot_be_timed_is_one_line(gan_bench, script, words, options, line):
    result = gan_bench(*TINY_MLP, *QUICK, "--peer", f"{script(**options)} {words}")
    assert result.code == 2
    (error,) = result.err.splitlines()
    assert line in error
