"""``--cfg``: the composed config, every group in it, and nothing of which class makes what."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from gan_cli.config.command import Command
from gan_cli.config.draft import draft
from gan_cli.config.flags import SEVERAL
from gan_cli.config.interpolations import require_shown
from gan_cli.config.library import NAMES, Library, shipped_conf
from gan_cli.config.nested import MISSING, at
from gan_cli.config.options import GROUPS
from gan_cli.config.overrides import PRESETS
from gan_cli.config.schema import validate
from gan_cli.config.yaml_files import content_of
from gan_cli.errors import UserError


def config_text(command: Command, library: Library) -> str:
    """The composed config as YAML: the job's, Hydra's, or all of it; references as they are written, or resolved.

    A value that is of the wrong type or contradicts another is shown as it is.

    Raises:
        UserError: if it cannot be composed, or the package to show is not in it.
    """
    from omegaconf import OmegaConf, flag_override

    made = draft(command, library)
    if made.problems or made.composed.added or made.composed.whole is None:
        made.checked(validate)  # names what does not exist
    assert made.composed.whole is not None
    composed = deepcopy(made.composed.whole)
    if command.has("--resolve"):
        require_shown(made.composed.written)
        with flag_override(composed.hydra, "readonly", None):
            OmegaConf.resolve(composed)
    chosen = {str(group): option for group, option in composed.hydra.runtime.choices.items()}
    whole = OmegaConf.to_container(composed)
    assert isinstance(whole, dict)
    values: dict[str, Any] = {str(key): value for key, value in whole.items()}
    hydra = {key: value for key, value in values.pop("hydra").items() if key not in ("help", "hydra_help")}
    hydra["job"] |= {"id": "???", "num": "???"}  # of a sweep's runs
    asked = command.value_of("--cfg")
    node: Any = {"hydra": hydra} if asked in ("hydra", "all") else {}
    node |= job_of(values, chosen) if asked in ("job", "all") else {}
    package = command.value_of("--package")
    if package in (None, "_global_"):
        return OmegaConf.to_yaml(node)
    if (node := at(node, str(package), MISSING)) is MISSING:
        raise UserError(f"--package {package}: is not in the config: gan-train --cfg {asked}")
    return f"# @package {package}\n{OmegaConf.to_yaml(node)}" if isinstance(node, Mapping | list) else f"{node}\n"


def job_of(config: Mapping[str, Any], chosen: Mapping[str, object]) -> dict[str, Any]:
    """The groups in the order of ``config.yaml``, those from which nothing is chosen too, and then the other keys."""
    groups: dict[str, Any] = {}
    for default in content_of(shipped_conf() / "config.yaml")["defaults"]:
        group = next(iter(default)) if isinstance(default, Mapping) else default
        if group in SEVERAL:
            options = config.get(group) or {}
            groups[group] = {name: _without_names(node) for name, node in options.items()} or []
        elif group in GROUPS:
            groups[group] = _without_names(config.get(group))
        elif group in PRESETS:
            groups[group] = chosen.get(group)
    return {**groups, **{key: value for key, value in config.items() if key not in groups}}


def _without_names(node: Any) -> Any:
    """The options without what names code, which YAML files alone can say."""
    return {key: value for key, value in node.items() if key not in NAMES} if isinstance(node, Mapping) else node
