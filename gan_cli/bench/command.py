"""``gan-bench [GROUP=OPTION …] [key=value …]``: the keys of gan-train, and a few flags of its own. Torch-free."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NoReturn

from gan_cli.bench.peer import PeerCommand
from gan_cli.command import Command, parse_overrides
from gan_cli.composing import check
from gan_cli.config import Config, validate
from gan_cli.errors import UserError
from gan_cli.library import Library
from gan_cli.mistakes import shown

QUOTE = "'"
EXAMPLES = """\
takes every key, group and preset of gan-train, and times the step that gan-train would take

examples:
  gan-bench                                                       the default game on this machine
  gan-bench architecture.width=64 dataset.size=64 batch_size=128
  gan-bench --compare precision=fp32,bf16 --compare compile=false,true
  gan-bench experiment=wgan_gp dataset=mnist --repeats 9 --seconds 5 --out bench.json
  gan-bench batch_size=128 dataset.size=64 dataset.channels=3 architecture.width=64 \\
    --peer 'examples/dcgan/main.py --dataset fake --batchSize 128 --workers 0'

OMP_NUM_THREADS sets the threads of both.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.removeprefix('argument ')}: gan-bench --help")


@dataclass(frozen=True)
class Variant:
    """One config to be timed, and what sets it apart from the others."""

    name: str
    config: Config


def main(argv: Sequence[str]) -> None:
    """Measures, prints the table and writes the JSON file.

    Raises:
        UserError: with one line for every mistake.
    """
    options, rest = _parser().parse_known_args(argv)
    if options.version:
        from gan_cli import __version__

        return print(f"gan-bench {__version__}")
    command = Command.parse(rest)
    library = Library(*command.config_dirs)
    chosen = variants(command, options.compare, library)
    peer = PeerCommand.parse(options.peer) if options.peer else None
    out = _writable(options.out) if options.out else None

    from gan_cli.bench.run import run

    return run(chosen, library, peer, repeats=options.repeats, seconds=options.seconds, out=out)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "gan-bench",
        usage="gan-bench [GROUP=OPTION …] [key=value …] [--config-dir D] [flags]",
        description="Images per second of the training step, and the share of the machine's measured peak.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="KEY=A,B",
        help="times each value in turn: A B A B; again for more",
    )
    parser.add_argument("--peer", metavar="'SCRIPT ARGUMENTS'", help="another program's training script, timed in turn")
    parser.add_argument("--repeats", type=_at_least_two, default=7, help="turns of each (7)")
    parser.add_argument("--seconds", type=_positive, default=3.0, help="length of a turn (3)")
    parser.add_argument("--out", help="JSON file with every number, the machine and the config")
    parser.add_argument("--version", action="store_true", help="this program's version")
    return parser


def _at_least_two(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number, at least 2: a spread needs them")
    return int(text)


def _positive(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be a number of seconds greater than 0")
    return seconds


def variants(command: Command, compared: Sequence[str], library: Library) -> list[Variant]:
    """Every combination of the compared values, each a config that gan-train would take.

    Raises:
        UserError: with one line for every mistake.
    """
    problems = [f"{flag}: is for gan-train: leave it out" for flag in command.flags if _foreign(flag, command)]
    sweep = Command(["--multirun"], list(compared), command.config_dirs)
    axes, mistaken = parse_overrides(sweep, library)
    problems += [f"--compare {problem}" for problem in mistaken]
    problems += [
        f"--compare {axis.texts[0]}: compares one value with nothing: --compare {axis.texts[0]},…"
        for axis in axes
        if len(axis.values) == 1
    ]
    typed = {text.lstrip("+").partition("=")[0].replace("/", "."): text for text in command.overrides}
    problems += [f"{typed[axis.key]}: is compared too: leave one out" for axis in axes if axis.key in typed]
    if problems:
        raise UserError(*problems)
    made = []
    for point in product(*(zip(axis.texts, axis.values, strict=True) for axis in axes)):
        one = Command([], [*command.overrides, *(text for text, _ in point)], command.config_dirs)
        name = " ".join(f"{axis.key}={shown(value)}" for axis, (_, value) in zip(axes, point, strict=True))
        try:
            config = check(one, library, validate)
        except UserError as error:
            problems += error.problems
            continue
        made.append(Variant(name or "gan-train", config))
        problems += _idle(config, one)
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return made


def _foreign(flag: str, command: Command) -> bool:
    return flag not in ("--config-dir", *command.config_dirs)


def _idle(config: Config, command: Command) -> list[str]:
    """Keys that would have no effect here."""
    idle = ["resume"] if config.resume else []
    idle += ["dry_run"] if config.dry_run else []
    several = [f"devices={config.devices}: gan-bench times one process: leave it out"] if config.devices > 1 else []
    return several + [
        f"{text.replace(QUOTE, '')}: has no effect on the speed of a step: leave it out"
        for text in command.overrides
        if (key := text.lstrip("+").partition("=")[0]) in idle or key.startswith("hydra") or key == "sweep"
    ]


def _writable(text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_dir():
        raise UserError(f"--out {path}: is a folder: give a file in it, such as {path / 'bench.json'}")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"--out {path}: cannot be written into {folder}: give another file")
    return path
