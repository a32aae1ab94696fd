"""Keys that were typed where they have no effect: one line for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION
from gan_cli.config.mistakes import shown
from gan_cli.config.options import GROUPS
from gan_cli.config.overrides import Override, Overrides
from gan_cli.config.schema import Root, unused_keys
from gan_cli.config.typed import known_keys
from gan_cli.config.words import key_here, told
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from gan_cli.config.library import Library
    from gan_cli.config.schema import Config

OF_SWEEPS = ("hydra.sweep.", "hydra.launcher.", "hydra.sweeper.")
OF_NEW_RUNS = ("hydra.run.", "hydra.output_subdir.", "name.")
NEEDS: tuple[tuple[str, Callable[[Config], object], str], ...] = (  # a key, whether it has an effect, what it needs
    ("instance_noise.images", lambda c: c.instance_noise.sigma, "of which noise? add instance_noise.sigma=…"),
    ("augmentation.final_probability", lambda c: c.augment, "of what? add augment=[blit,geometric,ada_color]"),
    ("augmentation.adapt_images", lambda c: c.augmentation.target, "towards what? add augmentation.target=0.6"),
    ("guard.far", lambda c: c.watch, "of which metric? add watch=…, such as watch=frechet"),
    ("guard.far", lambda c: c.evaluate_every, "is measured at the end alone: set evaluate_every to 1 or more"),
    ("guard.certain", lambda c: c.log_every, "counts what is logged: set log_every to 1 or more"),
)


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


def of_other_runs(overrides: Overrides, *, multirun: bool) -> list[str]:
    """One line for each typed key of Hydra's that is for a sweep, and this is a single run, or the other way round."""
    if multirun:
        return [
            f"{override.typed}: is of a single run: use hydra.sweep.dir, or leave out --multirun"
            for override in overrides.every
            if f"{override.key}.".startswith("hydra.run.")
        ]
    return [
        f"{override.typed}: is for a sweep: add --multirun, or {_instead_of(override)}"
        for override in overrides.every
        if f"{override.key}.".startswith(OF_SWEEPS)
    ]


def _instead_of(override: Override) -> str:
    return "use hydra.run.dir" if override.key == "hydra.sweep.dir" else "leave it out"


def of_new_runs(overrides: Overrides) -> list[str]:
    """One line for each typed key about a new run's folder, where a run goes on in its own."""
    return [
        f"{override.typed}: is of a new run, and resume=… goes on in the old folder: leave it out"
        for override in overrides.every
        if f"{override.key}.".startswith(OF_NEW_RUNS) and override.values[0] is not None
    ]


def require_use(overrides: Overrides, config: Config, library: Library) -> None:
    """Raises a UserError with a line for each of these keys that has no effect on what the config says."""
    if idle := [*without_effect(overrides, config), *without_need(overrides, config, library)]:
        raise UserError(*idle)


def without_need(overrides: Overrides, config: Config, library: Library) -> list[str]:
    """One line for each typed key whose values, all but 0 and null, need another key that the config leaves off.

    In a sweep another run's value of that other key may be the one, so that this is of whole commands alone.
    """
    lines: dict[str, str] = {}
    for key, has_effect, what in NEEDS:
        typed = overrides.find(key)
        if typed and any(typed.values) and not has_effect(config):
            lines.setdefault(key, f"{typed.typed}: {what}, or leave it out")
    if (typed := overrides.find("guard.modes")) and any(typed.values) and not _counts_modes(config, library):
        lines[typed.key] = f"{typed.typed}: no modes are counted here: add metrics=modes, or leave it out"
    return [line for key, line in lines.items() if config.model.heeds(key)]


def _counts_modes(config: Config, library: Library) -> bool:
    from gan_cli.data.knows import DATASET, KnowsModes

    return "modes" in config.metrics or isinstance(library.build(DATASET, config.dataset), KnowsModes)


def without_effect(overrides: Overrides, config: Config, *, measured: bool = False) -> list[str]:
    """One line for each typed key that the model or its own option does not use, or that needs metrics where there are
    none.

    In a sweep, of the keys of one run.

    Args:
        measured: whether something is measured even if no metrics are chosen.
    """
    lines = [
        f"{override.typed}: model={config.model.name} has no use for it: leave it out"
        for override in overrides
        if not config.model.heeds(override.key)
    ]
    unused = unused_keys(config)
    lines += [f"{override.typed}: {unused[override.key]}" for override in overrides if override.key in unused]
    if measured or config.metrics or overrides.find("metrics"):
        return lines
    return lines + [
        f"{override.typed}: nothing is measured: add metrics=[…], such as metrics=[frechet]"
        for key in ("evaluate_every", "evaluate_count", "unfit_metrics")
        if (override := overrides.find(key))
    ]
