"""The range of a network's outputs, found with other weights: pixels on both sides of 0, logits, dependence on labels.

The outputs of an untrained network show little of its range: those of a tanh near 0 and of a sigmoid near ½ are both
narrow. Large random weights drive them to the ends of the range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.random import stream

SCALES = (0.05, 0.3, 1.0)
TRIES = 24  # a network that returns either sign equally often shows only one in all of them with probability 2⁻²⁴


@contextmanager
def randomised(network: nn.Module, scale: float, number: int = 0) -> Iterator[None]:
    """A context in which a network has weights from N(0, scale²)."""
    before = [(tensor, tensor.detach().clone()) for tensor in (*network.parameters(), *network.buffers())]
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            drawn = torch.randn(parameter.shape, generator=stream("fitting", number, i), dtype=torch.float32)
            parameter.copy_(scale * drawn)
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)


@torch.no_grad()
def reach(call: Callable[[], Tensor], network: nn.Module) -> tuple[float, float]:
    """The lowest and highest output of a network, with its own weights and, until 0 lies between, with others."""
    found = call()
    low, high = float(found.min()), float(found.max())
    for number in range(TRIES):
        if low < 0 < high:
            break
        with randomised(network, SCALES[number % len(SCALES)], number):
            found = call()
        if found.isfinite().all():
            low, high = min(low, float(found.min())), max(high, float(found.max()))
    return low, high


def check_pixels(generator: nn.Module, z: Tensor, labels: Tensor | None, who: str) -> None:
    """Raises UserError if a generator's pixels cover only half of [−1, 1], or are bounded by other limits.

    A generator without bounds, whose pixels grow with its weights, passes.
    """
    low, high = reach(lambda: generator(z, labels), generator)
    if (low >= 0 or high <= 0) and low < high:
        side = "below" if low >= 0 else "above"
        raise UserError(
            f"{who}: the generator's pixels are never {side} 0 ({low:.3g} to {high:.3g}), and those of the data lie in "
            "[−1, 1]: end it with a tanh, or with 2σ(x) − 1"
        )
    if max(-low, high) <= 1.01:
        return
    ends = []
    for scale in (3.0, 30.0):
        with torch.no_grad(), randomised(generator, scale):
            found = generator(z, labels)
        ends.append(float(found.abs().max()))
    if ends[0] > 1.01 and abs(ends[0] - ends[1]) < 1e-3 * ends[0]:
        raise UserError(
            f"{who}: the generator's pixels end at ±{ends[0]:.4g}, and those of the data at ±1: divide them by it"
        )


def check_logits(discriminator: nn.Module, x: Tensor, labels: Tensor | None, who: str) -> None:
    """Raises UserError if D(x) = σ(logit) can only lie on one side of ½."""
    low, high = reach(lambda: discriminator(x, labels), discriminator)
    if low >= 0 or high <= 0:
        end = "a probability, as of a sigmoid" if low >= 0 and high <= 1 else "never on both sides of 0"
        raise UserError(
            f"{who}: the discriminator returns {end} ({low:.3g} to {high:.3g}): return logits, any real numbers; "
            "the losses take the sigmoid of them"
        )


@torch.no_grad()
def check_labels(network: nn.Module, x: Tensor, labels: Tensor, classes: int, who: str) -> None:
    """Raises UserError if other labels do not change the output, whatever the weights."""
    others = labels + 1 if labels.is_floating_point() else (labels + 1) % classes
    for scale in (0.0, *SCALES):
        with ExitStack() as stack:
            if scale:
                stack.enter_context(randomised(network, scale))
            if not torch.equal(network(x, labels), network(x, others)):
                return
    raise UserError(
        f"conditional=true: {who} returns the same for all labels: use labels, {_kind(labels)}, in its forward, "
        "or conditional=false"
    )


def _kind(labels: Tensor) -> str:
    return "float32 (B, k)" if labels.is_floating_point() else "int64 (B,)"
