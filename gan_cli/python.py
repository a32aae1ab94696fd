"""The commands as functions, for notebooks and scripts: the same checks, the same folder, the same bytes."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli import cli
from gan_cli.commands.plan import Single
from gan_cli.commands.planning import planned
from gan_cli.commands.tool import EVALUATION, Evaluation, Tool
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library
from gan_cli.config.mistakes import shown
from gan_cli.config.quoting import quoted
from gan_cli.config.schema import validate
from gan_cli.errors import Diverged, Said, TimeUp, UserError
from gan_cli.output import lock
from gan_cli.output.text import printable
from gan_cli.runs import time_limit
from gan_cli.runs.names import GRID, numbered
from gan_cli.runs.observers.interrupts import ending_signals, late
from gan_cli.runs.records import Record, records_in
from gan_cli.runs.status import Status, result, status_of

if TYPE_CHECKING:
    from gan_cli.games.sampler import Sampler


@dataclass(frozen=True)
class Run:
    """A run folder, as it is on the disk now. In a notebook it shows its newest samples.

    Attributes:
        folder: the path of the folder.
    """

    folder: Path

    @property
    def status(self) -> Status:
        """What ``status.json`` holds: status, reason, steps, best value, environment, config."""
        return status_of(self.folder)

    @property
    def metrics(self) -> list[Record]:
        """The lines of ``metrics.jsonl``; ``pandas.DataFrame`` takes them as they are."""
        return records_in(self.folder / "metrics.jsonl")[0]

    @property
    def best(self) -> float | None:
        """The best value of the watched metric; None if none was watched."""
        found = self.status.get("best")
        value = found.get("value") if isinstance(found, dict) else None
        return value if isinstance(value, float | int) else None

    def load(self, device: str = "cpu", config_dir: str | Path | None = None) -> Sampler:
        """The trained model: ``gan_cli.load(folder)``."""
        from gan_cli.runs.loading import load

        return load(self.folder, device, config_dir)

    def __repr__(self) -> str:
        """``Run(outputs/2026-01-31/10-00-00: finished)``"""
        here = Path.cwd()
        folder = self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder
        return f"Run({printable(folder)}: {printable(result(self.status))})"

    def _repr_png_(self) -> bytes | None:
        grids = numbered(self.folder / "samples", GRID)
        return grids[max(grids)].read_bytes() if grids else None


class Stopped(Said, KeyboardInterrupt):
    """Training was interrupted, and is saved; or the run has ended before it could be interrupted.

    Attributes:
        run: the run, which ``gan_cli.train(resume=run.folder)`` continues.
    """

    def __init__(self, run: Run) -> None:
        if run.status.get("status") == "interrupted":
            super().__init__(f"interrupted, and saved: gan_cli.train(resume={str(run.folder)!r}) goes on")
        else:
            super().__init__(f"interrupted as it ended: {run}")
        self.run = run


def train(
    *overrides: str | Mapping[str, object], config_dir: str | Path | Collection[str | Path] = (), **keys: object
) -> Run:
    """Trains as ``gan-train`` does with these overrides.

    ``train("experiment=ring", steps=500, seed=1)``, ``train({"optimizer.lr": 1e-4, "penalty": ["r1"]})``.

    Args:
        overrides: as they are typed, or by dotted key.
        config_dir: folders of your own options.
        keys: overrides whose keys have no dot.

    Returns:
        The run; its status is ``interrupted`` if ``time_limit`` was up.

    Raises:
        UserError: (a ValueError) with one line for each mistake; nothing is made then.
        Diverged: (an ArithmeticError) if training goes wrong and the guard stops it.
        Stopped: (a KeyboardInterrupt) after Ctrl-C, with everything saved; in the last step, once the run has ended.
    """
    command = _command(overrides, keys, config_dir)
    library = Library(*command.config_dirs)
    with _as_it_was():
        time_limit.begin()
        try:
            plan = planned(command, library)
            assert isinstance(plan, Single)  # without the flag of sweeps
            if plan.config.dry_run:
                raise UserError("dry_run=true: trains nothing: gan_cli.compose(…) gives the config")
            made = Run(plan.run_dir.absolute())
            if plan.finished:  # by a job that was started again
                return made
            try:
                cli.carry_out(command, library, plan)
            finally:
                if late():
                    raise Stopped(made)
        except SystemExit as end:
            if end.code != TimeUp.code:
                raise Stopped(made) from None
        finally:
            lock.release_all()
    return made


def compose(
    *overrides: str | Mapping[str, object], config_dir: str | Path | Collection[str | Path] = (), **keys: object
) -> dict[str, object]:
    """The whole config that ``train`` would train with, as plain values.

    Raises:
        UserError: with one line for each mistake.
    """
    command = _command(overrides, keys, config_dir)
    with _as_it_was():
        return check(command, Library(*command.config_dirs), validate).saved()


def evaluate(run: Run | str | Path, *metrics: str, **keys: object) -> dict[str, float | None]:
    """The values that ``gan-eval checkpoint=run metrics=[…]`` writes, by name; None where one is not finite.

    Args:
        run: a run, a run folder, a checkpoint, or ``latest``.
        metrics: by name, all that fit the data if there are none.
        keys: more keys of ``gan-eval``, such as ``count=5000``, ``split="test"``.

    Raises:
        UserError: with one line for each mistake.
    """
    where = run.folder if isinstance(run, Run) else run
    chosen: dict[str, object] = {"metrics": list(metrics)} if metrics else {}
    command = _command([{"checkpoint": where, **chosen}], keys, (), EVALUATION)
    with _as_it_was():
        library = Library()
        config = EVALUATION.checked(command, library)
        assert isinstance(config, Evaluation)
        from gan_cli.commands.evaluate import measure

        return measure(config, library).values


def _command(
    overrides: Collection[str | Mapping[str, object]],
    keys: Mapping[str, object],
    config_dir: str | Path | Collection[str | Path],
    tool: Tool | None = None,
) -> Command:
    """The command with these words.

    Raises:
        UserError: if one of them is a flag.
    """
    words: list[str] = []
    for each in overrides:
        words += [each] if isinstance(each, str) else [f"{key}={_typed(value)}" for key, value in each.items()]
    words += [f"{key}={_typed(value)}" for key, value in keys.items()]
    if flags := [word for word in words if word.startswith("-")]:
        raise UserError(f"{flags[0]}: is a flag of the command line: here are only overrides, such as steps=1000")
    folders = [config_dir] if isinstance(config_dir, str | Path) else config_dir
    flags = [word for folder in folders for word in ("--config-dir", str(folder))]
    command = Command.parse([*flags, *words])
    if tool:
        command.config_name, command.root = tool.name, tool.root
    return command


def _typed(value: object) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_element(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_element(each) for each in value) + "]"
    return shown(value)


def _element(value: object) -> str:
    return quoted(value) if isinstance(value, str) and not value.isidentifier() else _typed(value)


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Afterwards, what a command sets up for its process is as it was: logging, arguments, environment, torch."""
    root, named = logging.getLogger(), [logging.getLogger(name) for name in ("hydra", "hydra_plugins")]
    handlers, levels = list(root.handlers), [logger.level for logger in (root, *named)]
    faults = logging.raiseExceptions
    arguments, trace = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    signals = {number: signal.getsignal(number) for number in ending_signals()}  # a command ignores some once it ends
    sys.argv = ["gan-train"]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then lets exceptions through
    try:
        with _torch_as_it_was():
            yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, heard in signals.items():
                signal.signal(number, heard)
        sys.argv = arguments
        os.environ.pop("HYDRA_FULL_ERROR")
        if trace is not None:
            os.environ["HYDRA_FULL_ERROR"] = trace
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        logging.raiseExceptions = faults
        for logger, level in zip((root, *named), levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _torch_as_it_was() -> Iterator[None]:
    """Afterwards, the caller's own computations draw and round as if nothing had been trained in between."""
    if "torch" not in sys.modules:  # which takes seconds, and a mistake is to be answered at once
        yield
        return
    from gan_cli.random import apart
    from gan_cli.training.switches import Switches

    switches = Switches()
    with apart():
        try:
            yield
        finally:
            switches.restore()


__all__ = ["Diverged", "Run", "Stopped", "UserError", "compose", "evaluate", "train"]
