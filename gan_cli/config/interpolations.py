"""Which ``${…}`` may stand where: decided here alone.

In what is typed and in YAML files:

- ``${key}`` takes over another key's value: anywhere.
- ``${now:…}``, ``${hydra:…}`` and ``${folder_name:…}``: in Hydra's own keys, which say where things lie.
- ``${oc.env:NAME}``: in ``hydra.run.dir``, ``hydra.sweep.dir`` and ``resume``, which name folders; errors show it as it
  is written. Elsewhere the value would go into configs, checkpoints and reports; a shell puts it in where it is meant.

Whatever else looks something up is refused. What has been saved (a checkpoint, a run folder) is data: nothing in it is
looked up but ``${key}`` in a config that Hydra wrote down, see ``followed``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gan_cli.config.nested import at
from gan_cli.errors import UserError
from gan_cli.output.text import printable

if TYPE_CHECKING:
    from gan_cli.config.overrides import Override

OF_HYDRA = ("now", "hydra", "folder_name")
BY_TIME, BY_NAME = "${now:", "${name}"  # in the name of a folder
ENVIRONMENT, FOLDERS = "oc.env", ("hydra.run.dir", "hydra.sweep.dir", "resume")
LEFT_OUT = (
    "hydra.launcher.",  # plugins' own defaults may ask for a user's name; what is typed for them may not
    *("hydra.overrides.", "hydra.job.override_dirname"),  # what is typed once more
)
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
DEEPEST = 30


def resolvers_in(text: str) -> Iterator[str]:
    """What is asked for by ``${name:…}`` in a text, at any depth; a name that is looked up itself is ``${…}``."""
    for match in re.finditer(r"\$\{", text):
        name, depth = "", 0
        for character in text[match.end() :]:
            if character == ":" and not depth:
                yield "${…}" if "$" in name else name.strip()
                break
            depth += (character == "{") - (character == "}")
            if depth < 0:
                break
            name += character


def before_the_time(text: str) -> str | None:
    """What stands before the first value with the time in it; None if there is none."""
    before, clock, _ = text.partition(BY_TIME)
    while before.count("${") > before.count("}"):  # the time is a part of another value
        before = before[: before.rindex("${")]
    return before if clock else None


def refusal(key: str, text: str) -> str | None:
    """What is wrong with the ``${…}`` in a key's value, if anything is.

    Args:
        key: dotted, Hydra's own with ``hydra.``
    """
    if "${" not in text:
        return None
    for name in resolvers_in(text):
        if name in OF_HYDRA:
            if key.startswith("hydra."):
                continue
            return f"${{{name}:…}} is for the folders of hydra.run.dir and hydra.sweep.dir: write the value itself"
        if name == ENVIRONMENT:
            if key in FOLDERS:
                continue
            return (
                f'${{{ENVIRONMENT}:…}} is for {", ".join(FOLDERS)} alone: let the shell put the value in, {key}="$NAME"'
            )
        return f"${{{name}:…}} looks nothing up here: ${{key}} takes over the value of another key"
    return None


def as_written(error: UserError, value: object, written: object) -> UserError:
    """An error about a folder, which is called as it was written where the environment says what it is."""
    if ENVIRONMENT not in str(written):
        return error
    return UserError(*(line.replace(printable(value), printable(written)) for line in error.problems))


def name_unused(typed: Override | None, key: str, *folders: object) -> list[str]:
    """A line if a typed name of a run or a sweep is in none of the names of its folders.

    Args:
        key: of the first of them.
        folders: as they are written.
    """
    if typed is None or typed.values[0] is None or any(BY_NAME in str(folder) for folder in folders):
        return []
    return [f"{typed.typed}: {key}={folders[0]} has no place for it: leave one of them out, or write …/{BY_NAME}"]


def require_permitted(node: object) -> None:
    """Checks all values of a composed config, as they are written.

    Raises:
        UserError: with a line for each that asks for what it may not have.
    """
    problems = [
        f"{key}={text}: {wrong}"
        for key, text in texts_in(node)
        if not key.startswith(LEFT_OUT) and (wrong := refusal(key, text))
    ]
    if problems:
        raise UserError(*problems)


def require_shown(node: object) -> None:
    """Checks that a config shows nothing of the environment if all is looked up.

    Raises:
        UserError: with a line for each value that would.
    """
    problems = [
        f"{key}={text}: --resolve would show it: leave one of them out"
        for key, text in texts_in(node)
        if not key.startswith(LEFT_OUT) and ENVIRONMENT in text
    ]
    if problems:
        raise UserError(*problems)


def texts_in(node: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The dotted key and the text of each text in nested values."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts_in(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(node, list):
        for value in node:
            yield from texts_in(value, prefix)
    elif isinstance(node, str):
        yield prefix, node


def references_in(node: Any) -> dict[str, str]:
    """Of each dotted key whose whole value is ``${another.key}``, that other key."""
    return {key: match[1] for key, text in texts_in(node) if (match := REFERENCE.fullmatch(text))}


def followed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config that Hydra wrote down, with the values that ``${key}`` means; whatever else is written stays so."""

    def value_of(text: str) -> Any:
        value: Any = text
        for _ in range(DEEPEST):
            match = REFERENCE.fullmatch(value) if isinstance(value, str) else None
            if match is None:
                return value
            found = at(config, match[1])
            if found is None or isinstance(found, Mapping):
                return text
            value = found
        return text

    def with_values(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {str(key): with_values(value) for key, value in node.items()}
        if isinstance(node, list):
            return [with_values(value) for value in node]
        return value_of(node) if isinstance(node, str) else node

    made = with_values(config)
    assert isinstance(made, dict)
    return made
