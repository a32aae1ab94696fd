"""Where a checkpoint may have something written: nowhere that is not there already, unless it is typed. Torch-free."""

from __future__ import annotations

from collections.abc import Collection

from gan_cli.config.library import Library
from gan_cli.config.options import Choice
from gan_cli.config.paths import expanded
from gan_cli.config.schema import Config
from gan_cli.errors import UserError

PLACES = {"dataset": ("root",), "extractor": ("root", "weights")}  # keys of options under which files are kept


def require_places(config: Config, library: Library, typed: Collection[str], key: str) -> None:
    """Refuses places out of a checkpoint that would have to be made.

    Args:
        typed: the keys of the command.
        key: that the checkpoint was typed after.

    Raises:
        UserError: naming the first.
    """
    for group in ("dataset", *(["extractor"] if config.metrics else [])):
        require_place(group, config.one(group), library, typed, key)


def require_place(group: str, choice: Choice, library: Library, typed: Collection[str], key: str) -> None:
    """As ``require_places``, of one option."""
    values, defaults = choice.model_dump(), library.values(group, choice.name)
    for name in PLACES[group]:
        place, dotted = values.get(name), f"{group}.{name}"
        if not isinstance(place, str) or place == defaults.get(name) or {group, dotted} & set(typed):
            continue
        path = expanded(place, f"{dotted}=")
        if not path.exists() and not (name == "weights" and path.parent.exists()):
            raise UserError(
                f"{dotted}={place}: comes from the checkpoint, and is not there: type {dotted}=… beside {key}= "
                "to have it made, or to say where it is"
            )
