"""The options of datasets: types and limits. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gan_cli.config.mistakes import shown
from gan_cli.config.options import (
    BlackAndWhite,
    Choice,
    Chosen,
    Count,
    Finite,
    NonNegative,
    Positive,
    Text,
    Values,
    Whole,
)
from gan_cli.data.colours import ColourName
from gan_cli.data.sizes import PictureSize, sides_of, size_of


def _classes(wanted: list[object]) -> list[object]:
    if any(isinstance(one, bool) or not isinstance(one, int | str) for one in wanted):
        raise ValueError("must be labels or names of classes, such as [3] or [cat,dog]")
    if len(set(wanted)) < len(wanted):
        raise ValueError("names a class twice")
    return wanted


def _names(wanted: list[object]) -> list[str]:
    if any(isinstance(one, bool) or not isinstance(one, int | float | str) for one in wanted):
        raise ValueError("must be names of columns, such as [age,city]")
    return [str(one) for one in wanted]


Names = Annotated[list[Any], AfterValidator(_names)]  # of columns: str


def _labels(value: object) -> object:
    return _columns(value, ("auto", "folders"))


def _attributes(value: object) -> object:
    return _columns(value, ("none", "all"))


def _columns(value: object, words: tuple[str, str]) -> object:
    """One of two words, or columns of a table, of which one need not be a list."""
    if isinstance(value, str) and value in words:
        return value
    each = [value] if isinstance(value, str | int) and not isinstance(value, bool) else value
    if not isinstance(each, list) or not each or not all(isinstance(e, str | int) and str(e).strip() for e in each):
        raise ValueError(f"must be {words[0]}, {words[1]}, or columns, such as age or [smiling,glasses]")
    return [str(e).strip() for e in each]


class DataOptions(Choice):
    labelled: ClassVar[bool] = True

    @property
    def has_labels(self) -> bool:
        return self.labelled

    def contradictions(self, chosen: Chosen) -> list[str]:
        """conditional=true without labels."""
        if self.labelled or not chosen.on("conditional"):
            return []
        return [f"conditional=true: dataset={self.name} has no labels: use conditional=false"]


class PresentedOptions(DataOptions):
    """Of pictures that a model may want in black and white, or with its levels filled."""

    binarise: Literal["auto", "none", "threshold", "dynamic", "fixed"]
    dequantise: Literal["auto", True, False]

    before: ClassVar[Values] = {"binarise": "none", "dequantise": False}

    def settled(self, model: Choice) -> Choice:
        """The options with ``auto`` replaced by what the model needs."""
        wanted = {
            "binarise": "dynamic" if model.reads == "binary" and self.dequantise is not True else "none",
            "dequantise": model.reads == "dequantised" and self.binarise in ("auto", "none"),
        }
        return self.model_copy(update={key: value for key, value in wanted.items() if vars(self)[key] == "auto"})

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Levels of pictures that have none between black and white."""
        problems = super().contradictions(chosen)
        if self.binarise not in ("auto", "none") and self.dequantise is True:
            problems.append(
                f"dataset.dequantise=true: dataset.binarise={self.binarise} leaves two levels, with nothing between: "
                "leave one of them out"
            )
        return problems


class ImageOptions(PresentedOptions):
    size: PictureSize
    fit: Literal["crop", "pad", "stretch"]
    background: ColourName
    channels: Literal[1, 3]
    limit: Whole
    flip: bool
    split: Literal["train", "test"]
    classes: Annotated[list[Any], AfterValidator(_classes)]  # of int and str

    @property
    def height(self) -> int:
        return sides_of(self.size)[0]

    @property
    def width(self) -> int:
        return sides_of(self.size)[1]

    @property
    def numbers(self) -> int:
        """Numbers in a picture: its pixels, times the channels."""
        return self.height * self.width * self.channels

    @property
    def shown_size(self) -> str:
        return size_of(self.height, self.width)

    @property
    def has_labels(self) -> bool:
        """Not if some classes are left out, as nobody is to be asked for those."""
        return super().has_labels and not self.classes

    def keywords(self) -> Values:
        """``classes`` are all of the source's to the class, and those that are chosen ``only``."""
        keywords = dict(super().keywords())
        return {"only": keywords.pop("classes"), **keywords}

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Classes that are not there."""
        problems = super().contradictions(chosen)
        if self.classes and not self.labelled:
            problems.append(f"dataset.classes={shown(self.classes)}: dataset={self.name} has no labels: leave it out")
        return problems


class WebImageOptions(ImageOptions):
    root: Text


class QMNISTOptions(WebImageOptions):
    split: Literal["train", "test", "test10k", "test50k", "nist"]  # type: ignore[assignment]


class SVHNOptions(WebImageOptions):
    split: Literal["train", "test", "extra"]  # type: ignore[assignment]


class STL10Options(WebImageOptions):
    split: Literal["train", "test", "unlabeled", "train+unlabeled"]  # type: ignore[assignment]

    @property
    def has_labels(self) -> bool:
        return super().has_labels and self.split in ("train", "test")


class CelebAOptions(WebImageOptions):
    split: Literal["train", "valid", "test", "all"]  # type: ignore[assignment]
    labels: Annotated[Any, BeforeValidator(_attributes)]  # none, all or list[str]

    before: ClassVar[Values] = {**WebImageOptions.before, "labels": "none"}

    @property
    def has_labels(self) -> bool:
        """Where attributes are chosen."""
        return self.labels != "none"

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Labels that are asked for and not chosen, and classes, which there are none of."""
        problems = super().contradictions(chosen)
        if chosen.on("conditional") and self.labels == "none":
            problems.append(
                f"conditional=true: which attributes of dataset={self.name}? add dataset.labels=[Smiling,Eyeglasses]"
            )
        if self.classes:
            problems.append(
                f"dataset.classes={shown(self.classes)}: dataset={self.name} has attributes, no classes: leave it out"
            )
        return problems


class LSUNOptions(WebImageOptions):
    labelled = False

    split: Literal["train", "val", "test"]  # type: ignore[assignment]
    category: str


class StackedOptions(WebImageOptions):
    source: Literal["mnist", "fashion_mnist", "digits"]
    stacks: Count
    seed: Whole
    channels: Literal[3]

    @property
    def has_labels(self) -> bool:
        """A thousand are not a few."""
        return False

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A choice among a thousand classes."""
        problems = super().contradictions(chosen)
        if self.classes:
            problems.append(
                f"dataset.classes={shown(self.classes)}: dataset={self.name} stacks all classes: leave it out"
            )
        return problems


class FolderOptions(ImageOptions):
    root: Text
    path: Text
    split: Literal["all", "train", "test"]  # type: ignore[assignment]
    allow_missing: bool
    channels: Literal[1, 2, 3, 4]  # type: ignore[assignment]
    range: BlackAndWhite | None
    depth: Literal[8, "full"]
    rules: Literal[1, 2]
    labels: Annotated[Any, BeforeValidator(_labels)]  # auto, folders or list[str]
    detail: Literal[1, 2]
    duplicates: Literal["keep", "drop"]

    before: ClassVar[Values] = {
        **ImageOptions.before,
        "rules": 1,
        "labels": "folders",
        "detail": 2,
        "duplicates": "keep",
    }

    @property
    def has_labels(self) -> bool:
        """It depends on the folders, unless columns of a table are chosen."""
        return isinstance(self.labels, list) and not self.classes

    def contradictions(self, chosen: Chosen) -> list[str]:
        """What the first rules did not know, and noise between levels that are no bytes."""
        problems, first = super().contradictions(chosen), (self.fit, self.background, self.depth)
        if self.rules == 1 and (first != ("crop", "white", 8) or self.height != self.width or self.channels % 2 == 0):
            problems.append(
                "dataset.rules=1: brings pictures to squares of 1 or 3 channels in 8 bits, cropped, over white: leave "
                "dataset.fit, background, depth, and other sizes and channels out"
            )
        if self.depth == "full" and self.dequantise is True:
            problems.append(
                "dataset.dequantise=true: fills the steps between bytes, and dataset.depth=full has none: use depth=8"
            )
        return problems


class NoPictures(DataOptions):
    """Of samples that are no pictures.

    Attributes:
        holds: what they are.
        fitting: the architecture that is made for them.
    """

    holds: ClassVar[str] = "points"
    fitting: ClassVar[str] = "mlp"

    @property
    def has_labels(self) -> bool:
        return False

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Keys that are for pictures only."""
        augment = chosen.root.get("augment")
        pictures = f"augment={shown(augment)}: is for pictures, and dataset={self.name} holds {self.holds}"
        return [*super().contradictions(chosen), *([pictures] if augment else [])]


class VectorOptions(NoPictures):
    """Of samples that are some numbers each, in no order."""


class TableOptions(VectorOptions):
    holds = "rows of a table"

    path: Text
    split: Literal["train", "test", "all"]
    limit: Whole
    label: Text | None
    columns: Names
    leave_out: Names
    categories: Names
    numbers: Literal["ranks", "standard"]
    missing: Literal["keep", "drop", "refuse"]
    most_values: Annotated[Count, Field(ge=2, le=1000)]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None

    @property
    def has_labels(self) -> bool:
        return self.label is not None

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A label that nobody asks for, or none that could be asked for, and columns that are to be and not to be."""
        problems = super().contradictions(chosen)
        conditional = chosen.root.get("conditional")
        if conditional is True and self.label is None:
            problems.append("conditional=true: on which column? add dataset.label=COLUMN")
        model = chosen.one("model")
        if conditional is False and self.label is not None and not (model and model.learns_labels):
            problems.append(
                f"dataset.label={self.label}: nobody is asked for it with conditional=false: use conditional=true"
            )
        if both := [name for name in self.columns if name in self.leave_out]:
            problems.append(
                f"dataset.leave_out={shown(self.leave_out)}: {both[0]} is in dataset.columns: leave one out"
            )
        return problems


class SignalOptions(NoPictures):
    holds = "signals"
    fitting = "dcgan1d"

    path: Text
    length: Annotated[Count, Field(ge=4, le=2**20)]
    channels: Annotated[Count, Field(le=1024)] | None
    cut: Literal["windows", "first", "centre"]
    key: Text | None
    labels_key: Text | None
    rate: Positive | None
    split: Literal["all", "train", "test"]
    limit: Whole


class ArrayOptions(PresentedOptions):
    path: Text
    kind: Literal["auto", "pictures", "points", "signals"]
    layout: Literal["auto", "first", "last"]
    key: Text | None
    labels_key: Text | None
    range: BlackAndWhite | None
    standardise: bool
    split: Literal["all", "train", "test"]
    limit: Whole
    flip: bool

    @property
    def has_labels(self) -> bool:
        """It depends on the file."""
        return False


class PointOptions(VectorOptions):
    points: Count
    seed: Whole

    @property
    def has_labels(self) -> bool:
        """They are the modes, and finding those is the game's."""
        return False


class MixtureOptions(PointOptions):
    means: Annotated[list[Annotated[list[Finite], Field(min_length=1)]], Field(min_length=1)]
    weights: list[Positive] | None
    sigma: Positive


class RingOptions(PointOptions):
    modes: Count
    radius: Positive
    sigma: Positive


class GridOptions(PointOptions):
    side: Count
    spacing: Positive
    sigma: Positive


class GaussianOptions(PointOptions):
    labelled = False

    dimension: Count
    mean: Finite
    sigma: Positive


class SwissRollOptions(PointOptions):
    labelled = False

    turns: Positive
    radius: Positive
    noise: NonNegative


Physical = Annotated[float, Field(ge=1e-6, le=1e6)]  # so that no rate overflows


class PendulumOptions(PointOptions):
    figures = ("simulator",)

    interval: Physical
    gravity: Annotated[NonNegative, Field(le=1e6)]
    damping: Annotated[NonNegative, Field(le=1e6)]
    torque: Physical
    speed: Physical
    slip: Annotated[float, Field(gt=0, lt=1)]
    angle_noise: Physical
    velocity_noise: Physical

    @property
    def has_labels(self) -> bool:
        """States and torques, without which there is no telling what comes next."""
        return self.labelled
