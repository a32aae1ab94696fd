"""What is measured of a game while it trains: the samples of the same seeds each time, so that values compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gan_cli.config.asking import is_own
from gan_cli.config.library import Library
from gan_cli.data.reading import TRAINED_ON, still
from gan_cli.data.samples import as_stored
from gan_cli.games.game import Classifies, Encodes, Likelihood, parameters_of
from gan_cli.metrics.evaluation import (
    better_of,
    draw,
    judge_samples,
    judged,
    labelled,
    labels_asked,
    metrics_of,
    seeds_of,
    some,
)
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.asked import AskedExtractor, extractor_of
from gan_cli.metrics.judge import Judge
from gan_cli.metrics.kept_features import KeptFeatures
from gan_cli.training.averaged import Averaged
from gan_cli.training.setup import Setup


def evidence_of(setup: Setup, library: Library, picture: Callable[[str], Path] | None = None) -> Evidence:
    """The real samples that a training is compared with, and what is known about its game.

    Args:
        picture: name → the path of a picture that a metric may write; None: there are none.
    """
    config, training = setup.config, still(setup.dataset, setup.samples, TRAINED_ON)
    return Evidence(
        training=training,
        real=some(training, config.evaluate_count, config.seed),
        source=extractor_of(library, config.extractor),
        dataset=setup.dataset,
        judge=Judge.of(config, setup.game, setup.sampler.classes, setup.device),
        model=Averaged(setup) if isinstance(setup.game, Likelihood | Encodes | Classifies) else setup.sampler,
        planned=config.evaluate_count,
        players=parameters_of(setup.game),
        picture=picture,
        kept=KeptFeatures.beside(config.extractor),
        seed=config.seed,
        device=setup.device,
    )


class Measurements:
    """Measures ``evaluate_count`` samples with the metrics of the config, as often as it is asked.

    Raises:
        UserError: if a metric does not fit the run, or no metric has the watched value.
    """

    def __init__(self, setup: Setup, library: Library, evidence: Evidence) -> None:
        self.setup, self.config, self.evidence = setup, setup.config, evidence
        measuring = metrics_of(self.config, library, evidence)  # refused now, not after an hour
        self.metrics, self.left_out = measuring.metrics, measuring.left_out
        self.better = better_of(self.metrics, evidence)
        self._try_own()

    def _try_own(self) -> None:
        """Measures the untrained generator with metrics of your own, so that a mistake shows now, not after an hour.

        Not by ``draw``, in which other processes take part, who are not here.
        """
        every = isinstance(self.evidence.source, AskedExtractor)
        own = {name: metric for name, metric in self.metrics.items() if every or is_own(metric)}
        if not own:
            return
        sampler, training = self.setup.sampler, self.evidence.training
        count, seed = self.config.evaluate_count, self.config.seed
        labels = labels_asked(sampler, count, seed, training)
        x = sampler.decode(sampler.latents_of(seeds_of(count, seed)), labels)
        values = as_stored(x, full_depth=training.full_depth)
        self.evidence.fake = labelled(sampler, values.numpy(), labels)
        picture, self.evidence.picture = self.evidence.picture, None
        judged(self.evidence, own, chosen=True)
        self.evidence.picture, self.evidence.fake = picture, None

    def at(self, step: int) -> dict[str, float | None]:
        """The values after this step, by name; None where one is not finite.

        Raises:
            Diverged: if the samples are not finite.
        """
        if judge_samples(self.metrics):
            count, training = self.config.evaluate_count, self.evidence.training
            self.evidence.fake = draw(self.setup.sampler, count, self.config.seed, training)
        setup = self.setup
        self.evidence.judge = Judge.of(self.config, setup.game, setup.sampler.classes, setup.device, step)
        if isinstance(self.evidence.model, Averaged):
            self.evidence.model.refresh()
        return judged(self.evidence, self.metrics, chosen=True).values
