"""What ``gan-eval`` judges: a checkpoint, or two folders of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_cli.commands.tool import OF_FOLDERS, DataPlace, Evaluation
from gan_cli.config.library import Library
from gan_cli.config.options import Choice
from gan_cli.config.paths import expanded, named
from gan_cli.config.schema import from_saved
from gan_cli.data.folder import ImageFolder
from gan_cli.data.identity import trained_on
from gan_cli.data.knows import DATASET
from gan_cli.data.reading import TRAINED_ON, still
from gan_cli.data.samples import Samples
from gan_cli.data.sizes import sides_of
from gan_cli.errors import UserError
from gan_cli.games.game import parameters_of
from gan_cli.metrics.evaluation import draw, seeds_of, some
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.asked import extractor_of
from gan_cli.metrics.judge import Judge
from gan_cli.metrics.kept_features import KeptFeatures
from gan_cli.runs import checkpoint
from gan_cli.runs.loading import rebuilt
from gan_cli.runs.places import require_place
from gan_cli.runs.weights import of_checkpoint as weights_of
from gan_cli.training.devices import pick_device
from gan_cli.training.fits import require_state
from gan_cli.training.fitting import check_trained

Facts = dict[str, object]  # what the JSON file of an evaluation holds beside the values
USUAL = {"range": None, "fit": "crop", "background": "white", "depth": 8}  # if nothing is said


def of_checkpoint(config: Evaluation, library: Library, *, draws: bool) -> tuple[Evidence, Facts, Path]:
    """Evidence of a checkpoint: its training data, samples and discriminator; provenance; a path for the JSON file.

    Args:
        draws: whether a metric looks at samples.
    """
    folder, path, state = checkpoint.find(str(config.checkpoint), "checkpoint")
    trained, device = from_saved(state["config"], library), pick_device(config.device)
    typed = [f"dataset.{key}" for key, value in config.dataset.model_dump().items() if value is not None]
    require_place("dataset", trained.dataset, library, typed, "checkpoint")
    require_state(trained, library, state, f"checkpoint={path}")
    dataset = library.build(DATASET, _placed(trained.dataset, config.dataset))
    training = trained_on(dataset, trained.dataset.name, state["data"])
    weights = weights_of(folder, state, config.ema)
    game, sampler = rebuilt(weights, trained, library, device, f"checkpoint={path}")
    check_trained(sampler, weights.shape, game)
    training = still(dataset, training, TRAINED_ON)
    evidence = Evidence(
        training=training,
        real=training,
        source=extractor_of(library, config.extractor),
        kept=KeptFeatures.beside(config.extractor),
        dataset=dataset,
        judge=Judge.of(trained, game, sampler.classes, device, state["step"]),
        model=sampler,
        players=parameters_of(game),
        seed=config.seed,
        device=device,
    )
    if config.split == "test":
        if evidence.held_out is None:
            raise UserError(f"split=test: dataset={trained.dataset.name} has no test split here: use split=train")
        evidence.real = evidence.held_out
    evidence.real = some(evidence.real, config.count, config.seed)
    if draws:
        evidence.fake = draw(sampler, config.count, config.seed, training, config.batch_size)
    seeds = seeds_of(config.count, config.seed)
    facts: Facts = {
        "checkpoint": str(path),
        "checkpoint_hash": checkpoint.hash_of(path),
        "step": state["step"],
        "ema": weights.ema,
        "sample_seeds": f"{seeds[0]}-{seeds[-1]}" if draws else "none drawn",
        "dataset": trained.dataset.model_dump(),
        "split": config.split,
    }
    return evidence, facts, folder / f"evaluation-{path.stem}.json"


def _placed(dataset: Choice, place: DataPlace) -> Choice:
    """The dataset's options with the present location of the data."""
    typed = {key: value for key, value in place.model_dump().items() if value is not None}
    for key in typed:
        if key not in type(dataset).model_fields:
            raise UserError(f"dataset.{key}={typed[key]}: dataset={dataset.name} has no such key: leave it out")
    return dataset.model_copy(update=typed)


def of_folders(config: Evaluation, library: Library) -> tuple[Evidence, Facts, Path]:
    """Evidence of two folders or zips of pictures, resized to one size; provenance; a path for the JSON file."""
    listed: dict[str, ImageFolder] = {}
    for key, path in {"real": config.real, "samples": config.samples}.items():
        options: dict[str, object] = {"path": path, "split": "all", **{key: vars(config)[key] for key in OF_FOLDERS}}
        with _said_of(key):
            folder = library.build_by_name(DATASET, "image_folder", **options)
            assert isinstance(folder, ImageFolder)
            listed[key] = folder
            _ = folder.chosen  # what is wrong with either is said before a picture is decoded
    _require_apart(listed["real"], listed["samples"])
    sets: list[Samples] = []
    for key, folder in listed.items():
        with _said_of(key):
            sets.append(folder.load())
    evidence = Evidence(
        training=sets[0],
        real=some(sets[0], config.count, config.seed),
        source=extractor_of(library, config.extractor),
        kept=KeptFeatures.beside(config.extractor),
        fake=some(sets[1], config.count, config.seed + 1),
        seed=config.seed,
        device=pick_device(config.device),
    )
    facts: Facts = {"real_folder": config.real, "samples_folder": config.samples, "channels": config.channels}
    for key in ("range", "fit", "background", "depth"):
        if vars(config)[key] != USUAL[key]:
            facts[key] = vars(config)[key]
    height, width = sides_of(config.size)
    what = "centre square" if height == width and config.fit == "crop" else config.fit
    facts["size"] = f"{what}, Lanczos to {height} × {width}"
    place = named(expanded(str(config.samples), "samples="))
    return evidence, facts, place.with_name(f"{place.name.lstrip('.') or 'pictures'}-evaluation.json")


def _require_apart(real: ImageFolder, samples: ImageFolder) -> None:
    """Raises a UserError if one folder lies in the other and its pictures are pictures of both."""
    for inner, one, outer, other in (("samples", samples, "real", real), ("real", real, "samples", samples)):
        place, around = one.source.resolve(), other.source.resolve()
        if around in place.parents and any((around / file.name).is_relative_to(place) for file in other.chosen):
            raise UserError(
                f"{inner}={one.path}: lies in {outer}={other.path}, which would hold its pictures too: move one out"
            )


@contextmanager
def _said_of(key: str) -> Iterator[None]:
    """Errors about a dataset are in the keys of ``gan-eval``."""
    try:
        yield
    except UserError as error:
        raise UserError(
            *(line.replace("dataset.path", key).replace("dataset.", "") for line in error.problems)
        ) from error
