"""The config that a command composes to, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from gan_cli.command import Command, Override, key_of, parse_overrides
from gan_cli.errors import UserError
from gan_cli.library import Library, shipped_conf
from gan_cli.options import SCHEMAS, SEVERAL

PRESETS = ("experiment", "sweep")  # groups of which none need be chosen
Typed = TypeVar("Typed")


def check(command: Command, library: Library, validate: Callable[[Mapping[str, Any], Library], Typed]) -> Typed:
    """Composes and validates what a command asks for.

    Args:
        validate: plain nested values to a typed config; raises UserError.

    Raises:
        UserError: with one line for every mistake.
    """
    overrides, problems = parse_overrides(command, library)
    failed = []
    for override in overrides:
        if wrong := wrong_options(override, override.values[0], library):
            problems += wrong
            failed.append(override.key)
    linked: list[str] = []
    try:
        values, linked = compose(command, library, [o.texts[0] for o in overrides if o.key not in failed])
        config = validate(values, library)
    except UserError as error:
        echoes = tuple(f"{key}." for key in failed) + tuple(f"{key}=" for key in linked)
        problems += [problem for problem in error.problems if not problem.startswith(echoes)]
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return config


def wrong_options(override: Override, value: Any, library: Library) -> list[str]:
    """One line for each option that a value of a group names and that is not there."""
    problems: list[str] = []
    for name in value if isinstance(value, list) else [value]:
        if not override.is_group or (name is None and override.key in PRESETS):
            continue
        try:
            library.file(override.key, str(name))
            if override.key in SCHEMAS:
                library.class_of(override.key, str(name))
        except UserError as error:
            problems += error.problems
    return problems


def compose(command: Command, library: Library, texts: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Plain nested values from the YAML files and these overrides; unknown keys come through, to be named later.

    Returns:
        The values, and the dotted keys whose values were taken over from other keys.

    Raises:
        UserError: if a YAML file is broken or an interpolation leads nowhere.
    """
    from omegaconf import OmegaConf

    groups = library.groups()
    forced = [t if t.split("=")[0].replace(".", "/") in groups else f"++{t}" for t in texts]
    with _composed(command, library, forced) as cfg:
        return plain(cfg, texts), _linked(OmegaConf.to_container(cfg, resolve=False))


def compose_hydra(command: Command, library: Library) -> tuple[dict[str, Any], dict[str, Any]]:
    """The launcher and the sweeper that a command chooses, with their values as they are written.

    Raises:
        UserError: if one of them is not there, or a YAML file is broken.
    """
    from omegaconf import OmegaConf

    presets = [override for override in parse_overrides(command, library)[0] if override.key in PRESETS]
    chosen = [o.texts[0] for o in presets if not wrong_options(o, o.values[0], library)]  # wrong ones are named later
    own = [text.lstrip("+") for text in command.overrides if text.lstrip("+").startswith("hydra")]
    own = [f"++{text}" if text.startswith("hydra.sweeper.") else text for text in own]  # unknown ones are named later
    with _composed(command, library, [*chosen, "name=name", *own], return_hydra_config=True) as cfg:
        launcher: Any = OmegaConf.to_container(cfg.hydra.launcher, resolve=False)
        sweeper: Any = OmegaConf.to_container(cfg.hydra.sweeper, resolve=False)
        return launcher, sweeper


@contextmanager
def _composed(command: Command, library: Library, texts: Sequence[str], **options: Any) -> Iterator[Any]:
    """Hydra's composed config; whatever goes wrong with it, inside too, becomes one line."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    search = ",".join(f"'file://{folder}'" for folder in library.own)
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(shipped_conf()), version_base="1.3"):
            path = [f"hydra.searchpath=[{search}]"] if search else []
            yield hydra.compose(command.config_name, [*texts, *path], **options)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
        raise UserError(one_line(cause)) from error


def plain(cfg: Any, texts: Sequence[str]) -> dict[str, Any]:
    """A composed config as nested dicts, interpolations resolved; keys that still lack a value are left out.

    So are values that a preset has for options that these overrides did not keep: ``experiment=ring penalty=[]``.
    """
    from omegaconf import OmegaConf

    def without_missing(node: Any) -> Any:
        if isinstance(node, dict):
            return {str(key): without_missing(value) for key, value in node.items() if value != "???"}
        return node

    values = without_missing(OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False))
    typed = [key_of(text) for text in texts]
    for group in set(SEVERAL) & values.keys():
        values[group] = {
            name: node
            for name, node in (values[group] or {}).items()
            if not isinstance(node, dict) or "name" in node or any(t.startswith(f"{group}.{name}") for t in typed)
        }
    return values


def _linked(node: Any, prefix: str = "") -> list[str]:
    if isinstance(node, dict):
        return [key for name, value in node.items() for key in _linked(value, f"{prefix}.{name}" if prefix else name)]
    return [prefix] if isinstance(node, str) and node.startswith("${") else []


def one_line(error: BaseException) -> str:
    """The first line of an error that a library meant for a screen of its own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__
