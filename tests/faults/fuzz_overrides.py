"""Types random commands: each is a config that builds, or one line for each mistake and exit code 2.

    python tests/faults/fuzz_overrides.py --count 10000 --seed 0

In this process, in an empty folder; nothing is trained. Prints the seed, what became of the commands, and each that
did not end as it should: ended in a trace, said nothing, took longer than 5 seconds of processor time, said more lines
than there are words, showed a control character or the value of an environment variable, or left a file behind.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from unittest import mock

from fuzzing import main, within
from hydra.core.hydra_config import HydraConfig

from gan_cli import cli
from gan_cli.commands import planning
from gan_cli.commands.bench.command import main as bench
from gan_cli.commands.report.command import main as report
from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION
from gan_cli.config.options import GROUPS
from gan_cli.config.root import Root
from gan_cli.config.typed import known_keys

SECRET = "hunter2-never-to-be-shown"
LONGEST = 5.0  # seconds
# fmt: off
KEYS = [
    *known_keys(Root, GROUPS), "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.name",
    "hydra.output_subdir", "hydra/launcher", "hydra/sweeper", "hydra/output", "hydra.launcher.n_jobs",
    "hydra.sweeper.n_trials", "penalty.target", "penalty.r1.weight", "penalty.r1.target", "experiment", "sweep",
    "hydra.verbose", "hydra",
]
OF_TOOLS = [*SAMPLING.root.model_fields, *EVALUATION.root.model_fields, "metrics", "extractor", "dataset.root"]
TEXTS = [
    "", "null", "true", "1", "0", "-1", "64", "0.5", "1e-4", "-5.5", "1e400", "nan", "inf", "-0", "007", "1_0", "1e9",
    "9" * 5000, "1e" + "9" * 30, "0x10", "a", "a b", "ä", "写真", "'", '"', "\\", "\\'", "a,b", "1,2", "1,2,3", ",",
    "[]", "[1", "1]", "{}", "{a:1}", "{0:64,100:8}", "[1,2]", "[a,[b]]", "{a:{b:[c]}}", "(", ")", "=", "a=b", "@",
    "#", "[" * 400, "[" * 40 + "]" * 40, "(" * 300, "{a:" * 200, "[" * 3 + "'x", "x" * 3000, "1," * 2000 + "1",
    "${seed}", "${steps}", "${nowhere}", "${loss.name}", "${", "${}", "${a", "$", "${..seed}", "${seed}${seed}",
    "${oc.env:SECRET}", "${oc.env:SECRET,1}", "${oc.decode:${oc.env:SECRET}}", "${oc.env:NOT_THERE}",
    "x${oc.env:SECRET}y", "${now:%Y}", "${now:}", "${hydra:runtime.cwd}", "${hydra:job.name}", "${oc.select:seed}",
    "${oc.create:{a:1}}", "${oc.dict.keys:optimizer}", "${oc.${loss.name}:SECRET}", "[${oc.env:SECRET}]",
    "{a:${oc.env:SECRET}}", "${no:such}", "range(1,10)", "range(1,10,0)", "range(0,1000000000)", "range(0,1,1e-12)",
    "range(5,1)", "range(0,inf)", "range(nan,1)", "range(1,4,0.5)", "interval(0,1)", "interval(1,0)", "interval(a,b)",
    "tag(log,interval(1e-5,1e-2))", "tag(x,range(3))", "choice(a,b)", "choice()", "choice(choice(1,2))",
    "sort(3,1,2)", "shuffle(range(0,1000000000))", "sort(range(9,1))", "glob(*)", "glob(z*)", "glob([a*,b*])",
    "int(3.7)", "str(1)", "float(a)", "bool(2)", "int(range(0,9,0.5))", "f(x)", "\x1b[31mred", "a\nb", "a\r\nb", "\t",
    "\x00", "\x07", "a\u202eb", "\u2066", "\u200d", "\ufeff", "\x9b31m", "\u2028", "\udcff", "\ud800", "a\udc80b",
    "~", "~nobody/x", "/", "..", "../x", "/dev/null", "/proc/self/environ", "nowhere", "'quoted'", '"quoted"',
    "'half", "<script>", "=cmd|' /C calc'!A0", "%s%n", "{0}", "__import__('os')", "os.system", "latest", "cpu",
    "cuda:99", "hinge", "[r1,r2]", "mnist", "ring", "dcgan", "[frechet]", "basic", "optuna", "random",
]
GOOD = [
    "steps=10", "batch_size=8", "batch_size={0:8,100:16}", "seed=3", "conditional=true", "updates=optimistic",
    "pack=2", "discriminator.steps=5", "discriminator.lr=4e-4", "generator.lr=${optimizer.lr}", "ema_half_life=0",
    "augment=[color]", "device=cpu", "devices=2", "precision=bf16", "capture=false", "deterministic=true",
    "ensemble=2", "log_every=${steps}", "loss=hinge", "loss=wasserstein", "loss=f_gan", "loss.divergence=kl",
    "penalty=r1", "penalty=[r1,r2]", "penalty.r1.weight=3", "architecture=mlp", "architecture.width=16",
    "architecture.generator.hidden=[16,16]", "dataset=ring", "dataset.size=16", "dataset=image_folder",
    "dataset.path=pictures (1), ü", "dataset.limit=9", "prior=uniform", "prior.size=4", "optimizer=sgd",
    "optimizer.lr=1e-3", "schedule=cosine", "schedule.duration=5", "metrics=[frechet]", "watch=frechet",
    "experiment=ring", "logger=[]", "name=2024_01", "hydra.run.dir=runs/${seed}",
    "hydra.sweep.dir=${oc.env:SECRET}/x", "sweep=lr", "seed=0,1,2", "optimizer.lr=1e-3,1e-4", "loss=glob(*s*)",
    "seed=range(0,5)", "optimizer.lr=interval(0.1,0.2)", "hydra/sweeper=random",
]
FLAGS = [
    ["-m"], ["-m"], ["-m"], ["--cfg", "job"], ["--cfg", "job", "--resolve"], ["--cfg", "all"], ["--cfg"], ["--help"],
    ["--help", "loss"], ["--info=config"], ["--info", "defaults"], ["--config-name", "x"], ["--config-dir", "."],
    ["--config-dir", "no\x1bwhere"], ["--package", "x"], ["--\x1b"], ["--steps", "3"], ["-c", "hydra"],
    ["--hydra-help"], ["--config-name", "../x"], ["-sc", "query=bash"], ["--version"], ["--run"],
    ["--experimental-rerun", "x"], ["-"],
]
CHARACTERS = [
    *"=,.+-~@/\\'\"()[]{}$:%#!|<>* \t\n0aZ_", "\x1b", "\x00", "\udc80", "ü", "\u202e", "${", "}", "**", "==",
]
# fmt: on


@dataclass
class Ended:
    """How a command ended: one word, and what was said."""

    how: str
    said: str


class Hangs(BaseException):
    """The command has taken too long."""


def words(source: random.Random, keys: list[str]) -> list[str]:
    """Some words of a command, mutated now and then."""
    made: list[str] = []
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        key = source.choice(keys) if source.random() < 0.85 else source.choice(TEXTS)[:40]
        sign = source.choice(("", "", "", "", "", "+", "++", "~", "-"))
        word = f"{sign}{key}={source.choice(TEXTS)}"
        if source.random() < 0.3:
            word = f"{sign}{key}={source.choice(TEXTS)[:200]}{source.choice(TEXTS)[:200]}"
        for _ in range(source.choice((0, 0, 0, 0, 1, 1, 2, 8))):
            at = source.randrange(len(word) + 1)
            cut = source.choice((0, 0, 1, 3))
            word = word[:at] + source.choice((*CHARACTERS, "")) + word[at + cut :]
        made.append(word)
    for _ in range(source.choice((0, 0, 1, 2))):
        made.insert(source.randrange(len(made) + 1), source.choice(GOOD))
    return made if source.random() < 0.8 or len(made) < 2 else [word for word in made if word in GOOD] or made


def command(source: random.Random) -> tuple[str, list[str]]:
    """A program and its words."""
    program = source.choices(("gan-train", "gan-sample", "gan-eval", "gan-report", "gan-bench"), (12, 2, 2, 1, 2))[0]
    if program == "gan-report":
        flags = source.choice(([], ["--format", source.choice(TEXTS)], ["--out", source.choice(TEXTS)], ["--x"]))
        return program, [f"no{source.choice(TEXTS)}", *flags]
    made = words(source, OF_TOOLS if program in ("gan-sample", "gan-eval") else KEYS)
    if source.random() < (0.4 if program == "gan-train" else 0.1):
        flags = source.choice(FLAGS)
        made = [*flags, *made] if source.random() < 0.5 else [*made, *flags]
    if program == "gan-bench" and source.random() < 0.3:
        made += source.choice(
            (["--compare", source.choice(made)], ["--peer", source.choice(TEXTS)], ["--repeats", "x"])
        )
    return program, made


DOORS: dict[str, Callable[[list[str]], object]] = {
    "gan-train": lambda argv: cli._train(argv),
    "gan-sample": lambda argv: SAMPLING.main(argv),
    "gan-eval": lambda argv: EVALUATION.main(argv),
    "gan-report": lambda argv: report(argv),
    "gan-bench": lambda argv: bench(argv),
}


@contextlib.contextmanager
def nothing_runs() -> Iterator[None]:
    """What a command would do once it is known to be right is left out; reading YAML files is done once."""
    import torch  # noqa: F401 - so that no command has to wait for it
    from omegaconf import OmegaConf

    load, read = OmegaConf.load, {}

    def cached(file: object) -> object:
        name = str(getattr(file, "name", file))
        if "/conf/" not in name:
            return load(file)  # type: ignore[arg-type]
        if name not in read:
            read[name] = load(file)  # type: ignore[arg-type]
        return read[name].copy()

    with (
        mock.patch.object(OmegaConf, "load", cached),
        mock.patch.object(cli, "hand_over"),
        mock.patch.object(planning, "claimed", lambda plan, *rest: plan),
        mock.patch.object(planning, "claim_sweep"),
        mock.patch("gan_cli.commands.dry_run.command.dry_run", return_value=None),
        mock.patch("gan_cli.commands.bench.turns.run", return_value=None),
        mock.patch("gan_cli.commands.evaluate.run", return_value=None),
        mock.patch("gan_cli.commands.sampling.sample.run", return_value=None),
        mock.patch.dict(os.environ, {"SECRET": SECRET}),
    ):
        yield


def run(program: str, argv: list[str]) -> Ended:
    """Types a command, in this process."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hangs

    os.environ.pop("HYDRA_FULL_ERROR", None)
    HydraConfig.instance().cfg = None  # as in a new process, where no command has shown a config yet
    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGPROF, ring)
    sys.argv = [program]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            signal.setitimer(signal.ITIMER_PROF, LONGEST)
            try:
                code = cli._exit_code(lambda: DOORS[program](argv), program)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    except Hangs:
        return Ended("hangs", "")
    finally:
        signal.signal(signal.SIGPROF, before)
    return judged(program, argv, code, out.getvalue(), err.getvalue())


def judged(program: str, argv: list[str], code: int, out: str, err: str) -> Ended:
    """What became of a command."""
    lines = err.splitlines()
    if SECRET in out + err:
        return Ended("shows a variable", out + err)
    if any(not character.isprintable() for character in (out + err).replace("\n", "")):
        return Ended("shows control characters", out + err)
    if left := list(Path().iterdir()):
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return Ended("leaves files", err)
    if code == 0:
        return Ended("accepted", out)
    if code != 2 or "Traceback" in err or "unexpected fault" in err:
        return Ended("ends in a trace", err)
    if not lines:
        return Ended("says nothing", "")
    if not all(line.startswith(f"{program}: error: ") for line in lines) or len(lines) > 3 * len(argv) + 3:
        return Ended("says more", err)
    return Ended("refused in a line", err)


def fuzz(count: int, seed: int, told: Callable[[str], None] = print) -> Counter[str]:
    """How so many commands ended; tells of each that did not end as it should."""
    counts: Counter[str] = Counter()
    with nothing_runs():
        for number in range(count):
            program, argv = command(random.Random(f"{seed}/{number}"))
            if program == "gan-train" and "-m" not in argv:
                argv = ["dry_run=true", *argv]
            ended = run(program, argv)
            counts[ended.how] += 1
            if ended.how not in ("accepted", "refused in a line"):
                shown = " ".join(map(ascii, argv))[:300]
                told(f"{ended.how}: {number}: {program} {shown}\n    {ended.said[-600:]!a}")
    return counts


if __name__ == "__main__":
    main(__doc__, "commands", 10_000, within(fuzz), lambda how: how in ("accepted", "refused in a line"))
