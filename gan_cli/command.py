"""A typed command line, taken apart: flags and overrides."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gan_cli.errors import UserError
from gan_cli.library import Library
from gan_cli.mistakes import suggestion
from gan_cli.options import SEVERAL
from gan_cli.paths import expanded

PATHS = ("resume", "checkpoint", "real", "samples", "out", "dataset.path", "dataset.root", "hydra.run.dir")
TAKES_VALUE = {"--config-dir": "-cd", "--config-name": "-cn", "--cfg": "-c", "--package": "-p"}
PLAIN = ("--multirun", "-m", "--run", "-r", "--resolve", "--shell-completion", "-sc", "--hydra-help")
OWN = ("--help", "-h", "--version")
SHORT = {short: long for long, short in TAKES_VALUE.items()}


@dataclass
class Command:
    """``flags`` and ``overrides`` as Hydra takes them: flags first, wherever they were typed."""

    flags: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    config_dirs: list[str] = field(default_factory=list)
    config_name: str = "config"

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Command:
        """Sorts the words of a command.

        Raises:
            UserError: naming the first unknown flag.
        """
        command, words = cls(), list(argv)
        while words:
            word = words.pop(0)
            flag, equals, value = word.partition("=")
            flag = SHORT.get(flag, flag)
            if word.startswith("--help="):
                command.flags.append("--help")
                command.overrides.append(value)
            elif not word.startswith("-"):
                command.overrides.append(word)
            elif flag in TAKES_VALUE:
                if not equals:
                    if not words:
                        raise UserError(f"{flag}: needs a value")
                    value = words.pop(0)
                command._take(flag, value)
            elif flag == "--info":
                if not equals and words and words[0] in ("all", "config", "defaults", "defaults-tree", "searchpath"):
                    value = words.pop(0)
                command.flags.append(f"--info={value}" if value else "--info")
            elif word in (*PLAIN, *OWN):
                command.flags.append(word)
            else:
                raise UserError(_unknown_flag(flag, value, words))
        if "=" in command.overrides:
            raise UserError(f"{' '.join(command.overrides)}: overrides are written without spaces: key=value")
        if not command.multirun:
            command.overrides = [_path_quoted(text) for text in command.overrides]
        return command

    def _take(self, flag: str, value: str) -> None:
        if flag == "--cfg" and value not in ("job", "hydra", "all"):
            raise UserError(f"--cfg {value}: shows job, hydra or all: gan-train --cfg job")
        if flag == "--config-dir":
            self.config_dirs.append(value)
        elif flag == "--config-name":
            self.config_name = value.removesuffix(".yaml")
        self.flags += [flag, value]

    def has(self, *flags: str) -> bool:
        return any(flag in self.flags for flag in flags)

    @property
    def multirun(self) -> bool:
        return self.has("--multirun", "-m")

    @property
    def trains(self) -> bool:
        """Whether this command is to run anything, rather than to show something."""
        return not self.has("--cfg", "--shell-completion", "-sc", "--hydra-help", *OWN) and not self.info

    @property
    def info(self) -> str | None:
        return next((flag for flag in self.flags if flag.startswith("--info")), None)


def key_of(text: str) -> str:
    """The key of an override as typed: ``++dataset.size=8`` → ``dataset.size``."""
    return text.lstrip("+").partition("=")[0]


def _path_quoted(text: str) -> str:
    """Paths may hold a ``~``, spaces and whatever else has a meaning to Hydra: quoted here, so that users need not."""
    key, _, value = text.partition("=")
    if key not in PATHS or not value or value == "null" or value[0] in "'\"" or "${" in value:
        return text
    slash = "/" if value.endswith("/") and value.strip("/") else ""  # which says that it is to be a folder
    return f"{key}={quoted(str(expanded(value, f'{key}=')) + slash)}"


def quoted(text: str) -> str:
    """Text as one value of Hydra's grammar."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _unknown_flag(flag: str, value: str, words: list[str]) -> str:
    if flag == "--experimental-rerun":
        return f"{flag}: would run pickled code: use resume=FOLDER"
    if not flag.startswith("--") or flag in ("--config-path", "-cp"):
        return f"{flag}: no such flag; gan-train --help lists them"
    key = flag[2:].replace("-", "_")
    value = value or (words[0] if words and not words[0].startswith("-") else "…")
    return f"{flag}: no such flag{suggestion(flag, [*TAKES_VALUE, *PLAIN, *OWN])}: keys are written {key}={value}"


@dataclass(frozen=True)
class Override:
    """One parsed override: its dotted key, the values it asks for (several in a sweep), and the text for each."""

    key: str
    values: list[Any]
    texts: list[str]
    is_group: bool
    continuous: bool = False  # an interval: its values are the two ends


def parse_overrides(command: Command, library: Library) -> tuple[list[Override], list[str]]:
    """The overrides of a command and one line for each that is mistaken in itself."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    problems: list[str] = []
    overrides: list[Override] = []
    groups = library.groups()
    for text in command.overrides:
        try:
            parsed = parser.parse_override(text)
        except HydraException as error:
            problems.append(_syntax(text, str(error)))
            continue
        name = parsed.key_or_group
        if name.startswith("hydra"):
            continue
        is_group = name.replace(".", "/") in groups
        if parsed.is_delete():
            problems.append(f"{text}: every key is needed and cannot be removed")
        elif parsed.is_sweep_override() and not command.multirun:
            problems.append(f"{text}: several values make a sweep: {_instead(name, text)}")
        elif parsed.is_sweep_override() and parsed.is_discrete_sweep():
            values = list(parsed.sweep_iterator(lambda element: element))
            override = Override(
                name.replace("/", "."), values, [f"{name}={v}" for v in parsed.sweep_string_iterator()], is_group
            )
            overrides.append(override)
        elif parsed.is_sweep_override():
            interval: Any = parsed.value()
            ends = [interval.start, interval.end]
            texts = [f"{name}={end}" for end in ends]
            overrides.append(Override(name.replace("/", "."), ends, texts, is_group, continuous=True))
        else:
            overrides.append(Override(name.replace("/", "."), [parsed.value()], [text.lstrip("+")], is_group))
    return overrides, problems


def _instead(name: str, text: str) -> str:
    values = text.partition("=")[2]
    if name in SEVERAL:
        return f"add --multirun, or choose them together: {name}=[{values}]"
    return f"add --multirun, or quote the value: '{name}=\"…\"'"


def _syntax(text: str, message: str) -> str:
    key, equals, _ = text.partition("=")
    if not equals:
        return f"{text}: overrides are written key=value, such as steps=1000"
    return f"{text}: cannot be read: quote a value with special characters: '{key}=\"…\"'"


def flags_first(command: Command, *extra: str) -> list[str]:
    return [sys.argv[0], *command.flags, *command.overrides, *extra]
