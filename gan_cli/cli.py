"""Entry points, and what a command is to run."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gan_cli import place, streams, sweep
from gan_cli.command import Command, key_of, parse_overrides, quoted
from gan_cli.composing import check, one_line
from gan_cli.config import Root, validate
from gan_cli.errors import Diverged, Ended, Interrupted, ProcessFailed, UserError, config_errors
from gan_cli.hydra_job import Plan, discard, hand_over
from gan_cli.launchers import check_search, sweeping
from gan_cli.library import Library
from gan_cli.names import MEMBER, RESUMPTION, numbered
from gan_cli.observers.interrupts import unwind_at_the_end
from gan_cli.options import SCHEMAS
from gan_cli.sampling.keys import SAMPLING
from gan_cli.tools import EVALUATION
from gan_cli.typed import known_keys

if TYPE_CHECKING:
    from gan_cli.config import Config

log = logging.getLogger("gan_cli")


def main() -> None:
    """``gan-train``."""
    if (here := place.given()) is None:
        _enter(lambda: _train(sys.argv[1:]))
    from gan_cli.worker import lead_or_follow

    streams.secure()
    sys.exit(lead_or_follow(here, lambda: _exit_code(lambda: _train(sys.argv[1:]))))


def evaluate() -> None:
    """``gan-eval``."""
    _enter(lambda: EVALUATION.main(sys.argv[1:]), "gan-eval")


def sample() -> None:
    """``gan-sample``."""
    _enter(lambda: SAMPLING.main(sys.argv[1:]), "gan-sample")


def report() -> None:
    """``gan-report``."""
    from gan_cli.report.command import main as write_report

    _enter(lambda: write_report(sys.argv[1:]), "gan-report")


def bench() -> None:
    """``gan-bench``."""
    from gan_cli.bench.command import main as measure

    _enter(lambda: measure(sys.argv[1:]), "gan-bench")


def _enter(action: Callable[[], None], program: str = "gan-train") -> NoReturn:
    """The door of every command: whatever its streams are, and whichever signal ends it, it ends with its true code."""
    streams.secure()
    unwind_at_the_end()
    sys.exit(_exit_code(action, program))


def _exit_code(action: Callable[[], None], program: str = "gan-train") -> int:
    """Runs an action; tells the user what went wrong, in one line for each mistake, and the shell by the exit code."""

    def failed(error: Exception, code: int, *lines: str) -> int:
        if wants_trace:
            import traceback

            traceback.print_exception(type(error), error, error.__traceback__)
        for line in lines:
            print(f"{program}: error: {line}", file=sys.stderr)
        return code

    wants_trace = bool(os.environ.get("HYDRA_FULL_ERROR"))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then lets exceptions through to us
    try:
        try:
            action()
        except SystemExit as error:
            if error.code:
                raise
        streams.finish()
    except UserError as error:
        return failed(error, 2, *error.problems)
    except Diverged as error:
        return failed(error, 3, f"diverged: {error}: try a lower lr, or on_divergence=continue")
    except Interrupted as error:
        return error.exit_code
    except ProcessFailed as error:
        return failed(error, 1, str(error))
    except KeyboardInterrupt as error:
        print(f"{program}: interrupted", file=sys.stderr)
        return error.exit_code if isinstance(error, Ended) else 128 + signal.SIGINT
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception as error:
        if isinstance(error, config_errors()):
            return failed(error, 2, one_line(error))
        return failed(error, 1, f"unexpected fault: {type(error).__name__}: {one_line(error)}")
    return 0


def _train(argv: list[str]) -> None:
    command = Command.parse(argv)
    if command.has("--help", "-h"):
        from gan_cli.help import help_text

        return print(help_text(Library(*command.config_dirs), *command.overrides))
    if command.has("--version"):
        from gan_cli import __version__

        return print(f"gan-train {__version__}")
    if command.info == "--info":
        from gan_cli.help import environment

        return print(environment())
    library = Library(*command.config_dirs)
    plan = Plan()
    if command.trains:
        if here := place.given():
            place.adopt(command, here)
        if foreign := _of_other_commands(command.overrides):
            raise UserError(*foreign)
        resumes = any(re.match(r"\+{0,2}resume=(?!null$)", text) for text in command.overrides)
        prepared = _resumed if resumes else _swept if command.multirun else _single
        config, plan = prepared(command, library)
        if idle := _idle(command.overrides, config):
            raise UserError(*idle)
        for logger in config.logger.values():
            library.build("logger", logger)  # refused here if its package is missing
        if config.dry_run:
            if command.multirun:
                raise UserError("dry_run=true: shows one run: leave out --multirun")
            from gan_cli.dry_run import dry_run

            return dry_run(config, library)
        if not resumes and not command.multirun and (claimed := _claimed_folder(command, config.name)):
            plan = Plan([f"hydra.run.dir={quoted(str(claimed))}"], claimed=claimed)
    try:
        hand_over(command, library, plan)
    except config_errors():
        if plan.claimed:
            discard(plan.claimed)
        check(command, library, validate)  # says the same in one line for each mistake
        raise


def _of_other_commands(overrides: Sequence[str]) -> list[str]:
    """One line for each key that is not ours, nor the end of one of ours, but that of a command beside this one."""
    ours = {part for key in known_keys(Root, tuple(SCHEMAS)) for part in (key, key.rpartition(".")[2])}
    lines = []
    for text in overrides:
        key, _, value = text.lstrip("+").partition("=")
        tools = [f"gan-{tool.name}" for tool in (EVALUATION, SAMPLING) if key in tool.root.model_fields]
        if tools and key not in ours:
            value = value.strip("'\"")
            lines.append(f"{key}={value}: is a key of {' and '.join(tools)}, not of gan-train")
    return lines


def _idle(overrides: Sequence[str], config: Config) -> list[str]:
    """One line for each key that has something measured more often or better, when nothing is measured."""
    keys = {key_of(text): text for text in overrides}
    if config.metrics or "metrics" in keys:
        return []
    return [
        f"{keys[key]}: nothing is measured: add metrics=[…], such as metrics=[frechet]"
        for key in ("evaluate_every", "evaluate_count")
        if key in keys
    ]


def _single(command: Command, library: Library) -> tuple[Config, Plan]:
    config = check(command, library, validate)
    if space := next((text for text in command.overrides if re.match(r"\+{0,2}sweep=(?!null$)", text)), None):
        raise UserError(f"{space}: is a space of values to try: add --multirun")
    return config, Plan()


def _resumed(command: Command, library: Library) -> tuple[Config, Plan]:
    from gan_cli.resume import prepare

    resumption = prepare(command, library)
    command.overrides = [_forced(text, library) for text in command.overrides]
    extra = [
        f"hydra.run.dir={quoted(str(resumption.folder))}",
        f"hydra.output_subdir=.hydra/{RESUMPTION.format(resumption.number)}",
    ]
    return resumption.config, Plan(extra, resumption)


def _swept(command: Command, library: Library) -> tuple[Config, Plan]:
    how = sweeping(command, library)
    overrides = parse_overrides(command, library)[0]
    check_search(how, overrides)
    name = sweep.name_of(command, overrides)
    if how.search:
        config = sweep.prepare_search(command, library, validate, how.search.params)
        unusable: Sequence[tuple[str, str]] = ()
        check_search(how, overrides, config)
    else:
        config, unusable = sweep.prepare(command, library, validate)
    if config.name is None:
        command.overrides.append(f"name={name}")
    same = ",".join([*(override.key for override in overrides if len(override.values) == 1), "name"])
    extra = [f"hydra.job.config.override_dirname.exclude_keys=[{same}]", *how.extra]  # folders say what differs
    return config, Plan(extra, name=config.name or name, unusable=unusable, in_processes=how.in_processes)


def _claimed_folder(command: Command, name: str | None) -> Path | None:
    """Makes this run's folder: the one asked for, or one named after the time that no other run has.

    None if Hydra is to work out the name.

    Raises:
        UserError: if it cannot be made or holds a run already.
    """
    typed = [text.partition("=")[2] for text in command.overrides if text.lstrip("+").startswith("hydra.run.dir=")]
    wanted = Path(
        typed[-1].strip("'\"") if typed else time.strftime("outputs/%Y-%m-%d/%H-%M-%S") + (f"-{name}" if name else "")
    )
    if "${" in str(wanted):
        return None
    try:
        if typed:
            if any((folder / "checkpoints").exists() for folder in (wanted, *numbered(wanted, MEMBER).values())):
                raise UserError(f"hydra.run.dir={wanted}: holds a run already: continue it with resume={wanted}")
            wanted.mkdir(parents=True, exist_ok=True)
            return wanted
        wanted.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 1000):
            folder = wanted if attempt == 1 else wanted.with_name(f"{wanted.name}-{attempt}")
            try:
                folder.mkdir()
            except FileExistsError:  # another run began in the same second
                continue
            return folder
    except OSError as error:
        raise UserError(
            f"{wanted}: cannot make the run folder ({error.strerror}): go where you may write, or set hydra.run.dir=…"
        ) from error
    raise UserError(f"{wanted}: too many runs began in this second")


def _forced(text: str, library: Library) -> str:
    """An override as Hydra accepts it whatever the default options are: the checkpoint's may have other keys."""
    key = key_of(text)
    plain_override = key.startswith("hydra") or key.replace(".", "/") in library.groups()
    return text if plain_override else f"++{text.lstrip('+')}"
