"""The options of datasets of every kind, and of arrays: types and limits. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from gan_cli.config.mistakes import shown
from gan_cli.config.options import (
    BlackAndWhite,
    Choice,
    Chosen,
    Text,
    Values,
    Whole,
)
from gan_cli.data.colours import ColourName
from gan_cli.data.sizes import PictureSize, SizeIfAny, sides_of, size_of


def _classes(wanted: list[object]) -> list[object]:
    if any(isinstance(one, bool) or not isinstance(one, int | str) for one in wanted):
        raise ValueError("must be labels or names of classes, such as [3] or [cat,dog]")
    if len(set(wanted)) < len(wanted):
        raise ValueError("names a class twice")
    return wanted


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


class PartlyLabelledOptions(DataOptions):
    """Of data in which some samples may have no label."""

    unlabelled: Literal["auto", True, False]

    before: ClassVar[Values] = {"unlabelled": False}

    def settled(self, model: Choice) -> Choice:
        """The options with ``auto`` replaced by whether the model learns the labels."""
        settled = super().settled(model)
        return settled.model_copy(update={"unlabelled": model.learns_labels}) if self.unlabelled == "auto" else settled

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Samples without a label for a model that has no use for them."""
        problems, model = super().contradictions(chosen), chosen.one("model")
        if self.unlabelled is True and model is not None and not model.learns_labels:
            problems.append(
                f"dataset.unlabelled=true: keeps samples without a label to learn labels from, and model={model.name} "
                "learns none: leave it out"
            )
        return problems


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
        settled = super().settled(model)
        return settled.model_copy(update={key: value for key, value in wanted.items() if vars(self)[key] == "auto"})

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


class ArrayOptions(PresentedOptions, PartlyLabelledOptions):
    path: Text
    kind: Literal["auto", "pictures", "points", "signals"]
    layout: Literal["auto", "first", "last"]
    key: Text | None
    labels_key: Text | None
    size: SizeIfAny
    fit: Literal["crop", "pad", "stretch"]
    range: BlackAndWhite | None
    standardise: bool
    split: Literal["all", "train", "test"]
    limit: Whole
    flip: bool

    before: ClassVar[Values] = {
        **PresentedOptions.before,
        **PartlyLabelledOptions.before,
        "size": None,
        "fit": "crop",
    }

    @property
    def has_labels(self) -> bool:
        """It depends on the file."""
        return False
