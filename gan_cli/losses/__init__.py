"""What each player minimises, on logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan_cli.losses.loss import Loss


def build(name: str, **options: object) -> Loss:
    """A loss by its option name, with the values of its YAML file unless given here.

    Returns:
        An object with ``.discriminator(real_logits, fake_logits)`` and ``.generator(fake_logits, real_logits=None)``,
        each returning a scalar tensor.

    Raises:
        UserError: (a ValueError) for an unknown name or a bad option.
    """
    from gan_cli.config.library import Library
    from gan_cli.losses.loss import LOSS, Loss

    return Loss.of(Library().build_by_name(LOSS, name, **options))
