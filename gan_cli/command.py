"""A typed command line, taken apart: flags, overrides, and the config they compose to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gan_cli.errors import UserError
from gan_cli.library import Library, shipped_conf
from gan_cli.mistakes import suggestion
from gan_cli.options import SCHEMAS, SEVERAL

PATHS = ("resume", "checkpoint", "real", "samples", "out", "dataset.path", "dataset.root", "hydra.run.dir")
TAKES_VALUE = {"--config-dir": "-cd", "--config-name": "-cn", "--cfg": "-c", "--package": "-p"}
PRESETS = ("experiment", "sweep")  # groups of which none need be chosen
PLAIN = ("--multirun", "-m", "--run", "-r", "--resolve", "--shell-completion", "-sc", "--hydra-help")
OWN = ("--help", "-h", "--version")
Typed = TypeVar("Typed")
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


def _path_quoted(text: str) -> str:
    """Paths may hold a ``~``, spaces and whatever else has a meaning to Hydra: quoted here, so that users need not."""
    key, _, value = text.partition("=")
    if key not in PATHS or not value or value == "null" or value[0] in "'\"" or "${" in value:
        return text
    return f"{key}={quoted(str(Path(value).expanduser()))}"


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
    typed = [text.lstrip("+").partition("=")[0] for text in texts]
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


def flags_first(command: Command, *extra: str) -> list[str]:
    return [sys.argv[0], *command.flags, *command.overrides, *extra]
