"""Keys that were typed where they have no effect: one line for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION
from gan_cli.config.mistakes import shown
from gan_cli.config.options import GROUPS, OF_GAMES, OF_PLAYERS
from gan_cli.config.overrides import Override, Overrides
from gan_cli.config.schema import Root
from gan_cli.config.typed import known_keys
from gan_cli.config.words import key_here, told
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from gan_cli.config.schema import Config


def of_other_commands(overrides: Overrides) -> list[str]:
    """One line for each typed key that belongs to another command, and is no key of ``gan-train`` or the end of one."""
    tools = (EVALUATION, SAMPLING)
    ours = Root.model_fields.keys()
    doubtful = [o for o in overrides if o.key not in ours and any(o.key in tool.root.model_fields for tool in tools)]
    if not doubtful:
        return []
    known = {part for key in known_keys(Root, GROUPS) for part in (key, key.rpartition(".")[2])}
    return [
        f"{override.typed}: is a key of {' and '.join(theirs)}, not of gan-train{_here(override)}"
        for override in doubtful
        if override.key not in known
        and (theirs := [f"gan-{tool.name}" for tool in tools if override.key in tool.root.model_fields])
    ]


def _here(override: Override) -> str:
    answer = key_here(override.key, shown(override.values[0]))
    return told(answer) if answer else ""


def require_use(overrides: Overrides, config: Config) -> None:
    """Raises a UserError with a line for each of these keys that has no effect on what the config says."""
    if idle := without_effect(overrides, config):
        raise UserError(*idle)


def without_effect(overrides: Overrides, config: Config, *, measured: bool = False) -> list[str]:
    """One line for each typed key that the model does not use, or that needs metrics where none are chosen.

    Args:
        measured: whether something is measured even if no metrics are chosen.
    """
    unused = ({*OF_GAMES, *OF_PLAYERS} - set(config.model.uses)) | set(config.model.idle)
    lines = [
        f"{override.typed}: model={config.model.name} has no use for it: leave it out"
        for override in overrides
        if any(f"{override.key}.".startswith(f"{key}.") for key in unused)
    ]
    if measured or config.metrics or overrides.find("metrics"):
        return lines
    return lines + [
        f"{override.typed}: nothing is measured: add metrics=[…], such as metrics=[frechet]"
        for key in ("evaluate_every", "evaluate_count")
        if (override := overrides.find(key))
    ]
