"""What discriminators make of the samples: the trained one, and a fresh one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_cli.data.samples import Samples, as_input
from gan_cli.extractors.classifier import network
from gan_cli.metrics.evidence import BATCH, Evidence
from gan_cli.metrics.metric import Better, Metric, needs_samples
from gan_cli.random import key


class Discriminator(Metric):
    """The trained D: how often it is right (D > ½ on real, D < ½ on generated), and what it bounds.

    ``D_accuracy/training`` far above ``D_accuracy/held_out``: D has learnt its training set by heart.
    ``jsd_bound`` = log 2 − J(D) on samples D has not been trained on: a lower bound of the Jensen–Shannon divergence in
    nats, for the games whose value bounds it (Goodfellow et al. 2014, theorem 1).
    """

    def better(self, evidence: Evidence) -> Better:
        judge = evidence.judge
        return {"jsd_bound": "low"} if judge and judge.loss.bounds_jsd and evidence.held_out else {}

    def refusal(self, evidence: Evidence) -> str | None:
        if evidence.judge is None:
            return "needs the discriminator of a checkpoint"
        return None if evidence.judge.loss.probability else "needs a D that is a probability, not a critic"

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        judge = evidence.judge
        assert judge is not None
        fake = judge.logits(evidence.drawn)
        values = {
            "D_accuracy/training": float((judge.logits(evidence.real) > 0).float().mean()),
            "D_accuracy/generated": float((fake < 0).float().mean()),
        }
        if evidence.held_out is not None:
            real = judge.logits(evidence.held_out)
            values["D_accuracy/held_out"] = float((real > 0).float().mean())
            if judge.loss.bounds_jsd:
                values["jsd_bound"] = math.log(2) - float(judge.loss.discriminator(real, fake))
        return values


@dataclass(frozen=True, kw_only=True)
class TwoSample(Metric):
    """Classifier two-sample test (Lopez-Paz & Oquab 2017): a fresh discriminator learns real from generated on one
    half; its accuracy on the other half is ½ where the two cannot be told apart, and less where the same samples are in
    both: it has learnt them as the other kind.

    ``two_sample_error`` is the standard error of that accuracy under ½. A small convolutional network for pictures, a
    perceptron for points.
    """

    steps: int

    def better(self, evidence: Evidence) -> Better:
        return {"two_sample": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        return needs_samples(evidence, 20)

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
    """A discriminator that has seen nothing: (B, …) → (B, 1)."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if samples.values.ndim == 4:
            return network(samples.shape[0], 1, samples.shape[-1]).to(device)
        width = 128
        hidden = [nn.Linear(samples.shape[0], width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*hidden, nn.Linear(width, 1)).to(device)


def fit(
    classifier: nn.Module,
    real: np.ndarray,
    fake: np.ndarray,
    steps: int,
    generator: np.random.Generator,
    device: torch.device,
) -> None:
    """Cross-entropy with Adam, 64 real and 64 generated samples a step."""
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
