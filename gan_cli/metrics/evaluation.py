"""Measures samples, for ``gan-eval`` and for evaluations during a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from inspect import getmembers
from typing import SupportsFloat

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.asking import asked, is_own, kind, method
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.conditions import spaced
from gan_cli.data.samples import Samples, as_stored
from gan_cli.distributed import as_in_first, shared_out
from gan_cli.errors import Diverged, UserError
from gan_cli.games.sampler import Sampler
from gan_cli.metrics.evidence import Evidence, Unseen
from gan_cli.metrics.metric import METRICS, Better, Measure, Metric, Refuses
from gan_cli.output import screen


@dataclass(frozen=True)
class Measuring:
    """What a run measures.

    Attributes:
        metrics: by name.
        left_out: why metrics are left out, by name.
    """

    metrics: dict[str, Measure]
    left_out: dict[str, str]


def metrics_of(config: Config, library: Library, evidence: Evidence) -> Measuring:
    """The metrics of a run: those that fit it, if ``unfit_metrics=leave_out``, else all.

    Raises:
        UserError: if no metric has the watched value, or a metric does not fit the data and must. An ``Outline`` does
            not show every misfit; the others are found when the data are there.
    """
    metrics = {name: library.build(METRICS, choice) for name, choice in config.metrics.items()}
    for name, metric in metrics.items():
        method(metric, f"metrics={name}", "__call__", "evidence", evidence)
    _require_watched(config.watch, metrics, evidence)  # before an extractor is made ready
    left_out: dict[str, str] = {}
    for name, metric in metrics.items():
        with suppress(Unseen):
            if reason := refusal(metric, evidence):
                left_out[name] = reason
    if left_out and config.unfit_metrics == "refuse":
        raise UserError(*(f"metrics={name}: {reason}" for name, reason in left_out.items()))
    metrics = {name: metric for name, metric in metrics.items() if name not in left_out}
    _require_watched(config.watch, metrics, evidence)
    return Measuring(metrics, left_out)


def _require_watched(watched: str | None, metrics: Mapping[str, Measure], evidence: Evidence) -> None:
    """Raises a UserError if no metric has the watched value."""
    if watched is not None and watched not in (better := better_of(metrics, evidence)):
        raise UserError(
            f"watch={watched}: metrics=[{','.join(metrics)}] has no such value to watch: "
            f"choose one of: {', '.join(better) or 'none of them has any'}"
        )


def better_of(metrics: Mapping[str, Measure], evidence: Evidence) -> Better:
    """The values of all these metrics that can be watched, and which way is better.

    Raises:
        UserError: if a metric of your own says anything but ``low`` or ``high`` by name.
    """
    found: Better = {}
    for name, metric in metrics.items():
        who = f"metrics={name}: better"
        with asked(who) if is_own(metric) else nullcontext():
            said = dict(watchable(metric, evidence))
        for key, way in said.items():
            if not isinstance(key, str) or way not in ("low", "high"):
                raise UserError(f"{who}: says {key!r}: {way!r}: say 'low' or 'high' by name, {{'{name}': 'low'}}")
            found[key] = way
    return found


def watchable(metric: Measure, evidence: Evidence) -> Better:
    """The values of a metric that can be watched, and which way is better: what its ``better`` is or returns."""
    better = dict(getmembers(metric)).get("better", {})
    return better(evidence) if callable(better) else better


def refusal(metric: Measure, evidence: Evidence) -> str | None:
    """Why a metric cannot judge these samples; None if it can, or does not say."""
    return metric.refusal(evidence) if isinstance(metric, Refuses) else None


def judge_samples(metrics: Mapping[str, Measure]) -> bool:
    """Whether any of these metrics looks at generated samples, which may take long to draw."""
    return any(not isinstance(metric, Metric) or metric.judges_samples for metric in metrics.values())


@dataclass
class Findings:
    """What has been measured so far.

    Attributes:
        values: by name; None if not finite.
        left_out: why the other metrics have no values, by name.
    """

    values: dict[str, float | None] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def judged(
    evidence: Evidence, metrics: Mapping[str, Measure], *, chosen: bool, into: Findings | None = None
) -> Findings:
    """Measures.

    Args:
        chosen: whether the user asked for these metrics by name, so that none may be left out.
        into: where each finding goes as soon as it is there, for a caller that may be interrupted.

    Raises:
        UserError: naming the first chosen metric that cannot judge these samples.
    """
    found = Findings() if into is None else into
    found.left_out |= dict.fromkeys(metrics, "interrupted")
    with screen.progress("metrics", len(metrics)) as advance:
        for name, metric in metrics.items():
            reason = refusal(metric, evidence)
            if reason and chosen:
                raise UserError(f"metrics={name}: {reason}")
            if reason:
                found.left_out[name] = reason
            else:
                found.values |= measured(metric, name, evidence)
                del found.left_out[name]
            advance()
    return found


def measured(metric: Measure, name: str, evidence: Evidence) -> dict[str, float | None]:
    """The values of one metric; None where a value is not finite.

    Raises:
        UserError: if a metric of your own fails, or returns anything but numbers by name.
    """
    who = f"metrics={name}"
    with asked(f"{who}: the metric") if is_own(metric) else nullcontext():
        found = method(metric, who, "__call__", "evidence", evidence)(evidence)
    if not isinstance(found, Mapping):
        raise UserError(f"{who}: returned {kind(found)}: return numbers by name, such as {{'{name}': 0.5}}")
    values: dict[str, float | None] = {}
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, SupportsFloat) or isinstance(value, str):
            raise UserError(f"{who}: returned {key!r}: {kind(value)}: return numbers by name")
        with asked(f"{who}: {key}, {kind(value)}, which should be a number,"):
            values[key] = float(value) if math.isfinite(value) else None
    if evidence.shown and (not isinstance(metric, Metric) or metric.of_data):
        evidence.kinds = dict.fromkeys(values, f"of binary pictures, {evidence.shown}") | evidence.kinds
    return values


def some(samples: Samples, count: int, seed: int) -> Samples:
    """At most ``count`` of them, chosen by the seed."""
    if len(samples) <= count:
        return samples
    return samples.take(np.sort(np.random.default_rng(seed).choice(len(samples), count, replace=False)))


def draw(sampler: Sampler, count: int, seed: int, training: Samples, batch_size: int = 256) -> Samples:
    """``count`` samples as the training data are stored: of the latents of ``seeds_of(count, seed)``, each with the
    label that ``labels_asked`` says.

    Raises:
        Diverged: if they are not finite.
    """
    labels = labels_asked(sampler, count, seed, training)
    parts = decoded_batches(sampler, count, seed, labels, batch_size, full_depth=training.full_depth)
    if not all(part.isfinite().all() for part in parts):
        raise Diverged("the generator's samples are not finite")
    return labelled(sampler, np.concatenate([part.numpy() for part in parts]), labels)


def labels_asked(sampler: Sampler, count: int, seed: int, training: Samples) -> Tensor | None:
    """The labels that an evaluation asks for: classes in the shares that the training data have them in.

    Where all classes have equally many samples, and of conditions, whose rows are in their shares, these are the labels
    of ``seeds_of(count, seed)``. None unless the generator is conditional.
    """
    if not sampler.classes or sampler.conditions is not None:
        return sampler.labels_of(seeds_of(count, seed))
    assert training.labels is not None, "a generator that is told classes has learnt them"
    there = np.bincount(training.labels, minlength=sampler.classes)
    if (there == there[0]).all():
        return sampler.labels_of(seeds_of(count, seed))
    labels = np.searchsorted(there.cumsum(), spaced(len(training), count), side="right")
    return torch.from_numpy(np.random.default_rng(0).permutation(labels))


def labelled(sampler: Sampler, values: np.ndarray, labels: Tensor | None) -> Samples:
    """What a sampler has drawn for these labels."""
    columns = sampler.conditions.columns if sampler.conditions else ()
    return Samples(values, None if labels is None else labels.numpy(), conditions=columns)


def seeds_of(count: int, seed: int) -> range:
    """The seeds of the pictures that evaluation ``seed`` judges; evaluations with other seeds share none of them."""
    return range(seed * count, (seed + 1) * count)


def decoded_batches(
    sampler: Sampler, count: int, seed: int, labels: Tensor | None, batch_size: int = 256, *, full_depth: bool
) -> list[Tensor]:
    """The samples of ``draw`` in batches, as a dataset stores them; float32 where they are not finite.

    Processes that train together all call this and share the work; only the first gets the result.
    """
    latents = sampler.latents_of(seeds_of(count, seed))
    as_in_first(sampler.network)

    def decode(batch: int) -> Tensor:
        part = slice(batch * batch_size, (batch + 1) * batch_size)
        x = sampler.decode(latents[part], None if labels is None else labels[part], batch_size)
        return as_stored(x, full_depth=full_depth) if x.isfinite().all() else x

    return shared_out(-(-count // batch_size), decode)


def provenance(evidence: Evidence, extractor: str) -> dict[str, object]:
    """What a reader must know to compare the values: samples, data, seed and extractor."""
    facts: dict[str, object] = {
        "samples": evidence.generated,
        "real_samples": len(evidence.real),
        "data": evidence.real.fingerprint(),
        "seed": evidence.seed,
    }
    if "held_out" in vars(evidence) and evidence.held_out is not None:  # not loaded for this
        facts["held_out_samples"] = len(evidence.held_out)
    if evidence.is_image and "extractor" in vars(evidence):  # not prepared for this
        facts["extractor"] = {"name": extractor, **evidence.extractor.provenance()}
    return facts
