"""Reads the YAML files of options as Hydra reads them."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from gan_cli.config.options import Values
from gan_cli.errors import UserError

NAMES_OF_ALL = {"name", "class"}  # keys that every option has


def content_of(path: Path) -> Values:
    """The values in a YAML file, read as Hydra reads it, interpolations as they are written.

    Raises:
        UserError: if it is not UTF-8, not YAML, or has no keys with values.
    """
    try:
        state = path.stat()
        return deepcopy(_content(path, state.st_mtime_ns, state.st_size, state.st_ino))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}): it must hold lines key: value") from error


@lru_cache(1000)
def _content(path: Path, *state: int) -> dict[str, Any]:
    """The values in a file as it is now: a sweep asks for those of an option once for each of its values."""
    from omegaconf import OmegaConf
    from yaml import YAMLError

    try:
        if path.read_bytes().startswith(b"\xef\xbb\xbf"):  # Hydra does not recognise a `# @package` after it
            raise UserError(f"{path}: begins with a byte-order mark: save it as UTF-8 without one")
        node = OmegaConf.to_container(OmegaConf.load(path))
    except UserError:
        raise
    except UnicodeDecodeError as error:
        place = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise UserError(f"{path}: is not UTF-8 ({place}): save it as UTF-8") from error
    except (YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(node, dict):
        raise UserError(f"{path}: must hold lines key: value")
    return {str(key): value for key, value in node.items()}


def own_values(node: Values, group: str) -> Values:
    """An option's own values; a file for ``# @package _global_`` has them under the group, beside other keys."""
    own = node.get(group)
    return own if isinstance(own, dict) and not NAMES_OF_ALL & node.keys() else node
