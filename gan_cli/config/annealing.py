"""Values that change with the images seen: from a start to an end along half a cosine. Torch-free."""

from __future__ import annotations

import math

from gan_cli.config.mistakes import shown
from gan_cli.config.options import Chosen, Options


def annealed(start: float, final: float | None, images: int, duration: int) -> float:
    """The value after so many images seen: ``start`` at 0, ``final`` from ``duration`` images on.

    With no ``final``, or a ``duration`` of 0, it stays at ``start``.
    """
    final = start if final is None else final
    progress = min(1.0, images / duration) if duration else 0.0
    return final + (start - final) * (1 + math.cos(math.pi * progress)) / 2


def uses_images(options: Options) -> bool:
    """Whether something in these options goes somewhere over a number of images."""
    values = dict(options)
    ends = [value for key, value in values.items() if key.startswith("final_") and "anneal_images" in values]
    return values.get("unit") == "images" or any(end is not None for end in ends)


def half_annealed(chosen: Chosen, prefix: str, key: str, final: object, images: int) -> list[str]:
    """A line for a final value without images over which it is reached, or for images without a final value.

    Args:
        prefix: of ``key`` and of the ``anneal_images`` beside it, which are those at the root if nothing else is said.
    """
    if final is not None and not images:
        text = f"{final:g}" if isinstance(final, float) else shown(final)  # 1, however it was read
        return [f"{prefix}.{key}={text}: after how many images? add {prefix}.anneal_images=…"]
    if final is None and images and images != chosen.count("anneal_images"):
        return [f"{prefix}.anneal_images={images}: towards what? add {prefix}.{key}=…"]
    return []
