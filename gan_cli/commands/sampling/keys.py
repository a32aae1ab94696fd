"""The keys of ``gan-sample``, and which of them can be combined."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gan_cli.commands.sampling.grammar import direction, terms
from gan_cli.commands.tool import Device, Tool
from gan_cli.config.mistakes import shown
from gan_cli.config.numbers import MOST, numbers
from gan_cli.config.options import Count, Options, Positive, Share, Text, Values, Whole
from gan_cli.config.paths import says_folder
from gan_cli.output.replacing import is_free
from gan_cli.output.text import printable


def _readable(reader: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        reader(text)
        return text

    return AfterValidator(check)


def _named(text: str) -> str:
    if not text.strip():
        raise ValueError("must be labels, by number or name, such as 3, 0-9, cat,dog or smiling+glasses")
    return printable(text)  # in another locale than UTF-8, what is typed is bytes, as names of folders are


Numbers = Annotated[Text, _readable(numbers)]
Labels = Annotated[Text, AfterValidator(_named)]
Sum = Annotated[Text, _readable(terms)]
Directions = Annotated[Text, AfterValidator(_named), _readable(direction)]


class Sampling(Options):
    """Everything ``gan-sample`` needs to know."""

    checkpoint: Text | None
    ema: bool
    device: Device
    seeds: Numbers | None
    n: Annotated[Count, Field(le=MOST)] | None
    latents: Text | None
    label: Labels | None
    truncation: Annotated[float, Field(ge=0, le=1)] | None
    format: Literal["grid", "png", "npz", "npy", "csv", "parquet", "wav", "strip", "gif", "mp4"] | None
    columns: Count | None
    captions: bool
    interpolation: Literal["linear", "spherical"] | None
    frames: Annotated[Count, Field(ge=2)] | None
    fps: Annotated[Count, Field(le=50)]
    arithmetic: Sum | None
    project: Text | None
    restarts: Annotated[Count, Field(le=MOST)] | None
    iterations: Annotated[Whole, Field(le=MOST)] | None
    features: Literal["discriminator", "extractor", "none"] | None
    feature_weight: Share | None
    encoder: Literal["start", "alone", "none"] | None
    directions: Directions | None
    method: Literal["weights", "samples"] | None
    sigmas: Positive | None
    morph: bool
    export: Literal["safetensors", "torch", "onnx", "hub"] | None
    out: Text | None

    @property
    def mode(self) -> str:
        """The key that selects the kind of output; ``pictures`` by default."""
        return next((key for key in MODES if vars(self).get(key)), PICTURES)

    @property
    def kind(self) -> str:
        """What is written: the format, or what is exported."""
        return self.export or self.format or MODES[self.mode].formats[0]

    @property
    def seeds_text(self) -> str:
        return f"0-{self.n - 1}" if self.n else self.seeds or ("0" if self.mode == "directions" else "0-63")

    @property
    def in_a_row(self) -> int:
        """Pictures from one end of a way to the other."""
        return self.frames or (7 if self.mode == "directions" else 10)


@dataclass(frozen=True)
class Mode:
    """The formats of an output (the default first), and the keys that have an effect on it."""

    formats: tuple[str, ...]
    keys: frozenset[str]


PICTURES = "pictures"
DRAWN = frozenset({"ema", "device", "label", "truncation", "format"})
OF_SEARCH = ("restarts", "iterations", "features", "feature_weight", "encoder")
MODES = {
    "interpolation": Mode(("strip", "gif", "mp4"), DRAWN | {"seeds", "n", "latents", "frames", "fps"}),
    "arithmetic": Mode(("strip",), DRAWN),
    "project": Mode(("grid",), frozenset({"ema", "device", "label", "seeds", "n", *OF_SEARCH})),
    "directions": Mode(("strip",), DRAWN | {"seeds", "n", "latents", "frames", "method", "sigmas"}),
    "morph": Mode(("gif", "mp4"), frozenset({"format", "fps"})),
    "export": Mode((), frozenset({"ema"})),
    PICTURES: Mode(
        ("grid", "png", "npz", "npy", "csv", "parquet", "wav"),
        DRAWN | {"seeds", "n", "latents", "columns", "captions"},
    ),
}
THERE = "is there already, and stays as it is: give another, out=PATH, or remove it"
OFF = ("captions", False)  # may be said of anything
EVERYWHERE = frozenset({"checkpoint", "out", *MODES})
BOUND = {"columns": ("grid",), "captions": ("grid",), "fps": ("gif", "mp4")}  # keys that only some formats follow
ENDINGS = {
    "grid": ".png",
    "png": "",  # a folder of files
    "npz": ".npz",
    "npy": ".npy",
    "csv": ".csv",
    "parquet": ".parquet",
    "wav": "",
    "strip": ".png",
    "gif": ".gif",
    "mp4": ".mp4",
    "safetensors": ".safetensors",
    "torch": ".pt2",
    "onnx": ".onnx",
    "hub": "",  # a folder of files
}
PACKAGES = {
    "mp4": ("video", ("imageio_ffmpeg",)),
    "parquet": ("tables", ("pyarrow",)),
    **dict.fromkeys(("safetensors", "hub"), ("export", ("safetensors",))),
    "onnx": ("export", ("onnx", "onnxscript")),
}


def contradictions(values: Values, given: Collection[str]) -> list[str]:
    """One line for each key that contradicts another, or that would have no effect."""
    config = Sampling.model_construct(None, **values)
    if not config.checkpoint:
        return ["checkpoint: is missing: checkpoint=RUN_FOLDER, a checkpoint in it, or latest"]
    wanted = [key for key in MODES if values.get(key)]
    if len(wanted) > 1:
        first = f"{wanted[0]}={shown(values[wanted[0]])}"
        return [f"{key}={shown(values[key])}: cannot go with {first}: leave one out" for key in wanted[1:]]
    mode = MODES[config.mode]
    what = f"{wanted[0]}={shown(values[wanted[0]])}" if wanted else "single pictures"
    typed = [key for key in dict.fromkeys(given) if values.get(key) is not None and (key, values[key]) != OFF]
    problems = [
        f"{key}={shown(values[key])}: has no effect on {what}: leave it out"
        for key in typed
        if key not in mode.keys | EVERYWHERE
    ]
    if config.format and mode.formats and config.format not in mode.formats:
        return [*problems, f"format={config.format}: {what} can be written as: {', '.join(mode.formats)}"]
    problems += [
        f"{key}={shown(values[key])}: is for format={' or '.join(BOUND[key])}, not {config.kind}: leave it out"
        for key in typed
        if key in mode.keys and config.kind not in BOUND.get(key, (config.kind,))
    ]
    return problems + _numbers(config, typed) + _searched(config, typed) + _package(config) + _out(config)


def _numbers(config: Sampling, typed: Collection[str]) -> list[str]:
    problems = []
    if "n" in typed and "seeds" in typed:
        problems.append(f"n={config.n}: the seeds are given already, seeds={config.seeds}: leave one out")
    key, text = ("n", shown(config.n)) if config.n else ("seeds", config.seeds_text)
    if config.latents:
        given = [key for key in ("seeds", "n") if key in typed]
        line = f"{key}={text}: the latents are given already, latents={config.latents}: leave one out"
        return problems + ([line] if given else [])
    if config.mode == "interpolation" and len(numbers(config.seeds_text)) < 2:
        problems.append(f"{key}={text}: an interpolation needs two seeds or more, such as seeds=0,1")
    if config.mode != "interpolation" and len(set(numbers(config.seeds_text))) < len(numbers(config.seeds_text)):
        problems.append(f"seeds={config.seeds_text}: names a number twice: name each once")
    return problems


def _searched(config: Sampling, typed: Collection[str]) -> list[str]:
    """Keys of a search, and of directions, that have no effect on what others say."""
    idle: dict[str, Sequence[str]] = {}
    if config.encoder == "alone":
        idle["encoder=alone"] = ("restarts", "iterations", "features", "feature_weight")
    elif config.features == "none":
        idle["features=none"] = ("feature_weight",)
    if config.directions and direction(config.directions) is None:
        idle[f"directions={config.directions}"] = ("method",)
    return [
        f"{key}={shown(vars(config)[key])}: has no effect on {what}: leave it out"
        for what, keys in idle.items()
        for key in keys
        if key in typed
    ]


def _package(config: Sampling) -> list[str]:
    extra, modules = PACKAGES.get(config.kind, ("", ()))
    missing = [module.replace("_", "-") for module in modules if not find_spec(module)]
    key = "export" if config.export else "format"
    return [f"{key}={config.kind}: needs {' and '.join(missing)}: pip install 'gan-cli[{extra}]'"] if missing else []


def _out(config: Sampling) -> list[str]:
    read = "project" if config.project else "latents" if config.latents and config.directions else None
    if config.out and read and _place(vars(config)[read]).with_suffix("") == _place(config.out).with_suffix(""):
        return [f"out={config.out}: is {read}={vars(config)[read]} itself, or beside it: give another name"]
    if config.out and config.export == "hub" and not is_free(Path(os.path.expanduser(config.out))):  # noqa: PTH111
        return [f"out={config.out}: {THERE}"]
    if not config.out or says_folder(config.out):
        return []
    ending, found = ENDINGS[config.kind], Path(config.out).suffix
    if not ending and (found in filter(None, ENDINGS.values()) or os.path.exists(config.out)):  # noqa: PTH110 - never raises
        what = "export=hub writes a folder" if config.export else f"format={config.kind} writes a file for each sample"
        return [f"out={config.out}: {what}: give a folder"]
    if ending and found and found != ending:
        other = [kind for kind in MODES[config.mode].formats if ENDINGS[kind] == found]
        instead = f", or format={other[0]}" if other else ""
        fix = f"out={Path(config.out).with_suffix(ending)}{instead}"
        return [f"out={config.out}: must end in {ending}, or be a folder: {fix}"]
    return []


def output_name(config: Sampling) -> str:
    """A file name for the output that describes its content, such as ``seeds-0-63-truncation-0.7``."""
    drawn = ["latents", _word_of(config.latents)] if config.latents else [config.seeds_text]
    words = {
        PICTURES: [*([] if config.latents else ["seeds"]), *drawn],
        "interpolation": [str(config.interpolation), *drawn, "frames", str(config.in_a_row)],
        "project": ["project", _word_of(config.project or "")],
        "directions": ["directions", str(config.directions), "from", *drawn],
        "arithmetic": ["sum", str(config.arithmetic)],
        "morph": ["morph"],
        "export": ["hub" if config.export == "hub" else "generator"],
    }[config.mode]
    for key in ("label", "truncation", "columns", *OF_SEARCH, "method", "sigmas"):
        if (value := vars(config)[key]) is not None:
            words += [key, shown(value)]
    if config.captions:
        words += ["captions"]
    if not config.ema and not config.export:
        words += ["without-ema"]
    name = re.sub(r"[^\w.,+-]", "", "-".join(words))
    if config.label and re.search(r"[^\w.,+-]", config.label):  # another label may be the same without them
        name += f"-{blake2b(config.label.encode(), digest_size=3).hexdigest()}"
    if len(name.encode()) <= 120:
        return name
    return f"{name.encode()[:100].decode(errors='ignore')}-{blake2b(name.encode(), digest_size=6).hexdigest()}"


def _word_of(path: str) -> str:
    """The name of a file without its ending, and a hash of where it lies: others may be called so."""
    return f"{Path(path).stem}-{blake2b(os.fsencode(_place(path)), digest_size=3).hexdigest()}"


def _place(path: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - these never raise


SAMPLING = Tool(
    "sample",
    Sampling,
    Sampling,
    (),
    "gan_cli.commands.sampling.sample",
    contradictions,
)
