"""The config of a checkpoint with what is typed to go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gan_cli.config.command import Command
from gan_cli.config.compose import compose, length_of
from gan_cli.config.flags import SEVERAL
from gan_cli.config.hydra_errors import one_line
from gan_cli.config.interpolations import texts_in
from gan_cli.config.library import Library
from gan_cli.config.mistakes import shown
from gan_cli.config.options import Values
from gan_cli.config.overrides import PLAIN_GAME, PRESETS, Override
from gan_cli.errors import UserError


def overlaid(saved: Values, overrides: Sequence[Override], command: Command, library: Library) -> Values:
    """The saved config with the typed options and keys."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    choices = [override for override in overrides if override.is_group and override.key not in PRESETS]
    typed = {override.key: override.values[0] for override in overrides if not override.is_group}
    if strange := [f"{key}={text}" for key, text in texts_in(saved) if "${" in text]:
        raise UserError(
            f"resume: {strange[0]}: a checkpoint's config looks nothing up: it is not as gan-train wrote it"
        )
    if isinstance(each := typed.get("steps"), Mapping):
        typed["steps"] = length_of(each, (saved.get("model") or {}).get("name", "gan"))
    steps, images = (typed.get(key, saved.get(key)) for key in ("steps", "anneal_images"))
    if "steps" not in typed and type(steps) is not int:
        raise UserError(f"resume: steps={shown(steps)}: the checkpoint's config is not as gan-train wrote it")
    lengths = [f"steps={steps}", *([f"anneal_images={images}"] if type(images) is int else [])]
    # the default's extras are not the run's
    plain = [*PLAIN_GAME.texts, *(choice.texts[0] for choice in choices), *lengths]
    fresh = compose(command, library, plain).values
    merged = OmegaConf.create({"resume": None, "dry_run": False, **saved})
    for choice in choices:
        options = fresh.get(choice.key, {})
        if choice.key in SEVERAL:  # those that the run has already stay as they are
            there = saved.get(choice.key) or {}
            options = {name: there.get(name, option) for name, option in options.items()}
        OmegaConf.update(merged, choice.key, options, merge=False, force_add=True)
    if "optimizer.lr" in typed:  # both players follow it, as they do in config.yaml
        rate = typed["optimizer.lr"]
        typed = {"discriminator.lr": rate, "generator.lr": rate, **typed}
    if "anneal_images" in typed:  # and whatever has no number of its own
        following = _following(saved, saved.get("anneal_images", 0))
        typed = {**dict.fromkeys(following, typed["anneal_images"]), **typed}
    for key, value in typed.items():
        OmegaConf.update(merged, key, value, merge=False, force_add=True)
    try:
        values = OmegaConf.to_container(merged, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(one_line(error)) from error
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _following(node: Mapping[str, object], images: object, prefix: str = "") -> Iterator[str]:
    """The dotted keys whose numbers of images are the ``anneal_images`` at the root."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _following(value, images, f"{prefix}{key}.")
        elif value == images and (key == "anneal_images" or (key == "duration" and node.get("unit") == "images")):
            yield f"{prefix}{key}"
