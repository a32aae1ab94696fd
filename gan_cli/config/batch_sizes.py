"""The batch size and the images seen as functions of the step: the one place that converts steps into images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Stretch:
    """A range of steps with one batch size.

    Attributes:
        step: the first step of the range.
        images: images seen before it.
        drawn: samples that a player who moves once per step has drawn before it.
        size: the batch size.
    """

    step: int
    images: int
    drawn: int
    size: int


def changed(old: Value | Mapping[int, Value], new: Value | Mapping[int, Value], images: int) -> dict[int, Value]:
    """What is given by the images seen, in a run that changes it after so many; the past is not changed."""
    before, after = _schedule(old), _schedule(new)
    now = after[max(at for at in after if at <= images)]
    seen = {at: size for at, size in before.items() if at < images}
    return {**seen, images: now, **{at: size for at, size in after.items() if at > images}}


def _schedule(values: Value | Mapping[int, Value]) -> dict[int, Value]:
    return dict(sorted(values.items())) if isinstance(values, Mapping) else {0: values}


class BatchSizes:
    """A batch size that is a number, or changes with the images seen.

    A size is used from the first step that begins with at least so many images seen. Images are counted for the player
    who moves first, which is the discriminator in a game that has one.

    Args:
        sizes: images seen → batch size, beginning at 0; or one number for all steps.
        moves: moves of that player per step.
    """

    def __init__(self, sizes: int | Mapping[int, int], moves: int = 1) -> None:
        self.moves = moves
        schedule = _schedule(sizes)
        step = images = drawn = 0
        size = schedule[0]
        self.stretches = [Stretch(1, 0, 0, size)]
        for threshold, following in schedule.items():
            steps = max(0, -(-(threshold - images) // (moves * size)))
            step, images, drawn = step + steps, images + steps * moves * size, drawn + steps * size
            size = following
            self.stretches.append(Stretch(step + 1, images, drawn, size))

    def _stretch(self, step: int) -> Stretch:
        return next(stretch for stretch in reversed(self.stretches) if stretch.step <= step)

    def at(self, step: int) -> int:
        """Images in a minibatch of step 1, 2, …"""
        return self._stretch(step).size

    def images_seen(self, step: int) -> int:
        """Images seen after a step; 0 after step 0."""
        now = self._stretch(step + 1)
        return now.images + (step + 1 - now.step) * self.moves * now.size

    def drawn(self, step: int) -> int:
        """Samples that a player who moves once per step has drawn before a step."""
        now = self._stretch(step)
        return now.drawn + (step - now.step) * now.size

    @property
    def largest(self) -> int:
        return max(stretch.size for stretch in self.stretches)
