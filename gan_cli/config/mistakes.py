"""Describes a mistake in one line: key, value, what is wrong, and what the user probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

from gan_cli.config.words import options_named, told

RENAMED = {"on_divergence": {"stop": "guard=stop", "continue": "guard=warn"}}  # keys of earlier versions


def suggestion(typed: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"``, or an empty string when nothing known is close."""
    known = list(known)
    leaf, cutoff = typed.rpartition(".")[2], 0.6 if len(typed) <= 4 else 0.75  # two letters swapped in a short name
    leaves = {name: name.rpartition(".")[2] for name in known}
    found = [name for name in known if name.endswith(f".{typed}")]
    found = found or get_close_matches(typed, known, n=1, cutoff=cutoff)
    found = found or [name for name in known if leaves[name] == leaf]
    if not found and len(typed) > 2:
        found = [name for name in known if name.startswith(typed)]
    if not found:
        near = get_close_matches(leaf, set(leaves.values()), n=1, cutoff=0.75)
        found = [name for name in known if leaves[name] in near]
    return f" (did you mean {' or '.join(repr(name) for name in found[:4])}?)" if found else ""


def explain(
    error: ValidationError,
    known: Iterable[str],
    prefix: str = "",
    owner: str = "",
    here: Callable[[str, str], str | None] | None = None,
) -> list[str]:
    """Each mistake pydantic found, in our words: ``key=value: what is wrong (and what would be right)``.

    Args:
        known: the keys that exist, for suggestions.
        prefix: what stands before the keys in the error.
        owner: appended for an unknown key: the option, and the keys that it has.
        here: what to type for an unknown key and its value, where it is another program's word for something.
    """
    lines = []
    for problem in error.errors(include_url=False):
        key = prefix + ".".join(str(part) for part in problem["loc"])
        value, context = shown(problem["input"]), problem.get("ctx", {})
        kind = problem["type"]
        if kind == "extra_forbidden" and key in RENAMED:
            lines.append(f"{key}={value}: is {RENAMED[key].get(value) or ' or '.join(RENAMED[key].values())} now")
        elif kind == "extra_forbidden" and here is not None and (answer := here(key, value)):
            lines.append(f"{key}={value}: no such key{told(answer)}")
        elif kind == "extra_forbidden":
            meant = suggestion(key, known) or ("" if owner else _option(key))
            lines.append(f"{key}={value}: no such key{meant}{owner}")
        elif kind == "list_type" and isinstance(problem["input"], bool):
            lines.append(f"{key}={value}: must be a list of names: gan-train --help {key}")
        elif kind == "list_type":
            lines.append(f"{key}={value}: must be a list: {key}=[{value}]")
        elif kind == "missing":
            lines.append(f"{key}: has no value: set {key}=…")
        elif kind == "literal_error":
            expected = re.sub(r"\b(True|False)\b", lambda found: found[0].lower(), context["expected"])
            lines.append(f"{key}={value}: must be one of {expected}")
        elif kind in _WORDS:
            lines.append(f"{key}={value}: must be {_WORDS[kind].format(**context)}")
        else:
            lines.append(f"{key}={value}: {problem['msg'].removeprefix('Value error, ')}")
    return lines


def _option(key: str) -> str:
    """What to type for a key that is called like an option: ``adam.lr``, ``fid=true``."""
    found = options_named(key)
    return told(" or ".join(found)) if found else ""


_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "finite",
    "bool_type": "true or false",
    "string_type": "text",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "a list of at least {min_length} values",
    "too_long": "a list of at most {max_length} values",
    "model_type": "a group of keys, not one value",
}


def shown(value: object) -> str:
    """A value as it is typed on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def keys_of(schema: type[BaseModel], prefix: str) -> list[str]:
    """Every dotted key a schema has."""
    keys: list[str] = []
    for name, field in schema.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += keys_of(field.annotation, f"{prefix}{name}.")
    return keys
