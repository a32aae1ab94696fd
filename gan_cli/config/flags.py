"""The flags of ``gan-train``, and where the shipped YAML files lie. Imports next to nothing."""

from __future__ import annotations

from pathlib import Path

TAKES_VALUE = {"--config-dir": "-cd", "--config-name": "-cn", "--cfg": "-c", "--package": "-p"}
PLAIN = ("--multirun", "-m", "--run", "-r", "--resolve", "--shell-completion", "-sc", "--hydra-help")
OWN = ("--help", "-h", "--version")
SHOWN = ("job", "hydra", "all")  # by --cfg
TOLD = ("all", "config", "defaults", "defaults-tree", "searchpath")  # by --info


def shipped_conf() -> Path:
    """The shipped ``conf`` folder: inside the package in a wheel, beside it in an editable install."""
    package = Path(__file__).resolve().parents[1]
    return next(d for d in (package / "conf", package.parent / "conf") if (d / "config.yaml").is_file())
