"""``gan-eval``: metrics of a checkpoint, or of two folders of pictures."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from gan_cli.commands.tool import OF_FOLDERS, DataPlace, Evaluation
from gan_cli.config.library import Library
from gan_cli.config.options import Choice
from gan_cli.config.paths import expanded, named, says_folder
from gan_cli.config.schema import from_saved
from gan_cli.data.conditions import columns_in
from gan_cli.data.folder import ImageFolder
from gan_cli.data.identity import trained_on
from gan_cli.data.knows import DATASET
from gan_cli.data.reading import TRAINED_ON, still
from gan_cli.data.samples import Samples
from gan_cli.data.sizes import sides_of
from gan_cli.errors import UserError
from gan_cli.games.game import parameters_of
from gan_cli.games.sampler import Sampler
from gan_cli.memory import enough
from gan_cli.metrics.evaluation import Findings, draw, judge_samples, judged, provenance, seeds_of, some
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.asked import extractor_of
from gan_cli.metrics.judge import Judge
from gan_cli.metrics.kept_features import KeptFeatures
from gan_cli.metrics.metric import METRICS
from gan_cli.output import screen
from gan_cli.output.replacing import replacing
from gan_cli.output.text import printable
from gan_cli.runs import checkpoint
from gan_cli.runs.loading import fill
from gan_cli.runs.places import require_place
from gan_cli.runs.weights import of_checkpoint
from gan_cli.training.build import game_of, pick_device, prior_of
from gan_cli.training.fits import require_state
from gan_cli.training.fitting import check_trained
from gan_cli.version import __version__

log = logging.getLogger(__name__)
USUAL = {
    "range": None,
    "fit": "crop",
    "background": "white",
    "depth": 8,
}  # if nothing is said
Facts = dict[str, object]  # what the JSON file holds beside the values


class Measured(NamedTuple):
    """What an evaluation has found: values by name, why other metrics were left out, facts about it, its JSON file."""

    values: dict[str, float | None]
    left_out: dict[str, str]
    facts: Facts
    path: Path


def run(config: Evaluation, library: Library) -> None:
    """Prints the table and writes the JSON file."""
    found = measure(config, library)
    _print(found.values, found.left_out, found.facts)
    log.info("written: %s", found.path)


def measure(config: Evaluation, library: Library) -> Measured:
    """Measures, and writes the JSON file.

    Raises:
        UserError: if the data or the checkpoint cannot be read or do not fit into memory, or a chosen metric does not
            fit them.
    """
    with enough(f"count={config.count}", "use a smaller count or batch_size"):
        return _measured(config, library)


def _measured(config: Evaluation, library: Library) -> Measured:
    logging.basicConfig(level=logging.INFO, handlers=[screen.handler()])
    if config.out:
        _writable(expanded(config.out, "out="))
    choices = config.metrics or {name: library.choice("metrics", name) for name in library.options("metrics")}
    metrics = {name: library.build(METRICS, choice) for name, choice in choices.items()}
    if config.checkpoint:
        evidence, facts, default = _of_checkpoint(config, library, draws=judge_samples(metrics))
    else:
        evidence, facts, default = _of_folders(config, library)
    options = {name: choice.keywords() for name, choice in choices.items()}
    path = _path(config, default, options)
    _writable(path)
    evidence.picture = lambda name: path.with_name(f"{path.stem}-{name}.png")
    found = Findings()
    try:
        judged(evidence, metrics, chosen=bool(config.metrics), into=found)
    except KeyboardInterrupt:
        if found.values:
            _print(found.values, found.left_out, facts)
        raise
    values, left_out = found.values, found.left_out
    facts |= provenance(evidence, config.extractor.name)
    if evidence.judge is not None and "D_accuracy/generated" in values:
        described = evidence.judge.described(evidence.training.shape)
        if facts["ema"]:
            described["opponent"] = "G's moving average, which D has not met: ema=false has the one it met"
        facts["discriminator"] = described
    if evidence.notes:
        facts["notes"] = evidence.notes
    if evidence.kinds:
        facts["kinds"] = evidence.kinds
    facts["options"] = {name: options[name] for name in metrics if name not in left_out}
    facts |= {"program": f"gan-cli {__version__}", "date": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    _write({"metrics": values, "left_out": left_out, **facts}, path)  # before anything is shown
    return Measured(values, left_out, facts, path)


def _path(config: Evaluation, default: Path, options: Mapping[str, object]) -> Path:
    """The path of the JSON file; different metrics and options give different files."""
    out = expanded(config.out, "out=") if config.out else default.parent
    if config.out and not says_folder(config.out):
        return out
    asked = [
        options,
        config.model_dump(exclude={"metrics", "out", "device", "batch_size"}),
        config.extractor.keywords(),
    ]
    digest = hashlib.blake2b(json.dumps(asked, default=str).encode(), digest_size=3).hexdigest()
    return out / f"{default.stem}-{digest}.json"


def _of_checkpoint(config: Evaluation, library: Library, *, draws: bool) -> tuple[Evidence, Facts, Path]:
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
    shape, classes = training.shape, columns_in(state["classes"], state["data"])
    game = game_of(trained, library, shape, classes, device)
    weights = of_checkpoint(folder, state, config.ema)
    fill(game, weights, f"checkpoint={path}")
    prior = prior_of(game, trained, library)
    sampler = Sampler(
        game.networks[game.sampler],
        prior,
        trained,
        classes,
        device,
        training.names,
        game,
        training.known,
        training.fields,
    )
    check_trained(sampler, shape, game)
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


def _of_folders(config: Evaluation, library: Library) -> tuple[Evidence, Facts, Path]:
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


def _writable(path: Path) -> None:
    """Raises UserError if ``path`` cannot be written, before anything is measured; makes no file or folder."""
    nearest = path.absolute() if path.is_dir() else next(place for place in path.absolute().parents if place.exists())
    try:
        with TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"out={path}: cannot be written ({error.strerror}): choose another file")


def _write(content: Facts, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as aside:
            aside.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _print(values: dict[str, float | None], left_out: dict[str, str], facts: Facts) -> None:
    console = screen.console(stderr=False)
    described, notes = facts.get("discriminator"), facts.get("notes")
    asked = str(described["asked"]).partition(",")[0] if isinstance(described, dict) else ""
    table, above = Table("metric", "value", "", box=None), ""
    for name, value in values.items():
        told = [str(notes[name])] if isinstance(notes, dict) and name in notes else []
        told += [asked] if asked and (name.startswith("D_") or name == "jsd_bound") else []
        note = ", ".join(told)
        shown, above = note if note != above else "", note
        table.add_row(Text(printable(name)), "not finite" if value is None else f"{value:.6g}", shown)
    console.print(table)
    for reason in dict.fromkeys(left_out.values()):
        names = ", ".join(name for name, why in left_out.items() if why == reason)
        console.print(printable(f"left out: {names}: {reason}"), markup=False, highlight=False)
    each = [(k, value) for k, value in _flat(facts) if not k.startswith(("options", "dataset", "notes", "kinds"))]
    console.print(
        printable(", ".join(f"{key} {value}" for key, value in each)), markup=False, highlight=False, soft_wrap=True
    )


def _flat(facts: Facts, prefix: str = "") -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for key, value in facts.items():
        pairs += _flat(value, f"{prefix}{key} ") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs
