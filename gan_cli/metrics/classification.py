"""How often a model that tells classes apart is wrong."""

from __future__ import annotations

import numpy as np
import torch

from gan_cli.data.images import ImageDataset
from gan_cli.data.samples import Samples, as_input
from gan_cli.games.game import Classifies, LearnsLabels
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric


class Classification(Metric):
    """Errors of a model that tells classes apart, on held-out samples; where there are none, on training samples whose
    labels it was not told.

    ``errors`` are of ``of_samples``, as papers count them, by the moving average of its weights, and ``error_rate`` is
    their share; ``errors_now`` are those of its weights as they are.
    """

    judges_samples = False

    def better(self, evidence: Evidence) -> Better:
        return {"errors": "low", "error_rate": "low", "errors_now": "low"} if self.refusal(evidence) is None else {}

    def refusal(self, evidence: Evidence) -> str | None:
        model = evidence.model
        if model is None:
            return "needs a model that tells classes apart, not samples alone"
        if not isinstance(model.game, Classifies):
            return f"model={model.config.model.name} tells no classes apart: use model=semi_supervised"
        return None

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        assert evidence.model is not None, "refused without a model"
        samples, whose = unseen(evidence)
        x = as_input(samples.values).contiguous()
        wrong = {
            name: mistakes(evidence.model.classify(x, averaged=averaged), samples)
            for name, averaged in {"errors": True, "errors_now": False}.items()
        }
        evidence.note(["errors", "error_rate"], f"of {len(samples):,} {whose}, by the moving average of the weights")
        evidence.note(["errors_now"], f"of {len(samples):,} {whose}, by the weights as they are")
        return {**wrong, "error_rate": wrong["errors"] / len(samples), "of_samples": len(samples)}


def mistakes(logits: torch.Tensor, samples: Samples) -> int:
    """How many samples have another label than that of the largest logit."""
    return int((logits.argmax(dim=1).numpy() != samples.labels).sum())


def unseen(evidence: Evidence) -> tuple[Samples, str]:
    """Samples whose labels the model was not told, and whose they are."""
    held_out, training, model = evidence.held_out, evidence.training, evidence.model
    if held_out is not None and len(held_out.labelled):
        data = evidence.dataset
        return held_out.with_labels(), f"pictures of split={data.test_split}" if isinstance(
            data, ImageDataset
        ) else "held-out samples"
    assert model is not None
    assert isinstance(model.game, LearnsLabels)
    rest = np.setdiff1d(training.labelled, model.game.labelled(training))
    if not len(rest):
        return training.with_labels(), "training samples, whose labels it was told"
    return training.take(rest), "training samples whose labels it was not told"
