"""Promise 1: N steps, or k steps, a kill, and a resume, end in the same bytes."""

from __future__ import annotations

import io
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from conftest import (
    TINY_DCGAN,
    TINY_MLP,
    TINY_POINTS,
    TINY_PROGRESSIVE,
    TINY_R3GAN,
    TINY_RESNET,
    TINY_SIGNALS,
    TINY_TABLE,
    assert_same_run,
    metrics_in,
    run_folder,
    state_in,
    tensors,
)
from PIL import Image

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint
from gan_cli.runs.running import Running

CASES = {
    "mlp-adam": (*TINY_MLP, "optimizer=adam"),
    "mlp-sgd-simultaneous-rising-momentum": (
        *TINY_MLP,
        "optimizer=sgd",
        "optimizer.lr=0.01",
        "optimizer.final_momentum=0.7",
        "optimizer.momentum_steps=10",
        "updates=simultaneous",
    ),
    "mlp-rmsprop-k2-minimax": (*TINY_MLP, "optimizer=rmsprop", "discriminator.steps=2", "loss=minimax"),
    "dcgan-adam-k2-flip": (*TINY_DCGAN, "discriminator.steps=2", "dataset.flip=true"),
    "dcgan-adamw-cosine": (
        *TINY_DCGAN,
        "optimizer=adamw",
        "schedule=cosine",
        "schedule.duration=13",
        "schedule.warmup=4",
        "prior=uniform",
    ),
    "dcgan-simultaneous-k2-g2": (
        *TINY_DCGAN,
        "updates=simultaneous",
        "discriminator.steps=2",
        "generator.steps=2",
        "optimizer=rmsprop",
    ),
    "dcgan-sgd-spectral-conditional": (
        *TINY_DCGAN,
        "optimizer=sgd",
        "optimizer.lr=0.01",
        "architecture.discriminator.norm=spectral",
        "conditional=true",
    ),
    "mlp-maximum-likelihood-conditional": (*TINY_MLP, "loss=maximum_likelihood", "conditional=true", "ema_half_life=0"),
    "dcgan-bf16": (*TINY_DCGAN, "precision=bf16"),
    "dcgan-relativistic-r1-r2-annealed": (
        *TINY_DCGAN,
        "loss=relativistic",
        "penalty=[r1,r2]",
        "penalty.r1.final_weight=0.1",
        "penalty.r1.anneal_images=80",
        "penalty.r2.interval=3",
    ),
    "mlp-wgan-gp-optimistic": (
        *TINY_MLP,
        "loss=wasserstein",
        "loss.clip=0",
        "penalty=gradient_penalty",
        "updates=optimistic",
        "discriminator.steps=2",
    ),
    "dcgan-hinge-augment-noise-extragradient": (
        *TINY_DCGAN,
        "loss=hinge",
        "augment=[color,translation,cutout]",
        "instance_noise.sigma=0.1",
        "instance_noise.images=60",
        "updates=extragradient",
        "architecture.discriminator.minibatch_std=true",
    ),
    "dcgan-adaptively-augmented": (
        *TINY_DCGAN,
        "augment=[blit,geometric,ada_color]",
        *("augmentation.target=0.2", "augmentation.probability=0.5", "augmentation.adapt_images=500"),
    ),
    "mlp-augmented-more-and-more": (
        *TINY_MLP,
        "augment=[blit,cutout]",
        *("augmentation.probability=0.2", "augmentation.final_probability=0.9", "augmentation.anneal_images=90"),
    ),
    "progressive-wgan-gp": (
        *TINY_PROGRESSIVE,
        "loss=wasserstein",
        "loss.clip=0",
        "loss.drift=0.01",
        "penalty=gradient_penalty",
        "batch_size={0:8,64:4}",
    ),
    "mlp-packed-dragan-least-squares": (*TINY_MLP, "pack=2", "penalty=dragan", "loss=least_squares"),
    "dcgan-feature-matching-consistency": (*TINY_DCGAN, "loss=feature_matching", "penalty=consistency"),
    "mlp-wgan-clipped": (*TINY_MLP, "loss=wasserstein", "optimizer=rmsprop"),
    "mlp-relativistic-average": (*TINY_MLP, "loss=relativistic_average"),
    "mlp-guarded": (*TINY_MLP, "guard=rollback", "guard.certain=1", "sample_count=16"),
    "resnet-spectral-conditional": (
        *TINY_RESNET,
        *("architecture.discriminator.norm=spectral", "conditional=true", "loss=hinge", "discriminator.steps=2"),
    ),
    "r3gan-everything-annealed": (
        *(*TINY_R3GAN, "loss=relativistic", "conditional=true", "anneal_images=90", "batch_size={0:8,40:16}"),
        *("penalty=[r1,r2]", "penalty.r1.final_weight=0.1", "penalty.r2.final_weight=0.1"),
        *("optimizer.final_betas=[0.0,0.9]", "ema_half_life=0", "final_ema_half_life=40"),
        *("schedule=cosine", "schedule.unit=images", "schedule.duration=90", "schedule.warmup=20"),
    ),
    "table-by-number": (*TINY_TABLE, "dataset.label=income", "dataset.split=all", "instance_noise.sigma=0.1"),
    "signals-of-two-channels": (*TINY_SIGNALS, "architecture.discriminator.minibatch_std=true", "pack=2"),
    "mlp-f-gan": (*TINY_MLP, "loss=f_gan", "loss.divergence=kl"),
}
WATCHED = ("log_every=3", "sample_every=4", "checkpoint_every=5")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_stopped_and_resumed_is_the_undisturbed_run(gan_train, case):
    assert gan_train(*case, *WATCHED, "steps=13", "hydra.run.dir=whole").code == 0
    assert gan_train(*case, *WATCHED, "steps=7", "hydra.run.dir=parts").code == 0
    # as a kill at step 7 leaves it: the checkpoint of step 5, and lines and pictures beyond it
    Path("parts/checkpoints/step-000000007.pt").unlink()
    with Path("parts/metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "torn')
    Path("parts/samples/step-000000007.png").unlink()
    result = gan_train("resume=parts", "steps=13")
    assert result.code == 0, result.err
    assert_same_run(Path("whole"), Path("parts"))


@pytest.mark.parametrize("case", [CASES["mlp-adam"], CASES["dcgan-adamw-cosine"]], ids=["mlp", "dcgan"])
def test_killed_at_random_moments_is_the_undisturbed_run(spawn, gan_train, case):
    steps = ("steps=400", "log_every=7", "sample_every=50", "checkpoint_every=20")
    assert gan_train(*case, *steps, "hydra.run.dir=whole").code == 0
    process, kills = spawn(*case, *steps, "hydra.run.dir=parts"), 0
    while True:
        while not list(Path("parts/checkpoints").glob("step-*.pt")) and process.poll() is None:
            time.sleep(0.01)
        last = max((p.name for p in Path("parts/checkpoints").glob("step-*.pt")), default="")
        while process.poll() is None and last >= max(p.name for p in Path("parts/checkpoints").glob("step-*.pt")):
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.15))
        if kills == 2 or process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        process = spawn("resume=parts")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert kills > 0
    assert_same_run(Path("whole"), Path("parts"))


def test_first_signal_finishes_the_step_and_saves(spawn_cold, spawn, gan_train):
    for start, number, code in (
        (spawn_cold, signal.SIGINT, 130),
        (spawn, signal.SIGTERM, 143),
        (spawn, signal.SIGHUP, 129),
    ):
        process = start(*TINY_MLP, "steps=100000", "log_every=10", "checkpoint_every=0", f"hydra.run.dir=run{code}")
        until_trained(process, Path(f"run{code}"))
        process.send_signal(number)
        if number == signal.SIGHUP:  # the kernel and the shell send one each
            process.send_signal(number)
        _, err = process.communicate(timeout=600)
        assert process.returncode == code
        assert "Traceback" not in err
        assert '"status": "interrupted"' in Path(f"run{code}/status.json").read_text()
        step = state_in(Path(f"run{code}"))["step"]
        assert 0 < step < 100000
        assert gan_train(f"resume=run{code}", f"steps={step + 15}").code == 0
        steps = [record["step"] for record in metrics_in(Path(f"run{code}"))]
        assert steps == sorted(set(steps))
        assert steps[-1] == step + 15


def until_trained(process, folder: Path) -> None:
    while not (folder / "metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_a_hang_up_that_is_ignored_stays_ignored(spawn_cold):
    """As under nohup."""
    ignores = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    process = spawn_cold(
        *TINY_MLP, "steps=100000", "log_every=10", "checkpoint_every=0", "hydra.run.dir=run", **ignores
    )
    until_trained(process, Path("run"))
    process.send_signal(signal.SIGHUP)
    lines = len(metrics_in(Path("run")))
    while len(metrics_in(Path("run"))) < lines + 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=600)
    assert process.returncode == 143


COPIES = (  # what syncs and file managers leave
    "checkpoints/step-000000009 (1).pt",
    "checkpoints/step-000000009.sync-conflict-20260101-120000-ABC.pt",
    "checkpoints/step-000000009.pt.tmp",
    "checkpoints/step-9.pt",
    "checkpoints/best (1).pt",
    "samples/step-000000009 (1).png",
    "samples/step-00000009.png",
    "samples/step-000000009 copy.png",
    "samples/.step.mine.png",
    "status (1).json",
    "metrics (1).jsonl",
    ".sync.conflict.jsonl",
    ".hydra/resume-1 (1)/overrides.yaml",
    ".hydra/resume-x/overrides.yaml",
    "checkpoints/step-000000009.pt/a folder",
    "samples/step-000000009.png/a folder",
)


def test_copies_beside_the_files_of_a_run_are_nobodys(gan_train, gan_sample):
    keys = ("steps=6", "checkpoint_every=2", "sample_every=2", "log_every=1")
    for run in ("run", "whole"):
        assert gan_train(*TINY_MLP, *keys, f"hydra.run.dir={run}").code == 0
    for name in COPIES:
        file = Path("run", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a copy")
    assert gan_sample("checkpoint=run", "n=4").code == 0
    assert gan_sample("checkpoint=run", "morph=true").code == 0
    result = gan_train("resume=run", "steps=8", "logger=tensorboard")
    assert result.code == 0, result.err
    assert gan_train("resume=whole", "steps=8").code == 0
    result = gan_train("resume=run/checkpoints/step-000000006.pt", "steps=8")
    assert result.code == 0, result.err
    assert [Path("run", name).read_text() for name in COPIES] == ["a copy"] * len(COPIES)
    assert sorted(file.name for file in Path("run/.hydra").glob("resume-?")) == ["resume-1", "resume-2", "resume-x"]
    assert metrics_in(Path("run")) == metrics_in(Path("whole"))
    last = "checkpoints/step-000000008.pt"
    one, other = (tensors(torch.load(Path(run, last), weights_only=True)) for run in ("run", "whole"))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_line_that_cannot_be_read_costs_no_other(gan_train):
    assert gan_train(*TINY_MLP, "steps=4", "log_every=1", "hydra.run.dir=run").code == 0
    lines = Path("run/metrics.jsonl").read_bytes().splitlines(keepends=True)
    Path("run/metrics.jsonl").write_bytes(lines[0] + b"\xff\x00 torn\n[1]\n" + b"".join(lines[2:]) + b'{"step": 5, "lo')
    result = gan_train("resume=run", "steps=6")
    assert result.code == 0
    assert [record["step"] for record in metrics_in(Path("run"))] == [1, 3, 4, 5, 6]
    assert "metrics.jsonl: 2 of its lines before step 4 cannot be read and are gone" in result.err


def test_a_command_that_is_wrong_leaves_what_lay_in_its_folder(gan_train):
    Path("mine/samples").mkdir(parents=True)
    for name in ("mine/thesis.tex", "mine/samples/cat.png"):
        Path(name).write_text("a year")
    result = gan_train("dataset=image_folder", "dataset.path=nowhere", "hydra.run.dir=mine", "steps=1")
    assert result.code == 2
    assert sorted(str(path) for path in Path("mine").rglob("*")) == [
        "mine/samples",
        "mine/samples/cat.png",
        "mine/thesis.tex",
    ]


def test_a_folder_without_a_name_is_the_one_it_stands_for(gan_train, gan_sample, monkeypatch):
    assert gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=run").code == 0
    monkeypatch.chdir("run/checkpoints")
    assert gan_sample("checkpoint=.", "n=4", "out=new.folder/").code == 0
    assert [file.suffix for file in Path("new.folder").iterdir()] == [".png"]
    result = gan_train("resume=step-000000002.pt", "steps=3")
    assert result.code == 0, result.err
    assert Path("step-000000003.pt").is_file()


def test_latest_is_the_run_that_was_trained_last(gan_train):
    assert gan_train(*TINY_MLP, "steps=3").code == 0
    first = run_folder()
    assert gan_train(*TINY_MLP, "steps=2", "seed=1").code == 0
    assert gan_train(f"resume={first}", "steps=4").code == 0
    assert gan_train("resume=latest", "steps=6").code == 0
    assert state_in(first)["step"] == 6
    assert (first / ".hydra" / "overrides.yaml").read_text() == "".join(f"- {k}\n" for k in (*TINY_MLP, "steps=3"))
    assert (first / ".hydra" / "resume-2" / "overrides.yaml").exists()
    assert gan_train(*TINY_MLP, "steps=4", "checkpoint_every=2", "hydra.run.dir=outputs/named").code == 0
    assert gan_train("resume=outputs/named/checkpoints/step-000000002.pt", "steps=3").code == 0
    assert gan_train("resume=latest", "steps=7").code == 0
    assert state_in(Path("outputs/named"))["step"] == 7


def test_latest_passes_over_a_checkpoint_that_is_deleted_meanwhile(gan_train, monkeypatch):
    assert gan_train(*TINY_MLP, "steps=1").code == 0
    listed = checkpoint.numbered
    gone = {7: Path("outputs/none/checkpoints/step-000000007.pt")}
    monkeypatch.setattr(checkpoint, "numbered", lambda *place: {**listed(*place), **gone})
    assert list(checkpoint.runs_by_age()) == [run_folder()]


def test_another_number_of_threads_is_told(gan_train, trained):
    run = Path(shutil.copytree(trained(*TINY_MLP), "run"))
    state, told = state_in(run), "from here, which round otherwise"
    assert state["threads"] == torch.get_num_threads() == 1
    assert told not in gan_train("resume=run", "steps=3").err
    checkpoint.save({**state_in(run), "threads": 5}, run / "checkpoints/step-000000003.pt")
    result = gan_train("resume=run", "steps=4")
    assert result.code == 0, result.err
    assert (
        "threads: 5 until now, and 1 from here, which round otherwise; the same bits need OMP_NUM_THREADS=5"
        in result.err
    )
    assert told not in gan_train("resume=run", "steps=5").err


def test_an_older_checkpoint_can_be_resumed_and_nothing_is_lost(gan_train):
    assert gan_train(*TINY_MLP, "steps=6", "checkpoint_every=2", "keep_checkpoints=5", "hydra.run.dir=run").code == 0
    result = gan_train("resume=run/checkpoints/step-000000002.pt", "generator.lr=1e-3", "log_every=1")
    assert result.code == 0, result.err
    assert Path("run/abandoned/checkpoints/step-000000004.pt").exists()
    assert state_in(Path("run"))["config"]["generator"]["lr"] == 1e-3
    assert [record["step"] for record in metrics_in(Path("run"))] == [3, 4, 5, 6]


def ended(*_):
    raise KeyboardInterrupt


def test_a_kill_after_another_file_than_a_runs_checkpoints_is_resumed_loses_no_run(gan_train, monkeypatch):
    keys = (*TINY_MLP, "steps=6", "checkpoint_every=2", "keep_checkpoints=5", "hydra.run.dir=outputs/run")
    assert gan_train(*keys).code == 0
    places = Path("outputs/run/checkpoints")
    whole = state_in(places.parent)
    (places / "step-000000002.pt").rename(places / "best.pt")
    with monkeypatch.context() as patch:
        patch.setattr(Running, "_train", ended)  # before there is another checkpoint
        assert gan_train(f"resume={places / 'best.pt'}").code == 130
    assert state_in(places.parent)["step"] == 2
    result = gan_train("resume=latest")
    assert result.code == 0, result.err
    assert "continuing outputs/run from step 2" in result.err
    ours, theirs = tensors(state_in(places.parent)), tensors(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs if not name.startswith("log"))


def test_a_best_checkpoint_of_another_future_is_taken_away(gan_train):
    assert gan_train(*TINY_MLP, "steps=4", "checkpoint_every=2", "hydra.run.dir=run").code == 0
    Path("run/checkpoints/step-000000004.pt").rename("run/checkpoints/best.pt")  # as if killed before its checkpoint
    result = gan_train("resume=run", "generator.lr=1e-3")
    assert result.code == 0, result.err
    assert "best.pt: of later steps, or cannot be read: moved to run/abandoned" in result.err
    assert not Path("run/checkpoints/best.pt").exists()
    assert Path("run/abandoned/checkpoints/best.pt").exists()


def test_pictures_after_the_last_checkpoint_are_drawn_again_or_go(gan_train):
    keys = (*TINY_MLP, "steps=6", "checkpoint_every=4", "sample_every=1", "hydra.run.dir=run")
    assert gan_train(*keys).code == 0
    Path("run/checkpoints/step-000000006.pt").unlink()  # as if killed at the end
    assert gan_train("resume=run", "sample_every=0").code == 0
    steps = sorted(int(path.stem[5:]) for path in Path("run/samples").glob("step-*.png"))
    assert steps == [1, 2, 3, 4, 6]
    assert not Path("run/abandoned").exists()


DAMAGES = {
    "torn": lambda content: content[:1000],
    "a bit of the weights": lambda content: flipped(content, 8 * content.index(b"data/0FB") + 8001),
    "a bit of a name": lambda content: flipped(content, 8 * content.index(b"weight_decay") + 3),
    "a bit of the checksum": lambda content: flipped(content, 8 * len(content) - 100),
    "a bit of the mark": lambda content: flipped(content, 8 * content.rindex(b"sha256")),
    "a bit of the length of the mark": lambda content: flipped(content, 8 * (content.rindex(b"gan-train: ") - 2)),
    "a page of zeros": lambda content: content[:4096] + bytes(4096) + content[8192:],
    "the end again": lambda content: content + content[-200:],
}


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(gan_train, trained, damage):
    run = Path(shutil.copytree(trained(*TINY_MLP, "steps=6", "checkpoint_every=3"), "run"))
    path = run / "checkpoints/step-000000006.pt"
    whole = state_in(run)
    path.write_bytes(damage(path.read_bytes()))
    named = gan_train(f"resume={path}", "steps=7")
    assert (named.code, len(named.errors)) == (2, 1)
    assert "step-000000006.pt: not a readable checkpoint (" in named.errors[0]
    result = gan_train("resume=run")
    assert result.code == 0, result.err
    assert "step-000000006.pt: of later steps, or cannot be read: moved to run/abandoned" in result.err
    ours, theirs = tensors(state_in(run)), tensors(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("written_by", ["today", "before there were checksums"])
def test_no_altered_bit_of_a_checkpoint_is_believed(trained, written_by):
    """Bits all over the file; of one without a checksum, those that say nothing may differ."""
    content = (trained(*TINY_MLP) / "checkpoints/step-000000002.pt").read_bytes()
    path = Path("step-000000002.pt")
    if written_by != "today":
        torch.save(torch.load(io.BytesIO(content), weights_only=True), path)
        content = path.read_bytes()
    path.write_bytes(content)
    whole, draw = checkpoint.load(path), random.Random(0)
    places = [*draw.sample(range(8 * len(content)), 60), *range(8 * len(content) - 60, 8 * len(content))]
    for bit in places:
        path.write_bytes(flipped(content, bit))
        try:
            found = checkpoint.load(path)
        except UserError:
            continue
        assert written_by != "today", f"bit {bit}"
        assert repr(found) == repr(whole), f"bit {bit}"


REFUSED = {
    "architecture.width=8": "architecture.width=8: the checkpoint has 4",
    "dataset.size=16": "dataset.size=16: the checkpoint has 8",
    "optimizer=sgd": "optimizer=sgd: the checkpoint has adam",
    "prior.size=5": "prior.size=5: the checkpoint has 4",
    "architecture=mlp": "architecture=mlp: the checkpoint has dcgan",
    "conditional=true": "conditional=true: the checkpoint has false",
    "steps=3": "is at step 3 of 3: nothing left to train; to train longer: steps=6",
    "experiment=ring": "experiment: is a whole preset",
    "stepz=9": "stepz=9: no such key",
    "discriminator.steps=2": "discriminator.steps=2: the checkpoint has 1, by which its images are counted",
    "batch_size=-1": "batch_size=-1: must be at least 1",
}


def test_what_the_weights_cannot_follow_is_refused_with_the_differences(gan_train):
    assert gan_train(*TINY_DCGAN, "steps=3", "hydra.run.dir=run").code == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    for override, message in REFUSED.items():
        result = gan_train("resume=run", "steps=9", override)
        assert result.code == 2
        assert len(result.errors) == 1
        assert message in result.errors[0]
    both = gan_train("resume=run", "steps=9", "architecture.width=8", "dataset.size=16")
    assert len([e for e in both.errors if "the checkpoint has" in e]) >= 2
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_a_resumption_that_is_refused_leaves_no_trace_of_its_command(gan_train):
    Path("cats").mkdir()
    for i in range(8):
        Image.new("L", (8, 8), 30 * i).save(f"cats/{i}.png")
    data = ("dataset=image_folder", "dataset.path=cats", "dataset.limit=0", "checkpoint_every=1")
    assert gan_train(*TINY_MLP, *data, "steps=1", "hydra.run.dir=run").code == 0
    Path("cats/labels.csv").write_text("\n".join(["file,who", *(f"{i}.png,{'ab'[i % 2]}" for i in range(8))]))
    result = gan_train("resume=run", "steps=7")
    assert result.code == 2
    (line,) = result.errors
    assert "its labels are not those the checkpoint was trained on: now classes a, b, then none: point" in line
    assert not list(Path("run/.hydra").glob("resume-*"))  # or a report would say that this trained it
    Path("cats/labels.csv").unlink()
    assert gan_train("resume=run", "steps=2").code == 0
    assert [path.name for path in Path("run/.hydra").glob("resume-*")] == ["resume-1"]
    for key in ("conditioning=projection", "pack=2"):
        (line,) = gan_train("resume=run", "steps=3", key).errors
        assert key in line


def test_typed_keys_override_the_saved_config_and_the_others_stay(gan_train):
    assert gan_train(*TINY_DCGAN, "steps=3", "log_every=1", "optimizer.lr=1e-3", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "steps=5", "optimizer.lr=5e-4", "loss=minimax").code == 0
    config = state_in(Path("run"))["config"]
    assert (config["steps"], config["log_every"], config["batch_size"]) == (5, 1, 8)
    assert config["discriminator"]["lr"] == config["generator"]["lr"] == 5e-4
    assert config["loss"]["name"] == "minimax"
    assert [record["lr/generator"] for record in metrics_in(Path("run"))] == [1e-3] * 3 + [5e-4] * 2


def test_a_penalty_that_a_resumed_run_takes_up_is_as_its_file_says_and_those_it_has_stay(gan_train):
    assert gan_train(*TINY_MLP, "steps=1", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "steps=2", "penalty=r1", "penalty.r1.weight=0.5").code == 0
    assert state_in(Path("run"))["config"]["penalty"]["r1"]["interval"] == 1  # the default run's is 8
    assert gan_train("resume=run", "steps=3", "penalty=[r1,r2]").code == 0
    found = state_in(Path("run"))["config"]["penalty"]
    assert (found["r1"]["weight"], found["r2"]["weight"]) == (0.5, 10)


def test_values_that_are_measured_otherwise_are_not_compared_with_those_before(gan_train):
    keys = ("metrics=[modes]", "watch=mode_kl", "evaluate_every=0", "evaluate_count=50")
    assert gan_train(*TINY_POINTS, *keys, "steps=1", "hydra.run.dir=run").code == 0
    state = state_in(Path("run"))
    state["evaluations"]["best"] = -5.0  # better than any
    checkpoint.save(state, Path("run/checkpoints/step-000000001.pt"))
    shutil.copytree("run", "other")
    assert gan_train("resume=run", "steps=2").code == 0
    assert state_in(Path("run"))["evaluations"]["best"] == -5
    result = gan_train("resume=other", "steps=2", "evaluate_count=40")
    assert result.code == 0, result.err
    assert "mode_kl is measured with another evaluate_count than before: its best begins anew" in result.err
    assert state_in(Path("other"))["evaluations"]["best"] != -5


def test_paths_need_no_quotes_beyond_the_shells(gan_train, monkeypatch):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=~/a dir, x=1/run (2)").code == 0
    assert gan_train("resume=a dir, x=1/run (2)", "steps=3").code == 0
    assert gan_train("resume=~/a dir, x=1/run (2)/checkpoints/step-000000003.pt", "steps=4").code == 0
    assert state_in(Path("a dir, x=1/run (2)"))["step"] == 4


def test_keys_that_came_after_a_checkpoint_take_their_defaults_at_any_depth(gan_train):
    assert gan_train(*TINY_MLP, "steps=3", "hydra.run.dir=run").code == 0
    path = Path("run/checkpoints/step-000000003.pt")
    state = torch.load(path, weights_only=True)
    del state["config"]["pack"], state["config"]["prior"]["scale"]
    del state["config"]["architecture"]["discriminator"]["pixels"]
    torch.save(state, path)
    assert gan_train("resume=run", "steps=4").code == 0
    assert state_in(Path("run"))["config"]["architecture"]["discriminator"]["pixels"] == "signed"
