"""Composes the config of a command from YAML files and overrides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gan_cli.config.command import Command
from gan_cli.config.flags import SEVERAL
from gan_cli.config.hydra_errors import in_one_line
from gan_cli.config.interpolations import before_the_time, references_in, require_permitted
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.mistakes import shown
from gan_cli.config.nested import MISSING, at
from gan_cli.config.options import GROUPS, Values
from gan_cli.config.overrides import PRESETS, Override, key_of
from gan_cli.config.quoting import folder_name
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Composed:
    """The result of composing YAML files and overrides.

    Args:
        values: plain nested values, interpolations resolved; unknown keys are kept, for later error messages.
        hydra: the values of the requested keys of Hydra's; under ``KEY raw``, each with its interpolations unresolved;
            under ``KEY before the time``, what stands before ``${now:…}`` in it, if that does.
        linked: the dotted keys whose values are interpolations of other keys, with those keys.
        added: the typed keys that the YAML files do not have.
        whole: Hydra's config, with Hydra's own keys, for the run; None if composing failed.
    """

    values: Values = field(default_factory=dict)
    hydra: Values = field(default_factory=dict)
    linked: Mapping[str, str] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    whole: DictConfig | None = None

    @property
    def written(self) -> object:
        """All of it as it is written."""
        from omegaconf import OmegaConf

        return OmegaConf.to_container(self.whole, resolve=False)


def wrong_options(override: Override, value: object, library: Library) -> list[str]:
    """One line for each option in the value of a group that does not exist."""
    problems: list[str] = []
    for name in value if isinstance(value, list) else [value]:
        if not override.is_group:
            continue
        text = name if isinstance(name, str) else shown(name)
        try:
            if override.key in GROUPS:
                library.names_of(override.key, text)
            else:
                library.readable(override.key, text)
        except UserError as error:
            problems += error.problems
    return problems


def compose(
    command: Command, library: Library, texts: Sequence[str], ask: Sequence[str] = (), name: str | None = None
) -> Composed:
    """Composes the YAML files, these overrides and those for Hydra.

    Args:
        ask: keys of Hydra's whose values are requested.
        name: the name for a sweep that has none.

    Raises:
        UserError: if a YAML file is broken or an interpolation leads nowhere.
    """
    from hydra.errors import ConfigCompositionException
    from omegaconf import OmegaConf

    groups = library.groups()
    ours = [text for text in texts if key_of(text) not in groups]
    keys = [key_of(text) for text in ours]
    rest = [text for text in texts if key_of(text) in groups]
    rest += _of_hydra(command, library)
    try:
        with _composed(command, library, [*rest, *ours]) as cfg:
            return _read(cfg, keys, ask, name)
    except UserError as error:
        if not isinstance(error.__cause__, ConfigCompositionException):
            raise
    with _composed(command, library, rest) as cfg:  # fails again if the error was not about one of our keys
        there = OmegaConf.to_container(cfg, resolve=False)
    with _composed(command, library, [*rest, *(f"++{text}" for text in ours)]) as cfg:
        return replace(
            _read(cfg, keys, ask, name), added=frozenset(key for key in keys if at(there, key, MISSING) is MISSING)
        )


def compose_each(
    command: Command,
    library: Library,
    texts: Sequence[str],
    key: str,
    values: Sequence[Any],
    ask: Sequence[str],
    name: str | None,
) -> Iterator[Composed | UserError]:
    """What ``compose`` makes of each of some plain values of a key that is no group's, and reads the YAML files once.

    Args:
        texts: the overrides, this key's first value among them.
    """
    from omegaconf import OmegaConf

    groups = library.groups()
    keys = [key_of(text) for text in texts if key_of(text) not in groups]
    with _composed(command, library, [*_of_hydra(command, library), *texts]) as cfg:
        for value in values:
            try:
                with in_one_line(library):
                    OmegaConf.update(cfg, key, value, merge=False, force_add=True)
                    made: Composed | UserError = _read(cfg, keys, ask, name)
            except UserError as error:
                made = error
            yield made


def _of_hydra(command: Command, library: Library) -> list[str]:
    return [override.text for override in command.parsed(library).every if override.of_hydra]


def _read(cfg: DictConfig, typed: Sequence[str], ask: Sequence[str], name: str | None) -> Composed:
    from omegaconf import DictConfig, OmegaConf, open_dict

    with open_dict(cfg):
        if name and OmegaConf.select(cfg, "name") is None:
            cfg.name = name
    asked = {}
    for key in ask:
        parent, _, last = f"hydra.{key}".rpartition(".")
        raw = OmegaConf.to_container(OmegaConf.select(cfg, parent), resolve=False)
        assert isinstance(raw, dict)
        asked[f"{key} raw"] = raw[last]
        asked[key] = OmegaConf.select(cfg, f"hydra.{key}")
        if (before := before_the_time(str(raw[last]))) is not None:
            asked[f"{key} before the time"] = DictConfig({"it": before}, parent=cfg).it
    ours = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return Composed(plain(ours, typed), asked, references_in(OmegaConf.to_container(ours, resolve=False)), whole=cfg)


def compose_hydra(command: Command, library: Library) -> tuple[dict[str, Any], dict[str, Any]]:
    """The launcher and the sweeper that a command chooses, with their values.

    Raises:
        UserError: if one of them does not exist, or a YAML file is broken.
    """
    from omegaconf import OmegaConf

    overrides = command.parsed(library)
    presets = [override for override in overrides if override.key in PRESETS]
    chosen = [o.texts[0] for o in presets if not wrong_options(o, o.values[0], library)]  # wrong ones are named later
    own = [override for override in overrides.every if override.of_hydra]
    texts = [f"++{o.text}" if o.key.startswith("hydra.sweeper.") else o.text for o in own]  # unknown ones: later
    with _composed(command, library, [*chosen, "name=name", *texts]) as cfg:
        launcher: Any = OmegaConf.to_container(cfg.hydra.launcher, resolve=False)
        sweeper: Any = OmegaConf.to_container(cfg.hydra.sweeper, resolve=True)
        if "n_jobs" in launcher:
            launcher["n_jobs"] = cfg.hydra.launcher.n_jobs
        return launcher, sweeper


@contextmanager
def _composed(command: Command, library: Library, texts: Sequence[str]) -> Iterator[DictConfig]:
    """A context with Hydra's composed config, in which errors of Hydra become UserErrors of one line."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf, open_dict

    library.require_permitted()
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    GlobalHydra.instance().clear()
    before = HydraConfig.instance().cfg
    try:
        with in_one_line(library), hydra.initialize_config_dir(str(shipped_conf()), version_base="1.3"):
            cfg = hydra.compose(command.config_name, [*texts, *library.search_path()], return_hydra_config=True)
            require_permitted(OmegaConf.to_container(cfg, resolve=False))
            with open_dict(cfg.hydra.job):
                cfg.hydra.job.id, cfg.hydra.job.num = "0", 0  # as of a sweep's first run
            HydraConfig.instance().set_config(cfg)  # for ${hydra:…}
            yield cfg
    finally:
        HydraConfig.instance().cfg = before


def plain(cfg: DictConfig, typed: Sequence[str]) -> Values:
    """A composed config as nested dicts, interpolations resolved; keys without a value are left out.

    Values of a preset for options that the overrides removed are left out too: ``experiment=ring penalty=[]``.

    Args:
        typed: the keys of the overrides.
    """
    from omegaconf import OmegaConf

    def without_missing(node: Any) -> Any:
        if isinstance(node, dict):
            return {str(key): without_missing(value) for key, value in node.items() if value != "???"}
        return node

    cfg = _with_steps(cfg)
    values = without_missing(OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False))
    for group in set(SEVERAL) & values.keys():
        values[group] = {
            name: node
            for name, node in (values[group] or {}).items()
            if not isinstance(node, dict) or "name" in node or any(t.startswith(f"{group}.{name}") for t in typed)
        }
    return values


def length_of(steps: Mapping[object, object], model: object) -> object:
    """The length of this model's runs, where ``steps={gan: 100, made: 200}`` says one for each.

    Raises:
        UserError: if it says none.
    """
    lengths = {str(name): length for name, length in steps.items()}
    if model in lengths:
        return lengths[str(model)]
    raise UserError(f"steps={shown(lengths)}: has no length for model={model}: add one, or give one number for all")


def _with_steps(cfg: DictConfig) -> DictConfig:
    """The config with the length of the model's own runs."""
    from omegaconf import DictConfig, OmegaConf, flag_override

    steps = OmegaConf.select(cfg, "steps")
    if not isinstance(steps, DictConfig):
        return cfg
    cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    with flag_override(cfg, ["readonly", "struct"], False):
        cfg.steps = length_of(dict(steps), OmegaConf.select(cfg, "model.name"))
    return cfg
