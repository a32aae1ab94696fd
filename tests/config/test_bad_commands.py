"""Every bad command: one line that names the key, the value and the fix, exit code 2, and no run folder left behind."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch
from conftest import TINY_MLP, TINY_POINTS
from PIL import Image

MISTAKES = [
    # misspelt keys, options, flags
    ("step=100", "step=100: no such key (did you mean 'steps'?)"),
    ("experiment=picture dataset.path=one", "experiment=picture: no such option (did you mean 'pictures'?)"),
    ("experiment=pictures path=one", "path=one: no such key: here it is dataset=image_folder dataset.path=one"),
    ("experiment=default model=vae", "experiment=default: is of the game model=gan, not of model=vae: leave it out"),
    ("--config-name mine --config-dir one", "is a preset, FOLDER/experiment/mine.yaml: --config-dir FOLDER"),
    ("--config-name eval", "--config-name eval: every run begins with the shipped config.yaml"),
    ("lr=1e-3", "lr=0.001: no such key: here it is optimizer.lr=0.001"),
    ("optimizer.learning_rate=1", "optimizer.learning_rate=1: no such key"),
    ("loss=minmax", "loss=minmax: no such option (did you mean 'minimax'?)"),
    ("dataset=mnst", "dataset=mnst: no such option (did you mean 'mnist'?)"),
    ("architecture=dcgn", "architecture=dcgn: no such option (did you mean 'dcgan'?)"),
    ("optimizer=adm", "optimizer=adm: no such option (did you mean 'adam'?)"),
    (
        "schedule=cos",
        "schedule=cos: no such option: here it is schedule=cosine; all of them: gan-train --help schedule",
    ),
    ("prior=gaussian", "prior=gaussian: no such option: here it is prior=normal; all of them: gan-train --help "),
    ("experiment=rign", "experiment=rign: no such option (did you mean 'ring'?)"),
    ("los=minimax", "los=minimax: no such key (did you mean 'loss'?)"),
    ("loss.weight=2", "loss.weight=2: no such key; loss=non_saturating has smoothing"),
    ("loss=hinge loss.smoothing=0.1", "loss.smoothing=0.1: no such key: it is a key of loss=feature_matching, "),
    ("optimizer=sdg", "optimizer=sdg: no such option (did you mean 'sgd'?)"),
    ("steps = 20", "steps = 20: overrides are written without spaces: key=value"),
    ("--cfg jobs", "--cfg jobs: shows job, hydra or all"),
    ("resume=~/no/such/run", "no/such/run: no such file or folder"),
    ("architecture.hidden=[8]", "architecture.hidden=[8]: no such key"),
    ("+extra=1", "extra=1: no such key"),
    ("++optimizer.extra=1", "optimizer.extra=1: no such key"),
    ("~steps", "~steps: every key is needed and cannot be removed"),
    ("--steps=3", "--steps: no such flag: keys are written steps=3"),
    ("--batch-size 3", "--batch-size: no such flag: keys are written batch_size=3"),
    ("--mutlirun", "--mutlirun: no such flag (did you mean '--multirun'?)"),
    ("-x", "-x: no such flag"),
    ("--experimental-rerun x.pickle", "--experimental-rerun: would run pickled code"),
    ("--config-dir nowhere", "nowhere: no such folder"),
    ("checkpoint=latest", "checkpoint=latest: is a key of gan-eval and gan-sample, not of gan-train"),
    ("count=100 dataset=mnst", "count=100: is a key of gan-eval, not of gan-train"),
    ("size=32", "size=32: no such key: here it is dataset.size=32"),
    ("steps", "steps: overrides are written key=value"),
    # types and limits
    ("steps=many", "steps=many: must be a whole number"),
    ("steps=0", "steps=0: must be at least 1"),
    ("steps=1.5", "steps=1.5: must be a whole number"),
    ("batch_size=-4", "batch_size=-4: must be at least 1"),
    ("batch_size=null", "batch_size=null: must be a whole number"),
    ("seed=-1", "seed=-1: must be at least 0"),
    ("optimizer.lr=-1e-4", "optimizer.lr=-0.0001: must be greater than 0"),
    ("generator.lr=0", "generator.lr=0: must be greater than 0"),
    ("optimizer.lr=inf", "optimizer.lr=inf: must be finite"),
    ("optimizer.betas=[0.5,1.0]", "optimizer.betas.1=1.0: must be less than 1"),
    ("optimizer.betas=[0.5]", "optimizer.betas=[0.5]: must be a list of at least 2 values"),
    ("optimizer.betas=0.5", "optimizer.betas=0.5: must be a list: optimizer.betas=[0.5]"),
    ("discriminator.steps=0", "discriminator.steps=0: must be at least 1"),
    ("discriminator=2", "discriminator=2: must be a group of keys"),
    ("conditional=maybe", "conditional=maybe: must be one of 'auto', true or false"),
    ("updates=sometimes", "updates=sometimes: must be one of 'alternating', 'simultaneous'"),
    ("precision=fp8", "precision=fp8: must be one of"),
    ("device=gpu", "device=gpu: must be auto, cpu, mps, or for a GPU cuda, cuda:0"),
    ("prior.size=0", "prior.size=0: must be at least 1"),
    ("dataset.channels=2", "dataset.channels=2: must be one of 1 or 3"),
    ("dataset.split=validation", "dataset.split=validation: must be one of 'train' or 'test'"),
    ("architecture.norm=spectral", "architecture.norm=spectral: must be one of"),
    ("keep_checkpoints=0", "keep_checkpoints=0: must be at least 1"),
    ("seed=1,2", "seed=1,2: several values make a sweep: add --multirun"),
    ("loss.class=os.system", "loss.class=os.system: is set by loss/non_saturating.yaml alone"),
    ("steps=${nowhere}", "nowhere"),
    ("steps=[1", "steps=[1: cannot be read"),
    # values that do not go together
    (
        "dataset.size=30",
        "dataset.size=30: architecture=dcgan needs sides of 4 to 7, the longer up to 16, doubled as often, from 8 to "
        "256, such as dataset.size=32",
    ),
    ("dataset=ring", "architecture=dcgan: makes pictures, but dataset=ring holds points: use architecture=mlp"),
    ("dataset=gaussian architecture=mlp conditional=true", "conditional=true: dataset=gaussian has no labels"),
    (
        "optimizer=sgd optimizer.nesterov=true optimizer.momentum=0",
        "nesterov=true needs optimizer.momentum greater than 0",
    ),
    ("penalty=r3", "penalty=r3: no such option; available: consistency, dragan, gradient_penalty, r1, r2"),
    (
        "experiment=null",
        "experiment=null: no such option: here it is experiment=lecture; all of them: gan-train --help experiment",
    ),
    ("sweep=null", "sweep=null: no such option; available: dcgan_random"),
    ("penalty=[r1,gp]", "penalty=gp: no such option"),
    ("penalty.weight=3", "penalty.weight=3: of which penalty? penalty.r1.weight=3"),
    ("penalty.r2.weight=3", "penalty.r2: is not chosen: penalty=…, one of: consistency"),
    ("penalty=r1 penalty.r1.weight=-3", "penalty.r1.weight=-3: must be at least 0"),
    ("penalty=r1 penalty.r1.wieght=3", "penalty.r1.wieght=3: no such key (did you mean 'penalty.r1.weight'?)"),
    (
        "penalty=r1 compile=true",
        "compile=true: a compiled discriminator has no second derivative, which penalty=r1 needs",
    ),
    (
        "experiment=lecture loss=wasserstein loss.clip=0",
        "loss.clip=0: nothing keeps the critic Lipschitz: add penalty=gradient_penalty",
    ),
    ("loss=f_gan loss.divergence=js", "loss.divergence=js: must be one of 'kl'"),
    (
        "architecture=resnet dataset.size=36",
        "dataset.size=36: architecture=resnet needs sides of 4 to 7",
    ),
    ("architecture=r3gan dataset.size=2048", "dataset.size=2048: must be at most 1024"),
    ("architecture=r3gan dataset=ring", "architecture=r3gan: makes pictures, but dataset=ring holds points"),
    (
        "architecture=resnet dataset.size=8",
        "architecture.discriminator.smallest=8: must be a power of two from 4 to 4, half of dataset.size, such as 4",
    ),
    ("architecture=r3gan architecture.wide_to=12", "architecture.wide_to=12: must be a power of two from 4 to 1024"),
    (
        "architecture=r3gan architecture.width=40",
        "architecture.width=40: at 32 × 32 these are 10 channels, times expansion=2, which must be whole "
        "groups of group=16: use a multiple of 32, such as 32",
    ),
    ("anneal_images=9", "anneal_images=9: towards what? add a final value, such as optimizer.final_betas=[0.0,0.99]"),
    ("final_ema_half_life=9", "final_ema_half_life=9: after how many images? add anneal_images=…"),
    ("optimizer.final_betas=[0,0.9]", "optimizer.final_betas=[0.0, 0.9]: after how many images?"),
    ("optimizer.final_betas=[0,1] anneal_images=9", "optimizer.final_betas.1=1: must be less than 1"),
    ("optimizer.anneal_images=9", "optimizer.anneal_images=9: towards what? add optimizer.final_betas=…"),
    ("schedule.unit=epochs", "schedule.unit=epochs: must be one of 'steps' or 'images'"),
    (
        "schedule=cosine schedule.unit=images",
        "schedule.duration=2800: is the number of steps, and schedule.unit=images counts images: say how many, such as "
        "89600",
    ),
    ("pack=3", "batch_size=32: is shared out equally by pack=3: must be a multiple of 3, such as batch_size=33"),
    ("pack=2 conditional=true", "pack=2: packs have no label of their own"),
    ("augment=[colour]", "augment.0=colour: must be one of 'color', 'translation', 'cutout', 'blit', 'geometric' or "),
    (
        "augmentation.target=0.6",
        "augmentation.target=0.6: of what? add augment=[blit,geometric,ada_color], or set null",
    ),
    ("augmentation.probability=0.6", "augmentation.probability=0.6: of what? add augment="),
    (
        "augment=[blit] augmentation.target=0.6 augmentation.final_probability=0.3 augmentation.anneal_images=9",
        "augmentation.final_probability=0.3: augmentation.target decides it",
    ),
    ("augment=[blit] augmentation.final_probability=0.3", "augmentation.final_probability=0.3: after how many images?"),
    ("augment=[blit] augmentation.anneal_images=9", "augmentation.anneal_images=9: towards what?"),
    (
        "augment=[blit] augmentation.target=0.6 loss=wasserstein",
        "augmentation.target=0.6: D of loss=wasserstein gives no probability",
    ),
    (
        "architecture=mlp augment=[blit] augmentation.target=0.6 ensemble=2",
        "augmentation.target=0.6: ensemble=2 has one augmentation for all",
    ),
    (
        "model=vae_gan augment=[blit] augmentation.target=0.6",
        "augmentation.target=0.6: model=vae_gan does not steer it",
    ),
    ("penalty=[r1] penalty.r1.final_weight=1", "penalty.r1.final_weight=1: after how many images?"),
    ("penalty=[r1] penalty.r1.anneal_images=9", "penalty.r1.anneal_images=9: towards what?"),
    (
        "dataset=ring architecture=mlp augment=[color]",
        "augment=['color']: is for pictures, and dataset=ring holds points",
    ),
    # data
    ("dataset=image_folder", "dataset.path: has no value: set dataset.path=…"),
    ("dataset=image_folder dataset.path=", "dataset.path=: is empty: write a path, or . for the current folder"),
    ("dataset=image_folder dataset.path=''", "dataset.path='': is empty"),
    ("dataset=image_folder dataset.path=nowhere", "dataset.path=nowhere: does not exist"),
    ("dataset=image_folder dataset.path=empty", "dataset.path=empty: holds no pictures"),
    ("dataset=image_folder dataset.path=notes.txt", "dataset.path=notes.txt: is neither a folder nor a zip file"),
    ("dataset=image_folder dataset.path=empty.zip", "dataset.path=empty.zip: holds no pictures"),
    (
        "dataset=image_folder dataset.path=broken",
        "dataset.path=broken: none of its 1 pictures can be read, e.g. torn.png",
    ),
    ("dataset=image_folder dataset.path=one dataset.split=test", "dataset.split=test: holds no picture"),
    (
        "dataset=image_folder dataset.path=one conditional=true",
        "has no labels here: put each class into a folder of its own, two at least, or use conditional=false",
    ),
    ("dataset=mnist dataset.root=notes.txt", "dataset.root=notes.txt: no usable MNIST there"),
    # machine and places
    ("device=cuda:99", "device=cuda:99: this machine has"),
    ("precision=tf32 device=cpu", "precision=tf32: is for CUDA devices"),
    ("hydra.run.dir=notes.txt/run", "notes.txt/run: cannot make the run folder"),
    ("hydra.nonsense=1", "nonsense"),
    # resume
    ("resume=latest", "resume=latest: there is no run with checkpoints under /"),
    ("resume=nowhere", "resume=nowhere: no such file or folder"),
    ("resume=empty", "resume=empty: has no checkpoints"),
    ("resume=notes.txt", "notes.txt: not a readable checkpoint"),
    ("resume=foreign.pt", "foreign.pt: not a checkpoint of this version of gan-train"),
    ("resume=code.pt", "code.pt: not a readable checkpoint"),
    ("-m resume=empty seed=1,2", "resume: continues one run: leave out --multirun"),
    ("-m dry_run=true seed=1,2", "dry_run=true: shows one run"),
    ("-m loss=hnge seed=0,1", "loss=hnge: no such option"),
    ("-m optimizer.lr=-1 seed=0,1", "optimizer.lr=-1: must be greater than 0"),
    ("-m stepz=3 seed=1,2", "stepz=3: no such key"),
    ("sweep=lr", "sweep=lr: is a space of values to try: add --multirun"),
    ("name=a/b", "name=a/b: must be letters, digits"),
    # what has no effect as it is given
    (
        "name=a hydra.run.dir=run",
        "name=a: hydra.run.dir=run has no place for it: leave one of them out, or write …/${name}",
    ),
    ("-m seed=1,2 name=a hydra.sweep.dir=s", "name=a: hydra.sweep.dir=s has no place for it: leave one of them out"),
    ("-m seed=1,2 hydra.run.dir=run", "hydra.run.dir=run: is of a single run: use hydra.sweep.dir"),
    ("hydra.sweep.dir=s", "hydra.sweep.dir=s: is for a sweep: add --multirun, or use hydra.run.dir"),
    ("hydra/launcher=joblib", "hydra/launcher=joblib: is for a sweep: add --multirun, or leave it out"),
    ("hydra/sweeper=random", "hydra/sweeper=random: is for a sweep: add --multirun, or leave it out"),
    ("hydra.sweeper.n_trials=3", "hydra.sweeper.n_trials=3: is for a sweep: add --multirun, or leave it out"),
    (
        "instance_noise.images=99",
        "instance_noise.images=99: of which noise? add instance_noise.sigma=…, or leave it out",
    ),
    ("augmentation.adapt_images=99", "augmentation.adapt_images=99: towards what? add augmentation.target=0.6"),
    ("-m seed=1,2 augmentation.adapt_images=9", "augmentation.adapt_images=9: towards what?"),
    (
        "augmentation.final_probability=0.3 anneal_images=9",
        "augmentation.final_probability=0.3: of what? add augment=[",
    ),
    ("guard.far=3", "guard.far=3: of which metric? add watch=…, such as watch=frechet, or leave it out"),
    ("guard.far=3 metrics=frechet watch=frechet evaluate_every=0", "guard.far=3: is measured at the end alone: set"),
    ("guard.modes=0.5", "guard.modes=0.5: no modes are counted here: add metrics=modes, or leave it out"),
    ("guard.certain=9 log_every=0", "guard.certain=9: counts what is logged: set log_every to 1 or more"),
    ("model=made guard.certain=9", "guard.certain=9: model=made has no use for it: leave it out"),
    ("unfit_metrics=leave_out", "unfit_metrics=leave_out: nothing is measured: add metrics=[…]"),
]


class Runs:
    """Pickles into a call that would leave a mark."""

    def __reduce__(self):
        return Path.touch, (Path("it-ran"),)


@pytest.fixture
def places():
    """Files and folders that commands point at."""
    for folder in ("empty", "broken", "one"):
        Path(folder).mkdir()
    Path("notes.txt").write_text("not a picture")
    Path("broken/torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Image.new("L", (8, 8)).save("one/picture.png")
    zipfile.ZipFile("empty.zip", "w").close()
    torch.save({"weights": torch.zeros(3)}, "foreign.pt")
    torch.save(Runs(), "code.pt")
    return {path for path in Path().rglob("*") if path.name != "cache"}


@pytest.mark.parametrize(("command", "message"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_a_bad_command_says_what_is_wrong_in_one_line(gan_train, places, command, message):
    result = gan_train(*command.split())
    assert result.code == 2, result.err
    assert message in result.err
    assert result.err.splitlines() == result.errors
    assert len(result.errors) == 1
    left = {path for path in Path().rglob("*") if path.parts[0] != "data"}
    assert left == places


def test_what_waits_for_another_key_may_stand_in_a_preset_be_off_or_be_met_by_some_runs_of_a_sweep(gan_train):
    own = Path("mine/experiment")
    own.mkdir(parents=True)
    (own / "noisy.yaml").write_text("# @package _global_\ninstance_noise: {sigma: 0.2, images: 99}\nguard: {far: 3}\n")
    quick = (*TINY_POINTS, "steps=1", "sample_every=0")
    of_preset = (
        "--config-dir",
        "mine",
        "experiment=noisy",
        "instance_noise.sigma=0",
        "guard.certain=0",
        "guard.modes=0.5",
    )
    assert gan_train(*quick, *of_preset, "hydra.run.dir=run").code == 0
    assert gan_train("-m", *quick, "instance_noise.sigma=0,0.1", "instance_noise.images=99", "name=noise").code == 0
    found = Path("outputs/sweeps/noise").glob("*/status.json")
    assert [json.loads(path.read_text())["status"] for path in found] == ["finished"] * 2


def test_what_is_for_a_new_run_is_refused_beside_resume(gan_train):
    assert gan_train(*TINY_POINTS, "steps=1", "hydra.run.dir=old").code == 0
    for word in ("hydra.run.dir=new", "name=new", "hydra.output_subdir=new"):
        assert gan_train("resume=old", "steps=2", word).errors == [
            f"gan-train: error: {word}: is of a new run, and resume=… goes on in the old folder: leave it out"
        ]
    assert {path.name for path in Path().iterdir()} == {"old"}


def test_all_mistakes_of_a_command_are_told_at_once(gan_train):
    result = gan_train("step=1", "loss=hnge", "optimizer.lr=-1", "dataset.size=30", "prior.size=x", "foo")
    assert result.code == 2
    for key in ("step=1", "loss=hnge", "optimizer.lr=-1", "dataset.size=30", "prior.size=x", "foo"):
        assert sum(f"error: {key}" in line for line in result.errors) == 1
    assert len(result.errors) == 6
    told = [line.partition("error: ")[2] for line in gan_train("loss=minmax,hinge,f_gam").errors]
    assert told[0] == "loss=minmax,hinge,f_gam: several values make a sweep: add --multirun"
    assert [line.partition(";")[0] for line in told[1:]] == [
        "loss=minmax: no such option (did you mean 'minimax'?)",
        "loss=f_gam: no such option (did you mean 'f_gan'?)",
    ]


def test_a_full_trace_is_shown_only_when_asked_for(gan_train, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert "Traceback" in gan_train("steps=-1").err


def test_a_folder_with_a_run_in_it_is_not_trained_over(gan_train):
    assert gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=run").code == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    result = gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=run")
    assert result.code == 2
    assert "holds a run already: continue it with resume=run" in result.err
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_a_folder_in_use_is_refused(gan_train, spawn):
    import time

    process = spawn(*TINY_MLP, "steps=1000000", "checkpoint_every=10", "log_every=10", "hydra.run.dir=run")
    while not Path("run/metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    result = gan_train("resume=run")
    assert result.code == 2
    assert "another process is training in this folder" in result.err
    assert process.poll() is None
