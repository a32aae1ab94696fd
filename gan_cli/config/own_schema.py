"""The schema of an option of the user's own: the parameters of its class."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from pydantic import ConfigDict, create_model

from gan_cli.config.asking import asked, kind
from gan_cli.config.options import Choice
from gan_cli.errors import UserError


def schema_from_signature(group: str, name: str, cls: type) -> type[Choice]:
    """Types of keys as the annotations of a class's parameters have them.

    Raises:
        UserError: if it is no class, or its parameters cannot be read.
    """
    fields: dict[str, Any] = {}
    if not callable(cls):
        raise UserError(f"{group}={name}: its class is {kind(cls)}: name a class")
    with asked(f"{group}={name}: reading the parameters of {cls.__name__}"):
        signature = inspect.signature(cls, locals=_names_around(cls), eval_str=True)
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields[parameter.name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)
    said = dict(inspect.getmembers(cls))
    own = {"model_config": config, "before": said.get("before", {})}
    own |= {key: tuple(said.get(key, ())) for key in ("uses", "idle", "figures")}
    with asked(f"{group}={name}: reading the parameters of {cls.__name__}"):
        return create_model(f"{group}_{name}", __base__=type("OwnChoice", (Choice,), own), **fields)


def _names_around(cls: type) -> dict[str, object]:
    """What names mean in the modules of a class and of those that it inherits fields from; its own come first."""
    modules = (
        [sys.modules.get(base.__module__) for base in reversed(inspect.getmro(cls))] if inspect.isclass(cls) else []
    )
    return {name: value for module in modules if module is not None for name, value in vars(module).items()}
