"""The promises, for every model beside gan: exact resume, watching changes nothing, the same command is the same run.

A new model is one line of ``conftest.MODELS``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MODELS, assert_same_run, killed_at, metrics_in, setup_of, state_in, tensors

import gan_cli
from gan_cli.config.library import Library
from gan_cli.data.reading import TRAINED_ON, still
from gan_cli.data.samples import as_input
from gan_cli.games.game import Likelihood

WATCHED = ("log_every=3", "sample_every=4", "checkpoint_every=5", "keep_checkpoints=9")


def weights(folder: str) -> dict[str, bytes]:
    parts = {key: state_in(Path(folder))[key] for key in ("networks", "ema", "players", "kept")}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors(parts).items()}


def test_every_model_is_here():
    tested = {key.partition("=")[2] for keys in MODELS.values() for key in keys if key.startswith("model=")}
    assert tested | {"gan"} == set(Library().options("model"))


@pytest.mark.parametrize("keys", MODELS.values(), ids=MODELS)
def test_stopped_and_resumed_is_the_undisturbed_run(gan_train, keys):
    assert gan_train(*keys, *WATCHED, "steps=11", "hydra.run.dir=whole").code == 0
    assert gan_train(*keys, *WATCHED, "steps=7", "hydra.run.dir=parts").code == 0
    Path("parts/checkpoints/step-000000007.pt").unlink()  # as a kill at step 7 leaves it
    assert gan_train("resume=parts", "steps=11").code == 0
    state = state_in(Path("whole"))
    assert state["step"] == 11
    assert_same_run(Path("whole"), Path("parts"))


@pytest.mark.parametrize("keys", MODELS.values(), ids=MODELS)
def test_watching_never_changes_training_and_the_same_command_is_the_same_run(gan_train, keys):
    blind = ("log_every=0", "sample_every=0", "checkpoint_every=0")
    measured = {"adversarial_autoencoder": "[two_sample]", "semi_supervised": "[classification]"}.get(
        next(key.partition("=")[2] for key in keys if key.startswith("model=")), "[likelihood]"
    )
    watched = ("log_every=1", "sample_every=1", "checkpoint_every=1", f"metrics={measured}", "evaluate_every=2")
    assert gan_train(*keys, *blind, "steps=5", "hydra.run.dir=blind").code == 0
    torch.rand(3)  # what was drawn before must not matter
    result = gan_train(*keys, *watched, "evaluate_count=40", "steps=5", "hydra.run.dir=watched")
    assert result.code == 0, result.err
    assert weights("blind") == weights("watched")
    assert gan_train(*keys, *blind, "steps=5", "seed=1", "hydra.run.dir=other").code == 0
    assert weights("other") != weights("blind")


@pytest.mark.parametrize("keys", MODELS.values(), ids=MODELS)
def test_it_is_dry_run_sampled_evaluated_loaded_and_reported(gan_train, gan_sample, gan_eval, keys):
    from gan_cli import cli
    from gan_cli.commands.report.command import main as report

    result = gan_train(*keys, "dry_run=true")
    assert result.code == 0, result.err
    assert not Path("outputs").exists()
    assert gan_train(*keys, "steps=4", "log_every=2", "hydra.run.dir=run").code == 0
    assert gan_sample("checkpoint=run", "seeds=3,1", "format=npz", "out=some.npz").code == 0
    drawn = np.load("some.npz")
    values = drawn["images"] if "images" in drawn else drawn["points"]
    model = gan_cli.load("run")
    ours = model.sample(3, seed=1)
    assert np.isfinite(ours.numpy()).all()
    stored = ((ours + 1) * 127.5).round().byte() if "images" in drawn else ours
    np.testing.assert_array_equal(values, stored[[2, 0]])  # a seed's picture, whatever else is drawn
    asked = "[likelihood,parzen]" if isinstance(model.game, Likelihood) else "[parzen]"
    result = gan_eval("checkpoint=run", "extractor=pixels", "count=40", f"metrics={asked}", "out=found.json")
    assert result.code == 0, result.err
    found = json.loads(Path("found.json").read_text())
    assert np.isfinite(found["metrics"]["parzen"])
    if isinstance(model.game, Likelihood):
        logged = (
            "free_energy/data" if {"model=rbm", "model=dbm"} & {*keys} else "bits_per_dim"
        )  # log Z is not known in training
        assert logged in metrics_in(Path("run"))[0] or "images" not in drawn
        assert found["notes"]["nats"].startswith(("exact", "lower bound", "estimate"))
        assert np.isfinite(found["metrics"]["nats"])
        assert found["metrics"]["nats_error"] > 0
    assert cli._exit_code(lambda: report(["run"]), "gan-report") == 0


@pytest.mark.parametrize("model", ["fvsbn", "rbm"])  # weights alone, and persistent chains
def test_a_killed_run_goes_on_as_if_nothing_had_been(gan_train, spawn, model):
    keys = (*MODELS[model], "checkpoint_every=20", "steps=300")
    killed_at(spawn(*keys, "hydra.run.dir=killed"), "killed/checkpoints/step-000000020.pt")
    assert gan_train("resume=killed").code == 0
    assert gan_train(*keys, "hydra.run.dir=whole").code == 0
    assert_same_run(Path("whole"), Path("killed"))


MISTAKES = {
    "model=fvsbn loss=hinge": "loss=hinge: model=fvsbn has no use for it: leave it out",
    "model=fvsbn prior=uniform": "prior=uniform: model=fvsbn has no use for it: leave it out",
    "model=fvsbn updates=optimistic": "updates=optimistic: model=fvsbn has no use for it: leave it out",
    "model=fvsbn dataset=ring": "dataset=ring: holds points, and model=fvsbn is of the levels of pixels",
    "model=fvsbn dataset.binarise=none": "dataset.binarise=none: model=fvsbn is of black and white pixels here: use",
    "model=fvsbn dataset.dequantise=true": "dataset.dequantise=true: model=fvsbn is of whole levels here: use false",
    "model=fvsbn model.levels=300": "model.levels=300: must be at most 256",
    "model=ngram model.n=20": "model.n=20: needs (2 + 1)^20 counts, more than 16,777,216: use a smaller model.n",
    "model=ngram optimizer=adam": "optimizer=adam: model=ngram counts, by optimizer=counting alone: leave it out",
    "model=ngram ema_half_life=10": "ema_half_life=10: model=ngram counts, and averages nothing: use 0",
    "model=ngram schedule.warmup=3": "schedule.warmup=3: model=ngram has no use for it: leave it out",
    "model=made model.hidden=[]": "model.hidden=[]: must be a list of at least 1 values",
    "model=made model.order=sorted": "model.order=sorted: must be one of 'natural' or 'random'",
    "model=made model.levels=256 model.output=categorical": "model=made: needs 268,435,456 weights for dataset.size=32",
    "model=pixelcnn model.kernel=4": "model.kernel=4: must be one of 3, 5 or 7",
    "model=pixelcnn dataset.channels=3 model.width=10": "model.width=10: red, green and blue share the channels, so it",
    "model=pixelcnn ensemble=2": "ensemble=2: model=pixelcnn cannot train several seeds as one computation: use",
    "model=nice loss=hinge": "loss=hinge: model=nice has no use for it: leave it out",
    "model=nice prior=uniform": "prior=uniform: model=nice has no use for it: leave it out",
    "model=nice model.couplings=1": "model.couplings=1: must be at least 2",
    "model=nice model.base=cauchy": "model.base=cauchy: must be one of 'normal' or 'logistic'",
    "model=nice dataset=gaussian": "model=nice: a coupling layer splits a sample in two, and these have one",
    "model=realnvp dataset.dequantise=false": "dataset.dequantise=false: model=realnvp is a density, and whole levels",
    "model=realnvp dataset.binarise=fixed": "dataset.binarise=fixed: model=realnvp is a density of grey pixels",
    "model=realnvp model.margin=0.5": "model.margin=0.5: must be less than 0.5",
    "model=realnvp dataset.size=30": "model.scales=2: each halves the sides, and dataset.size=30 cannot be halved",
    "model=realnvp dataset.size=15": "model.scales=2: each halves the sides, and dataset.size=15 cannot be halved",
    "model=realnvp dataset=ring model.network=convolutional": "model.network=convolutional: is of pictures, and",
    "model=realnvp model.hidden=[999]": "model.hidden=[999]: is of model.network=mlp, and convolutions couple these",
    "model=realnvp dataset=ring model.width=9": "model.width=9: is of model.network=convolutional, and a perceptron",
    "model=realnvp model.network=mlp model.scales=1": "model.scales=1: is of model.network=convolutional, and a percep",
    "model=nice model.space=unit model.margin=0.01": "model.margin=0.01: is of model.space=logit: leave one",
    "model=nice dataset=ring model.space=logit": "model.space=logit: is for pictures, and dataset=ring holds points",
    "model=made model.components=3": "model.components=3: is of more levels than two, which one probability tells",
    "model=made model.levels=4 model.output=categorical model.components=3": "model.components=3: is of model.output",
    "model=semi_supervised model.labels=0 model.labels_seed=1": "model.labels_seed=1: draws some of the labels, and",
    "penalty=consistency penalty.consistency.noise=0.1": "penalty.consistency.noise=0.1: is for points, and",
    "experiment=ring penalty=consistency penalty.consistency.shift=0.1": "penalty.consistency.shift=0.1: is for",
    "model=vae model.likelihood=logistic model.sigma=1e-4": "model.sigma=0.0001: is far within a level, and counts as",
    "model=maf ensemble=2": "ensemble=2: model=maf cannot train several seeds as one computation: use --multirun",
    "model=maf precision=bf16": "precision=bf16: model=maf has no use for it: leave it out",
    "model=maf model.passes=1": "model.passes=1: no number would depend on another: use 2",
    "model=spline_flow model.bins=1": "model.bins=1: must be at least 2",
    "model=rbm dataset=ring": "dataset=ring: holds points, and binary units are pixels: use model.visible=gaussian",
    "model=rbm model.visible=gaussian dataset.dequantise=false": "dataset.dequantise=false: model=rbm is a density",
    "model=rbm dataset.binarise=none": "dataset.binarise=none: model=rbm is of black and white pixels here: use",
    "model=rbm model.chains=none": "model.chains=none: must be one of 'contrastive' or 'persistent'",
    "model=rbm model.gibbs_steps=0": "model.gibbs_steps=0: must be at least 1",
    "model=rbm model.chain=0": "model.chain=0: must be at least 1",
    "model=rbm model.ais_chains=1": "model.ais_chains=1: must be at least 2",
    "model=rbm model.hidden=200000": "model.hidden=200000: needs 204,800,000 weights for dataset.size=32: use at most",
    "model=rbm model.chains=contrastive model.particles=5": "model.particles=5: model.chains=contrastive begins at the",
    "model=rbm devices=2 model.particles=5": "model.particles=5: devices=2 share them, so it must be a multiple of 2",
    "model=dbm model.hidden=[5]": "model.hidden=[5]: ",
    "model=dbm model.hidden=[200000,5]": "model.hidden=[200000,5]: needs 205,800,000 weights for dataset.size=32: use",
    "model=dbm model.mean_field=0": "model.mean_field=0: must be at least 1",
    "model=dbm accumulate=2": "accumulate=2: chains and running means of model=dbm go on once in a move: leave",
    "model=dbm dataset=ring": "dataset=ring: holds points, and model=dbm is of the levels of pixels: use pictures",
    "model=rbm conditional=true": "conditional=true: model=rbm heeds no labels: use conditional=false",
    "model=rbm precision=bf16": "precision=bf16: model=rbm has no use for it: leave it out",
    "model=rbm ensemble=2": "ensemble=2: model=rbm cannot train several seeds as one computation: use",
    "model=fvsbn metrics=reconstruction": "metrics=reconstruction: needs a model with an encoder: model=fvsbn has none",
    "model=vae penalty=r1": "penalty=r1: model=vae has no use for it: leave it out",
    "model=vae architecture=mlp architecture.discriminator.dropout=0.5": "architecture.discriminator.dropout=0.5: ",
    "model=vae prior=uniform": "prior=uniform: the KL divergence of model=vae is to a standard normal prior: leave it",
    "model=vae_gan prior.scale=2": "prior.scale=2: the KL divergence of model=vae_gan is to a standard normal prior",
    "model=vae model.importance_samples=5 model.beta=2": "model.beta=2: the bound of model.importance_samples=5 has no",
    "model=vae model.likelihood=logistic architecture=mlp dataset=ring": "model.likelihood=logistic: is of pixels, and",
    "model=vae model.sigma=0.1": "model.sigma=0.1: a Bernoulli pixel has no scale: leave it out, or use",
    "model=vae model.likelihood=gaussian dataset.binarise=fixed": "dataset.binarise=fixed: model=vae is a density",
    "model=vae ensemble=2": "ensemble=2: is for small games, architecture=mlp: architecture=dcgan keeps",
    "model=vae_gan model.likelihood=bernoulli": "model.likelihood=bernoulli: D of model=vae_gan would know black",
    "model=vae_gan ensemble=2 architecture=mlp": "ensemble=2: model=vae_gan cannot train several seeds as one",
    "model=vae_gan reuse_fakes=true": "reuse_fakes=true: other players of model=vae_gan move between D and who made",
    "model=adversarial_autoencoder augment=[color]": "augment=['color']: is for pictures, and D of model=adversarial",
    "model=adversarial_autoencoder generator.lr=1e-4": "generator.lr=1e-4: model=adversarial_autoencoder has no use",
    "model=adversarial_autoencoder model.adversarial=-1": "model.adversarial=-1: must be",
    "model=adversarial_autoencoder loss=wasserstein loss.clip=0 architecture.discriminator.norm=spectral": (
        "loss.clip=0: nothing keeps the critic Lipschitz: add penalty=gradient_penalty, or clip=0.01"
    ),
    **{
        f"model={model} architecture=mlp architecture.discriminator.norm=weight": (
            "architecture.discriminator.norm=weight: takes its scales from the first minibatch of D, and the encoder "
            f"of model={model} would have none: use norm=layer"
        )
        for model in ("vae", "vae_gan", "adversarial_autoencoder")
    },
    "model=fvsbn metrics=likelihood metrics.likelihood.draws=9": "metrics=likelihood: draws=9: model=fvsbn has no",
    "metrics=likelihood": "metrics=likelihood: model=gan has no likelihood: use metrics=parzen, which judge samples",
    "dataset.binarise=dynamic dataset.dequantise=true": "dataset.dequantise=true: dataset.binarise=dynamic leaves two",
    "dataset=ring architecture=mlp dataset.binarise=fixed": "dataset.binarise=fixed: no such key",
    "dataset.classes=[3,10]": "dataset.classes=[10]: no such class; there are: 0 to 9",
    "dataset.classes=[3,3]": "dataset.classes=[3, 3]: names a class twice",
    "dataset=celeba dataset.classes=[1]": "dataset.classes=[1]: dataset=celeba has attributes, no classes: leave",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_what_does_not_fit_is_one_line(gan_train, command):
    result = gan_train(*command.split(), "dry_run=true")
    assert result.code == 2
    assert len(result.errors) == 1
    assert result.errors[0].startswith(f"gan-train: error: {MISTAKES[command]}")
    assert not Path("outputs").exists()


@pytest.mark.parametrize("model", ["fvsbn", "made", "vae-iwae", "vae-points", "nice", "realnvp-points"])
def test_seeds_of_a_perceptron_are_one_computation(gan_train, model):
    keys = (*MODELS[model], "steps=4", "log_every=2")
    assert gan_train(*keys, "ensemble=2", "hydra.run.dir=both").code == 0
    assert gan_train(*keys, "seed=1", "hydra.run.dir=alone").code == 0
    ours, theirs = (state_in(Path(run))["networks"]["model"] for run in ("both/seed-1", "alone"))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], atol=1e-6, rtol=0)


def test_a_pass_counts_what_the_data_show(gan_train):
    """Every context and level of all training pictures, once; and its nats are the entropy that follows."""
    keys = (*MODELS["ngram"], "dataset.binarise=fixed", "model.n=3")
    assert gan_train(*keys, "steps=8", "hydra.run.dir=run").code == 0  # 8 minibatches of 8 are the 64 pictures
    counts = state_in(Path("run"))["networks"]["model"]["counts"]
    pixels = setup_of(*keys).samples.values.reshape(64, -1) // 255
    told = np.zeros((9, 2))
    for row in pixels:
        padded = [2, 2, *row]
        for i, pixel in enumerate(row):
            told[3 * padded[i] + padded[i + 1], pixel] += 1
    np.testing.assert_array_equal(counts, told)


def test_what_draws_pixel_by_pixel_is_not_exported_as_a_graph(trained, gan_sample):
    result = gan_sample(f"checkpoint={trained(*MODELS['fvsbn'])}", "export=onnx")
    assert result.code == 2
    assert result.lines == ["export=onnx: model=fvsbn draws in steps: use export=safetensors"]


def test_a_notebook_asks_for_what_the_metric_says(trained, gan_eval):
    run = trained(*MODELS["fvsbn"])
    assert gan_eval(f"checkpoint={run}", "metrics=likelihood", "out=found.json").code == 0
    model, found = gan_cli.load(str(run)), json.loads(Path("found.json").read_text())["metrics"]
    setup = setup_of(*MODELS["fvsbn"])
    x = as_input(still(setup.dataset, setup.samples, TRAINED_ON).values)
    assert float(model.log_likelihood(x).mean()) == pytest.approx(found["nats/training"], rel=1e-6)
    assert found["bits_per_dim/training"] == pytest.approx(-found["nats/training"] / 64 / np.log(2))
    assert model.likelihood(x).kind == "exact"
    with pytest.raises(ValueError, match="must be −1 and 1 alone, as dataset"):
        model.log_likelihood(0.5 * x)
    with pytest.raises(ValueError, match="labels: not a conditional model"):
        model.log_likelihood(x, torch.zeros(len(x), dtype=torch.int64))
    conditional = gan_cli.load(str(trained(*MODELS["fvsbn-grey"])))
    with pytest.raises(ValueError, match="labels: give one for each sample"):
        conditional.log_likelihood(x)


def test_a_dataset_of_ones_own_that_shows_grey_is_refused_by_a_binary_model(gan_train, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "grey_data.py").write_text(
        "import numpy as np\nfrom gan_cli.data import Samples\n\nclass Grey:\n    shape, classes = (1, 8, 8), 0\n"
        "    def load(self):\n        return Samples(np.arange(640, dtype=np.uint8).reshape(10, 1, 8, 8))\n"
    )
    (tmp_path / "mine" / "dataset").mkdir(parents=True)
    (tmp_path / "mine" / "dataset" / "grey.yaml").write_text("name: grey\nclass: grey_data.Grey\n")
    result = gan_train("--config-dir", "mine", "model=fvsbn", "dataset=grey", "steps=1", "batch_size=4")
    assert result.code == 2
    assert result.errors[0].startswith("gan-train: error: dataset=grey: shows grey pixels, and model=fvsbn is of black")
    assert gan_train("--config-dir", "mine", "model=fvsbn", "model.levels=4", "dataset=grey", "dry_run=true").code == 0


def test_a_package_that_is_missing_is_one_line(gan_train, monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko", None)
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    for model in ("maf", "spline_flow"):
        result = gan_train(f"model={model}", "dry_run=true")
        assert result.code == 2
        assert result.errors == [
            f"gan-train: error: model={model}: needs the package zuko: pip install 'gan-cli[flows]'"
        ]


def test_another_model_cannot_go_on(gan_train):
    assert gan_train(*MODELS["fvsbn"], "steps=2", "hydra.run.dir=run").code == 0
    result = gan_train("resume=run", "steps=4", "model=gan")
    assert result.code == 2
    assert "model=gan: the checkpoint has fvsbn, and its weights and data cannot follow" in result.errors[0]


def test_the_likelihood_of_a_gan_is_refused_with_what_to_use_instead(trained, gan_eval):
    from conftest import TINY_MLP

    result = gan_eval(f"checkpoint={trained(*TINY_MLP)}", "metrics=likelihood")
    assert result.code == 2
    line = "gan-eval: error: metrics=likelihood: model=gan has no likelihood: use metrics=parzen, which judge samples"
    assert result.err.splitlines()[-1] == line
