"""How Hydra is called: for a single run, for the runs of a sweep, or to show what its own flags ask for."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

from gan_cli.commands import sweep_jobs
from gan_cli.commands.hydra_help import texts_for_help
from gan_cli.commands.job_folder import discard, output_dir, stamp
from gan_cli.commands.plan import Single, Sweep
from gan_cli.config.command import Command
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.quoting import folder_name
from gan_cli.errors import Diverged, Interrupted, UserError, of_storage
from gan_cli.output.replacing import written
from gan_cli.output.text import lines_of
from gan_cli.parallel import launch
from gan_cli.sweeps.search import register

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger("gan_cli")


def hand_over(command: Command, library: Library, plan: Single | Sweep) -> None:
    """Hands over to Hydra, which makes the folder, sets up logging and calls the job for each run."""
    if isinstance(plan, Sweep):
        sweep_jobs.train(command, library, plan)
    else:
        _train_one(command, library, plan)


def _train_one(command: Command, library: Library, plan: Single) -> None:
    """Trains a single run in its folder, a new one or one that is gone on with."""
    config, resumption = plan.config, plan.resumption
    before = stamp(resumption.folder) if resumption else None
    faults: list[Exception] = []

    def job(cfg: DictConfig) -> float | None:
        path = output_dir()
        try:
            return launch.train_in_processes(config, library, path, resumption)
        except Interrupted as error:
            raise SystemExit(error.exit_code) from None
        except Exception as error:
            fault = of_storage(error) or error
            faults.append(fault)
            if isinstance(fault, UserError):
                if resumption is None:
                    discard(path)
                elif plan.output_subdir and stamp(path) == before:  # refused: it has not gone on
                    shutil.rmtree(path / plan.output_subdir, ignore_errors=True)
            elif not isinstance(fault, Diverged):
                log.exception("unexpected fault")
        return None

    _run_composed(command, library, plan, job)
    if faults:
        raise faults[0]


def _run_composed(command: Command, library: Library, plan: Single, job: Callable[[DictConfig], float | None]) -> None:
    """Runs the job of a single run as Hydra does, with the config that was composed when the command was checked."""
    from hydra._internal.callbacks import Callbacks
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
    from hydra.core.utils import configure_log, run_job
    from hydra.types import HydraContext, RunMode
    from omegaconf import OmegaConf, open_dict, read_write

    cfg, own = plan.composed, plan.composed.hydra
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
    with written(plan.run_dir, "then try again"):
        done = run_job(job, cfg, "hydra.run.dir", None, context)
    callbacks.on_run_end(config=cfg, config_name=command.config_name, job_return=done)
    _ = done.return_value  # raises what the job raised


def show(command: Command, library: Library) -> None:
    """Lets Hydra show what a flag of its own asks for."""
    import hydra
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)  # which composing has done for the others
    if command.multirun:
        register()
    sys.argv = command.for_hydra(library)
    with texts_for_help(), _shown():
        hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name="config")(lambda _: None)()


@contextmanager
def _shown() -> Iterator[None]:
    """What Hydra prints in this context, such as a config, is shown afterwards, its control characters as escapes."""
    said = StringIO()
    try:
        with redirect_stdout(said):
            yield
    finally:
        print(lines_of(said.getvalue()), end="")
