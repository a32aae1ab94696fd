"""Validates plain values, as composed from YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError

from gan_cli.config import words
from gan_cli.config.flags import SEVERAL
from gan_cli.config.library import Library
from gan_cli.config.mistakes import explain, keys_of, shown
from gan_cli.config.options import Choice, Options, Values, sizes_of
from gan_cli.errors import UserError


def typed(
    raw: Values, library: Library, root: type[Options], groups: Sequence[str]
) -> tuple[dict[str, object], list[str]]:
    """Checks root keys against ``root`` and each group against the schemas of its options.

    Returns:
        The valid values, by root key and group, and one line for *every* mistake found.
    """
    values: dict[str, object] = {}
    problems: list[str] = []
    for group in groups:
        node = raw.get(group) or {}
        nodes = {f"{group}.{name}": options for name, options in node.items()} if group in SEVERAL else {group: node}
        checked: dict[str, Choice] = {}
        for key, options in nodes.items():
            if not isinstance(options, Mapping) or "name" not in options:
                problems.append(_not_chosen(group, key, options, library, nodes))
                continue
            try:
                checked[key.removeprefix(f"{group}.")] = library.check(group, options, prefix=f"{key}.")
            except UserError as error:
                problems.extend(error.problems)
        if group in SEVERAL:
            values[group] = checked
        elif checked:
            values[group] = checked[group]
    try:
        made = root.model_validate({key: value for key, value in raw.items() if key not in groups})
        values.update((key, vars(made)[key]) for key in root.model_fields)
    except ValidationError as error:
        here = _meant(raw) if "steps" in root.model_fields else None  # of gan-train
        problems.extend(explain(error, known_keys(root, groups), here=here))
    return values, problems


def _meant(raw: Values) -> Callable[[str, str], str | None]:
    """What to type for another program's word, and its value, in a command with these values."""

    def here(key: str, value: str) -> str | None:
        dataset, sizes = raw.get("dataset"), sizes_of(raw.get("batch_size"))
        batch_size = sizes[0] if sizes else 1
        if words.plain(key) not in words.EPOCHS:
            return words.in_images_here(key, value, batch_size) or words.key_here(key, value)
        pictures = words.pictures_of(dataset) if isinstance(dataset, Mapping) else None
        return words.epochs_here(value, pictures, batch_size)

    return here


def _not_chosen(group: str, key: str, typed: object, library: Library, nodes: Values) -> str:
    if isinstance(typed, Mapping) or group not in SEVERAL:
        return f"{key}: is not chosen: {group}=…, one of: {', '.join(library.options(group))}"
    name, value = key.rpartition(".")[2], shown(typed)
    chosen = [each.rpartition(".")[2] for each, options in nodes.items() if isinstance(options, Mapping)]
    if chosen:
        return f"{key}={value}: of which {group}? {' or '.join(f'{group}.{one}.{name}={value}' for one in chosen)}"
    last = library.options(group)[-1]
    return f"{key}={value}: of which {group}? such as {group}={last} {group}.{last}.{name}={value}"


def known_keys(root: type[Options], groups: Sequence[str]) -> list[str]:
    """Every dotted key of the root and of the shipped options, for suggestions."""
    keys, shipped = keys_of(root, ""), Library()
    for group in groups:
        keys.append(group)
        for name in shipped.options(group):
            prefix = f"{group}.{name}." if group in SEVERAL else f"{group}."
            keys += [key for key in keys_of(shipped.schema(group, name), prefix) if key != f"{prefix}name"]
    return sorted(set(keys))
