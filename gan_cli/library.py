"""The options there are: the YAML files of ``conf/`` and of the user's own ``--config-dir``.

Only these files can name a class. A saved config holds option *names*, which are looked up here again, so neither
a checkpoint nor a command line can name code to run.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gan_cli.asking import asked, is_own, kind, reason
from gan_cli.errors import UserError
from gan_cli.mistakes import explain, keys_of, suggestion
from gan_cli.options import SCHEMAS, Choice
from gan_cli.paths import expanded


def shipped_conf() -> Path:
    """The shipped ``conf`` folder: inside the package in a wheel, beside it in an editable install."""
    package = Path(__file__).resolve().parent
    return next(d for d in (package / "conf", package.parent / "conf") if (d / "config.yaml").is_file())


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
        """Every group, such as ``dataset`` or ``experiment``."""
        found = {d.name for folder in self.folders for d in folder.iterdir() if d.is_dir() and d.name != "hydra"}
        return sorted(found)

    def options(self, group: str) -> list[str]:
        """The names one can choose from in a group."""
        return sorted({file.stem for folder in self.folders for file in (folder / group).glob("*.yaml")})

    def file(self, group: str, name: str) -> Path:
        """The YAML file of an option.

        Raises:
            UserError: if there is none.
        """
        for folder in self.folders:
            path = folder / group / f"{name}.yaml"
            if name in self.options(group) and path.is_file():
                return path
        raise UserError(
            f"{group}={name}: no such option{suggestion(str(name), self.options(group))}; "
            f"available: {', '.join(self.options(group))}; your own: --config-dir FOLDER with {group}/{name}.yaml"
        )

    def class_of(self, group: str, name: str) -> str:
        """The dotted path of the class an option configures, as its YAML file says."""
        from omegaconf import OmegaConf
        from yaml import YAMLError

        path = self.file(group, name)
        try:
            node: Any = OmegaConf.load(path)
        except YAMLError as error:
            raise UserError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
        if not isinstance(node.get("class"), str) or node.get("name") != name:
            raise UserError(f"{path}: needs the lines `name: {name}` and `class: your_module.YourClass`")
        return node["class"]

    def schema(self, group: str, name: str) -> type[Choice]:
        """Types and limits of an option's keys; for the user's own class, read from its signature."""
        if self.file(group, name).is_relative_to(shipped_conf()):
            return SCHEMAS[group][name]
        return _schema_from_signature(group, name, self.load(group, name))

    def check(self, group: str, node: Mapping[str, Any], prefix: str) -> Choice:
        """An option's values, typed.

        Args:
            prefix: of its keys in what the user types, such as ``loss.`` or ``penalty.r1.``

        Raises:
            UserError: with one line for every mistake found.
        """
        schema = self.schema(group, node["name"])
        dotted = self.class_of(group, node["name"])
        if node.get("class", dotted) != dotted:
            raise UserError(f"{prefix}class={node['class']}: is set by {group}/{node['name']}.yaml alone")
        try:
            return schema.model_validate({key: value for key, value in node.items() if key != "class"})
        except ValidationError as error:
            keys = [key for key in schema.model_fields if key != "name"]
            owner = f"; {group}={node['name']} has {', '.join(keys) if keys else 'no options'}"
            raise UserError(*explain(error, keys_of(schema, prefix), prefix, owner)) from error

    def load(self, group: str, name: str) -> type:
        """Imports the class of an option.

        Raises:
            UserError: if the user's module or class cannot be imported.
        """
        dotted = self.class_of(group, name)
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
        except Exception as error:  # whatever a module of one's own does when it is imported
            raise UserError(f"{group}={name}: cannot import class {dotted}: {reason(error)}") from error

    def build(self, group: str, choice: Choice) -> Any:
        """An object of the class an option names, made from its checked options.

        Raises:
            UserError: if the class refuses the values with a ``ValueError``, or one's own fails.
        """
        cls, who = self.load(group, choice.name), f"{group}={choice.name}"
        with asked(f"{who}: {cls.__name__}()") if is_own(cls) else nullcontext():
            try:
                return cls(**choice.keywords())
            except ValueError as error:
                raise UserError(f"{who}: {error}") from error

    def build_by_name(self, group: str, name: str, **options: Any) -> Any:
        """An object by option name, with the values of its YAML file unless given here.

        Raises:
            UserError: for an unknown name or a bad option.
        """
        return self.build(group, self.choice(group, name, **options))

    def choice(self, group: str, name: str, **options: Any) -> Choice:
        """The typed values of an option's YAML file, with these instead of its own.

        Raises:
            UserError: for an unknown name or a bad option.
        """
        return self.check(group, {**self.values(group, name), **options}, f"{group}.")

    def values(self, group: str, name: str) -> dict[str, Any]:
        """The values in an option's YAML file, references to other keys unresolved.

        Raises:
            UserError: for an unknown name.
        """
        from omegaconf import OmegaConf

        node: Any = OmegaConf.to_container(OmegaConf.load(self.file(group, name)))
        return node


def _schema_from_signature(group: str, name: str, cls: type) -> type[Choice]:
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {}
    if not callable(cls):
        raise UserError(f"{group}={name}: its class is {kind(cls)}: name a class")
    with asked(f"{group}={name}: reading the parameters of {cls.__name__}"):
        signature = inspect.signature(cls, eval_str=True)
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields[parameter.name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)
    own = {"model_config": config, "before": getattr(cls, "before", {})}
    with asked(f"{group}={name}: reading the parameters of {cls.__name__}"):
        return create_model(f"{group}_{name}", __base__=type("OwnChoice", (Choice,), own), **fields)
