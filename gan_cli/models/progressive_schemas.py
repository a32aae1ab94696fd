"""The options of ``architecture=progressive``: types and limits. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator

from gan_cli.config.batch_sizes import changed
from gan_cli.config.options import Choice, Chosen, Count, Options, Whole, sizes_of
from gan_cli.data.schemas import ImageOptions
from gan_cli.errors import UserError
from gan_cli.models.doubling import doubling_of, is_side, not_doubled
from gan_cli.models.growth import Growth

SIDES = (4, 1024)
A_SIDE = f"a power of two from {SIDES[0]} to {SIDES[1]}"


def _resolution(value: int) -> int:
    if not is_side(value, *SIDES):
        raise ValueError(f"must be {A_SIDE}")
    return value


def _sizes(value: object) -> object:
    """A resolution, null, or ``{images seen: resolution or null}`` from 0 on; raises ValueError."""
    if not isinstance(value, Mapping):
        return value if value is None else _one_size(value)
    try:
        sizes = {int(images): None if size is None else _one_size(size) for images, size in value.items()}
    except (TypeError, ValueError) as error:
        raise ValueError("must be powers of two by the images seen, such as {0:64,100000:128}") from error
    if min(sizes, default=1):
        raise ValueError("must begin with the size at 0 images, such as {0:64,100000:128}")
    return sizes


def _one_size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be {A_SIDE}, or null: that of the data")
    return _resolution(value)


Resolution = Annotated[Count, AfterValidator(_resolution)]
Sizes = Annotated[Any, BeforeValidator(_sizes)]  # int, None, or dict[int, int | None]


def _by_images(size: int | dict[int, int | None] | None) -> dict[int, int | None]:
    return size if isinstance(size, dict) else {0: size}


class ProgressiveNetworkOptions(Options):
    base: Count
    most: Count


class ProgressiveDiscriminatorOptions(ProgressiveNetworkOptions):
    minibatch_std: bool
    group: Whole


class ProgressiveOptions(Choice):
    by_images: ClassVar[Sequence[str]] = ("size",)

    start: Resolution
    size: Sizes
    train_images: Whole
    fade_images: Whole
    reset_optimizer: bool
    base: Count
    most: Count
    normalise_latents: bool
    generator: ProgressiveNetworkOptions
    discriminator: ProgressiveDiscriminatorOptions

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Points, pictures that are no small start doubled, growth that ends above them or before its beginning."""
        dataset, problems = chosen.one("dataset"), not_doubled(self.name, chosen, *SIDES) + self._groups(chosen)
        if not isinstance(dataset, ImageOptions):
            return problems
        start, sizes = doubling_of(dataset.height, dataset.width), set(filter(None, _by_images(self.size).values()))
        full, counted = start.side, f"dataset.size={dataset.shown_size}"
        if start[:2] != (4, 4):
            counted += f" (that is {full}, if 4 is {start[0]} × {start[1]})"
        if self.start > full:
            problems.append(f"architecture.start={self.start}: is above {counted}: use {full} or less")
        for size in sorted(sizes):
            if size > full:
                problems.append(
                    f"architecture.size={size}: is above {counted}, which the networks are built for: "
                    f"use {full} or less"
                )
            elif size < self.start <= full:
                problems.append(f"architecture.size={size}: is below architecture.start={self.start}: raise it")
        return problems

    def _groups(self, chosen: Chosen) -> list[str]:
        """Minibatches that no group of two or more divides."""
        group, judge = self.discriminator.group, self.discriminator
        if not group or not judge.minibatch_std:
            return []
        parts = math.prod(chosen.count(key) or 1 for key in ("devices", "pack", "accumulate"))
        return [
            f"architecture.discriminator.group={group}: D sees {seen} samples at a time of batch_size={batch}, and no "
            f"group of 2 to {group} divides them: use another batch_size, or group=0 for all of them"
            for batch in sizes_of(chosen.root.get("batch_size"))
            if (seen := batch // parts) > 1 and all(seen % size for size in range(2, group + 1))
        ]

    def resumed(self, before: Choice, images: int) -> ProgressiveOptions:
        """Growth goes on from where the run is."""
        assert isinstance(before, ProgressiveOptions)
        if self.size == before.size:
            return self
        sizes = changed(before.size, self.size, images)
        reached = Growth(self.start, SIDES[1], self.train_images, self.fade_images, _by_images(before.size)).at(images)
        if (now := _by_images(sizes)[images]) is not None and now < reached.resolution:
            raise UserError(
                f"architecture.size={now}: the run has grown to {reached.resolution} already: "
                f"use {reached.resolution} or more, or leave it out"
            )
        return self.model_copy(update={"size": sizes})
