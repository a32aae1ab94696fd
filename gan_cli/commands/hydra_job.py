"""How Hydra is called, and the job that it calls for each run."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.commands.hydra_help import texts_for_help
from gan_cli.commands.out_of_place import without_effect
from gan_cli.config.command import Command
from gan_cli.config.compose import plain
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.overrides import Overrides, key_of
from gan_cli.config.quoting import folder_name
from gan_cli.config.root import Root
from gan_cli.config.schema import validate
from gan_cli.errors import Diverged, Interrupted, TimeUp, UserError, of_storage
from gan_cli.output.replacing import written
from gan_cli.output.text import lines_of
from gan_cli.parallel import launch
from gan_cli.runs import time_limit
from gan_cli.runs.names import RESUMPTION
from gan_cli.runs.status import FILE as STATUS
from gan_cli.sweeps import job_processes as workers
from gan_cli.sweeps import sweep
from gan_cli.sweeps.search import register

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_cli.config.schema import Config
    from gan_cli.runs.resume import Resumption

log = logging.getLogger("gan_cli")


@dataclass(frozen=True)
class Plan:
    """How a command is run.

    Args:
        config: the checked config of a single run.
        composed: Hydra's config that it came from, with Hydra's own keys.
        run_dir: the run folder.
        output_subdir: the folder in it for the config, if not ``.hydra``.
        resumption: the checkpoint to continue.
        claimed: whether the run folder was made for this command.
        extra: overrides of a sweep that nobody typed.
        folder: the folder of a sweep.
        runs: how many a sweep has.
        unusable: values of a sweep that are left out, and why.
        added: typed keys that not every option has.
        in_processes: whether a sweep's runs have processes of their own.
        limit: of time, of a sweep.
    """

    config: Config | None = None
    composed: DictConfig | None = None
    run_dir: Path | None = None
    output_subdir: str | None = None
    resumption: Resumption | None = None
    claimed: bool = False
    extra: Sequence[str] = ()
    folder: Path | None = None
    runs: int = 1
    unusable: Sequence[tuple[str, str]] = ()
    added: Collection[str] = ()
    in_processes: bool = False
    limit: str | None = None


def resuming(resumption: Resumption, added: Collection[str] = ()) -> Plan:
    """The plan of a resumed run: Hydra writes into its folder, and the config beside the earlier ones."""
    subdir = f".hydra/{RESUMPTION.format(resumption.number)}"
    return Plan(run_dir=resumption.folder, output_subdir=subdir, resumption=resumption, added=added)


def hand_over(command: Command, library: Library, plan: Plan) -> None:
    """Hands over to Hydra, which makes the folder, sets up logging and calls the job for each run."""
    import hydra
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    resumption = plan.resumption
    faults: list[Exception] = []
    main, before = os.getpid(), _stamp(resumption.folder) if resumption else None

    def job(cfg: DictConfig) -> float | None:
        from hydra.core.hydra_config import HydraConfig

        hydra_config = HydraConfig.get()
        path = _relative(Path(hydra_config.runtime.output_dir))
        elsewhere = os.getpid() != main
        typed = [key_of(text) for text in hydra_config.overrides.task]
        if elsewhere and not workers.begin(path.name, str(cfg.device)):
            return None
        if command.multirun and time_limit.is_up(cfg.time_limit and str(cfg.time_limit)):
            log.warning("%s: not begun: time_limit=%s is up; continue: the same command", path.name, cfg.time_limit)
            if elsewhere:
                return None
            raise SystemExit(TimeUp.code)
        try:
            config = plan.config or validate(plain(cfg, typed), library)
            if command.multirun:
                texts = [text.lstrip("+") for text in hydra_config.overrides.task]
                if idle := without_effect(Overrides.parse(texts, library, root=Root), config):
                    raise UserError(*idle)  # a sweep's own values too
                place = f"{hydra_config.job.num + 1} of {plan.runs}"
                return sweep.run_one(config, library, path, hydra_config.sweeper, place)
            return launch.train_in_processes(config, library, path, resumption)
        except Interrupted as error:
            if elsewhere:  # status.json tells the process that launched the sweep
                workers.stop(error)
                return None
            raise SystemExit(error.exit_code) from None  # ends a sweep too
        except Exception as error:  # kept for after the sweep: one bad run does not stop the others
            fault = of_storage(error, "then try again") or error
            faults.append(fault)
            if command.multirun:
                sweep.note(path, fault)
            elif isinstance(fault, UserError):
                if resumption is None:
                    discard(path)
                elif plan.output_subdir and _stamp(path) == before:  # refused: it has not gone on
                    shutil.rmtree(path / plan.output_subdir, ignore_errors=True)
            if not isinstance(fault, UserError | Diverged):
                log.exception("unexpected fault")
        return None

    if plan.composed is not None:
        _run_composed(command, library, plan, plan.composed, job)
    else:
        if command.multirun:
            register()
        sys.argv = command.for_hydra(library, plan.added, plan.extra)
        if plan.folder:
            print(lines_of(sweep.opening(plan.folder, plan.runs)), file=sys.stderr)
        watched = workers.stopped_together(plan.folder) if plan.folder and plan.in_processes else nullcontext()
        with watched, texts_for_help(), nullcontext() if command.trains else _shown():
            hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name="config")(job)()
    if plan.folder:
        print(lines_of(sweep.table(plan.folder, plan.unusable)), file=sys.stderr)
        if plan.unusable:
            raise UserError(*(reason for _, reason in plan.unusable))
        if not faults and (code := sweep.exit_code(plan.folder)):  # of runs in other processes
            limit = plan.limit if code == 128 + signal.SIGINT else None
            raise SystemExit(TimeUp.code if time_limit.is_up(limit) else code)
    if faults:
        raise faults[0]


def _run_composed(
    command: Command, library: Library, plan: Plan, cfg: DictConfig, job: Callable[[DictConfig], float | None]
) -> None:
    """Runs the job of a single run as Hydra does, with the config that was composed when the command was checked."""
    from hydra._internal.callbacks import Callbacks
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
    from hydra.core.utils import configure_log, run_job
    from hydra.types import HydraContext, RunMode
    from omegaconf import OmegaConf, open_dict, read_write

    own = cfg.hydra
    every = command.parsed(library).every
    with read_write(own), open_dict(own):
        own.mode, own.run.dir = RunMode.RUN, str(plan.run_dir)
        own.job.id = own.job.num = "???"  # of a sweep's runs
        own.overrides.task = [f"++{o.text}" if o.key in plan.added else o.text for o in every if not o.of_hydra]
        own.overrides.hydra = [o.text for o in every if o.of_hydra]
        if plan.output_subdir:
            own.output_subdir = plan.output_subdir
    OmegaConf.set_struct(cfg, True)
    callbacks = Callbacks(cfg)
    context = HydraContext(config_loader=ConfigLoaderImpl(ConfigSearchPathImpl()), callbacks=callbacks)
    configure_log(own.hydra_logging, own.verbose)
    callbacks.on_run_start(config=cfg, config_name=command.config_name)
    with written(Path(str(plan.run_dir)), "then try again"):
        done = run_job(job, cfg, "hydra.run.dir", None, context)
    callbacks.on_run_end(config=cfg, config_name=command.config_name, job_return=done)
    _ = done.return_value  # raises what the job raised


@contextmanager
def _shown() -> Iterator[None]:
    """What Hydra prints in this context, such as a config, is shown afterwards, its control characters as escapes."""
    said = StringIO()
    try:
        with redirect_stdout(said):
            yield
    finally:
        print(lines_of(said.getvalue()), end="")


def discard(path: Path) -> None:
    """Removes the folder of a command that failed before anything was trained."""
    from gan_cli.runs.folder import RunFolder

    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, logging.FileHandler):
            handler.close()
            logging.getLogger().removeHandler(handler)
    RunFolder(path).discard()


def _stamp(folder: Path) -> tuple[int, int] | None:
    """What changes when a run writes how it stands."""
    try:
        found = (folder / STATUS).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _relative(path: Path) -> Path:
    """The path relative to the current folder, if it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
