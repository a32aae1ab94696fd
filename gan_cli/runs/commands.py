"""The commands that train a run again, of what Hydra has written down. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gan_cli.config.nested import at
from gan_cli.config.overrides import key_of
from gan_cli.runs.hydra_files import CONFIG, bytes_of, yaml_of

BELOW = "file://"  # how Hydra names a folder of own options


def repeated(typed: Sequence[str], own: Sequence[str] = (), name: str | None = None) -> list[str]:
    """The words of a command, after the program's name, that trains alone what a command or a sweep trained.

    A preset of a sweep may set more than the values to try, so that a run of it is a sweep of one.

    Args:
        typed: the overrides of the run, a sweep's values among them.
        own: the folders of own options.
        name: of such a sweep, in place of the one that the run is of.
    """
    flags = [word for folder in own for word in ("--config-dir", folder)]
    words = [text.lstrip("+") for text in typed]
    if not any(key_of(text) == "sweep" for text in words):
        return [*flags, *words]
    if name is not None:
        words = [*(text for text in words if key_of(text) != "name"), f"name={name}"]
    return ["-m", *flags, *words, "hydra/sweeper=basic"]


def own_folders(file: Path) -> list[str]:
    """The folders of own options (``--config-dir``) that a command was given, of its ``hydra.yaml``, if that is there.

    Raises:
        Unreadable: if it is not as Hydra writes it.
    """
    if not file.is_file() or BELOW.encode() not in bytes_of(file, CONFIG):  # YAML takes long to read
        return []
    node = at(yaml_of(file), "hydra.searchpath")
    found = node if isinstance(node, list) else []
    return [text.removeprefix(BELOW) for text in found if isinstance(text, str) and text.startswith(BELOW)]
