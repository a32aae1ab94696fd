"""How Hydra is called, and the job that it calls for each run."""

from __future__ import annotations

import logging
import os
import shutil
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
from gan_cli.memory import shortage
from gan_cli.output.replacing import written
from gan_cli.output.text import lines_of
from gan_cli.parallel import launch
from gan_cli.runs import time_limit
from gan_cli.runs.hydra_files import write
from gan_cli.runs.names import RESUMPTION
from gan_cli.runs.observers import interrupts
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
        output_subdir: the folder in it for the config and the command; empty for that of the config, None for nowhere.
        resumption: the checkpoint to continue.
        claimed: whether the run folder was made for this command.
        finished: whether a job that was started again has finished its run already.
        extra: overrides of a sweep that nobody typed.
        folder: the folder of a sweep.
        runs: how many a sweep has.
        at_once: whether all of them are composed before the first begins.
        unusable: values of a sweep that are left out, and why.
        added: typed keys that not every option has.
        in_processes: whether a sweep's runs have processes of their own.
    """

    config: Config | None = None
    composed: DictConfig | None = None
    run_dir: Path | None = None
    output_subdir: str | None = ""
    resumption: Resumption | None = None
    claimed: bool = False
    finished: bool = False
    extra: Sequence[str] = ()
    folder: Path | None = None
    runs: int = 1
    at_once: bool = False
    unusable: Sequence[tuple[str, str]] = ()
    added: Collection[str] = ()
    in_processes: bool = False


def resuming(resumption: Resumption, added: Collection[str] = ()) -> Plan:
    """The plan of a resumed run: Hydra writes into its folder, and the config beside the earlier ones."""
    subdir = f".hydra/{RESUMPTION.format(resumption.number)}"
    return Plan(run_dir=resumption.folder, output_subdir=subdir, resumption=resumption, added=added)


def hand_over(command: Command, library: Library, plan: Plan) -> None:
    """Hands over to Hydra, which makes the folder, sets up logging and calls the job for each run."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    if plan.composed is not None:
        _train_one(command, library, plan, plan.composed)
    elif plan.folder is not None:
        _train_many(command, library, plan, plan.folder)
    else:
        _show(command, library)


def _train_one(command: Command, library: Library, plan: Plan, composed: DictConfig) -> None:
    """Trains a single run in its folder, a new one or one that is gone on with."""
    assert plan.config is not None
    config, resumption = plan.config, plan.resumption
    before = _stamp(resumption.folder) if resumption else None
    faults: list[Exception] = []

    def job(cfg: DictConfig) -> float | None:
        path = _output_dir()
        try:
            return launch.train_in_processes(config, library, path, resumption)
        except Interrupted as error:
            raise SystemExit(error.exit_code) from None
        except Exception as error:
            fault = of_storage(error, "then try again") or error
            faults.append(fault)
            if isinstance(fault, UserError):
                if resumption is None:
                    discard(path)
                elif plan.output_subdir and _stamp(path) == before:  # refused: it has not gone on
                    shutil.rmtree(path / plan.output_subdir, ignore_errors=True)
            elif not isinstance(fault, Diverged):
                log.exception("unexpected fault")
        return None

    _run_composed(command, library, plan, composed, job)
    if faults:
        raise faults[0]


def _train_many(command: Command, library: Library, plan: Plan, folder: Path) -> None:
    """Trains the runs of a sweep, here or where its launcher has them, and says how they ended."""
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra

    main, began = os.getpid(), time_limit.began()
    faults: list[Exception] = []  # of runs in this process

    def job(cfg: DictConfig) -> float | sweep.Outcome | None:
        ended = trained(cfg)
        if late := interrupts.late():
            if os.getpid() == main:
                raise SystemExit(late.exit_code)
            workers.begin_no_more(late)
        return ended

    def trained(cfg: DictConfig) -> float | sweep.Outcome | None:
        from hydra.core.hydra_config import HydraConfig

        hydra_config, path = HydraConfig.get(), _output_dir()
        elsewhere, before = os.getpid() != main, _stamp(path)

        def record() -> None:
            if plan.output_subdir is not None:
                files = {"config.yaml": cfg, "hydra.yaml": HydraConfig.instance().cfg}
                write(path / plan.output_subdir, {**files, "overrides.yaml": hydra_config.overrides.task})

        if elsewhere and (stopped := workers.begin(path.name, str(cfg.device), began)):
            return sweep.Outcome(path, stopped.exit_code, stopped.reason, "not begun")
        try:
            config = validate(plain(cfg, [key_of(text) for text in hydra_config.overrides.task]), library)
            texts = [text.lstrip("+") for text in hydra_config.overrides.task]
            if idle := without_effect(Overrides.parse(texts, library, root=Root), config):
                raise UserError(*idle)  # a sweep's own values too
            if config.time_limit and time_limit.is_up(config.time_limit):
                up = TimeUp(config.time_limit)
                log.warning("%s: not begun: %s; continue: the same command", path.name, up.reason)
                if elsewhere:
                    return sweep.Outcome(path, up.exit_code, up.reason, "not begun")
                raise SystemExit(up.exit_code)
            place = f"{hydra_config.job.num + 1} of {plan.runs}"
            return sweep.run_one(config, library, path, hydra_config.sweeper, place, record)
        except Interrupted as error:
            if elsewhere:
                workers.stop(error)
                return sweep.Outcome(path, error.exit_code, error.reason)
            raise SystemExit(error.exit_code) from None  # ends the sweep too
        except Exception as error:  # kept for after the sweep: one bad run does not stop the others
            fault = of_storage(error, "then try again") or error
            faults.append(fault)
            reason = sweep.note(path, fault, record)
            if not isinstance(fault, UserError | Diverged):
                log.exception("unexpected fault")
            how = "refused" if isinstance(fault, UserError) else "failed"
            return sweep.Outcome(path, _code_of(fault), reason, how if _stamp(path) == before else "")

    register()
    print(lines_of(sweep.opening(folder, plan.runs, at_once=plan.at_once)), file=sys.stderr)
    GlobalHydra.instance().clear()
    with workers.stopped_together(folder) if plan.in_processes else nullcontext():
        try:
            hydra = Hydra.create_main_hydra2("train", create_config_search_path(str(shipped_conf())))
            words = command.words_for_hydra(library, plan.added, plan.extra)
            returned = hydra.multirun(command.config_name, job, words)
        finally:
            GlobalHydra.instance().clear()
    outcomes = list(_outcomes(returned))
    print(lines_of(sweep.table(folder, plan.unusable, outcomes)), file=sys.stderr)
    if plan.unusable:
        raise UserError(*(reason for _, reason in plan.unusable))
    if faults:
        raise faults[0]
    if code := sweep.exit_code(folder, outcomes):  # of runs in other processes
        raise SystemExit(code)


def _outcomes(returned: object) -> Iterator[sweep.Outcome]:
    """Of the runs that are not finished, in the order of the runs: in lists of what Hydra has of each job."""
    from hydra.core.utils import JobReturn

    if isinstance(returned, list | tuple):
        for each in returned:
            yield from _outcomes(each)
    elif isinstance(returned, JobReturn) and isinstance(returned.return_value, sweep.Outcome):
        yield returned.return_value


def _code_of(fault: Exception) -> int:
    """The exit code of a run that ends so."""
    if isinstance(fault, UserError) or shortage(fault) is not None:
        return 2
    return 3 if isinstance(fault, Diverged) else 1


def _show(command: Command, library: Library) -> None:
    """Lets Hydra show what a flag of its own asks for."""
    import hydra

    if command.multirun:
        register()
    sys.argv = command.for_hydra(library)
    with texts_for_help(), _shown():
        hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name="config")(lambda _: None)()


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


def _output_dir() -> Path:
    """The run folder of Hydra's job, relative to the current folder if it lies below it."""
    from hydra.core.hydra_config import HydraConfig

    path = Path(HydraConfig.get().runtime.output_dir)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
