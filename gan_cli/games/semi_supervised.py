"""Learning from data of which most lack their labels, by a game (Salimans et al. 2016, section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from gan_cli.config.asking import kind
from gan_cli.data.labelled import balanced, told
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples
from gan_cli.distributed import shares
from gan_cli.errors import UserError
from gan_cli.games.adversarial import AdversarialGame, SeesFeatures, generator_of, require_fit
from gan_cli.games.game import Statistics, Strengths, computing
from gan_cli.games.likelihood import in_parts
from gan_cli.games.parts import Parts
from gan_cli.games.penalties import PENALTY
from gan_cli.games.view import view_of
from gan_cli.losses.loss import LOSS
from gan_cli.models.averaging import AveragedNetwork, decay_of, directed
from gan_cli.models.widening import widened
from gan_cli.random import drawn

AVERAGE = "average."


@runtime_checkable
class ComparesSamples(Protocol):
    """A network that may see how much the samples of a minibatch differ."""

    minibatch_std: bool


class Classifier(nn.Module):
    """D of K classes, and of one more that is implied: its logit is fixed at 0.

    With the logits l₁ … l_K of the real classes and Z = Σ exp l_k, the probability that a sample is real is
    Z / (Z + 1) = σ(log Z). So D's logit is log Z, for every loss; and p(k | x, real) = exp(l_k) / Z.
    """

    def __init__(self, network: nn.Module, classes: int, who: str = "the classifier") -> None:
        super().__init__()
        self.network, self.classes, self.who = network, classes, who

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """log Z, (B,)."""
        return real_logit(self.classify(x))

    def classify(self, x: Tensor) -> Tensor:
        """l, (B, K).

        Raises:
            UserError: if the network returns something else.
        """
        logits = self.network(x)
        if not isinstance(logits, Tensor) or logits.shape != (len(x), self.classes):
            wanted = f"a logit of each class for each sample, {(len(x), self.classes)}"
            raise UserError(f"{self.who}: classifier() returned a module that gives {kind(logits)}: return {wanted}")
        return logits


class MatchableClassifier(Classifier):
    """One of an architecture that says what its last layer works on."""

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        assert isinstance(self.network, SeesFeatures)
        return self.network.features(x)


def real_logit(logits: Tensor) -> Tensor:
    """log Z of logits (B, K): (B,), in float32 or wider."""
    return widened(logits).logsumexp(dim=1)


class SemiSupervisedGame(AdversarialGame):
    """The game of ``gan``, whose D also tells kinds apart, by the few labels that there are.

    D minimises −E log p(k | x, real) over labelled data + w J(D) over all data and samples; G minimises J(G).
    For the test, D's weights are averaged over the images seen.

    Args:
        labels: how many samples keep theirs; 0: all that have one.
        seed: by which they are drawn.
        weight: w. 0: D learns from the labels alone.
        average: the half-life of D's average, in images; 0: none.
    """

    def __init__(self, *parts: Any, labels: int, seed: int, weight: float, average: float, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.count, self.seed, self.weight, self.half_life = labels, seed, weight, average
        self.average = AveragedNetwork(self.discriminator)
        self.known: Minibatches | None = None
        self.apart = sees_company(self.discriminator)

    def labelled(self, samples: Samples) -> np.ndarray:
        """``count`` of those that have a label, by the seed."""
        assert samples.labels is not None
        if not self.count:
            return samples.labelled
        return balanced(samples.labels, samples.classes, self.count, self.seed)

    def learn(self, known: Minibatches) -> None:
        self.known = known

    def told(self, samples: Samples) -> str:
        return told(samples, self.labelled(samples), self.seed)

    def discriminator_cost(
        self, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        with self.computing(x):
            known, classes = (part.to(x.device) for part in self._known(len(x)))
            seen = [self.view(known, strengths)]
            if self.weight:
                real, fake = self.seen(x, z, None, strengths)
                seen += [real, fake]
            else:
                self.start(self.view(x, strengths), None, strengths)
            logits = [widened(part) for part in self._logits(seen)]
        cost = cross_entropy(logits[0], classes)
        wrong = (logits[0].detach().argmax(dim=1) != classes).float().mean()
        statistics = {"classification": cost.detach(), "error/labelled": wrong}
        if self.weight:
            real_logits, fake_logits = map(real_logit, logits[1:])
            game, found = self.judged(real, fake, real_logits, fake_logits, None, strengths)
            cost = cost + self.weight * game
            statistics = {**found, **statistics, "adversarial": found["loss/discriminator"]}
        return cost, {**statistics, "loss/discriminator": cost.detach()}

    def _known(self, size: int) -> tuple[Tensor, Tensor]:
        """As many labelled samples as there are others: each equally often, and at random those of one time more; of
        more labelled samples than others, some at random.
        """
        assert self.known is not None, "labelled samples come with the data"
        many = self.known.count

        def some(n: int, generator: torch.Generator | None) -> Tensor:
            device = self.known.values.device  # type: ignore[union-attr]
            if many <= n:
                whole, more = torch.arange(n - n % many, device=device) % many, n % many
                shuffled = torch.rand(many, device=device, generator=generator).argsort() if more else whole
                return torch.cat([whole, shuffled[:more]])
            return torch.randint(many, (n,), device=device, generator=generator)

        x, labels = self.known.at(drawn(shares() * size, some))
        assert labels is not None
        return x, labels

    def _logits(self, seen: list[Tensor]) -> list[Tensor]:
        """Of several minibatches: in one pass, unless their samples would be seen in company."""
        assert isinstance(self.discriminator, Classifier)
        if self.apart:
            return [self.discriminator.classify(part) for part in seen]
        # those of a place lie together, so that what is drawn for them does not depend on the parts of a move
        together = torch.stack(seen, dim=1).flatten(0, 1)  # (B · 3, …)
        return list(self.discriminator.classify(together).unflatten(0, (-1, len(seen))).unbind(1))

    def generator_cost(
        self, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        return super().generator_cost(x, z, None, strengths)

    def consequences(self, means: Mapping[str, float]) -> dict[str, float]:
        """``jsd_lower_bound``, of D as it tells data from samples."""
        if "adversarial" not in means:
            return {}
        return super().consequences({**means, "loss/discriminator": means["adversarial"]})

    def grow(self, before: int, images: int) -> bool:
        """Takes D's new weights into the average."""
        self.average.follow(decay_of(self.half_life, before, images) if self.half_life else 0.0)
        return super().grow(before, images)

    def classify(self, x: Tensor, *, averaged: bool = True) -> Tensor:
        network = self.average.network if averaged else self.discriminator
        assert isinstance(network, Classifier)
        with computing(x, self.autocast):
            return in_parts(lambda x, labels: widened(network.classify(x)), x, None)

    def kept(self) -> dict[str, Tensor]:
        """D's average, and what steers augmentation."""
        average = {f"{AVERAGE}{name}": tensor for name, tensor in self.average.network.state_dict().items()}
        return {**average, **(self.view.steering.kept() if self.view.steering else {})}

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        of_average = {name.removeprefix(AVERAGE): each for name, each in kept.items() if name.startswith(AVERAGE)}
        self.average.network.load_state_dict(directed(of_average, self.discriminator.state_dict()))
        if self.view.steering:
            self.view.steering.restore(kept)


def sees_company(network: nn.Module) -> bool:
    """Whether a network's output for a sample depends on the rest of its minibatch."""
    parts = list(network.modules())
    if any(isinstance(part, _BatchNorm) for part in parts):
        return True
    return any(isinstance(part, ComparesSamples) and part.minibatch_std for part in parts)


class SemiSupervised:
    """``model=semi_supervised``."""

    def __init__(
        self, classes: int | None, labels: int, labels_seed: int | None, weight: float, average: float
    ) -> None:
        self.classes, self.labels, self.seed = classes, labels, labels_seed
        self.weight, self.average = weight, average

    def game(self, parts: Parts) -> SemiSupervisedGame:
        config, classes = parts.config, self.classes
        assert classes, "settled with the data"
        classifier = parts.architecture("classifier", "shape, outputs", parts.shape, classes)

        def discriminator() -> Classifier:
            made = classifier()
            judge = MatchableClassifier if isinstance(made, SeesFeatures) else Classifier
            return judge(made, classes, parts.who)

        game = SemiSupervisedGame(
            generator_of(parts, 0),
            parts.network("discriminator", discriminator, parts.who),
            parts.build(LOSS),
            parts.build_several(PENALTY),
            view_of(config, parts.device),
            parts.autocast,
            reuse=config.reuse_fakes,
            seed=config.seed if self.seed is None else self.seed,
            labels=self.labels,
            weight=self.weight,
            average=self.average,
        )
        require_fit(game, parts)
        return game
