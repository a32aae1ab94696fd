"""Errors of Hydra, OmegaConf and YAML as one line in this program's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from gan_cli.config.library import Library
from gan_cli.errors import UserError


@contextmanager
def in_one_line(library: Library) -> Iterator[None]:
    """Whatever goes wrong with a config becomes one line."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
        raise UserError(_in_our_words(one_line(cause))) from error
    except UserError:
        raise
    except (YAMLError, ValueError, OSError, RecursionError) as error:  # what reading a YAML file may raise
        library.require_readable()
        raise UserError(one_line(error)) from error


def _in_our_words(line: str) -> str:
    """An error of Hydra's in our words; its own advice is to add a ``+``, which does not help for unknown keys."""
    if found := re.match(r"\w+ raised while resolving interpolation: \"?(.*?)\"? full_key: (\S+)", line):
        return f"{found[2]}: {found[1]}: set it, or give a value in its place"
    if found := re.match(r"Could not override '([^']*)'|Key '[^']*' (?:is )?not in .*full_key: (\S+)", line):
        key = found[1] or found[2]
        shows = "hydra" if key.startswith("hydra.") else "job"
        return f"{key}: no such key: gan-train --cfg {shows} lists them"
    return line


def one_line(error: BaseException) -> str:
    """The first two lines of an error message, joined."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__
