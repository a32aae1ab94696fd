"""Which keys have text as their values, not a number, a list or a choice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import get_args

from pydantic import BaseModel

from gan_cli.config.flags import SEVERAL
from gan_cli.config.library import Library
from gan_cli.config.options import GROUPS
from gan_cli.config.quoting import HYDRA_PATHS

HYDRA_TEXT = (*HYDRA_PATHS, "hydra.sweep.subdir", "hydra.output_subdir", "hydra.launcher.submitit_folder")


def is_text(key: str, root: type[BaseModel]) -> bool:
    """Whether the value of a key is text.

    Args:
        root: the keys of the command that are not groups.
    """
    group = key.partition(".")[0]
    return key in HYDRA_TEXT or key in _texts_of_root(root) or (group in GROUPS and key in _texts_of_group(group))


@cache
def _texts_of_root(root: type[BaseModel]) -> frozenset[str]:
    return frozenset(_texts_of(root, ""))


@cache
def _texts_of_group(group: str) -> frozenset[str]:
    shipped, found = Library(), set()
    for name in shipped.options(group):
        found |= set(_texts_of(shipped.schema(group, name), f"{group}.{name}." if group in SEVERAL else f"{group}."))
    return frozenset(found)


def _texts_of(schema: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in schema.model_fields.items():
        kinds = {part for kind in (field.annotation, *get_args(field.annotation)) for part in (kind, *get_args(kind))}
        if str in kinds:
            yield prefix + name
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _texts_of(kind, f"{prefix}{name}.")
