"""Metrics of models that have a likelihood or an encoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from gan_cli.data.images import ImageDataset
from gan_cli.data.knows import Drawn
from gan_cli.data.samples import Samples, as_input
from gan_cli.games.game import Bounds, Encodes, LogLikelihood
from gan_cli.games.game import Likelihood as HasLikelihood
from gan_cli.games.likelihood import in_parts
from gan_cli.games.sampler import Sampler
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric
from gan_cli.output.pictures import as_bytes, pairs, save_png

PAIRS = 10  # pictures shown beside their reconstructions


@dataclass(frozen=True, kw_only=True)
class Likelihood(Metric):
    """Log-likelihood of held-out and of training samples: E log p(x) in nats per sample, with its standard error, and
    in bits per dimension. High nats and low bits are good; training far above held-out: learnt by heart.

    The note beside it says what it is: exact, a lower bound (ELBO; importance-weighted with k), or an estimate, with
    ``nats_low`` and ``nats_high`` as its two-sided range; and of what: a probability of levels, a density of
    dequantised pictures in [0, 1]^D, or of points, as networks see them where they are standardised. ``draws`` for
    each sample tighten a bound. Of a flow in logit space, ``nats_in_logit_space`` leaves out the Jacobian, as published
    figures do.
    """

    judges_samples = False

    samples: int
    draws: int | None

    def better(self, evidence: Evidence) -> Better:
        if evidence.model is None or not isinstance(evidence.model.game, HasLikelihood):
            return {}
        has_bits = evidence.model.game.unit.bits_per_dim(0.0) is not None
        return watched_of(evidence, {"nats": "high", "bits_per_dim": "low"} if has_bits else {"nats": "high"})

    def refusal(self, evidence: Evidence) -> str | None:
        model = evidence.model
        if model is not None and isinstance(model.game, HasLikelihood):
            if self.draws is None or isinstance(model.game, Bounds):
                return None
            who = f"model={model.config.model.name}"
            return f"draws={self.draws}: {who} has no bound that more draws tighten: leave draws out"
        instead = "metrics=parzen" if evidence.is_image else "metrics=parzen or metrics=divergence"
        who = "generated samples alone have" if model is None else f"model={model.config.model.name} has"
        return f"{who} no likelihood: use {instead}, which judge samples"

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        values: dict[str, float] = {}
        for suffix, samples, whose in of_both(evidence):
            some = evidence.some_samples(samples, self.samples, f"likelihood{suffix}")
            values |= self._of(evidence, some, suffix, whose)
        return values

    def _of(self, evidence: Evidence, samples: Samples, suffix: str, whose: str) -> dict[str, float]:
        model = asked(evidence)
        assert isinstance(model.game, HasLikelihood)
        found, unit = likelihood_of(model, samples, evidence.seed, self.draws), model.game.unit
        nats = found.nats.double()
        mean = float(nats.mean())
        values = {f"nats{suffix}": mean, f"nats_error{suffix}": float(nats.std()) / math.sqrt(len(nats))}
        if found.kind.startswith("estimate"):
            values |= {f"nats_low{suffix}": mean - found.low, f"nats_high{suffix}": mean + found.high}
        if (bits := unit.bits_per_dim(mean)) is not None:
            values[f"bits_per_dim{suffix}"] = bits
        if found.in_logit_space is not None:
            values[f"nats_in_logit_space{suffix}"] = float(found.in_logit_space.double().mean())
        of = f"{unit.name}{in_units(samples)}{given(model)}"
        kind = ", ".join(filter(None, (found.kind, of, evidence.shown)))
        evidence.kinds |= dict.fromkeys(values, kind)
        evidence.note(values, f"{found.told}, {of}, {len(samples):,} {whose}")
        return values


class Reconstruction(Metric):
    """Mean squared error of encoding samples and decoding them again, held-out and training: of pixels in [0, 1], of
    points in their own units, or as networks see them where they are standardised. A picture shows some beside their
    reconstructions.
    """

    judges_samples = False

    def better(self, evidence: Evidence) -> Better:
        return watched_of(evidence, {"reconstruction": "low"}) if self.refusal(evidence) is None else {}

    def refusal(self, evidence: Evidence) -> str | None:
        if evidence.model is not None and isinstance(evidence.model.game, Encodes):
            return None
        who = "" if evidence.model is None else f"model={evidence.model.config.model.name} has none: "
        return f"needs a model with an encoder: {who}use metrics=memorisation to see what samples are near to"

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        model, values = asked(evidence), {}
        for suffix, samples, whose in of_both(evidence):
            some = evidence.some_samples(samples, len(evidence.real), f"reconstruction{suffix}")
            x = as_input(some.values).contiguous()
            back = reconstructed(model, x, some)
            error = (back - x).square().mean()
            values[f"reconstruction{suffix}"] = float(error) / (4 if evidence.is_image else 1)
            evidence.note([f"reconstruction{suffix}"], f"{len(some):,} {whose}{in_units(some)}")
            if evidence.is_image and evidence.picture is not None and not suffix:
                save_png(pairs(back[:PAIRS], x[:PAIRS]), evidence.picture("reconstruction"))
        return values


def watched_of(evidence: Evidence, better: Better) -> Better:
    """Values that can be watched: of held-out samples, or of training samples where there are no others."""
    return better if evidence.held_out is not None else {f"{name}/training": way for name, way in better.items()}


def of_both(evidence: Evidence) -> list[tuple[str, Samples, str]]:
    """Held-out samples, if there are any, and training samples: what follows the names of their values, and whose."""
    found, training = [], evidence.training
    if evidence.held_out is not None:
        where = "other draws" if isinstance(evidence.dataset, Drawn) else "held-out samples"
        if isinstance(evidence.dataset, ImageDataset):
            where = f"pictures of split={evidence.dataset.test_split}{shown(evidence)}"
        found.append(("", evidence.held_out, where))
    else:
        evidence.say("no samples are held out: likelihood and reconstruction are of training samples alone")
    where = f"training samples{shown(evidence)}"
    return [*found, ("/training", training, where)]


def in_units(samples: Samples) -> str:
    """In which units numbers are that are no pixels, in words."""
    if samples.is_image:
        return ""
    return ", as networks see them" if samples.fields else ", in their own units"


def given(model: Sampler) -> str:
    """What a model is told of each sample, in words; empty if nothing."""
    if not model.classes:
        return ""
    return ", given the conditions" if model.conditions else ", given the label"


def shown(evidence: Evidence) -> str:
    """How pictures were binarised, in words; empty if they were not."""
    if not evidence.shown:
        return ""
    drawn = "" if evidence.shown == "binarise=threshold" else ", drawn once by the published seed"
    return f" ({evidence.shown}{drawn})"


def asked(evidence: Evidence) -> Sampler:
    assert evidence.model is not None, "refused without a model"
    return evidence.model


def likelihood_of(model: Sampler, samples: Samples, seed: int, draws: int | None = None) -> LogLikelihood:
    """That of stored samples."""
    labels = None if not model.classes or samples.labels is None else torch.from_numpy(samples.labels)
    return model.likelihood(as_input(samples.values).contiguous(), labels, seed, draws)


def reconstructed(model: Sampler, x: torch.Tensor, samples: Samples) -> torch.Tensor:
    """The samples x, encoded and decoded again, with as many levels as they are stored with."""
    given = torch.as_tensor(samples.labels) if model.classes else None
    y = in_parts(lambda x, labels: model.decode(model.encode(x), labels), x, given)
    if samples.full_depth:
        return y.clamp(-1, 1)
    return as_bytes(y).float() / 127.5 - 1 if y.dim() == 4 else y
