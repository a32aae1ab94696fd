"""Training that goes wrong: it is said, it ends with what can be done, or it goes back and on, whatever kills it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
from conftest import TINY_MLP, TINY_POINTS, assert_same_run, metrics_in, setup_of, state_in, tensors
from tape import Tape

from gan_cli import cli
from gan_cli.config.library import Library
from gan_cli.errors import Diverged
from gan_cli.runs import running
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.guard.guard import Guard
from gan_cli.runs.guard.policies import GUARD
from gan_cli.runs.guard.signs import Kept
from gan_cli.training.capture import Recorder

EXPLODING = """
import torch
from gan_cli.losses import build
from gan_cli.random import key, played


class Exploding:
    '''Not a number in G's move at one step, in the first so many attempts: told by what is drawn from there.'''

    def __init__(self, step: int, attempts: int):
        self.game = build("non_saturating")
        ranks = ((), ("rank", 0), ("rank", 1))
        starts = [(*played(0, attempt), "move", step, "generator", 0) for attempt in range(attempts)]
        self.places = {key(*start, *rank) for start in starts for rank in ranks}

    def discriminator(self, real_logits, fake_logits):
        return self.game.discriminator(real_logits, fake_logits)

    def generator(self, fake_logits, real_logits=None):
        lost = torch.default_generator.initial_seed() in self.places
        return self.game.generator(fake_logits) * (float("nan") if lost else 1.0)
"""
WORSE = """
import torch
from gan_cli.random import key, played

VALUES = {(0, 4): 1.0, (0, 8): 0.1, (0, 12): 5.0, (1, 12): 0.05, (1, 16): 0.06}


class Worse:
    better = {"worse": "low"}

    def __call__(self, evidence):
        seed = torch.default_generator.initial_seed()
        known = {key(*played(0, at), "move", step, "generator", 0): value for (at, step), value in VALUES.items()}
        return {"worse": known.get(seed, 1.0)}
"""
WATCHED = ("log_every=3", "sample_every=4", "checkpoint_every=3", "steps=13")


@pytest.fixture
def exploding():
    """The keys of a game that explodes at step 7, is seen to at step 8, and goes back to step 6."""
    Path("exploding.py").write_text(EXPLODING)
    Path("worse.py").write_text(WORSE)
    Path("mine/metrics").mkdir(parents=True)
    Path("mine/metrics/worse.yaml").write_text("# @package metrics.worse\nclass: worse.Worse\nname: worse\n")
    Path("mine/loss").mkdir(parents=True)
    Path("mine/loss/exploding.yaml").write_text("class: exploding.Exploding\nname: exploding\nstep: 7\nattempts: 1\n")
    return ("--config-dir", "mine", *TINY_MLP, "loss=exploding", *WATCHED)


def status_in(folder: str) -> dict:
    return json.loads(Path(folder, "status.json").read_text())


def test_a_run_that_explodes_goes_back_and_finishes(gan_train, exploding):
    result = gan_train(*exploding, "guard=rollback", "guard.rate=0.5", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert "back to step 6: loss/generator, grad_norm/generator not finite at step 8, since step 7" in result.err
    status, state = status_in("run"), state_in(Path("run"))
    assert (status["status"], status["attempt"], state["attempt"], state["step"]) == ("finished", 1, 1, 13)
    (back,) = status["rollbacks"]
    assert (back["attempt"], back["to"], back["began"], back["found"], back["kind"]) == (1, 6, 7, 8, "not_finite")
    records = metrics_in(Path("run"))
    assert [record["step"] for record in records] == [3, 6, 6, 9, 12, 13]
    assert records[2] == {"step": 6, "rollback/attempt": 1, "rollback/found": 8, "rollback/not_finite": 7}
    assert [r["lr/generator"] for r in records if "lr/generator" in r] == [5e-4] * 2 + [2.5e-4] * 3
    assert all(torch.isfinite(tensor).all() for tensor in tensors(state).values())
    calm = ("loss.attempts=0", "guard=rollback", "guard.rate=0.5", "hydra.run.dir=calm")
    assert gan_train(*exploding, *calm).code == 0
    ours, theirs = (tensors(state_in(Path(run))["networks"]) for run in ("run", "calm"))
    assert not any(torch.equal(ours[name], theirs[name]) for name in ours if "weight" in name)  # other draws


def test_a_run_that_is_resumed_across_its_way_back_is_the_same(gan_train, exploding):
    keys = (*exploding, "guard=rollback")
    assert gan_train(*keys, "hydra.run.dir=whole").code == 0
    for steps in (5, 10):  # before it goes back, and after
        folder = f"parts-{steps}"
        assert gan_train(*keys, f"steps={steps}", f"hydra.run.dir={folder}").code == 0
        Path(folder, f"checkpoints/step-{steps:09}.pt").unlink()
        Path(folder, f"samples/step-{steps:09}.png").unlink()
        result = gan_train("--config-dir", "mine", f"resume={folder}", "steps=13")
        assert result.code == 0, result.err
        assert_same_run(Path("whole"), Path(folder))
        assert status_in(folder)["rollbacks"] == status_in("whole")["rollbacks"]


def killed(action, at: int) -> bool:
    """Runs an action in a copy of this process that kills itself at a change to the disk, once it goes back.

    Returns:
        Whether it came that far.
    """
    child = os.fork()
    if child == 0:
        from gan_cli.runs.guard import guard

        real, left = {name: getattr(os, name) for name in ("unlink", "replace", "fsync", "open")}, [at]
        turn_back = guard.turn_back

        def counting(name):
            def call(*arguments, **options):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return real[name](*arguments, **options)

            return call

        def begin(*arguments):
            for name in real:
                setattr(os, name, counting(name))
            return turn_back(*arguments)

        guard.turn_back = begin
        with Path(os.devnull).open("w") as nowhere:
            sys.stdout = sys.stderr = nowhere
            os._exit(action())
    _, how = os.waitpid(child, 0)
    assert os.WIFSIGNALED(how) or os.WEXITSTATUS(how) == 0
    return os.WIFSIGNALED(how)


def test_killed_at_any_moment_around_its_way_back_a_run_is_the_same(gan_train, exploding, monkeypatch):
    """By a real SIGKILL at every fifth change to the disk; it goes back to ``best.pt``, over a later checkpoint."""
    measured = (
        "metrics=worse",
        "watch=worse",
        "evaluate_every=4",
        "evaluate_count=4",
        "checkpoint_every=3",
        "steps=16",
    )
    keys = (*exploding, "loss.attempts=0", "guard=rollback", "guard.far=2", *measured)
    assert gan_train(*keys, "hydra.run.dir=whole").code == 0
    assert status_in("whole")["rollbacks"][0] == {
        "attempt": 1,
        "to": 8,
        "found": 12,
        "began": 9,
        "kind": "far",
        "reason": "worse 5, and 0.1 at its best at step 12, since step 9",
    }
    for at in range(0, 100, 5):
        folder = f"killed-{at}"
        command = [*keys, f"hydra.run.dir={folder}"]
        monkeypatch.setattr(sys, "argv", ["gan-train", *command])
        assert killed(lambda command=command: cli._exit_code(lambda: cli._train(command)), at)
        newest = max(path.name for path in Path(folder, "checkpoints").glob("step-*.pt"))
        result = gan_train("--config-dir", "mine", f"resume={folder}")
        assert result.code == 0, result.err
        assert_same_run(Path("whole"), Path(folder))
        assert status_in(folder)["rollbacks"] == status_in("whole")["rollbacks"]
        if newest == "step-000000012.pt":  # on its second way there
            break
    assert at >= 10


def test_a_run_that_does_not_get_better_ends_after_so_many_attempts(gan_train, exploding):
    result = gan_train(*exploding, "loss.attempts=9", "guard=rollback", "guard.attempts=2", "hydra.run.dir=run")
    assert result.code == 3
    (line,) = result.errors
    assert "not finite at step 8, since step 7; it has gone back 2 times: training has left the numbers" in line
    assert "the last good checkpoint is run/checkpoints/step-000000006.pt" in line
    assert [each["attempt"] for each in status_in("run")["rollbacks"]] == [1, 2]
    assert status_in("run")["status"] == "diverged"
    assert [r["step"] for r in metrics_in(Path("run")) if "rollback/attempt" in r] == [6, 6]


def test_what_was_stopped_can_go_on_from_its_last_good_checkpoint(gan_train, exploding):
    result = gan_train(*exploding, "hydra.run.dir=run")
    assert result.code == 3
    (line,) = result.errors
    assert "diverged: loss/generator, grad_norm/generator not finite at step 8, since step 7" in line
    assert "resume=run/checkpoints/step-000000006.pt guard=rollback" in line
    assert status_in("run")["troubles"][0]["began"] == 7
    assert gan_train("--config-dir", "mine", "resume=run/checkpoints/step-000000006.pt", "guard=rollback").code == 0
    assert gan_train(*exploding, "guard=rollback", "hydra.run.dir=whole").code == 0
    assert tensors(state_in(Path("run"))["networks"]).keys()
    for name, value in tensors(state_in(Path("whole"))["networks"]).items():
        assert torch.equal(value, tensors(state_in(Path("run"))["networks"])[name])


def test_with_a_warning_it_goes_on_and_saves_no_weights_that_are_lost(gan_train, exploding):
    result = gan_train(*exploding, "guard=warn", "hydra.run.dir=run")
    assert result.code == 0
    assert result.err.count("trouble: loss/generator, grad_norm/generator not finite at step 8, since step 7") == 1
    assert "step 12  not saved: the discriminator's weights not finite" in result.err
    status = status_in("run")
    assert (status["status"], status["step"]) == ("finished", 13)
    assert status["reason"] == "loss/generator, grad_norm/generator not finite at step 8, since step 7"
    assert [r for r in metrics_in(Path("run")) if "trouble/not_finite" in r] == [{"step": 8, "trouble/not_finite": 7}]
    for path in Path("run/checkpoints").iterdir():
        state = torch.load(path, weights_only=True)
        assert all(tensor.isfinite().all() for tensor in tensors(state).values()), path
    assert gan_train("--config-dir", "mine", "resume=run", "guard=rollback").code == 0


def test_moves_are_recorded_anew_after_the_way_back(gan_train, monkeypatch):
    """Samples that are all the same from the start: it goes back once, and ends."""
    keys = (*CONSTANT, "guard=rollback", "guard.attempts=1")
    assert gan_train(*keys, "hydra.run.dir=eager").code == 3
    tapes: list[Tape] = []

    def recorder(setup):
        tapes.append(Tape())
        return Recorder(tapes[-1], strict=True)

    monkeypatch.setattr(running, "recorder", recorder)
    assert gan_train(*keys, "hydra.run.dir=recorded").code == 3
    assert [bool(tape.replays) for tape in tapes] == [True, True]
    assert status_in("recorded")["rollbacks"] == status_in("eager")["rollbacks"]
    assert_same_run(Path("recorded"), Path("eager"))


CONSTANT = (  # the same sample for every z; 50,000 images are seen at step 10
    *(*TINY_MLP, "prior.scale=1e-9", "batch_size=5000", "sample_count=20"),
    *("steps=12", "sample_every=5", "checkpoint_every=4"),
)
THRESHOLDS = {  # what is handed in at steps 10, 20, …, and what is wrong at the last of them, since when
    "certain": (("guard.certain=3",), [("record", 0.995, 0.004)] * 3, "certain", 1),
    "certain, the other way round": (("guard.certain=2",), [("record", 0.004, 0.995)] * 2, "certain", 1),
    "certain now and then": (
        ("guard.certain=2",),
        [("record", d, 1 - d) for d in (0.995, 0.9, 0.995)],
        None,
        0,
    ),
    "half of the modes": (("guard.modes=0.5",), [("count", n) for n in (3, 8, 4)], None, 0),
    "fewer": (("guard.modes=0.5",), [("count", n) for n in (3, 8, 3)], "modes", 21),
    "far": (("guard.far=2",), [("measured", v) for v in (90.0, 20.0, 60.0)], "far", 21),
    "twice the best and half of the gain": (("guard.far=2",), [("measured", v) for v in (90.0, 20.0, 41.0)], None, 0),
    "near 0": (("guard.far=2",), [("measured", v) for v in (0.3, 0.001, 0.1)], None, 0),
    "not finite": (("guard.far=2",), [("measured", v) for v in (0.3, 0.1, None)], "far", 21),
    "constant": (("guard.spread=0.001",), [("samples", 1.0), ("samples", 0.01)], "spread", 11),
    "as varied": (("guard.spread=0.001",), [("samples", 1.0), ("samples", 0.1)], None, 0),
    "twins": (("guard.duplicates=0.6",), [("twins", 0.5), ("twins", 0.7)], "duplicates", 11),
    "few twins": (("guard.duplicates=0.6",), [("twins", 0.5), ("twins", 0.55)], None, 0),
}


@pytest.mark.parametrize("case", THRESHOLDS.values(), ids=THRESHOLDS)
def test_each_sign_is_trouble_where_its_threshold_says(case):
    """Hand-made numbers against hand-counted answers."""
    keys, given, kind, began = case
    off = [f"guard.{name}=0" for name in ("spread", "duplicates", "modes", "certain", "far")]
    setup = setup_of(*TINY_POINTS, "metrics=[modes,divergence]", "watch=jsd", "log_every=10", *off, *keys)
    folder = RunFolder(Path("run"))
    Path("run/checkpoints").mkdir(parents=True)
    real, best = torch.randn(400, 2, generator=torch.Generator().manual_seed(0)), []
    policy = Library().build(GUARD, setup.config.guard)
    guard = Guard(setup, policy, folder, real, together=True, best=lambda: best[-1][1] if best else None)

    def look(step: int, what: str, value: float | None, *more: float) -> None:
        if what == "record":
            guard.record({"D/real": value, "D/fake": more[0], "epoch": 2.0})
        elif what == "count":
            guard.count("modes", value)
        elif what == "measured":
            guard.measured({"jsd": value}, best[-1][0] if best else None, -1)
            if value is not None and (not best or value < best[-1][0]):
                best.append((value, step))
        elif what == "samples":
            guard.samples(value * real)
        elif what == "twins":
            far = 100 * torch.arange(200.0)[:, None].expand(200, 2)
            guard.samples(torch.where(torch.arange(200)[:, None] < 200 * value, far % 200, far))
        guard.look(step)

    for number, each in enumerate(given[:-1]):
        look(100 * (number + 1), *each)
    last = 100 * len(given)
    if kind is None:
        return look(last, *given[-1])
    with pytest.raises(Diverged) as caught:
        look(last, *given[-1])
    assert guard.troubles[-1]["kind"] == kind
    assert f"at step {last}" in caught.value.reason
    assert guard.troubles[-1]["began"] == {1: 1, 11: 101, 21: 201}[began]
    return None


def test_the_first_step_that_is_not_finite_is_known_though_nobody_waits_for_it():
    nan, inf = float("nan"), float("inf")
    kept = Kept()
    for step, (loss, norm) in enumerate([(1, 1), (1, inf), (nan, nan), (1, 1)], start=5):
        kept(step, [{"loss": torch.tensor(float(loss))}, {"norm": torch.tensor(float(norm))}])
    assert kept.first_lost() == [(6, ["norm"])]
    assert kept.first_lost() == []
    kept(9, [{"loss": torch.tensor([1.0, nan, 1.0])}])
    kept(10, [{"loss": torch.tensor([1.0, 1.0, -inf])}])
    assert kept.first_lost() == [None, (9, ["loss"]), (10, ["loss"])]


def test_samples_that_are_all_the_same_end_a_run_that_says_stop(gan_train):
    result = gan_train(*CONSTANT, "hydra.run.dir=run")
    assert result.code == 3
    assert "of the data's variance at step 10, since step 6" in result.errors[0]
    assert "(a full mode collapse)" in result.errors[0]
    assert "the last good checkpoint is run/checkpoints/step-000000004.pt" in result.errors[0]
    assert gan_train(*CONSTANT, "guard=warn", "hydra.run.dir=on").code == 0
    kinds = {trouble["kind"] for trouble in status_in("on")["troubles"]}
    assert kinds == {"spread"}


@pytest.mark.parametrize("guard", ["warn", "stop", "rollback"])
def test_a_guard_that_finds_nothing_changes_nothing(gan_train, guard, trained):
    keys = (*TINY_MLP, "steps=9", "log_every=2", "sample_every=3", "checkpoint_every=4")
    assert gan_train(*keys, f"guard={guard}", "hydra.run.dir=run").code == 0
    blind = [f"guard.{name}=0" for name in ("spread", "duplicates", "modes", "certain", "far")]
    assert gan_train(*keys, "guard=warn", *blind, "hydra.run.dir=blind").code == 0
    assert_same_run(Path("run"), Path("blind"))
    assert {"troubles", "rollbacks", "attempt"}.isdisjoint(status_in("run"))


def test_the_checkpoint_that_a_guard_may_need_is_kept(gan_train):
    keys = (*TINY_MLP, "steps=19", "checkpoint_every=2", "sample_every=10", "log_every=0", "keep_checkpoints=2")

    def kept(guard: str) -> list[int]:
        assert gan_train(*keys, guard, f"hydra.run.dir={guard}", "sample_count=20").code == 0
        state = max(Path(guard, "checkpoints").glob("step-*.pt"))
        assert state.name == "step-000000019.pt"
        state.unlink()
        return sorted(int(path.stem[5:]) for path in Path(guard, "checkpoints").glob("step-*.pt"))

    assert kept("guard=stop") == [18]
    saved: list[list[int]] = []
    from gan_cli.runs import checkpoint

    real = checkpoint.prune

    def prune(folder, *rest):
        real(folder, *rest)
        saved.append([checkpoint.step_of(path) for path in checkpoint.checkpoints_in(folder)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "prune", prune)
        kept("guard=rollback")
    assert [18, 16, 10] in saved  # that of the last grid
    assert [8, 6, 0] in saved  # that before any


def test_a_key_of_an_earlier_version_is_named_by_its_new_name(gan_train):
    for value, now in {"stop": "guard=stop", "continue": "guard=warn", "x": "guard=stop or guard=warn"}.items():
        result = gan_train(*TINY_MLP, f"on_divergence={value}")
        assert result.errors == [f"gan-train: error: on_divergence={value}: is {now} now"]
        assert result.code == 2
    assert gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=run").code == 0
    result = gan_train("resume=run", "steps=4", "on_divergence=continue")
    assert result.errors == ["gan-train: error: on_divergence=continue: is guard=warn now"]


@pytest.mark.parametrize(("before", "now"), [("stop", "stop"), ("continue", "warn")])
def test_a_run_from_before_there_were_guards_goes_on_as_it_was(gan_train, before, now):
    """Of what there is today, it looks for what it looked for then."""
    off = [f"guard.{name}=0" for name in ("spread", "duplicates", "modes", "certain", "far")]
    assert gan_train(*CONSTANT, f"guard={now}", *off, "steps=8", "hydra.run.dir=run").code == 0
    path = max(Path("run/checkpoints").glob("step-*.pt"))
    state = torch.load(path, weights_only=True)
    del state["config"]["guard"], state["guard"], state["attempt"]
    state["config"]["on_divergence"] = before
    torch.save(state, path)
    shutil.copytree("run", "typed")
    assert gan_train("resume=run", "steps=12").code == 0
    assert state_in(Path("run"))["config"]["guard"] == {
        "name": now,
        "spread": 0,
        "duplicates": 0,
        "modes": 0,
        "certain": 0,
        "far": 0,
    }
    assert gan_train("resume=typed", "steps=12", "guard=stop").code == 3


def test_one_of_an_ensemble_is_lost_alone(gan_train):
    keys = (*TINY_POINTS, "ensemble=3", "log_every=3", "sample_every=6", "checkpoint_every=3")
    for run in ("run", "whole"):
        assert gan_train(*keys, "steps=3", f"hydra.run.dir={run}").code == 0
    path = Path("run/seed-1/checkpoints/step-000000003.pt")
    state = torch.load(path, weights_only=True)
    next(iter(state["networks"]["generator"].values())).fill_(float("nan"))
    torch.save(state, path)
    result = gan_train("resume=run", "steps=9")
    assert result.code == 3
    assert "1 of 3 members: seed-1: its status.json says why" in result.err
    assert gan_train("resume=whole", "steps=9").code == 0
    for seed in (0, 2):
        assert_same_run(Path(f"run/seed-{seed}"), Path(f"whole/seed-{seed}"))
    status = status_in("run/seed-1")
    assert status["status"] == "diverged"
    assert status["troubles"][0]["began"] == 4
    assert "not finite at step 6, since step 4" in status["reason"]


def test_an_ensemble_does_not_go_back(gan_train):
    result = gan_train(*TINY_POINTS, "ensemble=3", "guard=rollback")
    assert result.code == 2
    assert len(result.errors) == 1
    assert "guard=rollback: ensemble=3 plays all seeds in step, so none can go back alone" in result.errors[0]
    assert not Path("outputs").exists()


def test_several_processes_go_back_together(spawn, exploding):
    keys = (*exploding, "devices=2", "guard=rollback")
    process = spawn(*keys, "hydra.run.dir=run")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert status_in("run")["rollbacks"][0]["to"] == 6
    assert state_in(Path("run"))["attempt"] == 1
    assert all(tensor.isfinite().all() for tensor in tensors(state_in(Path("run"))).values())
