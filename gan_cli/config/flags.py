"""The flags of ``gan-train``, and which groups and options are shipped. Imports next to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

TAKES_VALUE = {"--config-dir": "-cd", "--config-name": "-cn", "--cfg": "-c", "--package": "-p"}
PLAIN = ("--multirun", "-m", "--run", "-r", "--resolve", "--shell-completion", "-sc", "--hydra-help")
OWN = ("--help", "-h", "--version")
SHOWN = ("job", "hydra", "all")  # by --cfg
SEVERAL = ("penalty", "metrics", "logger")  # groups from which any number of options can be chosen
TOLD = ("all", "config", "defaults", "defaults-tree", "searchpath")  # by --info


def shipped_conf() -> Path:
    """The shipped ``conf`` folder: inside the package in a wheel, beside it in an editable install."""
    package = Path(__file__).resolve().parents[1]
    return next(d for d in (package / "conf", package.parent / "conf") if (d / "config.yaml").is_file())


def groups() -> list[str]:
    """The shipped groups."""
    return sorted(folder.name for folder in shipped_conf().iterdir() if folder.is_dir() and folder.name != "hydra")


def shipped(group: str) -> list[str]:
    """The shipped options of a group; none if it is no group."""
    return options(group, [shipped_conf()])


def options(group: str, folders: Iterable[Path]) -> list[str]:
    """The options of a group in some folders of configs; none if it is no group."""
    found = {file.stem for folder in folders for file in (folder / group).glob("*.yaml")}
    return sorted(name for name in found if not name.startswith("."))
