"""What the word at the cursor can become."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from gan_cli.commands.completion.flags import flags_of, values_of_flag
from gan_cli.commands.completion.keys import OF_OPTIONS, Key, defaults_in, keys_in
from gan_cli.config.flags import SEVERAL, groups, options, shipped_conf
from gan_cli.config.quoting import PATHS

LATEST = ("resume", "start", "checkpoint")
CONFIGS = {"gan-train": "config", "gan-bench": "config", "gan-eval": "eval", "gan-sample": "sample"}


def candidates(program: str, words: Sequence[str], current: str) -> Iterator[str]:
    """All that ``current`` can become in a command.

    Args:
        words: of the command, before it.
    """
    before = words[-1] if words else ""
    folders = [shipped_conf(), *_config_dirs(words)]
    if before.startswith("-") and (values := values_of_flag(program, before)) is not None:
        yield from _beginning(current, values) if values else _paths(current)
        return
    if before in ("--help", "-h") and program == "gan-train":
        yield from _beginning(current, [*_groups(), *(key.path for key in _keys(program, folders, words))])
        return
    key, equals, value = current.partition("=")
    if current.startswith("-"):
        yield from _beginning(current, flags_of(program))
    elif program == "gan-report":
        yield from _paths(current)
    elif equals:
        yield from (f"{key}={found}" for found in _values(key, value, program, folders, words))
    else:
        yield from _names(current, program, folders, words)


def _beginning(typed: str, every: Iterable[str]) -> Iterator[str]:
    return (each for each in every if each.startswith(typed))


def _groups(program: str = "gan-train") -> list[str]:
    """The groups that a command has."""
    if program in ("gan-train", "gan-bench"):
        return groups()
    return sorted(defaults_in(shipped_conf() / f"{CONFIGS[program]}.yaml")) if program in CONFIGS else []


def _config_dirs(words: Sequence[str]) -> list[Path]:
    """The folders of one's own options that a command names."""
    named = [after for word, after in pairwise(words) if word in ("--config-dir", "-cd")]
    named += [word.partition("=")[2] for word in words if word.startswith(("--config-dir=", "-cd="))]
    return [Path(name).expanduser() for name in named if name]


def _keys(program: str, folders: Sequence[Path], words: Sequence[str]) -> Iterator[Key]:
    """The keys of the command and of the options that it chooses; of groups with several, of all of them."""
    if program not in CONFIGS:
        return
    config = shipped_conf() / f"{CONFIGS[program]}.yaml"
    yield from (key for key in keys_in(config) if not key.path.startswith("hydra.") or key.path in PATHS)
    chosen = defaults_in(config)
    chosen |= dict(word.partition("=")[::2] for word in words if "=" in word)
    for group in _groups(program):
        if group in ("experiment", "sweep"):
            continue
        name = re.split(r"[,\]]", chosen.get(group, "").strip("["))[0]
        for option in options(group, folders) if group in SEVERAL else [name]:
            prefix = f"{group}.{option}" if group in SEVERAL else group
            for file in (folder / group / f"{option}.yaml" for folder in folders):
                if file.is_file():
                    yield from (key.below(prefix) for key in keys_in(file, OF_OPTIONS))


def _names(typed: str, program: str, folders: Sequence[Path], words: Sequence[str]) -> Iterator[str]:
    """Groups and keys, as far as the next dot: ``optimizer=``, ``optimizer.``, and after that ``optimizer.lr=``."""
    yield from _beginning(typed, [f"{group}=" for group in _groups(program)])
    for key in _keys(program, folders, words):
        if key.path.startswith(typed):
            head, dot, _ = key.path[len(typed) :].partition(".")
            yield f"{typed}{head}{dot}" if dot else f"{key.path}="


def _values(key: str, typed: str, program: str, folders: Sequence[Path], words: Sequence[str]) -> Iterator[str]:
    """What can stand after ``key=``; of a list, and of several values of a sweep, the last one."""
    if key in PATHS:
        yield from _beginning(typed, ["latest"] if key in LATEST else [])
        yield from _paths(typed)
        return
    ahead, last = re.fullmatch(r"(.*[,\[])?(.*)", typed, re.DOTALL).groups("")  # type: ignore[union-attr]
    if key in _groups(program):
        taken = re.split(r"[,\[\]]", ahead)
        yield from (ahead + name for name in _beginning(last, options(key, folders)) if name not in taken)
        return
    for found in _keys(program, folders, words):
        if found.path == key:
            yield from (ahead + value for value in _beginning(last, found.values))


def _paths(typed: str) -> Iterator[str]:
    """Files and folders, folders with a slash; hidden ones once their dot is typed."""
    folder, slash, last = typed.rpartition("/")
    try:
        for entry in sorted(Path(f"{folder}{slash}" or ".").expanduser().iterdir()):
            if entry.name.startswith(last) and (last.startswith(".") or not entry.name.startswith(".")):
                yield f"{folder}{slash}{entry.name}{'/' * entry.is_dir()}"
    except (OSError, RuntimeError):
        return
