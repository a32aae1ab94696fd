"""The game of the lecture: a generator G against a discriminator D."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli import distributed
from gan_cli.data.number_schemas import TableOptions
from gan_cli.errors import UserError
from gan_cli.games.game import Constraint, Game, Moment, Statistics, Strengths, computing
from gan_cli.games.growing import at_stage, growth_of, note_images, shown_at, stage_in, term_of
from gan_cli.games.parts import Parts
from gan_cli.games.penalties import PENALTY, Lazy, Penalises
from gan_cli.games.steering import EVERY
from gan_cli.games.view import AGAIN, CHANGE, View, view_of
from gan_cli.losses.loss import LOSS, Costs, Loss
from gan_cli.models.choices import Choices
from gan_cli.models.conditioning import TellsLabels
from gan_cli.models.weight_norm import starting, weight_normed
from gan_cli.models.widening import widened

START = "start"  # among the strengths of D's first move: weight-normed layers take their scales from its data
SURE = 0.99  # D(x) above it and D(G(z)) below its complement: D makes no mistakes


@runtime_checkable
class SeesFeatures(Protocol):
    """A discriminator that returns the features its last layer works on."""

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """x (B, *shape) → (B, F)."""
        ...


class GAN:
    """``model=gan``: the networks of the architecture, set against each other by the loss."""

    def game(self, parts: Parts) -> AdversarialGame:
        """Both networks, the loss, the penalties, and what D sees."""
        config = parts.config
        seen = (config.pack * parts.shape[0], *parts.shape[1:])  # a pack of samples is one sample with more channels

        discriminator = parts.architecture("discriminator", "shape, classes", seen, parts.classes)
        view = view_of(config, parts.device)
        game = (SteeredGame if view.steering else AdversarialGame)(
            generator_of(parts, parts.classes),
            parts.network("discriminator", discriminator, parts.who, "discriminator(shape, classes)"),
            parts.build(LOSS),
            parts.build_several(PENALTY),
            view,
            parts.autocast,
            reuse=config.reuse_fakes,
        )
        require_fit(game, parts)
        return game


def generator_of(parts: Parts, classes: int) -> nn.Module:
    """G of the architecture; of rows of a table, with shares of their categories."""
    wanted = "latent, shape, classes"
    make = parts.architecture("generator", wanted, parts.latent, parts.shape, classes)
    made = parts.network("generator", make, parts.who, f"generator({wanted})")
    return Choices(made, parts.shape[0]).to(parts.device) if isinstance(parts.config.dataset, TableOptions) else made


def require_fit(game: AdversarialGame, parts: Parts) -> None:
    """Raises a UserError for a loss that asks for what D does not give."""
    config = parts.config
    if game.view.steering and not game.loss.probability:
        raise UserError(
            f"augmentation.target={config.augmentation.target}: D of loss={config.loss.name} gives no probability, "
            "to be steered by: use augmentation.probability, or another loss"
        )
    if game.loss.generator_sees_features and not isinstance(game.discriminator, SeesFeatures):
        raise UserError(f"loss={config.loss.name}: architecture={config.architecture.name} has no features to match")


class AdversarialGame(Game):
    """G, D, the loss that sets them against each other, and the penalties on D.

    Args:
        generator: z (B, latent), labels → x (B, *shape).
        discriminator: x, labels → logits (B,).
        loss: ``.discriminator(real_logits, fake_logits)`` and ``.generator(fake_logits, real_logits)``.
        penalties: by name; each ``(judge, real, fake) → scalar`` with ``.due(move)`` and ``.strength(images)``.
        autocast: the dtype that the networks compute in, or None for that of their weights. Losses and penalties are
            computed in float32 in any case.
        reuse: G's move uses the samples and the data of D's last move rather than new ones, which saves a forward
            pass of G.
    """

    sampler = "generator"

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Costs,
        penalties: Mapping[str, Penalises] | None = None,
        view: View | None = None,
        autocast: torch.dtype | None = None,
        reuse: bool = False,
    ) -> None:
        self.generator, self.discriminator, self.loss = generator, discriminator, Loss.of(loss)
        self.networks = {"discriminator": discriminator, "generator": generator}  # D moves first
        self.penalties, self.view, self.autocast = penalties or {}, view or View(), autocast
        self.growth = growth_of(self.networks.values())
        self.reuse, self.starts = reuse, bool(weight_normed(discriminator))
        self._kept: tuple[Tensor, Tensor, Tensor | None] | None = None  # G(z) with its graph, x and labels

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        """J(D) with its penalties, or J(G); of networks that grow, at the stage that the strengths say."""
        cost = self.discriminator_cost if player == "discriminator" else self.generator_cost
        if self.growth is None:
            return cost(x, z, labels, strengths)
        stage = stage_in(strengths, self.growth, x.device)
        with at_stage(self.networks.values(), stage):
            return cost(shown_at(stage, x, self.growth.size), z, labels, strengths)

    def strengths(self, player: str, moment: Moment) -> dict[str, float]:
        """The stage of growing networks, what the view takes and, in D's moves alone, the weights of penalties due."""
        stage = term_of(self.growth.at(moment.images)) if self.growth else {}
        seen = {**stage, **self.view.strengths(moment.images)}
        if player != "discriminator":
            return seen
        due = {name: penalty for name, penalty in self.penalties.items() if penalty.due(moment.moves)}
        weights = {f"penalty/{name}": penalty.strength(moment.images) for name, penalty in due.items()}
        start = {START: 1.0} if self.starts and not moment.moves else {}
        return {**start, **seen, **self.view.changes(moment.moves, moment.again), **weights}

    def grow(self, before: int, images: int) -> bool:
        """Tells growing networks how many images have been seen, and the log where a phase begins."""
        return self.growth is not None and note_images(self.growth, self.networks.values(), before, images)

    def period(self, player: str) -> int:
        """For D, the least common multiple of the penalties' intervals, and of that of adaptive augmentation."""
        intervals = [penalty.interval for penalty in self.penalties.values() if isinstance(penalty, Lazy)]
        intervals += [EVERY] if self.view.steering else []
        return math.lcm(*intervals) if player == "discriminator" else 1

    def opponents(self, player: str) -> Sequence[nn.Module]:
        """The other network. With ``reuse``, G keeps its graph in D's move, for its own move on the same samples."""
        return () if self.reuse and player == "discriminator" else super().opponents(player)

    def constraint(self, player: str) -> Constraint | None:
        """For D, the constraint of the loss, if it has one."""
        return self.loss.constrain if player == "discriminator" and self.loss.constrains else None

    def consequences(self, means: Mapping[str, float]) -> dict[str, float]:
        """``jsd_lower_bound``: log 2 − J(D), in nats, where the value of the game bounds the divergence."""
        return {"jsd_lower_bound": math.log(2) - means["loss/discriminator"]} if self.loss.bounds_jsd else {}

    def certain(self, means: Mapping[str, float | None]) -> str | None:
        """D, where it makes no mistakes, or none but mistakes. A critic's scores do not tell."""
        real, fake = means.get("D/real"), means.get("D/fake")
        if real is None or fake is None:
            return None
        if real < 1 - SURE and fake > SURE:
            return "D takes samples for data and data for samples: try a faster D (discriminator.lr)"
        if real < SURE or fake > 1 - SURE:
            return None
        if self.loss.saturates:
            return (
                "D is certain of every sample, and with this loss the generator's gradient goes with "
                f"D(G(z)) = {fake:.1g}: it has all but vanished: try loss=non_saturating or a lower discriminator.lr"
            )
        return (
            "D is certain of every sample, so its gradient tells the generator little: try a smaller or slower D "
            "(discriminator.lr), dropout, or fewer discriminator.steps"
        )

    def discriminator_cost(
        self, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        """J(D) with its penalties, on m real samples x and m latents z; and half of D's errors, if it tells labels."""
        with self.computing(x):
            real, fake = self.seen(x, z, labels, strengths)
            real_logits, told_real = self.answered(real, labels)
            fake_logits, told_fake = self.answered(fake, labels)
        real_logits, fake_logits = widened(real_logits), widened(fake_logits)
        cost, statistics = self.judged(real, fake, real_logits, fake_logits, labels, strengths)
        if told_real is not None and told_fake is not None:
            cost = cost + (told_real + told_fake) / 2
            statistics |= {"label_error/real": told_real.detach(), "label_error/fake": told_fake.detach()}
        return cost, statistics

    def seen(self, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths) -> tuple[Tensor, Tensor]:
        """Data and samples as D sees them in its move."""
        with torch.set_grad_enabled(self.reuse):
            fake = self.generator(z, labels)
        self._kept = (fake, x, labels) if self.reuse else None
        real, fake = self.view(x, strengths), self.view(fake.detach(), strengths)
        self.start(real, labels, strengths)
        return real, fake

    @torch.no_grad()
    def start(self, real: Tensor, labels: Tensor | None, strengths: Strengths) -> None:
        """In D's first move, weight-normed layers take their scales from what they see of the data."""
        if START in strengths and not distributed.part():
            with starting(self.discriminator):
                self.discriminator(real, labels)

    def judged(
        self,
        real: Tensor,
        fake: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
        labels: Tensor | None,
        strengths: Strengths,
    ) -> tuple[Tensor, Statistics]:
        """J(D) with its penalties, of what D has seen and its logits."""
        cost = self.loss.discriminator(real_logits, fake_logits)
        statistics = {"loss/discriminator": cost.detach(), **self._scores(real_logits.detach(), fake_logits.detach())}
        if self.view.steering and AGAIN not in strengths:
            many = len(real) * self.view.pack
            statistics |= self.view.steering.saw(real_logits.detach(), many, change=CHANGE in strengths)
        for name, penalty in self.penalties.items():
            if (key := f"penalty/{name}") in strengths:
                value = penalty(lambda y: self.discriminator(y, labels), real.detach(), widened(fake))
                cost = cost + strengths[key] * value
                statistics[key] = value.detach()
        return cost, statistics

    def generator_cost(
        self, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        """J(G) on m latents z, and half of the error of a D that tells labels: G's samples are to be told by it.

        D judges the real samples too if the loss needs that.
        """
        kept, self._kept = self._kept, None
        with self.computing(x):
            fake, x, labels = kept or (self.generator(z, labels), x, labels)
            features, sees_real = self.loss.generator_sees_features, self.loss.generator_sees_real
            fake, told = self.answered(self.view(fake, strengths), labels, features=features)
            real = widened(self.answered(self.view(x, strengths), labels, features=features)[0]) if sees_real else None
        cost = self.loss.generator(widened(fake), real)
        statistics = {"loss/generator": cost.detach()}
        return cost if told is None else cost + told / 2, statistics

    def answered(self, x: Tensor, labels: Tensor | None, *, features: bool = False) -> tuple[Tensor, Tensor | None]:
        """D's logits (B,), or its features, and how far it errs in the labels, of a D that tells them."""
        judge = self.discriminator
        if isinstance(judge, TellsLabels) and labels is not None:
            found = judge.features(x)
            return (found if features else judge.logits(found)), judge.error(found, labels)
        if not features:
            return judge(x, labels), None
        assert isinstance(judge, SeesFeatures)
        return judge.features(x, labels), None

    def _scores(self, real_logits: Tensor, fake_logits: Tensor) -> Statistics:
        """D's mean output: probabilities, or the scores of a critic."""
        if self.loss.probability:
            return {"D/real": real_logits.sigmoid().mean(), "D/fake": fake_logits.sigmoid().mean()}
        return {"critic/real": real_logits.mean(), "critic/fake": fake_logits.mean()}

    def computing(self, x: Tensor) -> AbstractContextManager[None]:
        """The context in which networks compute."""
        return computing(x, self.autocast)


class SteeredGame(AdversarialGame):
    """With adaptive augmentation, whose state is part of a checkpoint."""

    def kept(self) -> dict[str, Tensor]:
        assert self.view.steering
        return self.view.steering.kept()

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        assert self.view.steering
        self.view.steering.restore(kept)
