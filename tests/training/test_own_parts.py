"""Parts of one's own that do not fit are refused in one line, by the real command, before anything is made."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
import torch
from conftest import TINY_DCGAN, TINY_POINTS, Result, config_of, setup_of, tensors

import gan_cli
from gan_cli import cli
from gan_cli.commands.dry_run.command import dry_run
from gan_cli.commands.tool import EVALUATION
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.random import seed_all
from gan_cli.training import fitting
from gan_cli.training.state import state_of

GOOD = """
import numpy as np, torch
from torch import nn
from torch.utils.data import Dataset
from gan_cli.data import Samples

class Dots:
    def __init__(self, height: int = 8, width: int = 8, channels: int = 1):
        self.shape, self.classes = (channels, height, width), 3
    def load(self):
        values = np.random.default_rng(0).integers(0, 256, (40, *self.shape)).astype(np.uint8)
        return Samples(values, np.arange(40) % 3)

class G(nn.Module):
    def __init__(self, latent, shape, classes):
        super().__init__()
        self.shape, self.embed = shape, nn.Embedding(max(1, classes), latent)
        self.linear = nn.Linear(latent, shape[0] * shape[1] * shape[2])
    def forward(self, z, labels=None):
        z = z if labels is None else z + self.embed(labels)
        return self.linear(z).tanh().unflatten(1, self.shape)

class D(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        size = shape[0] * shape[1] * shape[2]
        self.linear, self.embed = nn.Linear(size, 1), nn.Embedding(max(1, classes), size)
    def forward(self, x, labels=None):
        x = x.flatten(1)
        return self.linear(x if labels is None else x + self.embed(labels)).squeeze(1)

class Net:
    def generator(self, latent, shape, classes):
        return G(latent, shape, classes)
    def discriminator(self, shape, classes):
        return D(shape, classes)

class Game:
    def discriminator(self, real_logits, fake_logits):
        return (nn.functional.softplus(-real_logits) + nn.functional.softplus(fake_logits)).mean()
    def generator(self, fake_logits, real_logits=None):
        return nn.functional.softplus(-fake_logits).mean()

class Noise:
    def __init__(self, size: int = 4):
        self.size = size
    def sample(self, n, device="cpu", generator=None):
        return torch.randn(n, self.size, device=device, generator=generator)

class Flat:
    def __init__(self, weight: float = 1.0):
        self.weight = weight
    def __call__(self, judge, real, fake):
        return judge(real).square().mean()
    def due(self, move):
        return True
    def strength(self, images):
        return self.weight

class Descent:
    def __init__(self, lr: float = 0.01):
        self.lr = lr
    def build(self, parameters, lr):
        return torch.optim.SGD(parameters, lr)

class Half:
    def __call__(self, step):
        return 0.5

class Mean:
    def __call__(self, evidence):
        return {"mean": float(evidence.drawn.values.mean())}

class Rows:
    def features(self, values):
        return values.mean(axis=(1, 2)).astype(np.float32)

"""
CLASSES = {
    "dataset": "Dots",
    "architecture": "Net",
    "loss": "Game",
    "prior": "Noise",
    "penalty": "Flat",
    "optimizer": "Descent",
    "schedule": "Half",
    "metrics": "Mean",
    "extractor": "Rows",
}
VALUES = {"prior": "size: 4\n", "optimizer": "lr: 0.01\n", "dataset": "height: 8\nwidth: 8\nchannels: 1\n"}
KEYS = ("batch_size=4", "steps=2", "sample_count=4", "--config-dir", "own")


def write(code: str) -> None:
    """Options ``mine`` of every group, whose classes are those above, or those that ``code`` defines in their place."""
    Path("mine.py").write_text(GOOD + textwrap.dedent(code))
    for group, name in CLASSES.items():
        file = Path("own") / group / "mine.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        package = f"# @package {group}.mine\n" if group in ("penalty", "metrics") else ""
        file.write_text(f"{package}name: mine\nclass: mine.{name}\n{VALUES.get(group, '')}")


def chosen(*groups: str) -> list[str]:
    return [f"{group}=mine" for group in groups]


def test_every_part_may_be_ones_own(gan_train):
    write("")
    keys = (*KEYS, *chosen(*(CLASSES.keys() - {"metrics"})), "conditional=true")
    keys += ("metrics=[mine,frechet]", "evaluate_count=40")
    assert "nothing was written" in gan_train(*keys, "dry_run=true").out
    result = gan_train(*keys, "watch=frechet", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert gan_train("--config-dir", "own", "resume=run", "steps=3").code == 0
    assert gan_cli.load("run", config_dir="own").sample(3).shape == (3, 1, 8, 8)


def method(name: str, signature: str, body: str, base: str | None = None) -> str:
    """A class with one other method, of the class of that name above, or of another."""
    inherits = f"({name})" if base is None else f"({base})" if base else ""
    return f"class {name}{inherits}:\n    def {signature}:\n        {body}\n"


def forward(network: str, body: str, arguments: str = "self, x, labels=None") -> str:
    return method(network, f"forward({arguments})", body)


WHOLE = "super().forward(x, labels)"
NETWORKS = {
    "a generator of another size": (
        method("G", "__init__(self, latent, shape, classes)", "super().__init__(latent, (1, 4, 4), classes)"),
        "the generator returned float32 (4, 1, 4, 4): return samples of the data's shape",
    ),
    "channels last from the generator": (
        forward("G", f"return {WHOLE}.permute(0, 2, 3, 1)"),
        "the generator returned float32 (4, 8, 8, 1): return",
    ),
    "a generator that returns a pair": (forward("G", f"return {WHOLE}, x"), "the generator returned a tuple: return"),
    "a sigmoid generator": (
        forward("G", "return self.linear(x).sigmoid().unflatten(1, self.shape)"),
        "the generator's pixels are never below 0",
    ),
    "a generator of pixels up to 255": (
        forward("G", "return 255 * self.linear(x).sigmoid().unflatten(1, self.shape)"),
        "the generator's pixels are never below 0",
    ),
    "a generator of pixels up to 127.5": (
        forward("G", f"return 127.5 * {WHOLE}"),
        "the generator's pixels end at ±127.5, and those of the data at ±1",
    ),
    "a generator that is not finite": (
        forward("G", f"return {WHOLE} / 0"),
        "the untrained generator returns numbers that are not finite",
    ),
    "several logits a picture": (
        forward("D", f"return {WHOLE}[:, None].expand(-1, 25)"),
        "the discriminator returned float32 (4, 25): return one logit for each of 4 samples, (4,)",
    ),
    "one logit for all pictures": (
        forward("D", f"return {WHOLE}.mean()"),
        "the discriminator returned float32 (): return",
    ),
    "features besides logits": (forward("D", f"return {WHOLE}, x"), "the discriminator returned a tuple: return"),
    "a logit that is not finite": (
        forward("D", f"return {WHOLE} * float('nan')"),
        "the untrained discriminator returns logits that are not finite",
    ),
    "probabilities instead of logits": (
        forward("D", f"return {WHOLE}.sigmoid()"),
        "the discriminator returns a probability, as of a sigmoid",
    ),
    "logits of one sign": (forward("D", f"return 1 + {WHOLE}.relu()"), "never on both sides of 0"),
    "a generator without labels": (
        forward("G", "return self.linear(z)", "self, z"),
        "the generator: forward() must take (z, labels), and does not",
    ),
    "a discriminator without labels": (
        forward("D", "return self.linear(x.flatten(1)).squeeze(1)", "self, x"),
        "the discriminator: forward() must take (x, labels), and does not",
    ),
    "a generator without gradient": (
        forward("G", f"return {WHOLE}.detach()"),
        "no gradient of J(G) reaches the generator's weights",
    ),
    "a discriminator that passes no gradient on": (
        forward("D", "return super().forward(torch.from_numpy(x.detach().numpy()), labels)"),
        "no gradient of J(G) reaches the generator's weights through the discriminator",
    ),
    "a discriminator that steps": (
        forward("D", f"return {WHOLE}.sign() + {WHOLE} * 0"),
        "the gradient of J(D) in the discriminator's weights is 0 whatever they are",
    ),
    "a generator that rounds": (
        forward("G", f"return {WHOLE}.round()"),
        "the gradient of J(G) in the generator's weights is 0 whatever they are",
    ),
    "a forward that fails": (
        forward("D", "return undefined"),
        "the discriminator's forward(x, labels), given float32 (4, 1, 8, 8), failed: NameError: name 'undefined' is "
        "not defined (mine.py, line ",
    ),
    "no forward": (
        method("D", "__init__(self, *a)", "super().__init__(); self.a = nn.Linear(2, 2)", base="nn.Module"),
        "failed: NotImplementedError",
    ),
    "no weights": (
        "class D(nn.Module):\n    def __init__(self, *a):\n        super().__init__()\n"
        "    def forward(self, x, labels):\n        return x.flatten(1).sum(1)",
        "the discriminator has no weights to learn",
    ),
    "no generator": ("class Net:\n    discriminator = Net.discriminator", "has no generator(latent, shape, classes)"),
    "no discriminator": ("class Net:\n    generator = Net.generator", "has no discriminator(shape, classes)"),
    "a generator of other arguments": (
        method("Net", "generator(self, latent)", "return G(latent, (1, 8, 8), 0)"),
        "generator() must take (latent, shape, classes), and does not",
    ),
    "a generator that is none": (
        method("Net", "generator(self, latent, shape, classes)", "return None"),
        "generator() returned nothing: return a torch.nn.Module",
    ),
    "a discriminator that cannot be made": (
        method("Net", "discriminator(self, shape, classes)", "return {}['no']"),
        "discriminator(shape, classes) failed: KeyError: 'no' (mine.py, line ",
    ),
    "a constructor that fails": (
        method("Net", "__init__(self)", "self.a = self.b"),
        "Net() failed: AttributeError",
    ),
}
PARTS = {
    "loss": {
        "nothing returned": (
            method("Game", "generator(self, fake_logits, real_logits=None)", "fake_logits.mean()"),
            "loss=mine: generator() returned nothing: return J(G)",
        ),
        "no mean": (
            method("Game", "discriminator(self, real_logits, fake_logits)", "return fake_logits - real_logits"),
            "loss=mine: discriminator() returned float32 (4,): return J(D), one number, such as the .mean()",
        ),
        "a plain number": (
            method("Game", "generator(self, fake_logits, real_logits=None)", "return fake_logits.mean().item()"),
            "loss=mine: generator() returned a float: return J(G), a tensor",
        ),
        "not finite": (
            method("Game", "generator(self, fake_logits, real_logits=None)", "return fake_logits.mean() / 0"),
            "loss=mine: generator() returned",
        ),
        "detached": (
            method("Game", "discriminator(self, real_logits, fake_logits)", "return fake_logits.detach().mean()"),
            "loss=mine: discriminator() does not follow from what D says",
        ),
        "one argument": (
            method("Game", "generator(self, fake_logits)", "return fake_logits.mean()"),
            "loss=mine: generator() must take (fake_logits, real_logits=None)",
        ),
        "half of it": (
            method("Game", "generator(self, fake_logits, real_logits=None)", "return -fake_logits.mean()", base=""),
            "loss=mine: has no discriminator(real_logits, fake_logits)",
        ),
    },
    "prior": {
        "another size": (
            method(
                "Noise",
                "sample(self, n, device='cpu', generator=None)",
                "return torch.randn(n, 3, generator=generator)",
            ),
            "prior=mine: sample(4, …) returned float32 (4, 3): return latents (n, prior.size), here float32 (4, 4)",
        ),
        "doubles": (
            method(
                "Noise",
                "sample(self, n, device='cpu', generator=None)",
                "return super().sample(n, device, generator).double()",
            ),
            "prior=mine: sample(4, …) returned float64 (4, 4)",
        ),
        "draws of its own": (
            method("Noise", "sample(self, n, device='cpu', generator=None)", "return torch.randn(n, self.size)"),
            "prior=mine: sample() must draw from the generator it is given",
        ),
        "no generator": (
            method("Noise", "sample(self, n)", "return torch.randn(n, self.size)"),
            "prior=mine: sample() must take (n, device, generator)",
        ),
        "no size": (
            method("Noise", "__init__(self, scale: int = 4)", "self.size = 4"),
            "prior=mine: needs the option `size`",
        ),
    },
    "penalty": {
        "no mean": (
            method("Flat", "__call__(self, judge, real, fake)", "return judge(real)"),
            "penalty=mine: the penalty returned float32 (4,): return its value, one number",
        ),
        "nothing to do with D": (
            method("Flat", "__call__(self, judge, real, fake)", "return real.mean()"),
            "penalty=mine: the penalty does not follow from what D says",
        ),
        "never due": ("class Flat(Flat):\n    due = None", "penalty=mine: has no due(move)"),
        "no strength": (
            method("Flat", "strength(self, images)", "return 'strong'"),
            "penalty=mine: strength() returned a str: return a finite number",
        ),
    },
    "optimizer": {
        "none": (
            method("Descent", "build(self, parameters, lr)", "pass"),
            "optimizer=mine: build() returned nothing: return a torch.optim.Optimizer",
        ),
        "the wrong arguments": (
            method("Descent", "build(self, parameters)", "pass"),
            "optimizer=mine: build() must take (parameters, lr)",
        ),
        "a step that fails": (
            method("Bad", "step(self, closure=None)", "raise KeyError('momentum')", base="torch.optim.SGD")
            + method("Descent", "build(self, parameters, lr)", "return Bad(parameters, lr)"),
            "optimizer=mine: a step failed: KeyError: 'momentum' (mine.py, line",
        ),
    },
    "schedule": {
        "nothing": (
            method("Half", "__call__(self, step)", "pass", base=""),
            "schedule=mine: at step 1 it returned nothing: return a factor of the rate",
        ),
        "negative": (
            method("Half", "__call__(self, step)", "return 1 - step", base=""),
            "schedule=mine: at step 2 it returned -1.0: return a factor of the rate, 0 or more",
        ),
    },
    "dataset": {
        "a tuple": (
            method("Dots", "load(self)", "return np.zeros((4, 1, 8, 8), np.uint8), np.zeros(4)"),
            "dataset=mine: load() returned a tuple: return gan_cli.data.Samples(values, labels)",
        ),
        "tensors": (
            method("Dots", "load(self)", "return Samples(torch.zeros(4, 1, 8, 8, dtype=torch.uint8))"),
            "dataset=mine: samples and labels must be NumPy arrays, not Tensor",
        ),
        "channels last": (
            method("Dots", "load(self)", "return Samples(np.zeros((4, 8, 9, 3), np.uint8))"),
            "dataset=mine: samples must be uint8 (N, C, H, W), and (4, 8, 9, 3) looks like (N, H, W, C)",
        ),
        "floats": (
            method("Dots", "load(self)", "return Samples(np.zeros((4, 1, 8, 8)))"),
            "dataset=mine: samples must be uint8 (N, C, H, W), float32 (N, C, H, W) in [-1, 1], "
            "float32 (N, d) or (N, C, L), not float64 (4, 1, 8, 8)",
        ),
        "labels of floats": (
            method("Dots", "load(self)", "return Samples(np.zeros((4, 1, 8, 8), np.uint8), np.zeros(4))"),
            "dataset=mine: labels must be whole numbers",
        ),
        "a class name of two lines": (
            method("Dots", "load(self)", "s = super().load(); return Samples(s.values, s.labels, ('a', 'b', 'c\\nd'))"),
            "dataset=mine: a class or condition is called c\\nd…: names are one line of at most 1,000 characters",
        ),
        "a long class name": (
            method(
                "Dots", "load(self)", "s = super().load(); return Samples(s.values, s.labels, ('a', 'b', 1001 * 'c'))"
            ),
            "dataset=mine: a class or condition is called cccc",
        ),
        "a torch Dataset": (
            "class Dots(Dataset):\n    def __len__(self):\n        return 4\n"
            "    def __getitem__(self, i):\n        return torch.zeros(1, 8, 8), 0",
            "dataset=mine: has no load()",
        ),
        "a load that fails": (
            method("Dots", "load(self)", "raise KeyError('labels')"),
            "dataset=mine: load() failed: KeyError: 'labels' (mine.py, line",
        ),
        "points that are not finite": (
            method("Dots", "load(self)", "return Samples(np.full((4, 2), np.nan, np.float32))", base=""),
            "dataset=mine: the samples hold numbers that are not finite",
        ),
    },
    "metrics": {
        "a number without a name": (
            method("Mean", "__call__(self, evidence)", "return 0.5", base=""),
            "metrics=mine: returned a float: return numbers by name",
        ),
        "words": (
            method("Mean", "__call__(self, evidence)", "return {'mean': 'good'}", base=""),
            "metrics=mine: returned 'mean': a str: return numbers by name",
        ),
        "a failure": (
            method("Mean", "__call__(self, evidence)", "return {}['no']", base=""),
            "metrics=mine: the metric failed: KeyError: 'no' (mine.py, line",
        ),
        "no call": ("class Mean:\n    pass", "metrics=mine: has no __call__(evidence)"),
    },
    "extractor": {
        "a row too few": (
            method("Rows", "features(self, values)", "return values.mean(axis=(1, 2)).astype(np.float32)[1:]", base=""),
            "extractor=mine: features() returned float32 (",
        ),
        "no features": ("class Rows:\n    pass", "extractor=mine: has no features(values)"),
        "not finite": (
            method("Rows", "features(self, values)", "return np.full((len(values), 2), np.nan)", base=""),
            "extractor=mine: features() returned numbers that are not finite",
        ),
    },
}
ONLY_WITH_DATA = ("failed", "returned")
NEEDS = {"metrics": ["metrics=mine"], "extractor": ["extractor=mine", "metrics=frechet"]}
BY_COMMAND = {
    "a generator of another size",
    "several logits a picture",
    "a constructor that fails",
    "loss: nothing returned",
    "prior: no size",
    "dataset: a torch Dataset",
    "dataset: channels last",
    "dataset: points that are not finite",
    "metrics: a number without a name",
    "metrics: words",
    "metrics: a failure",
    "extractor: a row too few",
    "extractor: not finite",
}
CASES = {name: ("architecture", *case) for name, case in NETWORKS.items()}
CASES |= {f"{group}: {name}": (group, *case) for group, cases in PARTS.items() for name, case in cases.items()}


def params(*names: str):
    return [pytest.param(*CASES[name], id=name.replace(" ", "-")) for name in names]


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    """The config of a run of parts of one's own, composed once: a part that is changed keeps its options."""
    made: dict[tuple[str, ...], Config] = {}

    def call(*keys: str) -> Config:
        if keys not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path_factory.mktemp("own"))
                patch.setattr(sys, "path", list(sys.path))
                write("")
                made[keys] = config_of(*KEYS, *keys)
                sys.modules.pop("mine", None)
        return made[keys]

    return call


@pytest.mark.parametrize(("group", "code", "message"), params(*(name for name in CASES if name not in BY_COMMAND)))
def test_a_part_that_does_not_fit_is_refused_in_one_line(composed, group, code, message):
    config = composed("experiment=lecture", *chosen("dataset", "architecture"), *NEEDS.get(group, chosen(group)))
    write(code)
    with pytest.raises(UserError) as refusal:
        dry_run(config, Library("own"), Path())
    (line,) = refusal.value.problems
    assert message in line
    assert "\n" not in line


@pytest.mark.parametrize(("group", "code", "message"), params(*sorted(BY_COMMAND)))
def test_and_by_the_command_before_anything_is_made(gan_train, group, code, message):
    write(code)
    if "class Dots:" in code or "class Dots(Dataset)" in code:
        Path("own/dataset/mine.yaml").write_text("name: mine\nclass: mine.Dots\n")
    if "scale" in code:
        Path("own/prior/mine.yaml").write_text("name: mine\nclass: mine.Noise\nscale: 4\n")
    keys = (*KEYS, *chosen("dataset", "architecture"), *NEEDS.get(group, chosen(group)))
    before = sorted(Path().rglob("*"))
    if group not in NEEDS or not any(part in message for part in ONLY_WITH_DATA):
        refused(gan_train(*keys, "dry_run=true"), message)
    refused(gan_train(*keys, "hydra.run.dir=run"), message)
    assert [path for path in sorted(Path().rglob("*")) if "__pycache__" not in path.parts] == before


def refused(result: Result, message: str) -> None:
    assert result.code == 2, result.err
    (line,) = result.err.splitlines()
    assert line.startswith("gan-train: error: "), line
    assert message in line


# --- what depends on the run -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("network", "named"), [("G", "generator"), ("D", "discriminator")])
def test_a_conditional_run_needs_networks_that_heed_labels(composed, network, named):
    config = composed(*chosen("dataset", "architecture"), "conditional=true")
    write(forward(network, "return super().forward(x)"))
    with pytest.raises(UserError, match=f"conditional=true: the {named} of architecture=mine returns the same for all"):
        dry_run(config, Library("own"), Path())
    write(f"""
        class {network}({network}):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                nn.init.zeros_(self.embed.weight)
    """)  # heeds none at first, and can learn to
    sys.modules.pop("mine")
    dry_run(config, Library("own"), Path())


def test_a_network_may_begin_as_zero_be_one_sided_or_want_whole_minibatches(composed):
    write("""
        class G(G):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                nn.init.constant_(self.linear.bias, 3.0)

        class D(D):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                nn.init.zeros_(self.linear.weight)
                nn.init.ones_(self.linear.bias)
            def forward(self, x, labels=None):
                return super().forward(x.unflatten(0, (8, -1)).flatten(0, 1), labels)[:, None]
    """)
    dry_run(composed(*chosen("dataset", "architecture"), "batch_size=16"), Library("own"), Path())


SHAPES = {
    "dcgan, 18 × 32": (
        "architecture=dcgan dataset.height=18 dataset.width=32",
        "pictures of 18 × 32: needs sides of 4 to 7, the longer up to 16, doubled as often, from 8 to 256, such as 16 "
        "× 32",
    ),
    "dcgan, 30 × 30": ("architecture=dcgan dataset.height=30 dataset.width=30", "such as 32 × 32"),
    "classifier, 3 × 20": (
        "architecture=mlp dataset.height=3 dataset.width=20 metrics=[frechet] extractor=classifier",
        "extractor=classifier sees pictures of 4 × 4 or larger, not 3 × 20: use extractor=pixels",
    ),
    "fresh discriminator, 3 × 20": (
        "architecture=mlp dataset.height=3 dataset.width=20 metrics=[two_sample]",
        "metrics=two_sample: sees pictures of 4 × 4 or larger, not 3 × 20",
    ),
    "batch norm of one": (
        "architecture=mlp batch_size=1 architecture.generator.norm=batch",
        "batch_size=1: leaves batch norm a single sample",
    ),
    "batch norm of a pack": (
        "architecture=mlp pack=4 architecture.discriminator.norm=batch",
        "batch_size=4 pack=4: leaves batch norm a single sample",
    ),
    "batch norm of a share": (
        "architecture=mlp batch_size=2 devices=2 sync_batchnorm=false architecture.generator.norm=batch",
        "batch_size=2 devices=2: leaves batch norm a single sample",
    ),
}


@pytest.mark.parametrize(("keys", "message"), SHAPES.values(), ids=SHAPES.keys())
def test_what_a_shipped_network_cannot_take_is_refused_before_anything_is_made(gan_train, keys, message):
    write("")
    command = (*KEYS, "dataset=mine", *keys.split())
    before = sorted(Path().rglob("*"))
    refused(gan_train(*command, "dry_run=true"), message)
    if any(key in keys for key in ("width=32", "batch_size=1 ", "metrics")):
        refused(gan_train(*command), message)
    assert [path for path in sorted(Path().rglob("*")) if "__pycache__" not in path.parts] == before


def test_a_refused_run_takes_nothing_with_it_from_the_folder_it_was_given(gan_train):
    write(forward("G", "return self.linear(x).sigmoid().unflatten(1, self.shape)"))
    Path("here").mkdir()
    Path("here/thesis.tex").write_text("years of work")
    refused(gan_train(*KEYS, *chosen("dataset", "architecture"), "hydra.run.dir=here"), "never below 0")
    assert [path.name for path in Path("here").iterdir()] == ["thesis.tex"]


def test_compiling_without_a_compiler_is_refused_before_anything_is_made(gan_train, monkeypatch):
    from torch._inductor import config

    monkeypatch.setenv("PATH", "/nonexistent")
    with config.patch({"cpp.cxx": ("/nonexistent/g++",)}):
        for dry in ("dry_run=true", "dry_run=false"):
            refused(gan_train(*TINY_POINTS, "compile=true", dry), "compile=true: this machine cannot compile (")
    assert not Path("outputs").exists()


def test_old_runs_of_networks_that_do_not_fit_are_refused_where_they_are_used(gan_train, gan_sample, capfd):
    write("")
    assert gan_train(*KEYS, *chosen("dataset", "architecture"), "hydra.run.dir=run").code == 0
    bad = forward("D", "return super().forward(x, labels)[:, None].expand(-1, 25)")
    bad += forward("G", "return super().forward(x, labels)[..., :4]")
    own = ("--config-dir", "own", "checkpoint=run")
    write(bad)
    sys.modules.pop("mine")
    result = gan_sample(*own, "n=2")
    assert (result.code, len(result.lines)) == (2, 1)
    assert "the generator returned float32 (32, 1, 8, 4): return samples of the data's shape" in result.lines[0]
    write(forward("D", "return super().forward(x, labels)[:, None].expand(-1, 25)"))
    sys.modules.pop("mine")
    capfd.readouterr()
    assert cli._exit_code(lambda: EVALUATION.main((*own, "extractor=pixels", "metrics=frechet")), "gan-eval") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "the discriminator returned float32 (32, 25): return one logit for each of 32 samples" in line


def test_the_check_leaves_networks_and_random_numbers_as_they_were(monkeypatch):
    keys = (*TINY_DCGAN, "architecture.discriminator.norm=spectral", "conditional=true", "penalty=r1")
    seed_all("here", device=torch.device("cpu"))
    checked, drawn = setup_of(*keys), torch.rand(3)
    monkeypatch.setattr(fitting, "check", lambda setup: None)
    seed_all("here", device=torch.device("cpu"))
    plain, expected = setup_of(*keys), torch.rand(3)
    assert torch.equal(drawn, expected)
    ours, theirs = tensors(state_of(checked, 0)), tensors(state_of(plain, 0))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert all(parameter.grad is None for player in checked.players for parameter in player.parameters)
