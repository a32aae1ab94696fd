"""The data of a run, and the extractor that has learnt from them: for what only they can tell of samples."""

from __future__ import annotations

from gan_cli.config.library import Library
from gan_cli.data.identity import trained_on
from gan_cli.data.knows import DATASET, Dataset
from gan_cli.data.reading import TRAINED_ON, load, still
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.asked import extractor_of
from gan_cli.metrics.extractors.extractor import Extractor
from gan_cli.runs.loading import Trained
from gan_cli.runs.places import require_place


def data_of(found: Trained, library: Library) -> tuple[Dataset, Samples]:
    """The run's dataset, and the samples that it was trained on.

    Raises:
        UserError: if they cannot be had here, or others lie in their place; an exported file cannot tell.
    """
    choice, then = found.sampler.config.dataset, found.weights.data
    dataset = library.build(DATASET, choice)
    return dataset, load(dataset, choice.name) if then is None else trained_on(dataset, choice.name, then)


def evidence_of(key: str, found: Trained, library: Library) -> Evidence:
    """The run's data, as they are shown to judges, and its extractor, which is prepared when it is first asked for.

    Args:
        key: ``features=extractor``, for error messages.

    Raises:
        UserError: if the data cannot be had here.
    """
    run = found.sampler.config
    try:
        require_place("dataset", run.dataset, library, (), "checkpoint")
        dataset, training = data_of(found, library)
        training = still(dataset, training, TRAINED_ON)
        source = extractor_of(library, run.extractor)
    except UserError as error:
        raise UserError(*(f"{key}: needs the run's data: {line}" for line in error.problems)) from error
    return Evidence(training, training, source, dataset, device=found.sampler.device)


def prepared(key: str, evidence: Evidence, found: Trained, library: Library) -> Extractor:
    """The extractor, ready to use.

    Raises:
        UserError: if it cannot be used with the data, or would be kept where nobody said.
    """
    choice = found.sampler.config.extractor
    require_place("extractor", choice, library, (), "checkpoint")
    if (why := evidence.source.refusal(evidence.training)) is not None:
        raise UserError(f"{key}: extractor={choice.name} {why}")
    return evidence.extractor
