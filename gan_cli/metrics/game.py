"""Metrics by discriminators: the trained one, and a fresh one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_cli.data.samples import Samples, as_input
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.classifier import network, unseen_shape
from gan_cli.metrics.metric import Better, Metric, needs_samples
from gan_cli.random import key

BATCH = 256


class Discriminator(Metric):
    """The accuracy of the trained D (D > ½ on real, D < ½ on generated samples) and the bound that it gives.

    D is applied as in training; see ``Judge``.

    ``D_accuracy/training`` far above ``D_accuracy/held_out`` means that D has memorised its training set.
    ``jsd_bound`` = log 2 − J(D) on samples D has not been trained on: a lower bound of the Jensen–Shannon divergence in
    nats, for the games whose value bounds it (Goodfellow et al. 2014, theorem 1). It is the divergence of what D is
    shown: of single samples, of packs, or of whole minibatches where D's answer depends on them, which are easier to
    tell apart.
    """

    def better(self, evidence: Evidence) -> Better:
        judge = evidence.judge
        return {"jsd_bound": "low"} if judge and judge.bounds_jsd and evidence.held_out else {}

    def refusal(self, evidence: Evidence) -> str | None:
        judge = evidence.judge
        if judge is None:
            return "needs the discriminator of a checkpoint"
        if not judge.probability:
            return "needs a D that is a probability, not a critic"
        least, count = judge.least(evidence.training.shape), min(len(evidence.training), evidence.generated)
        if count >= least:
            return None
        return f"D is asked about {least} samples at a time, as in training, and there are {count}: give more"

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        judge, fake = evidence.judge, evidence.drawn
        assert judge is not None
        training = evidence.some_samples(evidence.training, max(len(evidence.real), len(fake)), "discriminator")
        of_fake = judge.logits(fake, real=False)
        values = {
            "D_accuracy/training": float((judge.logits(training) > 0).double().mean()),
            "D_accuracy/generated": float((of_fake < 0).double().mean()),
        }
        evidence.notes["D_accuracy/training"] = f"{len(training):,} training samples"
        evidence.notes["D_accuracy/generated"] = f"{len(fake):,} generated samples"
        held_out = known(evidence)
        if held_out is not None:
            of_real = judge.logits(held_out)
            values["D_accuracy/held_out"] = float((of_real > 0).double().mean())
            evidence.notes["D_accuracy/held_out"] = f"{len(held_out):,} held-out samples"
            if judge.bounds_jsd:
                values["jsd_bound"] = math.log(2) - float(judge.loss.discriminator(of_real, of_fake))
                evidence.notes["jsd_bound"] = f"{len(held_out):,} held-out and {len(fake):,} generated samples"
        return values


def known(evidence: Evidence) -> Samples | None:
    """The held-out samples that D can judge; logs how many are left out, and why."""
    judge, found = evidence.judge, evidence.held_out
    assert judge is not None
    if found is None:
        return None
    if judge.classes and (found.labels is None or evidence.training.labels is None):
        evidence.say("D_accuracy/held_out is left out: D wants labels, and the held-out samples have none")
        return None
    rows = np.arange(len(found))
    if judge.classes and not found.conditions:
        rows = np.flatnonzero(np.isin(found.labels, evidence.training.labels))  # type: ignore[arg-type]
    if len(rows) < len(found):
        left = len(found) - len(rows)
        evidence.say(f"{left} of {len(found)} held-out samples are of classes that D has never met: it is not asked")
    if len(rows) < (least := judge.least(found.shape)):
        evidence.say(f"D_accuracy/held_out is left out: {len(rows)} samples, and D is asked about {least} at a time")
        return None
    return found if len(rows) == len(found) else found.take(rows)


@dataclass(frozen=True, kw_only=True)
class TwoSample(Metric):
    """Classifier two-sample test (Lopez-Paz & Oquab 2017): a fresh discriminator learns real from generated on one
    half; its accuracy on the other half is ½ if the two cannot be told apart, and less if both hold the same samples,
    which it has learnt as the other kind.

    ``two_sample_error`` is the standard error of that accuracy under ½. A small convolutional network for pictures, a
    perceptron for points.
    """

    steps: int

    def better(self, evidence: Evidence) -> Better:
        return {"two_sample": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        return unseen_shape(evidence.real) or needs_samples(evidence, 20)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        generator = evidence.generator("two_sample")
        n = evidence.count
        real, fake = (s.values[generator.permutation(len(s))[:n]] for s in (evidence.real, evidence.drawn))
        if not evidence.is_image:
            scale = max(1e-12, float(real.std()))
            real, fake = real / scale, fake / scale
        half = n // 2
        classifier = fresh(evidence.real, evidence.device, key(evidence.seed, "two_sample"))
        fit(classifier, real[:half], fake[:half], self.steps, generator, evidence.device)
        right = (logits(classifier, real[half:], evidence.device) > 0).sum()
        right += (logits(classifier, fake[half:], evidence.device) < 0).sum()
        judged = 2 * (n - half)
        return {"two_sample": float(right) / judged, "two_sample_error": 0.5 / math.sqrt(judged)}


def fresh(samples: Samples, device: torch.device, seed: int) -> nn.Module:
    """A new discriminator: (B, …) → (B, 1)."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if samples.is_image:
            return network(samples.shape, 1).to(device)
        width = 128
        flat = [nn.Flatten()] if len(samples.shape) > 1 else []
        hidden = [*flat, nn.Linear(math.prod(samples.shape), width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*hidden, nn.Linear(width, 1)).to(device)


def fit(
    classifier: nn.Module,
    real: np.ndarray,
    fake: np.ndarray,
    steps: int,
    generator: np.random.Generator,
    device: torch.device,
) -> None:
    """Trains a classifier by cross-entropy with Adam, on 64 real and 64 generated samples per step."""
    optimizer = torch.optim.Adam(classifier.parameters(), 1e-3)
    targets = torch.cat([torch.ones(64), torch.zeros(64)]).to(device)
    with torch.enable_grad():
        for _ in range(steps):
            rows = np.concatenate([values[generator.integers(len(values), size=64)] for values in (real, fake)])
            optimizer.zero_grad()
            binary_cross_entropy_with_logits(classifier(as_input(rows, device))[:, 0], targets).backward()
            optimizer.step()


@torch.no_grad()
def logits(classifier: nn.Module, values: np.ndarray, device: torch.device) -> Tensor:
    parts = [as_input(values[i : i + BATCH], device) for i in range(0, len(values), BATCH)]
    return torch.cat([classifier(part)[:, 0].cpu() for part in parts])
