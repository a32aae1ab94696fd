"""The game and its players: what each minimises, and how it moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Statistics = dict[str, Tensor]  # scalars on the training device, detached
Cost = Callable[[Tensor, Tensor, "Tensor | None"], tuple[Tensor, Statistics]]


class Game:
    """G, D and the loss that sets them against each other.

    Args:
        generator: z (B, latent), labels → x (B, *shape).
        discriminator: x, labels → logits (B,).
        loss: ``.discriminator(real_logits, fake_logits)`` and ``.generator(fake_logits, real_logits)``.
        autocast: dtype the networks compute in, or None for that of their weights; losses are never reduced.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, loss: Any, autocast: torch.dtype | None = None
    ) -> None:
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.autocast = autocast

    def _networks(self, x: Tensor) -> Any:
        return torch.autocast(x.device.type, dtype=self.autocast, enabled=self.autocast is not None)

    def discriminator_cost(self, x: Tensor, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Statistics]:
        """J(D) on m real samples x and m latents z."""
        with self._networks(x):
            with torch.no_grad():
                fake = self.generator(z, labels)
            real_logits, fake_logits = self.discriminator(x, labels), self.discriminator(fake, labels)
        cost = self.loss.discriminator(real_logits, fake_logits)
        return cost, {
            "D/real": real_logits.detach().float().sigmoid().mean(),
            "D/fake": fake_logits.detach().float().sigmoid().mean(),
        }

    def generator_cost(self, x: Tensor, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Statistics]:
        """J(G) on m latents z. D is asked about the real samples only if the loss says it wants their logits."""
        with self._networks(x):
            fake_logits = self.discriminator(self.generator(z, labels), labels)
            real_logits = self.discriminator(x, labels) if getattr(self.loss, "generator_sees_real", False) else None
        return self.loss.generator(fake_logits, real_logits), {}


class Player:
    """One side of the game: a network, its cost and its optimizer.

    Args:
        lr: this player's learning rate, before the schedule's factor.
        schedule: step (1, 2, …) → factor.
        steps: moves in each turn; for the discriminator, the k of Algorithm 1.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        opponent: nn.Module,
        cost: Cost,
        optimizer: torch.optim.Optimizer,
        *,
        lr: float,
        schedule: Callable[[int], float],
        steps: int,
    ) -> None:
        self.name, self.network, self.opponent, self.cost = name, network, opponent, cost
        self.optimizer, self.lr, self.schedule, self.steps = optimizer, lr, schedule, steps
        self._own, self._other = list(network.parameters()), list(opponent.parameters())

    def gradient(self, x: Tensor, z: Tensor, labels: Tensor | None) -> Statistics:
        """Leaves the gradient of this player's cost in its parameters, and nothing in its opponent's."""
        for parameter in self._own:
            parameter.requires_grad_(True)
        for parameter in self._other:
            parameter.requires_grad_(False)
        self.optimizer.zero_grad(set_to_none=True)
        cost, statistics = self.cost(x, z, labels)
        cost.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in self._own if p.grad is not None])
        return {f"loss/{self.name}": cost.detach(), f"grad_norm/{self.name}": norm, **statistics}

    def descend(self, step: int) -> None:
        """One step of the optimizer along the gradient, at the rate of this step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)
        self.optimizer.step()

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        return self.lr * self.schedule(step)
