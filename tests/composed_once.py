"""Hydra puts the same files together once for all tests of a process; what is typed beyond them it applies each time.

Half of a tiny run is Hydra at work on YAML files that no test changes. What it makes of a choice of options depends on
the options that are typed, and on the names and the contents of the files alone, so that is what it is kept under. A
command that is a process of its own has Hydra as it is.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hydra._internal import config_loader_impl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra.core.config_store import ConfigStore
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig

Loader = config_loader_impl.ConfigLoaderImpl
compose, load = Loader._compose_config_from_defaults_list, ConfigRepository.load_config

_lists: dict[tuple[object, ...], DefaultsList] = {}
_configs: dict[tuple[object, ...], bytes] = {}
_loaded: dict[tuple[object, ...], bytes] = {}


def install() -> None:
    """Lets Hydra look here first."""
    config_loader_impl.create_defaults_list = _list
    Loader._compose_config_from_defaults_list = _config
    ConfigRepository.load_config = _file


def _list(
    repo: IConfigRepository,
    config_name: str | None,
    overrides_list: list[Override],
    prepend_hydra: bool,
    skip_missing: bool,
) -> DefaultsList:
    overrides = Overrides(repo=repo, overrides_list=overrides_list)
    beyond = [id(override) for override in overrides.config_overrides]
    chosen = [override.input_line for override in overrides_list if id(override) not in beyond]
    key = (config_name, prepend_hydra, skip_missing, *chosen, _files(repo))
    if key not in _lists:
        _lists[key] = create_defaults_list(repo, config_name, overrides_list, prepend_hydra, skip_missing)
    return replace(_lists[key], config_overrides=overrides.config_overrides)


def _config(self: Loader, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
    key = (repr(defaults), _files(repo))
    if key not in _configs:
        _configs[key] = pickle.dumps(compose(self, defaults, repo))
    return pickle.loads(_configs[key])


def _file(self: ConfigRepository, config_path: str) -> ConfigResult | None:
    key = (config_path, _files(self))
    if key not in _loaded:
        _loaded[key] = pickle.dumps(load(self, config_path))
    return pickle.loads(_loaded[key])


def _files(repo: IConfigRepository) -> tuple[object, ...]:
    """What Hydra can read: its folders with the names and the states of their files, and what plugins have stored."""
    folders = [source.path for source in repo.get_sources() if source.scheme() == "file"]
    return (
        *((source.provider, source.full_path()) for source in repo.get_sources()),
        *(state for folder in folders for state in _states(Path(folder))),
        str(ConfigStore.instance().repo),
    )


def _states(folder: Path) -> Iterator[tuple[object, ...]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".yaml", ".yml")):
                yield parent, name, *_state(f"{parent}/{name}")


def _state(path: str) -> tuple[int, int, int]:
    state = os.stat(path)  # noqa: PTH116  (of hundreds of files, each time)
    return state.st_mtime_ns, state.st_size, state.st_ino
