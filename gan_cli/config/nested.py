"""Nested values by dotted key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MISSING = object()


def at(node: Any, key: str, default: object = None) -> Any:
    """The value under a dotted key; the default where there is none."""
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return default
        node = node[part]
    return node
