"""Facts as JSON with a checksum among them, so that no altered fact is ever believed. Torch-free."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "sha256"


def written(facts: Mapping[str, Any]) -> str:
    """JSON text of facts, and under ``sha256`` the hash of all others."""
    plain = json.loads(json.dumps(facts))  # as it is read again: lists for tuples, texts for keys
    return json.dumps({**plain, SEAL: _digest(plain)}, indent=2) + "\n"


def read(text: str) -> tuple[dict[str, Any], bool | None]:
    """The facts in a text, and whether they are those that their hash says were written; None if there is no hash.

    Raises:
        ValueError: if they are no facts at all.
    """
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError("not what was written")
    said = found.pop(SEAL, None)
    return found, None if said is None else said == _digest(found)


def _digest(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
