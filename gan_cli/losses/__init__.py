"""What each player minimises, on logits."""

from __future__ import annotations

from typing import Any


def build(name: str, **options: Any) -> Any:
    """A loss by its option name, with the values of its YAML file unless given here.

    Returns:
        An object with ``.discriminator(real_logits, fake_logits)`` and ``.generator(fake_logits, real_logits=None)``,
        each returning a scalar tensor.

    Raises:
        UserError: (a ValueError) for an unknown name or a bad option.
    """
    from gan_cli.config.library import Library

    return Library().build_by_name("loss", name, **options)
