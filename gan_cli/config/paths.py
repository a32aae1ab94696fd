"""Paths as typed by users. Torch-free."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from gan_cli.errors import UserError


def expanded(typed: str | Path, key: str) -> Path:
    """The path with ``~`` replaced by the home folder.

    Args:
        key: what stands before it in the command, such as ``resume=``, for the error message.

    Raises:
        UserError: if the home folder is unknown, as in a container without HOME, or no file can be called so.
    """
    try:
        path = Path(typed).expanduser()
        os.stat(path)  # noqa: PTH116 - for what no file can be called, which is not the same as not being there
    except ValueError as error:  # a zero byte
        raise UserError(f"{key}{typed}: no file can be called so: {error}") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(f"{key}{typed}: no file can be called so: {error.strerror}") from error
    except RuntimeError as error:
        home = Path(typed).parts[0]
        raise UserError(
            f"{key}{typed}: there is no home folder {home} here: write the whole path, or ./{home} if it is called so"
        ) from error
    return path


def named(path: Path) -> Path:
    """The path with a real last part: files named after ``.`` or ``..`` would be hidden."""
    return Path(os.path.abspath(path)) if path.name in ("", "..") else path  # noqa: PTH100  (links stay links)


def says_folder(typed: str) -> bool:
    """Whether a typed path means a folder: it is one, or ends in a slash."""
    return typed.endswith(("/", os.sep)) or os.path.isdir(os.path.expanduser(typed))  # noqa: PTH111, PTH112 - never raise
