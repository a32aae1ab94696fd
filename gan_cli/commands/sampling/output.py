"""Where what is drawn is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_cli.commands.sampling.keys import ENDINGS, Sampling, output_name
from gan_cli.config.paths import expanded, says_folder
from gan_cli.errors import UserError
from gan_cli.runs.links import leads_out


@contextmanager
def output(config: Sampling, folder: Path, step: int | None) -> Iterator[Path]:
    """A context with the path of the output, whose folder exists; that of ``export=hub`` is still to be made.

    Raises:
        UserError: if the output cannot be written.
    """
    path = path_of(config, folder, "" if step is None else f"step-{step:09d}")
    generated = folder / "generated"
    if not config.out and generated.is_symlink() and leads_out(generated, folder.resolve()):
        raise UserError(f"checkpoint={folder}: its generated/ is a link to {generated.readlink()}: say where, out=PATH")
    try:
        (path if config.kind in ("png", "wav") else path.parent).mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        raise UserError(f"out={path}: cannot be written ({error.strerror or error}): give another, out=PATH") from error


def path_of(config: Sampling, folder: Path, step: str) -> Path:
    ending, name = ENDINGS[config.kind], output_name(config)
    if config.out:
        out = expanded(config.out, "out=")
        if not ending or (out.suffix == ending and not says_folder(config.out)):
            return out
        return out / f"{name if config.export or not step else f'{step}-{name}'}{ending}"
    generated = folder / "generated"
    if config.export:
        return generated / (step if config.ema else f"{step}-without-ema") / f"{name}{ending}"
    return generated / f"{step}-{name}{ending}".lstrip("-")
