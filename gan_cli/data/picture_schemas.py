"""The options of datasets of pictures: those on the web, and folders. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from gan_cli.config.mistakes import shown
from gan_cli.config.options import (
    BlackAndWhite,
    Choice,
    Chosen,
    Count,
    Text,
    Values,
    Whole,
)
from gan_cli.data.schemas import ImageOptions, PartlyLabelledOptions


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
    names = [str(e).strip() for e in each]
    if again := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"names {again} twice: name each once")
    return names


class WebImageOptions(ImageOptions):
    root: Text


class QMNISTOptions(WebImageOptions):
    split: Literal["train", "test", "test10k", "test50k", "nist"]  # type: ignore[assignment]


class SVHNOptions(WebImageOptions):
    split: Literal["train", "test", "extra"]  # type: ignore[assignment]


class STL10Options(WebImageOptions, PartlyLabelledOptions):
    split: Literal["train", "test", "unlabeled", "train+unlabeled"]  # type: ignore[assignment]

    before: ClassVar[Values] = {**WebImageOptions.before, **PartlyLabelledOptions.before}

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


class FolderOptions(ImageOptions, PartlyLabelledOptions):
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
        **PartlyLabelledOptions.before,
        "rules": 1,
        "labels": "folders",
        "detail": 2,
        "duplicates": "keep",
    }

    @property
    def has_labels(self) -> bool:
        """It depends on the folders, unless columns of a table are chosen."""
        return isinstance(self.labels, list) and not self.classes

    def settled(self, model: Choice) -> Choice:
        settled, auto = super().settled(model), self.unlabelled == "auto"
        return settled.model_copy(update={"unlabelled": False}) if auto and self.rules == 1 else settled

    def contradictions(self, chosen: Chosen) -> list[str]:
        """What the first rules did not know, and noise between levels that are no bytes."""
        problems, first = super().contradictions(chosen), (self.fit, self.background, self.depth)
        if self.rules == 1 and (first != ("crop", "white", 8) or self.height != self.width or self.channels % 2 == 0):
            problems.append(
                "dataset.rules=1: brings pictures to squares of 1 or 3 channels in 8 bits, cropped, over white: leave "
                "dataset.fit, background, depth, and other sizes and channels out"
            )
        later: dict[str, object] = {
            "classes": self.classes,
            "range": self.range,
            "detail": self.detail != 2 and self.detail,
        }
        later["labels"] = isinstance(self.labels, list) and self.labels
        later["unlabelled"] = self.unlabelled is True
        if self.rules == 1:
            problems += [
                f"dataset.{key}={shown(value)}: dataset.rules=1 knows no {key}: leave one of them out"
                for key, value in later.items()
                if value
            ]
        if self.depth == "full" and self.dequantise is True:
            problems.append(
                "dataset.dequantise=true: fills the steps between bytes, and dataset.depth=full has none: use depth=8"
            )
        return problems
