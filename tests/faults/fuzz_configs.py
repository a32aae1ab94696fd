"""Trains random configs for three steps: each is a run that finishes, or one line for each mistake and exit code 2.

    python tests/faults/fuzz_configs.py --count 500 --seed 0

Every group has a random option, and some keys a value of their type near the one that they have: what no one has put
together before. In this process, in an empty folder. Prints the seed, what became of the commands, and each that did
not end as it should: in a trace, in an exit code other than 0, 2 and 3 (a game that went wrong, and said so), or in a
line that leaves a folder behind.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from fuzzing import main, within

from gan_cli import cli
from gan_cli.config.library import Library
from gan_cli.config.mistakes import shown
from gan_cli.config.options import Values

# fmt: off
PICTURES = [
    ["dataset=digits", "dataset.limit=32"],
    ["dataset=stacked_mnist", "dataset.source=digits", "dataset.stacks=32"],
]
POINTS = [[f"dataset={name}", "dataset.points=64"] for name in ("ring", "grid", "swiss_roll", "gaussian", "mixture")]
SMALL = {  # of what costs by its size
    "architecture=mlp": ["architecture.generator.hidden=[8]", "architecture.discriminator.hidden=[8]"],
    "architecture=dcgan": ["architecture.width=4"], "architecture=resnet": ["architecture.width=4"],
    "architecture=r3gan": ["architecture.width=8", "architecture.group=4"],
    "architecture=progressive": ["architecture.base=32", "architecture.most=8", "architecture.train_images=8"],
    "model=fvsbn": [], "model=made": ["model.hidden=[16]"], "model=ngram": ["model.n=3"],
    "model=nice": ["model.hidden=[8]"],
    "model=realnvp": ["model.couplings=2"], "model=pixelcnn": ["model.layers=2", "model.width=6"],
    "model=maf": ["model.hidden=[8]", "model.layers=2"],
    "model=spline_flow": ["model.hidden=[8]", "model.bins=4", "model.layers=2"],
    "model=rbm": ["model.hidden=6", "model.particles=4", "model.chain=5"],
    "model=dbm": ["model.hidden=[6,5]", "model.particles=4", "model.chain=5"],
}
ROOT = [
    "conditional=true", "conditional=auto", "updates=simultaneous", "updates=extragradient", "updates=optimistic",
    "reuse_fakes=true", "pack=2", "augment=[color,translation]", "augment=[blit,geometric]",
    "augmentation.target=0.6", "precision=bf16", "accumulate=2", "activation_checkpointing=true", "ensemble=2",
    "discriminator.steps=2", "generator.steps=2", "instance_noise.sigma=0.1", "ema_half_life=0",
    "final_ema_half_life=4", "anneal_images=16", "batch_size={0:4,8:8}", "batch_size=1", "discriminator.lr=0",
    "guard=rollback", "guard=warn", "deterministic=true", "freeze=[discriminator:1]", "dataset.flip=true",
    "dataset.binarise=threshold", "dataset.dequantise=true", "dataset.classes=[1,3]", "dataset.channels=3",
    "dataset.size=4", "dataset.size=16", "dataset.size=12", "sample_count=1", "log_every=0",
    "keep_checkpoints=1", "capture=false", "prior.size=1", "metrics=[frechet]",
    "metrics=[modes,speed]", "metrics=[likelihood]", "metrics=[swd,two_sample]", "metrics=[divergence]",
    "metrics=[discriminator,parzen]", "metrics=[precision_recall,memorisation]", "watch=frechet", "extractor=pixels",
]
# fmt: on
QUIET = ("steps=3", "checkpoint_every=2", "hydra.run.dir=run", "device=cpu", "batch_size=4", "sample_count=4")
FINE = ("trains", "refused in a line", "went wrong")


def near(value: object, source: random.Random) -> str | None:
    """Another value of the same type, as it is typed; None of what is no number and no switch."""
    if isinstance(value, bool):
        return shown(not value)
    if isinstance(value, int):
        return str(source.choice((0, 1, 2, -1, value + 1, value // 2)))
    if isinstance(value, float):
        return repr(source.choice((0.0, 0.5 * value, 2 * value, -value, 1.0)))
    return None


def leaves(values: Values, prefix: str) -> Iterator[tuple[str, object]]:
    """The dotted keys of nested values."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        elif key != "name":
            yield f"{prefix}{key}", value


def command(source: random.Random, library: Library) -> list[str]:
    """The words of a random command."""
    words = ["experiment=lecture", *QUIET]
    model = source.choice(library.options("model")) if source.random() < 0.4 else "gan"
    architecture = source.choice(library.options("architecture"))
    data = source.choice(POINTS if source.random() < 0.25 else PICTURES)
    words += [
        f"model={model}",
        f"architecture={architecture}",
        *data,
        *(["dataset.size=8"] if data in PICTURES else []),
    ]
    chosen = {"model": model, "architecture": architecture}
    plain = model != "gan" and source.random() < 0.9  # what others have no use for is refused, time and again
    words += [] if plain else ["prior.size=4"]
    for group in ("loss", "prior", "optimizer", "schedule"):
        if source.random() < 0.5 and not plain:
            chosen[group] = source.choice(library.options(group))
            words.append(f"{group}={chosen[group]}")
    penalties = source.sample(library.options("penalty"), 0 if plain else source.choice((0, 0, 1, 1, 2)))
    words += [f"penalty=[{','.join(penalties)}]"] if penalties else []
    for group, name in chosen.items():
        words += SMALL.get(f"{group}={name}", [])
        keys = list(leaves(library.values(group, name), f"{group}."))
        for key, value in source.sample(keys, min(len(keys), source.choice((0, 0, 0, 1)))):
            if (other := near(value, source)) is not None:
                words.append(f"{key}={other}")
    words += source.sample(ROOT, source.choice((0, 1, 2, 3)))
    return words + (["evaluate_count=32"] if any(word.startswith("metrics=") for word in words) else [])


def run(argv: list[str]) -> tuple[str, str]:
    """How a command ended, in this process, and what it said."""
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["gan-train", *argv]
    os.environ.pop("HYDRA_FULL_ERROR", None)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli._exit_code(lambda: cli._train(argv))
    said = err.getvalue()
    left = Path("run").exists()
    shutil.rmtree("run", ignore_errors=True)
    if code not in (0, 2, 3) or "Traceback" in said or "unexpected fault" in said:
        return "ends in a trace", said
    if code != 2:
        return ("went wrong" if code else "trains"), said
    mistakes = [line for line in said.splitlines() if line.startswith("gan-train: error: ")]
    if left or not mistakes:
        return "leaves a folder" if left else "says nothing", said
    return "refused in a line", said


def fuzz(count: int, seed: int, told: Callable[[str], None] = print) -> Counter[str]:
    """How so many commands ended; tells of each that did not end as it should."""
    counts: Counter[str] = Counter()
    library = Library()
    for number in range(count):
        argv = command(random.Random(f"{seed}/{number}"), library)
        how, said = run(argv)
        counts[how] += 1
        if how not in FINE:
            told(f"{how}: {number}: gan-train {' '.join(argv)}\n    {said[-900:]}")
    return counts


if __name__ == "__main__":
    main(__doc__, "configs", 500, within(fuzz), FINE.__contains__)
