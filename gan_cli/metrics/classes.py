"""Metrics of the classes that an extractor sees in pictures, and of the modes that points fall into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_cli.data.knows import KnowsModes, Stacks
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric, needs_pictures, needs_samples


@dataclass(frozen=True, kw_only=True)
class InceptionScore(Metric):
    """exp E KL(p(y|x) ‖ p(y)) (Salimans et al. 2016), mean and standard deviation over splits.

    Only with Inception's probabilities is it the published score; of another classifier, with K classes, it goes up
    to K.
    """

    splits: int

    def better(self, evidence: Evidence) -> Better:
        return {"inception_score": "high"}

    def refusal(self, evidence: Evidence) -> str | None:
        if isinstance(evidence.dataset, Stacks):
            return "needs pictures of one class each, not stacks"
        return needs_pictures(evidence) or needs_classes(evidence) or needs_samples(evidence, self.splits)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        probabilities = evidence.extractor.probabilities(evidence.drawn.values).astype(np.float64)
        order = evidence.generator("inception_score").permutation(len(probabilities))  # a folder is sorted by class
        scores = [inception_score(part) for part in np.array_split(probabilities[order], self.splits)]
        return {"inception_score": float(np.mean(scores)), "inception_score_deviation": float(np.std(scores))}


def inception_score(probabilities: np.ndarray) -> float:
    """exp of the mutual information of picture and class, from p(y|x) (N, K)."""
    marginal = probabilities.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(probabilities > 0, np.log(probabilities) - np.log(marginal), 0.0)
    return float(np.exp((probabilities * ratio).sum(axis=1).mean()))


class Modes(Metric):
    """The modes that the samples fall into, compared with the shares that they should have.

    Points of a mixture: PacGAN's count of modes and high-quality share (Lin et al. 2018, section 4.1), and KL of the
    histogram of nearest modes of the high-quality points. Pictures: modes are the classes the extractor sees; of
    stacks, those of their channels together, which should be equally frequent (Metz et al. 2017). A class without a
    picture among the training data is no mode. ``class_share/…`` are given for up to 20 classes.
    ``mode_kl`` is KL(samples ‖ data) in nats; few samples alone make it about (modes − 1) / (2 · samples).
    """

    def better(self, evidence: Evidence) -> Better:
        both: Better = {"modes": "high", "mode_kl": "low"}
        return both if evidence.is_image else {**both, "high_quality": "high"}

    def refusal(self, evidence: Evidence) -> str | None:
        if not evidence.is_image:
            return None if isinstance(evidence.dataset, KnowsModes) else "needs a mixture, whose modes are known"
        if evidence.training.classes < 2:
            return "needs labelled pictures"
        if not evidence.source.tells_classes or not evidence.source.of_labels:
            return "needs an extractor that has learnt the labels of this dataset: use extractor=classifier"
        return needs_classes(evidence)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        if not evidence.is_image:
            points, dataset = evidence.drawn.values, evidence.dataset
            assert isinstance(dataset, KnowsModes)
            return {**dataset.quality(points), "mode_kl": kl_of_counts(dataset.mode_counts(points), dataset.shares)}
        training = evidence.training
        assert training.labels is not None
        if isinstance(evidence.dataset, Stacks):
            classes = 10 ** evidence.drawn.values.shape[1]
            shares = np.ones(classes)
        else:
            classes = training.classes
            shares = np.bincount(training.labels[training.labelled], minlength=classes)
        counts = np.bincount(classes_seen(evidence), minlength=classes)
        keys = [f"class_share/{name}" for name in training.names or range(classes)]
        return {
            "modes": int(((counts > 0) & (shares > 0)).sum()),
            "of_modes": int((shares > 0).sum()),
            "mode_kl": kl_of_counts(counts, shares),
            **(dict(zip(keys, (counts / counts.sum()).tolist(), strict=True)) if classes <= 20 else {}),
        }


def classes_seen(evidence: Evidence) -> np.ndarray:
    """The class that the extractor sees in each generated picture, int64 (N,); of stacks, that of all channels."""
    seen = evidence.extractor.probabilities(evidence.drawn.values).argmax(axis=-1)
    return seen if seen.ndim == 1 else seen @ 10 ** np.arange(seen.shape[1])[::-1]


def kl_of_counts(counts: np.ndarray, shares: np.ndarray) -> float:
    """KL(counts ‖ shares) in nats, of two histograms (K,), both normalised to sum 1."""
    p, q = counts / max(1, counts.sum()), shares / shares.sum()
    if not counts.sum() or (p[q == 0] > 0).any():
        return float("inf")
    found = p > 0
    return float((p[found] * np.log(p[found] / q[found])).sum())


def needs_classes(evidence: Evidence) -> str | None:
    """For metrics of the classes of pictures."""
    extractor = evidence.extractor
    told = extractor.tells_classes and not (extractor.of_labels and evidence.training.conditions)
    if not extractor.refusal(evidence.real) and told:
        return None
    labelled = "classifier or " if evidence.real.classes > 1 else ""
    return f"needs an extractor that tells kinds apart: use extractor={labelled}inception"
