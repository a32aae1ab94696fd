"""Looks up options: the YAML files of ``conf/`` and of the user's own ``--config-dir``.

Only these files can name a class. A saved config holds option *names*, which are looked up here again, so neither
a checkpoint nor a command line can name code to run.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from gan_cli.config import flags
from gan_cli.config.asking import asked, is_own, reason
from gan_cli.config.flags import shipped, shipped_conf
from gan_cli.config.interpolations import resolvers_in, texts_in
from gan_cli.config.mistakes import explain, keys_of, suggestion
from gan_cli.config.options import Choice, Group, Made, Values
from gan_cli.config.own_schema import schema_from_signature
from gan_cli.config.paths import expanded
from gan_cli.config.words import key_here, option_here, told
from gan_cli.config.yaml_files import content_of, own_values
from gan_cli.errors import UserError

NAMES = ("class", "schema")  # keys that name code, which only a YAML file can set


class Library:
    """Looks up options by group and name: first the shipped ones, then those of ``own`` folders."""

    def __init__(self, *own: Path | str) -> None:
        self.own = tuple(expanded(folder, "--config-dir ").resolve() for folder in own)
        for folder in self.own:
            if not folder.is_dir():
                raise UserError(f"--config-dir {folder}: no such folder")

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        return (shipped_conf(), *self.own)

    def groups(self) -> list[str]:
        """Every group, such as ``dataset`` or ``experiment``: the folders of the shipped ``conf``."""
        return flags.groups()

    def options(self, group: str) -> list[str]:
        """The names of the options in a group."""
        return flags.options(group, self.folders)

    def get_group_options(self, group_name: str, results_filter: object = None) -> list[str]:
        """``options``, under the name that Hydra's ``glob(…)`` calls."""
        return self.options(group_name)

    def search_path(self) -> list[str]:
        """The override that adds the ``own`` folders to Hydra's search path."""
        from gan_cli.config.quoting import quoted

        search = ",".join(quoted(f"file://{folder}") for folder in self.own)
        return [f"hydra.searchpath=[{search}]"] if search else []

    def require_readable(self) -> None:
        """Reads every YAML file in the ``own`` folders, as Hydra does.

        Raises:
            UserError: naming the first one that cannot be read.
        """
        for path in self._own_files():
            content_of(path)

    def _own_files(self) -> Iterator[Path]:
        for folder in self.own:
            for place in ("", *self.groups()):
                yield from sorted((folder / place).glob("*.yaml"))

    def require_permitted(self) -> None:
        """Checks what is looked up while files of ``own`` folders are put together: in their lists of defaults.

        Raises:
            UserError: with a line for each that asks for more than the name of another choice.
        """
        problems = []
        for path in self._own_files():
            with suppress(UserError):  # one that cannot be read is named where it is chosen
                texts = [text for _, text in texts_in(content_of(path).get("defaults"))]
                problems += [f"{path}: {text}: looks nothing up here" for text in texts if [*resolvers_in(text)]]
        if problems:
            raise UserError(*problems)

    def file(self, group: str, name: str) -> Path:
        """The YAML file of an option.

        Raises:
            UserError: if there is none.
        """
        options = self.options(group)
        for folder in self.folders if name in options else ():
            if (path := folder / group / f"{name}.yaml").is_file():
                return path
        if answer := option_here(group, str(name), options):
            raise UserError(f"{group}={name}: no such option{told(answer)}; all of them: gan-train --help {group}")
        raise UserError(
            f"{group}={name}: no such option{suggestion(str(name), options)}; "
            f"available: {', '.join(options)}; your own: --config-dir FOLDER with {group}/{name}.yaml"
        )

    def readable(self, group: str, name: str) -> None:
        """Raises UserError if there is no such option, or it is in an ``own`` folder and cannot be read."""
        if not (path := self.file(group, name)).is_relative_to(shipped_conf()):
            content_of(path)

    def names_of(self, group: str, name: str) -> dict[str, str]:
        """The dotted paths in an option's YAML file: of its class and, if it has one, of its schema.

        Raises:
            UserError: if the file cannot be read or names no class.
        """
        path = self.file(group, name)
        node = own_values(content_of(path), group)
        if not isinstance(node.get("class"), str) or self.option_of(group, node.get("name")) != name:
            raise UserError(f"{path}: needs the lines `name: {name}` and `class: your_module.YourClass`")
        return {key: node[key] for key in NAMES if key in node}

    def option_of(self, group: str, name: object) -> str:
        """The option that a file's ``name: …`` means, which YAML may read as a number: ``64`` in ``64.yaml``."""
        from omegaconf import OmegaConf

        if isinstance(name, str) or name is None:
            return str(name)
        plain = [option for option in self.options(group) if re.fullmatch(r"[\w.+-]+", option)]
        return next((option for option in plain if OmegaConf.create(f"name: {option}").name == name), str(name))

    def has_own_class(self, group: str, name: str) -> bool:
        """Whether the class of an option is the user's own rather than one of this program's."""
        return not self.names_of(group, name)["class"].startswith("gan_cli.")

    def schema(self, group: str, name: str) -> type[Choice]:
        """Types and limits of an option's keys: the schema that its YAML file names, or the signature of its class.

        Raises:
            UserError: if the user's module or class cannot be imported.
        """
        if dotted := self.names_of(group, name).get("schema"):
            return self._imported(group, name, dotted)
        if self.file(group, name).is_relative_to(shipped_conf()):
            return Choice  # no options
        return schema_from_signature(group, name, self.load(group, name))

    def check(self, group: str, node: Values, prefix: str) -> Choice:
        """An option's values, validated.

        Args:
            prefix: what the user types before its keys, such as ``loss.`` or ``penalty.r1.``

        Raises:
            UserError: with one line for every mistake found.
        """
        node = {**node, "name": self.option_of(group, node["name"])}
        schema = self.schema(group, node["name"])
        dotted = self.names_of(group, node["name"])
        for key in NAMES:
            if key in node and node[key] != dotted.get(key):
                raise UserError(f"{prefix}{key}={node[key]}: is set by {group}/{node['name']}.yaml alone")
        try:
            return schema.model_validate({key: value for key, value in node.items() if key not in NAMES})
        except ValidationError as error:
            keys = [key for key in schema.model_fields if key != "name"]
            owner = f"; {group}={node['name']} has {', '.join(keys) if keys else 'no options'}"
            known = [key for key in keys_of(schema, prefix) if key != f"{prefix}name"]

            def here(key: str, value: str) -> str | None:
                return key_here(key, value) or self._of_others(group, key.removeprefix(prefix))

            raise UserError(*explain(error, known, prefix, owner, here)) from error

    def _of_others(self, group: str, key: str) -> str | None:
        """Which shipped options of a group have a key that the chosen one lacks; None if none has it."""
        having = [f"{group}={name}" for name in shipped(group) if key in keys_of(self.schema(group, name), "")]
        return f" is a key of {', '.join(having)}" if having else None

    def load(self, group: str, name: str) -> type:
        """Imports the class of an option.

        Raises:
            UserError: if the user's module or class cannot be imported.
        """
        return self._imported(group, name, self.names_of(group, name)["class"])

    def _imported(self, group: str, name: str, dotted: str) -> type:
        module, _, attribute = dotted.rpartition(".")
        for folder in (*self.own, Path.cwd()) if self.own else ():
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(
                f"{group}={name}: cannot import class {dotted} ({error}): "
                "put its module into the current folder or the --config-dir"
            ) from error
        except Exception as error:  # a module of your own may raise anything when it is imported
            raise UserError(f"{group}={name}: cannot import class {dotted}: {reason(error)}") from error

    def build(self, group: Group[Made], choice: Choice) -> Made:
        """An object of the class an option names, made from its checked options.

        Raises:
            UserError: if the class raises ``ValueError``, or a class of your own raises anything.
        """
        cls, who = self.load(group, choice.name), f"{group}={choice.name}"
        with asked(f"{who}: {cls.__name__}()") if is_own(cls) else nullcontext():
            try:
                return cls(**choice.keywords())
            except ValueError as error:
                raise UserError(f"{who}: {error}") from error

    def build_by_name(self, group: Group[Made], name: str, **options: object) -> Made:
        """An object of an option, by name, with the values of its YAML file unless given here.

        Raises:
            UserError: for an unknown name or a bad option.
        """
        return self.build(group, self.choice(group, name, **options))

    def choice(self, group: str, name: str, **options: object) -> Choice:
        """The validated values of an option's YAML file, with ``options`` in place of its own.

        Raises:
            UserError: for an unknown name or a bad option.
        """
        return self.check(group, {**self.values(group, name), **options}, f"{group}.")

    def values(self, group: str, name: str) -> Values:
        """The values in an option's YAML file, with interpolations unresolved.

        Raises:
            UserError: for an unknown name.
        """
        return {**own_values(content_of(self.file(group, name)), group), "name": name}
