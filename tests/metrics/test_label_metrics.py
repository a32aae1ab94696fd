"""Metrics by label: what samples were asked for and what they are; distances within classes and conditions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_cli.config.library import Library
from gan_cli.data.conditions import standardised
from gan_cli.data.samples import Samples
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.classifier import Classifier
from gan_cli.metrics.extractors.extractor import Extractor

LIBRARY = Library()


class Reads(Extractor):
    """Reads the class, or a bright attribute and a number, off the first pixels."""

    tells_classes = tells_conditions = True

    def features(self, values):
        return values.reshape(len(values), -1)[:, :2].astype(np.float32)

    def probabilities(self, values):
        return np.eye(2, dtype=np.float32)[(values[:, 0, 0, 0] > 100).astype(int)]

    def conditions(self, values):
        return np.stack([values[:, 0, 0, 0] - 100.5, values[:, 0, 0, 1] / 10.0], axis=1).astype(np.float32)


def evidence(training: Samples, fake: Samples, asked: bool = True) -> Evidence:
    made = Evidence(training, training, Reads(), fake=fake, model=SimpleNamespace(classes=int(asked)))
    made.extractor = made.source
    return made


def pictures(first: list[int], second: list[int]) -> np.ndarray:
    values = np.zeros((len(first), 1, 4, 4), np.uint8)
    values[:, 0, 0, 0], values[:, 0, 0, 1] = first, second
    return values


def test_agreement_of_classes_is_the_share_that_is_what_was_asked_for():
    training = Samples(pictures([0, 200], [0, 0]), np.array([0, 1]), ("dark", "light"))
    fake = Samples(pictures([0, 0, 200, 0], [0] * 4), np.array([0, 1, 1, 1]), classes=2)
    found = LIBRARY.build_by_name("metrics", "label_agreement")(evidence(training, fake))
    assert found == {
        "label_agreement": 0.5,
        "label_agreement/dark": 1.0,
        "label_agreement/light": pytest.approx(1 / 3),
    }


def test_agreement_of_stacks_is_of_all_their_digits():
    class ReadsDigits(Reads):
        def probabilities(self, values):
            return np.eye(10, dtype=np.float32)[values[:, :, 0, 0]]  # of each channel

    values = np.zeros((4, 3, 4, 4), np.uint8)
    values[:, :, 0, 0] = [[1, 2, 3], [0, 0, 7], [9, 9, 9], [4, 5, 6]]
    known = Samples(values, np.array([123, 7, 998, 456]), classes=1000)
    given = evidence(known, known)
    given.extractor = ReadsDigits()
    assert LIBRARY.build_by_name("metrics", "label_agreement")(given) == {"label_agreement": 0.75}


def test_agreement_of_attributes_and_the_error_of_numbers_in_their_unit():
    labels, conditions = standardised(np.array([[0, 10], [1, 30]]), ("light", "angle"), ("attribute", "number"))
    training = Samples(pictures([0, 200], [0, 0]), labels, conditions=conditions)  # 20 ± 10
    asked = np.float32([[1, 0], [1, 1], [0, -1]])
    fake = Samples(pictures([200, 0, 0], [0, 15, 0]), asked, conditions=conditions)
    metric = LIBRARY.build_by_name("metrics", "label_agreement")
    assert metric.better(evidence(training, fake)) == {"label_agreement": "high", "label_error/angle": "low"}
    found = metric(evidence(training, fake))
    assert found["label_agreement"] == found["label_agreement/light"] == pytest.approx(2 / 3)
    assert found["label_error/angle"] == pytest.approx((0 + 5 + 10) / 3)
    assert "conditional=true" in metric.refusal(evidence(training, fake, asked=False))


def test_distances_within_labels_see_what_the_whole_does_not():
    generator = np.random.default_rng(0)
    labels = np.arange(400) % 2
    place = np.where(labels, 200, 50) + generator.integers(-9, 9, 400)
    training = Samples(pictures(place, generator.integers(0, 50, 400)), labels)
    swapped = Samples(training.values[::-1].copy(), labels)  # each class holds the pictures of the other
    apart = LIBRARY.build_by_name("metrics", "frechet_by_label")(evidence(training, swapped))
    together = LIBRARY.build_by_name("metrics", "frechet")(evidence(training, swapped))
    assert together["frechet"] == pytest.approx(0, abs=1e-6)
    assert apart["frechet_by_label"] == pytest.approx(150**2, rel=0.03)
    assert apart.keys() == {"frechet_by_label", "frechet_by_label/0", "frechet_by_label/1"}


def test_a_class_that_nobody_was_asked_for_is_left_out_and_said(caplog):
    generator = np.random.default_rng(0)
    labels = np.append(np.arange(40) % 2, 2)
    training = Samples(pictures(generator.integers(0, 200, 41), generator.integers(0, 50, 41)), labels)
    fake = training.take(slice(40))
    with caplog.at_level("INFO"):
        found = LIBRARY.build_by_name("metrics", "frechet_by_label")(evidence(training, fake))
    assert found.keys() == {"frechet_by_label", "frechet_by_label/0", "frechet_by_label/1"}
    assert "frechet_by_label/2 is left out: 1 real and 0 generated samples" in caplog.text


def test_the_classifier_learns_conditions_too(tmp_path):
    generator = np.random.default_rng(0)
    truth = np.stack([generator.integers(0, 2, 600), generator.uniform(0, 90, 600)], axis=1)
    values = np.zeros((600, 1, 8, 8), np.uint8)
    values[:, 0, :, :4], values[:, 0, :, 4:] = (200 * truth[:, :1, None]), (2 * truth[:, 1:, None])
    labels, conditions = standardised(truth, ("light", "angle"), ("attribute", "number"))
    samples = Samples(values, labels, conditions=conditions)
    judge = Classifier(str(tmp_path), seed=0, epochs=15)
    judge.prepare(samples.take(slice(500)), lambda: samples.take(slice(500, None)), torch.device("cpu"))
    assert judge.errors["light"] > 0.99
    assert judge.errors["angle"] < 5
    assert judge.provenance()["held_out"] == judge.errors
