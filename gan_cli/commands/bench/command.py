"""``gan-bench [GROUP=OPTION …] [key=value …]``: the keys of gan-train, and a few flags of its own. Torch-free."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gan_cli.commands.arguments import Parser
from gan_cli.commands.bench.peer import PeerCommand
from gan_cli.commands.bench.until import SUCH, goals_of
from gan_cli.commands.bench.variants import variants
from gan_cli.commands.pages import words_after_help
from gan_cli.config.command import Command
from gan_cli.config.library import Library
from gan_cli.config.numbers import finite
from gan_cli.config.paths import expanded
from gan_cli.errors import UserError
from gan_cli.output.replacing import require_writable

REPEATS, SEEDS, SECONDS, WAITED = 7, 3, 3.0, 3
EXAMPLES = """\
takes the keys, groups and presets of gan-train that change its steps, and times
a step; a key that would change nothing here is refused

examples:
  gan-bench                                       the default run's game here
  gan-bench architecture.width=64 dataset.size=64 batch_size=128
  gan-bench --compare precision=fp32,bf16
  gan-bench penalty=[] --compare compile=false,true
  gan-bench experiment=wgan_gp dataset=mnist --repeats 9 --out bench.json
  gan-bench experiment=lecture batch_size=128 dataset.size=64 \\
    dataset.channels=3 architecture.width=64 \\
    --peer 'examples/dcgan/main.py --dataset fake --batchSize 128 --workers 0'
  gan-bench --until 'frechet<=30,10,5' evaluate_every=100 \\
    --compare experiment=default,lecture --seeds 5    seconds to a quality
  gan-bench --help speed                          the manual's page

OMP_NUM_THREADS sets the threads of gan-train's step and of the --peer.
"""


def main(argv: Sequence[str]) -> None:
    """Measures, prints the table and writes the JSON file.

    Raises:
        UserError: with one line for every mistake.
    """
    if words := words_after_help(argv):
        from gan_cli.commands.help import help_text

        return print(help_text(Library(), *words))
    options, rest = _parser().parse_known_args(argv)
    if options.version:
        from gan_cli.version import __version__

        return print(f"gan-bench {__version__}")
    if options.waits is not None:
        from gan_cli.commands.bench import waits

        names, before = waits.chosen(options.waits), _before(options.before)
        flags = {"--seconds": options.seconds, "--seeds": options.seeds}
        typed = [f"{flag} {value:g}" for flag, value in flags.items() if value]
        if other := [*rest, *options.compare, *options.until, *options.peer, *typed]:
            raise UserError(f"{other[0]}: has no effect on --waits, which times the commands themselves: leave it out")
        out = _writable(options.out) if options.out else None
        return waits.run(names, repeats=options.repeats or WAITED, before=before, out=out)
    if options.before:
        raise UserError(f"--before {options.before}: another checkout, whose waits are compared: add --waits")
    command = Command.parse(rest)
    library = Library(*command.config_dirs)
    goals = goals_of(options.until)
    _require_its_own(options, bool(goals))
    chosen = variants(command, options.compare, library, to_quality=bool(goals))
    peers = [PeerCommand.parse(peer) for peer in options.peer]
    out = _writable(options.out) if options.out else None
    seconds = options.seconds or SECONDS
    if goals:
        from gan_cli.commands.bench import quality

        seeds = options.seeds or SEEDS
        return quality.run(chosen, goals, library, peers, seeds=seeds, seconds=seconds, out=out)

    from gan_cli.commands.bench import turns

    peer = peers[0] if peers else None
    return turns.run(chosen, library, peer, repeats=options.repeats or REPEATS, seconds=seconds, out=out)


def _require_its_own(options: argparse.Namespace, to_quality: bool) -> None:
    """Raises a UserError with a line for each flag that has no effect on what is timed."""
    problems = []
    if to_quality and options.repeats:
        problems.append(f"--repeats {options.repeats}: of a step's turns, and --until has none: give --seeds")
    if to_quality:
        problems += [
            f"--compare {compared}: --until takes seed, seed + 1, …: give --seeds"
            for compared in options.compare
            if compared.startswith("seed=")
        ]
    if to_quality and options.seconds and not options.peer:
        problems.append(f"--seconds {options.seconds:g}: of a peer's turns, and there is no --peer: leave it out")
    if not to_quality and options.seeds:
        problems.append(f"--seeds {options.seeds}: of trainings to a quality: add {SUCH}, or give --repeats")
    if not to_quality and len(options.peer) > 1:
        problems.append(f"--peer {options.peer[1]}: one script at a time is timed, but for --until: leave it out")
    if problems:
        raise UserError(*problems)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "gan-bench",
        usage="gan-bench [GROUP=OPTION …] [key=value …] [--config-dir D] [flags]",
        description="Images per second of the training step, and its share of the measured peak;\n"
        "or, with --until, the seconds of training until a measured value is good enough.",
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
    parser.add_argument(
        "--until",
        action="append",
        default=[],
        metavar="'VALUE<=N,…'",
        help="trains until a measured value is at most (>=: at least) N, every evaluate_every steps by evaluate_count "
        "samples; again for more",
    )
    parser.add_argument("--seeds", type=_count, help=f"of --until: seed, seed + 1, … of each ({SEEDS})")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="'SCRIPT ARGUMENTS'",
        help="another program's training script, timed in turn; of --until, it takes the steps of the first variant "
        "(the second --peer of the second …) at its own speed",
    )
    parser.add_argument("--repeats", type=_at_least_two, help=f"turns of each ({REPEATS})")
    parser.add_argument("--seconds", type=_positive, help=f"length of a turn ({SECONDS:g}); of --until, of a peer's")
    parser.add_argument(
        "--waits",
        nargs="?",
        const="",
        metavar="NAMES",
        help="times each command in processes of its own, beside the least that it could take; NAMES: some of them",
    )
    parser.add_argument("--before", metavar="CHECKOUT", help="of --waits: another checkout, in turns with this one")
    parser.add_argument("--out", help="JSON file with every number, the machine and the config")
    parser.add_argument("--version", action="store_true", help="this program's version")
    return parser


def _at_least_two(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number, at least 2: a spread needs them")
    return int(text)


def _before(text: str | None) -> Path | None:
    if text is None:
        return None
    path = expanded(text, "--before ").absolute()
    if not (path / "gan_cli" / "cli.py").is_file():
        raise UserError(f"--before {text}: is no checkout of this program: give the folder that has gan_cli in it")
    return path


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number, at least 1")
    return int(text)


def _positive(text: str) -> float:
    if not (seconds := finite(text)) or seconds < 0:
        raise argparse.ArgumentTypeError(f"{text}: must be a number of seconds greater than 0")
    return seconds


def _writable(text: str) -> Path:
    path = expanded(text, "--out ")
    if path.is_dir():
        raise UserError(f"--out {path}: is a folder: give a file in it, such as {path / 'bench.json'}")
    require_writable(path, "--out ")
    return path
