"""Metrics by label: whether samples are what they were asked for, and the distance within each class or condition."""

from __future__ import annotations

import numpy as np

from gan_cli.data.samples import Samples
from gan_cli.metrics.classes import classes_seen, needs_classes
from gan_cli.metrics.distances import frechet_distance, mean_and_covariance
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric, needs_features, needs_pictures

NAMED = 20  # classes, at most, that have values of their own


def needs_labels(evidence: Evidence) -> str | None:
    """For metrics of samples that were asked for by a label."""
    if evidence.model is None or not evidence.model.classes:
        return "needs a generator that is asked for labels: conditional=true"
    return None


class LabelAgreement(Metric):
    """Whether samples are what they were asked for, by a network that has learnt the labels from the training data.

    Of classes ``label_agreement``, the share of samples in which it sees the class that was asked for; of attributes
    the share of those that it sees there or not there as asked, the mean over attributes. ``label_error/…`` of a number
    is the mean absolute difference of what it reads and what was asked for, in the number's own unit. Its own errors
    are in these values: ``held_out`` in its provenance says how large they are.
    """

    def better(self, evidence: Evidence) -> Better:
        conditions = evidence.training.conditions
        errors: Better = {f"label_error/{c.name}": "low" for c in conditions if c.kind == "number"}
        return errors if conditions and len(errors) == len(conditions) else {"label_agreement": "high", **errors}

    def refusal(self, evidence: Evidence) -> str | None:
        if reason := needs_pictures(evidence) or needs_labels(evidence):
            return reason
        if not evidence.source.of_labels:
            return "needs an extractor that has learnt the labels of this dataset: use extractor=classifier"
        if not evidence.training.conditions:
            return needs_classes(evidence)
        if reason := evidence.extractor.refusal(evidence.training):
            return reason
        return (
            None if evidence.source.tells_conditions else "needs a network that reads conditions: extractor=classifier"
        )

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        drawn, training = evidence.drawn, evidence.training
        assert drawn.labels is not None
        if not training.conditions:
            right = classes_seen(evidence) == drawn.labels
            found = {"label_agreement": float(right.mean())}
            if training.classes <= NAMED:
                for name, rows in groups(drawn, training).items():
                    found[f"label_agreement/{name}"] = float(right[rows].mean())
            return found
        told, found = evidence.extractor.conditions(drawn.values), {}
        for i, condition in enumerate(training.conditions):
            asked, read = drawn.labels[:, i], told[:, i]
            if condition.kind == "number":
                found[f"label_error/{condition.name}"] = float(np.abs(read - asked).mean() * condition.scale)
            else:
                found[f"label_agreement/{condition.name}"] = float(((read > 0) == (asked > 0.5)).mean())
        shares = [value for name, value in found.items() if name.startswith("label_agreement/")]
        return {**({"label_agreement": float(np.mean(shares))} if shares else {}), **found}


class FrechetByLabel(Metric):
    """The Fréchet distance within each label: of the real and the generated samples of a class, of those with and
    without an attribute, and of those below and above the mean of a number.

    ``frechet_by_label`` is the mean. Fewer samples are in each part than in all, so that values are larger than those
    of ``frechet``; a part with too few of them is left out, and said.
    """

    def better(self, evidence: Evidence) -> Better:
        return {"frechet_by_label": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        if reason := needs_labels(evidence) or needs_features(evidence):
            return reason
        parts, least = 2 if evidence.training.conditions else evidence.training.classes, evidence.width + 1
        if parts > NAMED:
            return f"is of {NAMED} classes at most, and there are {parts:,}"
        if evidence.count >= least * parts:
            return None
        return (
            f"needs {least} samples of each label, about {least * parts:,} real and as many generated, and there are "
            f"{evidence.count:,}: give more"
        )

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = evidence.pair
        found: dict[str, float] = {}
        apart = groups(evidence.drawn, evidence.training)
        for name, rows in groups(evidence.real, evidence.training).items():
            ours, theirs = real[rows], fake[apart[name]] if name in apart else fake[:0]
            if min(len(ours), len(theirs)) <= real.shape[1]:
                evidence.say(
                    f"frechet_by_label/{name} is left out: {len(ours)} real and {len(theirs)} generated samples, and "
                    f"{real.shape[1]} features"
                )
                continue
            found[f"frechet_by_label/{name}"] = frechet_distance(
                *mean_and_covariance(ours), *mean_and_covariance(theirs)
            )
        return {"frechet_by_label": float(np.mean([*found.values()])) if found else float("nan"), **found}


def groups(samples: Samples, training: Samples) -> dict[str, np.ndarray]:
    """The rows of each class, of each value of an attribute, and of each half of a number: bool (N,) by name."""
    labels = samples.labels
    assert labels is not None
    if not training.conditions:
        names = training.names or tuple(map(str, range(training.classes)))
        every = {name: labels == i for i, name in enumerate(names)}
        return {name: rows for name, rows in every.items() if rows.any()}
    found: dict[str, np.ndarray] = {}
    for i, condition in enumerate(training.conditions):
        if condition.kind == "attribute":
            found |= {condition.name: labels[:, i] > 0.5, f"no {condition.name}": labels[:, i] <= 0.5}
        else:
            middle = f"{condition.mean:.3g}"
            found |= {f"{condition.name}<{middle}": labels[:, i] < 0, f"{condition.name}>{middle}": labels[:, i] >= 0}
    return found
