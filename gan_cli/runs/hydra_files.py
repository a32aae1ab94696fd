"""What Hydra writes into a run folder; read as data: bounded, and nothing in it is looked up. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli.output.replacing import replacing, written

CONFIG = 200_000  # bytes
DEEPEST = 20  # keys within keys


class Unreadable(Exception):
    """Why what lies there is not what a run writes."""


def write(folder: Path, files: Mapping[str, Any]) -> None:
    """Writes configs and lists of OmegaConf as Hydra does, but each whole; all are there if the last is.

    Raises:
        Unwritable: if they cannot be written.
    """
    from omegaconf import OmegaConf

    with written(folder, "then try again"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            with replacing(folder / name) as aside:
                OmegaConf.save(content, aside)


def bytes_of(path: Path, most: int) -> bytes:
    """All of a file.

    Raises:
        Unreadable: if it is larger than that or cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror or type(error).__name__}") from error
    if len(content) > most:
        raise Unreadable(f"{path.name}: has more than {most:,} bytes")
    return content


def yaml_of(path: Path) -> Any:
    """The values in a YAML file, as they are written.

    Raises:
        Unreadable: if it is not as Hydra writes it.
    """
    import yaml

    try:
        text, depth = bytes_of(path, CONFIG).decode(), 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST or isinstance(event, yaml.AliasEvent):  # which could stand for any number of values
                raise Unreadable(f"{path.name}: is not as Hydra writes it")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise Unreadable(f"{path.name}: is no YAML of plain values ({type(error).__name__})") from error


def overrides_of(path: Path) -> list[str]:
    """The words of a command that Hydra has written down.

    Raises:
        Unreadable: if they are none.
    """
    found = yaml_of(path)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise Unreadable(f"{path.name}: is no list of words")
    return found


def config_of(path: Path) -> dict[str, Any]:
    """A config that Hydra has written down, as it is written.

    Raises:
        Unreadable: if it is none.
    """
    found = yaml_of(path)
    if not isinstance(found, dict):
        raise Unreadable(f"{path.name}: holds no keys with values")
    return {str(key): value for key, value in found.items()}
