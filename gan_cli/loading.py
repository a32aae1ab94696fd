"""A trained generator, for notebooks."""

from __future__ import annotations

from pathlib import Path

from gan_cli import checkpoint
from gan_cli.build import networks, pick_device
from gan_cli.config import validate
from gan_cli.errors import UserError
from gan_cli.library import Library
from gan_cli.sampler import Sampler


def load(path: str | Path, device: str = "cpu", config_dir: str | Path | None = None) -> Sampler:
    """The generator of a run folder (its newest checkpoint) or of one checkpoint; the moving average if there is one.

    Args:
        config_dir: the folder of your own options, if the run used any.

    Raises:
        UserError: (a ValueError) if there is no readable checkpoint.
    """
    path = Path(path).expanduser()
    state = checkpoint.newest(path)[1] if path.is_dir() else checkpoint.load(path)
    library = Library(*([config_dir] if config_dir else []))
    config = validate({**state["config"], "resume": None, "dry_run": False}, library)
    where = pick_device(device)
    generator, _ = networks(config, library, tuple(state["data"]["shape"]), state["classes"], where)
    try:
        generator.load_state_dict(state["ema"] or state["networks"]["generator"])
    except RuntimeError as error:
        raise UserError(f"{path}: its weights do not fit its config: {str(error).splitlines()[0]}") from error
    prior = library.build("prior", config.prior)
    return Sampler(generator.eval().requires_grad_(False), prior, config, state["classes"], where)
