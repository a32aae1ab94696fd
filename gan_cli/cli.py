"""The entry points of the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from gan_cli.commands.hydra_job import hand_over, show
from gan_cli.commands.job_folder import discard
from gan_cli.commands.plan import Single, Sweep
from gan_cli.commands.planning import planned
from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library
from gan_cli.config.schema import validate
from gan_cli.errors import config_errors, of_storage
from gan_cli.exit_codes import exit_code, lines_of_error
from gan_cli.output import lock, streams
from gan_cli.output.text import lines_of, printable
from gan_cli.parallel import place
from gan_cli.runs import time_limit
from gan_cli.runs.observers.interrupts import deaf, unwind_at_the_end


def main() -> None:
    """``gan-train``."""
    if (here := place.given()) is None:
        enter(lambda: _train(sys.argv[1:]))
    from gan_cli.parallel.rank import lead_or_follow

    streams.secure()
    sys.exit(lead_or_follow(here, lambda: _exit_code(lambda: _train(sys.argv[1:]))))


def evaluate() -> None:
    """``gan-eval``."""
    enter(lambda: EVALUATION.main(sys.argv[1:]), "gan-eval")


def sample() -> None:
    """``gan-sample``."""
    enter(lambda: SAMPLING.main(sys.argv[1:]), "gan-sample")


def report() -> None:
    """``gan-report``."""
    from gan_cli.commands.report.command import main as write_report

    enter(lambda: write_report(sys.argv[1:]), "gan-report")


def bench() -> None:
    """``gan-bench``."""
    from gan_cli.commands.bench.command import main as measure

    enter(lambda: measure(sys.argv[1:]), "gan-bench")


def enter(action: Callable[[], None], program: str = "gan-train") -> NoReturn:
    """Enters a command; its exit code is right whatever its streams are, and whichever signal ends it."""
    streams.secure()
    unwind_at_the_end()
    code = _exit_code(action, program)
    deaf()
    sys.exit(code)


def _exit_code(action: Callable[[], None], program: str = "gan-train") -> int:
    """Runs an action and returns the exit code; prints one line for each mistake."""
    wants_trace = bool(os.environ.get("HYDRA_FULL_ERROR"))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then lets exceptions through to us
    try:
        try:
            action()
        except SystemExit as error:
            if error.code:
                raise
        streams.finish()
    except KeyboardInterrupt as error:
        print(f"{program}: interrupted", file=sys.stderr)
        return exit_code(error)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception as error:
        lines = lines_of_error(error)
        if wants_trace and lines:
            import traceback

            print(lines_of("".join(traceback.format_exception(error))), end="", file=sys.stderr)
        for line in lines:
            print(f"{program}: error: {printable(line)}", file=sys.stderr)
        return exit_code(error)
    return 0


def _train(argv: list[str]) -> None:
    time_limit.begin()
    try:
        _command(Command.parse(argv))
    finally:
        lock.release_all()


def _command(command: Command) -> None:
    if command.has("--help", "-h"):
        from gan_cli.commands.help import help_text

        return print(help_text(Library(*command.config_dirs), *command.overrides))
    if command.has("--version"):
        from gan_cli.version import __version__

        return print(f"gan-train {__version__}")
    if command.has("--shell-completion", "-sc"):
        from gan_cli.commands.completion.scripts import script

        return print(script(command.overrides), end="")
    if command.info == "--info":
        from gan_cli.commands.help import installation

        return print(installation())
    library = Library(*command.config_dirs)
    if command.has("--cfg"):
        from gan_cli.commands.showing import config_text

        return print(lines_of(config_text(command, library)), end="")
    if not command.trains:
        with _in_our_words(command, library):
            return show(command, library)
    plan = planned(command, library)
    if isinstance(plan, Single):
        if plan.config.dry_run:
            from gan_cli.commands.dry_run.command import dry_run

            start = plan.resumption.state["step"] if plan.resumption else 0
            return dry_run(plan.config, library, plan.run_dir, start)
        if plan.finished:
            return print("gan-train: finished already", file=sys.stderr)
    return carry_out(command, library, plan)


def carry_out(command: Command, library: Library, plan: Single | Sweep) -> None:
    """Runs a command; a folder that was made for it goes again if nothing was begun."""
    try:
        with _in_our_words(command, library):
            hand_over(command, library, plan)
    except BaseException as error:
        nothing = isinstance(error, (KeyboardInterrupt, SystemExit, *config_errors())) or of_storage(error)
        if isinstance(plan, Single) and plan.claimed and nothing:
            discard(plan.run_dir)
        raise


@contextmanager
def _in_our_words(command: Command, library: Library) -> Iterator[None]:
    """An error of Hydra's about a command becomes one line for each mistake."""
    try:
        yield
    except config_errors():
        check(command, library, validate)
        raise
