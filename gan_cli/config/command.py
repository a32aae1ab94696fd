"""A command line, split into flags and overrides."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import get_args

from gan_cli.config.flags import OWN, PLAIN, SHOWN, TAKES_VALUE, TOLD, shipped
from gan_cli.config.library import Library
from gan_cli.config.mistakes import suggestion
from gan_cli.config.options import Options
from gan_cli.config.overrides import Overrides
from gan_cli.config.reading_overrides import read
from gan_cli.config.root import Root
from gan_cli.config.words import LENGTHS, key_here, option_here, plain, told
from gan_cli.errors import UserError

SHORT = {short: long for long, short in TAKES_VALUE.items()}


@dataclass
class Command:
    """``flags`` and ``overrides`` as typed; the two may be mixed on the command line."""

    flags: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    config_dirs: list[str] = field(default_factory=list)
    config_name: str = "config"
    root: type[Options] = Root
    _parsed: tuple[list[str], Overrides] | None = field(default=None, repr=False, compare=False)

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
                if not equals and words and words[0] in TOLD:
                    value = words.pop(0)
                command.flags.append(f"--info={value}" if value else "--info")
            elif word in (*PLAIN, *OWN):
                command.flags.append(word)
            elif plain(flag) in LENGTHS:  # answered as the key is
                value = value or (words.pop(0) if words and words[0].isdigit() else "10")
                command.overrides.append(f"{plain(flag)}={value}")
            else:
                raise UserError(_unknown_flag(flag, value, words))
        if "=" in command.overrides:
            raise UserError(f"{' '.join(command.overrides)}: overrides are written without spaces: key=value")
        return command

    def parsed(self, library: Library) -> Overrides:
        """The parsed overrides; they are parsed again only if they have changed."""
        if self._parsed is None or self._parsed[0] != self.overrides:
            found = read(self.overrides, library, root=self.root, several=self.multirun)
            self._parsed = (list(self.overrides), found)
        return self._parsed[1]

    def for_hydra(self, library: Library) -> list[str]:
        """The whole command as Hydra's own program takes it.

        Raises:
            UserError: with one line for each override that cannot be read.
        """
        flags, kept = list(self.flags), []
        while flags:
            flag = flags.pop(0)
            if flag == "--config-dir":  # which Hydra takes only once
                flags.pop(0)
            else:
                kept.append(flag)
        return [sys.argv[0], *kept, *self.words_for_hydra(library)]

    def words_for_hydra(self, library: Library, added: Collection[str] = (), extra: Sequence[str] = ()) -> list[str]:
        """The overrides as Hydra takes them.

        Args:
            added: typed keys that not every option has; all other keys must exist.
            extra: overrides that nobody typed.

        Raises:
            UserError: with one line for each override that cannot be read.
        """
        overrides = self.parsed(library)
        if overrides.problems:
            raise UserError(*overrides.problems)
        texts = [f"++{each.text}" if each.key in added else each.text for each in overrides.every]
        return [*texts, *library.search_path(), *extra]

    def _take(self, flag: str, value: str) -> None:
        if flag == "--cfg" and value not in SHOWN:
            raise UserError(f"--cfg {value}: shows job, hydra or all: gan-train --cfg job")
        if flag == "--config-name" and value != self.config_name:
            name = PurePath(value).stem
            raise UserError(
                f"--config-name {value}: every run begins with the shipped config.yaml: what is your own is a preset, "
                f"FOLDER/experiment/{name}.yaml: --config-dir FOLDER experiment={name}"
            )
        if flag == "--config-dir":
            self.config_dirs.append(value)
        self.flags += [flag, value]

    def has(self, *flags: str) -> bool:
        return any(flag in self.flags for flag in flags)

    def value_of(self, flag: str) -> str | None:
        """What was given to a flag; of several times, the last."""
        places = [place for place, word in enumerate(self.flags) if word == flag]
        return self.flags[places[-1] + 1] if places else None

    @property
    def multirun(self) -> bool:
        return self.has("--multirun", "-m")

    @property
    def trains(self) -> bool:
        """Whether this command trains, rather than shows something."""
        return not self.has("--cfg", "--shell-completion", "-sc", "--hydra-help", *OWN) and not self.info

    @property
    def info(self) -> str | None:
        return next((flag for flag in self.flags if flag.startswith("--info")), None)


def _unknown_flag(flag: str, value: str, words: list[str]) -> str:
    if flag == "--experimental-rerun":
        return f"{flag}: would run pickled code: use resume=FOLDER"
    if not flag.startswith("--") or flag in ("--config-path", "-cp"):
        return f"{flag}: no such flag; gan-train --help lists them"
    key = flag[2:].replace("-", "_")
    value = value or (words[0] if words and not words[0].startswith("-") and "=" not in words[0] else "")
    if (names := shipped(key)) and value and (answer := option_here(key, value, names)):
        return f"{flag} {value}: no such flag{told(answer)}"
    known = Root.model_fields.get(key)
    switch = known is not None and (known.annotation is bool or True in get_args(known.annotation))
    value = value or ("true" if switch else "…")
    if answer := key_here(key, value):
        return f"{flag}: no such flag{told(answer)}"
    return f"{flag}: no such flag{suggestion(flag, [*TAKES_VALUE, *PLAIN, *OWN])}: keys are written {key}={value}"
