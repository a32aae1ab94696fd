"""What the user probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(typed: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"``, or an empty string when nothing known is close."""
    known = list(known)
    leaf = typed.rpartition(".")[2]
    leaves = {name: name.rpartition(".")[2] for name in known}
    found = get_close_matches(typed, known, n=1, cutoff=0.75) or [name for name in known if leaves[name] == leaf]
    if not found and len(typed) > 2:
        found = [name for name in known if name.startswith(typed)]
    if not found:
        near = get_close_matches(leaf, set(leaves.values()), n=1, cutoff=0.75)
        found = [name for name in known if leaves[name] in near]
    return f" (did you mean {' or '.join(repr(name) for name in found[:4])}?)" if found else ""
