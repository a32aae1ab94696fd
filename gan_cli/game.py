"""The game: what each player minimises on a minibatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.augment import AUGMENTATIONS, noised, packed

Statistics = dict[str, Tensor]  # scalars on the training device, detached


@dataclass(frozen=True)
class Moment:
    """Where a run is: the step (1, 2, …), how often this player has moved, how many real images D has seen."""

    step: int
    moves: int
    images: int


@dataclass(frozen=True, kw_only=True)
class View:
    """What happens to samples before D sees them: noise, augmentation, packing; nothing by default."""

    sigma: float = 0.0
    noise_images: int = 0
    augment: Sequence[str] = ()
    pack: int = 1

    def noise(self, images: int) -> float | None:
        """The deviation of the instance noise after so many images; None once there is none."""
        left = max(0.0, 1 - images / self.noise_images) if self.noise_images else 1.0
        return self.sigma * left or None

    def __call__(self, x: Tensor, images: int) -> Tensor:
        """(B, …) → (B/pack, …)."""
        sigma = self.noise(images)
        if sigma is not None:
            x = noised(x, sigma)
        for name in self.augment:
            x = AUGMENTATIONS[name](x)
        return packed(x, self.pack)


class Game:
    """G, D, the loss that sets them against each other, and the penalties on D.

    Args:
        generator: z (B, latent), labels → x (B, *shape).
        discriminator: x, labels → logits (B,).
        loss: ``.discriminator(real_logits, fake_logits)`` and ``.generator(fake_logits, real_logits)``.
        penalties: by name; each ``(judge, real, fake) → scalar`` with ``.due(move)`` and ``.strength(images)``.
        autocast: dtype the networks compute in, or None for that of their weights. Losses and penalties are computed
            in float32 whatever it is.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Any,
        penalties: Mapping[str, Any] | None = None,
        view: View | None = None,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.penalties, self.view, self.autocast = penalties or {}, view or View(), autocast

    def discriminator_cost(
        self, x: Tensor, z: Tensor, labels: Tensor | None, moment: Moment
    ) -> tuple[Tensor, Statistics]:
        """J(D) with its penalties, on m real samples x and m latents z."""
        with self._networks(x):
            with torch.no_grad():
                fake = self.generator(z, labels)
            real, fake = self.view(x, moment.images), self.view(fake, moment.images)
            real_logits, fake_logits = self.discriminator(real, labels), self.discriminator(fake, labels)
        real_logits, fake_logits = widened(real_logits), widened(fake_logits)
        cost = self.loss.discriminator(real_logits, fake_logits)
        statistics = {
            "loss/discriminator": cost.detach(),
            "D/real": real_logits.detach().sigmoid().mean(),
            "D/fake": fake_logits.detach().sigmoid().mean(),
        }
        for name, penalty in self.penalties.items():
            if penalty.due(moment.moves):
                value = penalty(lambda y: self.discriminator(y, labels), real.detach(), widened(fake))
                cost = cost + penalty.strength(moment.images) * value
                statistics[f"penalty/{name}"] = value.detach()
        return cost, statistics

    def generator_cost(self, x: Tensor, z: Tensor, labels: Tensor | None, moment: Moment) -> tuple[Tensor, Statistics]:
        """J(G) on m latents z. D is asked about the real samples only if the loss says it wants that."""
        sees_real = getattr(self.loss, "generator_sees_real", False)
        sees_features = getattr(self.loss, "generator_sees_features", False)
        judge: Any = self.discriminator.features if sees_features else self.discriminator
        with self._networks(x):
            fake = judge(self.view(self.generator(z, labels), moment.images), labels)
            real = widened(judge(self.view(x, moment.images), labels)) if sees_real else None
        cost = self.loss.generator(widened(fake), real)
        return cost, {"loss/generator": cost.detach()}

    def _networks(self, x: Tensor) -> Any:
        return torch.autocast(x.device.type, dtype=self.autocast, enabled=self.autocast is not None)


def widened(x: Tensor) -> Tensor:
    """float16 and bfloat16 to float32; everything else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
