"""Shells complete all five commands: groups, options, keys, values, flags and paths, soon and without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli.commands.completion.__main__ import main
from gan_cli.commands.completion.scripts import COMMANDS, script
from gan_cli.config.library import Library
from gan_cli.config.options import GROUPS
from gan_cli.config.root import Root
from gan_cli.config.typed import known_keys


@pytest.fixture
def complete(capfd):
    def call(line: str, shell: str = "zsh", breaks: str = "") -> list[str]:
        capfd.readouterr()
        main(shell, line, breaks)
        return capfd.readouterr().out.splitlines()

    return call


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("gan-train opt", ["optimizer.", "optimizer="]),
        (
            "gan-train optimizer=rmsprop optimizer.",
            [f"optimizer.{key}=" for key in ("alpha", "eps", "lr", "momentum", "weight_decay")],
        ),
        ("gan-train optimizer=sgd optimizer.mom", ["optimizer.momentum=", "optimizer.momentum_steps="]),
        ("gan-train loss=m", ["loss=maximum_likelihood", "loss=minimax"]),
        ("gan-train -m loss=minimax,hi", ["loss=minimax,hinge"]),
        ("gan-train penalty=[r1,r", ["penalty=[r1,r2"]),
        ("gan-train penalty.r1.i", ["penalty.r1.interval="]),
        ("gan-train experiment=rin", ["experiment=ring"]),
        ("gan-train conditional=", ["conditional=false", "conditional=true"]),
        ("gan-train loss=f_gan loss.generator_step=", []),
        ("gan-train guard=", ["guard=rollback", "guard=stop", "guard=warn"]),
        ("gan-train device=", [f"device={name}" for name in ("auto", "cpu", "cuda", "cuda:1", "mps")]),
        ("gan-train --config-dir mine loss=own_", ["loss=own_loss"]),
        ("gan-train --config-dir mine loss=own_loss loss.", ["loss.power="]),
        ("gan-train resume=", ["resume=latest", "resume=mine/", r"resume=my\ run/"]),
        ("gan-train resume=my\\ r", ["resume=my\\ run/"]),
        ("gan-train 'resume=my r", ["'resume=my run/"]),
        ("gan-train --cfg ", ["all", "hydra", "job"]),
        ("gan-train --mul", ["--multirun"]),
        ("gan-train --help inst", ["instance_noise.images", "instance_noise.sigma"]),
        ("gan-train --config-dir m", ["mine/", r"my\ run/"]),
        ("gan-train -sc unin", [f"uninstall={shell}" for shell in ("bash", "fish", "zsh")]),
        ("gan-sample inter", ["interpolation="]),
        ("gan-sample checkpoint=l", ["checkpoint=latest"]),
        ("gan-sample loss", []),
        ("gan-eval metrics=[frechet,pre", ["metrics=[frechet,precision_recall"]),
        ("gan-eval dataset.", ["dataset.path=", "dataset.root="]),
        ("gan-report m", ["mine/", r"my\ run/"]),
        ("gan-report --form", ["--format"]),
        ("gan-report mine --format ", ["csv", "html", "json", "md"]),
        ("gan-bench --comp", ["--compare"]),
        ("gan-bench --out mi", ["mine/"]),
        ("gan-bench batch_s", ["batch_size="]),
        ("/some/venv/bin/gan-train see", ["seed="]),
    ],
)
def test_a_word_is_completed(complete, line, found):
    Path("mine/loss").mkdir(parents=True)
    Path("my run").mkdir()
    Path("mine/loss/own_loss.yaml").write_text("name: own_loss\nclass: own.Loss\npower: 2.0\n")
    assert complete(line) == found


def test_candidates_are_as_each_shell_takes_them(complete):
    Path("my run").mkdir()
    breaks = " \t\n\"'@><=;|&(:"
    assert complete("gan-train resume=my", "fish") == ["resume=my run/"]
    assert complete("gan-train resume=my", "bash", breaks) == [r"my\ run/"]
    assert complete("gan-train 'resume=my", "bash", breaks) == ["resume=my run/"]
    assert complete("gan-train device=cuda:", "bash", breaks) == ["1"]
    assert complete("gan-train see", "bash", breaks) == ["seed="]


def test_every_key_and_option_is_offered(complete):
    library = Library()
    for group in library.groups():
        assert complete(f"gan-train {group}=") == [f"{group}={name}" for name in library.options(group)]
    others = tuple(f"{group}." for group in GROUPS if group != "architecture")
    known = {key for key in known_keys(Root, GROUPS) if not key.startswith(others)} - {"architecture.name"}
    offered = {key for option in library.options("architecture") for key in keys(complete, option)}
    holders = {key for key in known if any(one.startswith(f"{key}.") for one in offered)}  # of further keys
    assert known - holders <= offered


def keys(complete, architecture: str) -> set[str]:
    """All keys that can be reached by going on from each dot."""
    found: set[str] = set()
    heads = complete(f"gan-train architecture={architecture} ")
    while heads:
        found |= {head[:-1] for head in heads if head.endswith("=")}
        heads = [f for h in heads if h.endswith(".") for f in complete(f"gan-train architecture={architecture} {h}")]
    return found


def in_shell(*command: str) -> list[str]:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not here")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert not done.stderr, done.stderr
    return done.stdout.split()


LINES = {"gan-train loss=m": ["loss=maximum_likelihood", "loss=minimax"], "gan-report --m": ["--main"]}


@pytest.mark.parametrize("line", LINES)
def test_bash_completes(line):
    """As bash calls the function: of a word with ``=`` it replaces what comes after it."""
    call = f"COMP_LINE={line!r}; COMP_POINT={len(line)}; COMP_WORDBREAKS=$' \\t\\n\"=:'\n"
    typed = (
        script(["install=bash"]) + call + "compopt() { :; }\n_gan_cli\nprintf '%s\\n' \"${COMPREPLY[@]}\"\ncomplete -p"
    )
    found = in_shell("bash", "--norc", "-c", typed)
    expected = [word.partition("=")[2] or word for word in LINES[line]]
    assert found[: len(expected)] == expected
    assert all(command in found for command in COMMANDS.split())


@pytest.mark.parametrize("line", LINES)
def test_zsh_completes(line):
    """As zsh calls the function: with the words, and what stands before the cursor."""
    *words, prefix = line.split()
    installed = script(["install=zsh"])
    call = f"words=({' '.join(words)} x); CURRENT={len(words) + 1}; PREFIX={prefix!r}\n"
    stub = "compdef() { print compdef $@ }\ncompadd() { while [[ $1 != -- ]]; do shift; done; shift; print -l -- $@ }\n"
    found = in_shell("zsh", "-f", "-c", f"{stub}{installed}{call}_gan_cli")
    assert found == ["compdef", "_gan_cli", *COMMANDS.split(), *LINES[line]]


@pytest.mark.parametrize("line", LINES)
def test_fish_completes(line):
    assert in_shell("fish", "--no-config", "-c", f"{script(['install=fish'])}complete -C {line!r}") == LINES[line]


def test_an_answer_imports_little():
    code = (
        "import sys; from gan_cli.commands.completion.__main__ import main; main('bash', 'gan-train optimizer.', '=')"
    )
    heavy = "print([name for name in ('torch', 'pydantic', 'hydra', 'omegaconf') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}; {heavy}"], capture_output=True, text=True, check=True)
    assert "optimizer.lr=" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_other_words_for_it_are_refused(gan_train):
    for words in ("-sc", "-sc install=csh", "-sc query=bash"):
        assert (
            gan_train(*words.split())
            .errors[0]
            .endswith("takes install= or uninstall=, bash, zsh or fish: -sc install=bash")
        )
    assert gan_train("-sc", "uninstall=bash").out.startswith("complete -r gan-train ")
