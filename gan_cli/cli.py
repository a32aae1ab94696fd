"""Entry points. Hydra meets the program here and nowhere else."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.command import Command, check, flags_first, one_line, parse_overrides, plain, quoted
from gan_cli.config import validate
from gan_cli.errors import Diverged, Interrupted, UserError
from gan_cli.library import Library, shipped_conf
from gan_cli.sampling.keys import SAMPLING
from gan_cli.tools import EVALUATION

if TYPE_CHECKING:
    from gan_cli.resume import Resumption

log = logging.getLogger("gan_cli")


def main() -> None:
    """``gan-train``."""
    sys.exit(_exit_code(lambda: _train(sys.argv[1:])))


def evaluate() -> None:
    """``gan-eval``."""
    sys.exit(_exit_code(lambda: EVALUATION.main(sys.argv[1:]), "gan-eval"))


def sample() -> None:
    """``gan-sample``."""
    sys.exit(_exit_code(lambda: SAMPLING.main(sys.argv[1:]), "gan-sample"))


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
        action()
        sys.stdout.flush()
    except UserError as error:
        return failed(error, 2, *error.problems)
    except Diverged as error:
        return failed(error, 3, f"diverged: {error}: try a lower lr, or on_divergence=continue")
    except Interrupted as error:
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `gan-train --cfg job | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception as error:
        if isinstance(error, _config_errors()):
            return failed(error, 2, one_line(error))
        return failed(error, 1, f"unexpected fault: {type(error).__name__}: {one_line(error)}")
    return 0


def _config_errors() -> tuple[type[Exception], ...]:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    return HydraException, OmegaConfBaseException


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
    resumption, claimed, extra = None, None, []
    if command.trains:
        if any(re.match(r"\+{0,2}resume=(?!null$)", text) for text in command.overrides):
            from gan_cli.resume import prepare

            resumption = prepare(command, library)
            config = resumption.config
            command.overrides = [_forced(text, library) for text in command.overrides]
            extra = [
                f"hydra.run.dir={quoted(str(resumption.folder))}",
                f"hydra.output_subdir=.hydra/resume-{resumption.number}",
            ]
        else:
            config = check(command, library, validate)
        if config.dry_run:
            if command.multirun:
                raise UserError("dry_run=true: shows one run: leave out --multirun")
            from gan_cli.dry_run import dry_run

            return dry_run(config, library)
        if command.multirun:
            fixed = [o.key for o in parse_overrides(command, library)[0] if len(o.values) == 1]
            extra = [f"hydra.job.config.override_dirname.exclude_keys=[{','.join(fixed)}]"]  # names tell what differs
        elif resumption is None:
            claimed = _claimed_folder(command)
            extra = [f"hydra.run.dir={quoted(str(claimed))}"] if claimed else []
    try:
        _launch(command, library, resumption, extra)
    except _config_errors():
        if claimed:
            _discard(claimed)
        check(command, library, validate)  # says the same in one line for each mistake
        raise


def _launch(command: Command, library: Library, resumption: Resumption | None, extra: list[str]) -> None:
    """Hands over to Hydra, which makes the folder, sets up logging and calls the job, once or for each of a sweep."""
    import hydra
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("folder_name", _folder_name, replace=True)

    faults: list[Exception] = []

    def job(cfg: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig

        from gan_cli.run import run

        path = Path(HydraConfig.get().runtime.output_dir)
        try:
            config = resumption.config if resumption else validate(plain(cfg), library)
            return run(config, library, _relative(path), resumption, live=not command.multirun)
        except Interrupted as error:
            raise SystemExit(error.exit_code) from None  # ends a sweep too
        except Exception as error:  # kept for after the sweep: one bad run does not stop the others
            faults.append(error)
            if isinstance(error, UserError):
                if resumption is None:
                    _discard(path)
                if command.multirun:
                    log.error("%s", "; ".join(error.problems))
            elif isinstance(error, Diverged):
                log.error("diverged: %s", error)
            else:
                log.exception("unexpected fault")
        return None

    sys.argv = flags_first(command, *extra)
    hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name="config")(job)()
    if faults:
        raise faults[0]


def _discard(path: Path) -> None:
    """Nothing was trained: a command that was wrong leaves no folder behind."""
    from gan_cli.run_folder import RunFolder

    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, logging.FileHandler):
            handler.close()
            logging.getLogger().removeHandler(handler)
    RunFolder(path).discard()


def _claimed_folder(command: Command) -> Path | None:
    """Makes this run's folder: the one asked for, or one named after the time that no other run has.

    None if Hydra is to work out the name.

    Raises:
        UserError: if it cannot be made or holds a run already.
    """
    typed = [text.partition("=")[2] for text in command.overrides if text.lstrip("+").startswith("hydra.run.dir=")]
    wanted = Path(typed[-1].strip("'\"") if typed else time.strftime("outputs/%Y-%m-%d/%H-%M-%S"))
    if "${" in str(wanted):
        return None
    try:
        if typed:
            if (wanted / "checkpoints").exists():
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


def _relative(path: Path) -> Path:
    """As short as it can be said from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _forced(text: str, library: Library) -> str:
    """An override as Hydra accepts it whatever the default options are: the checkpoint's may have other keys."""
    key = text.lstrip("+").partition("=")[0]
    plain_override = key.startswith("hydra") or key.replace(".", "/") in library.groups()
    return text if plain_override else f"++{text.lstrip('+')}"


def _folder_name(overrides: str, number: Any) -> str:
    """Overrides as a folder name that every file system takes; the job's number if there are none."""
    import hashlib

    name = re.sub(r"[^\w.,+=-]+", "-", str(overrides)).strip(".-")
    if len(name) > 150:
        name = f"{name[:130]}-{hashlib.blake2b(name.encode(), digest_size=6).hexdigest()}"
    return name or str(number)
