"""The trained discriminator, applied to samples as in training."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.config.schema import Config
from gan_cli.data.samples import Samples, as_input
from gan_cli.distributed import by_itself
from gan_cli.games.game import Game, Judges
from gan_cli.games.growing import at_stage, growth_of, shown_at
from gan_cli.games.parts import batch_sizes_of
from gan_cli.games.view import AUGMENTATION, NOISE, View, as_in_training
from gan_cli.losses.loss import Loss
from gan_cli.models.growth import Stage
from gan_cli.models.labels import blank_labels
from gan_cli.models.noise import Noise
from gan_cli.random import key, seed_all

log = logging.getLogger(__name__)
AT_ONCE = 256  # samples or packs in a batch, if D judges each independently


@dataclass
class Judge:
    """The discriminator at present, and the loss that it is trained with.

    It is applied as in training: through the same view (packs, noise of the present strength, augmentation) and, if its
    output for a sample depends on the rest of the minibatch (batch norm, minibatch deviation), on minibatches of the
    training's size, all real or all generated, with their own statistics; if it grows, at its present stage. Only
    dropout and noise in its layers are off.

    Attributes:
        minibatch: the number of real, or of generated, samples that D judged together in training.
        classes: the number of labels that D is told of, or ``Columns`` of conditions; 0 if it is told nothing.
        images: real images seen, which determine the strength of the noise.
    """

    discriminator: nn.Module
    loss: Loss
    view: View
    minibatch: int
    classes: int
    device: torch.device
    images: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        self.loss = Loss.of(self.loss)

    @classmethod
    def of(cls, config: Config, game: Game, classes: int, device: torch.device, step: int = 0) -> Judge | None:
        """The judge of a game after a step; None if the game has no discriminator.

        Batch norm that is not synchronised saw one process's share of each minibatch.
        """
        if not isinstance(game, Judges):
            return None
        sizes = batch_sizes_of(game, config)
        together = sizes.at(max(1, step)) // (1 if config.sync_batchnorm else config.devices)
        images = sizes.images_seen(step)
        return cls(game.discriminator, game.loss, game.view, together, classes, device, images)

    @property
    def probability(self) -> bool:
        """Whether σ(logit) is the probability that a sample is real."""
        return self.loss.probability

    @property
    def bounds_jsd(self) -> bool:
        return self.loss.bounds_jsd

    @torch.no_grad()
    def sees_others(self, shape: tuple[int, ...]) -> bool:
        """Whether D's output for a sample of this shape depends on the others in its minibatch; found by trying."""
        size = max(4, self.minibatch // self.view.pack)
        generator = torch.Generator().manual_seed(0)
        x = torch.rand((size, self.view.pack * shape[0], *shape[1:]), generator=generator).mul_(2).sub_(1)
        others = torch.cat([x[: size // 2], 0.5 * x[size // 2 :] - 0.3])
        labels = blank_labels(self.classes, size, self.device)
        with by_itself(), as_in_training(self.discriminator):
            one, other = (self.discriminator(batch.to(self.device), labels)[: size // 2] for batch in (x, others))
        return not torch.allclose(one, other, rtol=1e-4, atol=1e-6)

    def least(self, shape: tuple[int, ...]) -> int:
        """The smallest number of samples of one kind that D can judge as in training."""
        return self.minibatch if self.sees_others(shape) else self.view.pack

    @torch.no_grad()
    def logits(self, samples: Samples, *, real: bool = True) -> Tensor:
        """D's logits, float32 on the CPU: one for each sample, or pack of samples, in random order.

        The last minibatch is filled up with samples that were judged before; their second logits are dropped.

        Args:
            real: whether they are data, which are faded for a D that grows, as samples are when they are drawn.
        """
        view, together = self.view, self.sees_others(samples.shape)
        size = self.minibatch if together else AT_ONCE * view.pack
        order = np.random.default_rng(key(self.seed, "judge")).permutation(len(samples))  # a folder is sorted by class
        count = len(order) // view.pack * view.pack
        if count < len(order):
            log.info("%d of %d samples make no whole pack: D is not asked about them", len(order) - count, len(order))
        rows = np.concatenate([order[:count], order[: -count % size]]) if together else order[:count]
        growth, parts = growth_of([self.discriminator]), []
        stage = growth.at(self.images) if growth else None
        on_gpu = [self.device] if self.device.type == "cuda" else []
        with by_itself(), torch.random.fork_rng(devices=on_gpu), as_in_training(self.discriminator):
            seed_all(self.seed, "judge", device=self.device)
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                x = as_input(samples.values[part], self.device)
                if growth and stage:
                    x = shown_at(stage if real else Stage(stage.resolution), x, growth.size)
                x = view(x, view.strengths(self.images))
                labels = None
                if self.classes and samples.labels is not None:
                    labels = torch.from_numpy(samples.labels[part]).to(self.device)
                with at_stage([self.discriminator], stage):
                    parts.append(self.discriminator(x, labels).float().cpu())
        return torch.cat(parts)[: count // view.pack]

    def described(self, shape: tuple[int, ...]) -> dict[str, str]:
        """How D was applied, and what its bound is a bound of, in words for the reader of the values."""
        view = self.view
        kind = "samples" if view.pack == 1 else f"packs of {view.pack}"
        if self.sees_others(shape):
            words = [f"in minibatches of {self.minibatch} of one kind, with their own statistics"]
            bounded = f"minibatches of {self.minibatch}"
        else:
            words, bounded = ["one by one" if view.pack == 1 else f"in {kind}"], kind
        strengths = view.strengths(self.images)
        if NOISE in strengths:
            words.append(f"noise of {strengths[NOISE]:.3g}")
        if view.augment:
            p = view.steering.probability.item() if view.steering else strengths.get(AUGMENTATION)
            words.append(
                f"augmented by {' and '.join(view.augment)}{'' if p is None else f' with probability {p:.3g}'}"
            )
        modules = list(self.discriminator.modules())
        if any(isinstance(module, nn.modules.dropout._DropoutNd) for module in modules):
            words.append("without dropout")
        if any(isinstance(module, Noise) and module.sigma for module in modules):
            words.append("without the noise in its layers")
        found = {"asked": ", ".join(words)}
        return {**found, "jsd_bound": f"of {bounded}"} if self.bounds_jsd else found
