"""The options of models and penalties: types and limits. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gan_cli.config.annealing import half_annealed
from gan_cli.config.options import (
    OF_GAMES,
    OF_PLAYERS,
    Choice,
    Chosen,
    Count,
    Fraction,
    NonNegative,
    Positive,
    Values,
    Whole,
)
from gan_cli.data.number_schemas import TableOptions
from gan_cli.data.schemas import DataOptions, ImageOptions, NoPictures, VectorOptions
from gan_cli.errors import UserError
from gan_cli.models.schemas import MLPOptions


class GANOptions(Choice):
    together = True
    uses = (*OF_GAMES, *OF_PLAYERS)
    conditionings = ("concat", "projection", "auxiliary", "embedding")
    figures = ("saturation", "kl_vs_js", "dimension", "vae_bias", "simulator")


class SemiSupervisedOptions(Choice):
    uses = (*OF_GAMES, *(key for key in OF_PLAYERS if key != "pack"))
    idle = ("conditional", "conditioning", "pack", "compile")
    learns_labels = True

    labels: Whole
    labels_seed: Whole | None
    weight: NonNegative
    average: NonNegative
    classes: Annotated[Count, Field(ge=2)] | None

    def told(self, classes: int, dataset: str) -> Choice:
        """With the number of classes.

        Raises:
            UserError: if there are none, or another number.
        """
        if classes < 2:
            raise UserError(
                f"model={self.name}: dataset={dataset} has no classes here to learn: use data of several, "
                "such as dataset=digits, or a folder for each class"
            )
        if self.classes not in (None, classes):
            raise UserError(f"model.classes={self.classes}: dataset={dataset} has {classes}: leave it out")
        return self.model_copy(update={"classes": classes})

    def unused(self, chosen: Chosen) -> Values:
        """A draw of all labels."""
        if self.labels:
            return {}
        return {"labels_seed": "draws some of the labels, and model.labels=0 keeps all: leave it out"}

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Fewer samples than labels."""
        dataset, problems = chosen.one("dataset"), []
        limit = 0 if dataset is None else dataset.model_dump().get("limit", 0)
        if 0 < limit < self.labels:
            fewer = f"dataset.limit={limit} leaves fewer: use fewer labels, or 0 for all of them"
            problems.append(f"model.labels={self.labels}: {fewer}")
        if isinstance(dataset, TableOptions) and dataset.label is None:
            problems.append(f"model={self.name}: which column has the classes? add dataset.label=COLUMN")
        if isinstance(dataset, DataOptions) and not dataset.labelled:
            problems.append(f"model={self.name}: dataset={dataset.name} has no classes to learn: use dataset=digits")
        if chosen.on("conditional"):
            problems.append(
                f"conditional=true: the labels of model={self.name} are mostly missing: use conditional=false"
            )
        return problems


class LikelihoodOptions(Choice):
    """A model that learns by maximum likelihood alone: what it has no use for, and how the data must be shown to it.

    Attributes:
        points: whether it takes numbers that are no pixels too.
    """

    idle: ClassVar[Sequence[str]] = ("prior", "updates", "compile", "guard.certain")

    points: ClassVar[bool] = False

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Data that the model cannot read, and labels that it does not use."""
        dataset, problems = chosen.one("dataset"), []
        if isinstance(dataset, VectorOptions | ImageOptions):  # of others, once they are read
            line = self.unreadable(dataset.name, "pictures" if isinstance(dataset, ImageOptions) else "points")
            problems += [line] if line else []
        if isinstance(dataset, ImageOptions):
            problems += self._misread(dataset)
        if chosen.on("conditional") and not self.heeds("conditional"):
            problems.append(f"conditional=true: model={self.name} heeds no labels: use conditional=false")
        return problems

    def unreadable(self, dataset: str, holds: str) -> str | None:
        """Samples without the levels of pixels."""
        if holds == "pictures" or self.points:
            return None
        return (
            f"dataset={dataset}: holds {holds}, and model={self.name} is of the levels of pixels: "
            "use pictures, such as dataset=digits"
        )

    def _misread(self, dataset: ImageOptions) -> list[str]:
        grey, filled = dataset.binarise == "none", dataset.dequantise is True
        if self.reads == "binary" and grey:
            return [
                f"dataset.binarise=none: model={self.name} is of black and white pixels here: use dynamic, fixed or "
                "threshold"
            ]
        if self.reads in ("binary", "levels") and filled:
            return [f"dataset.dequantise=true: model={self.name} is of whole levels here: use false"]
        if self.reads == "dequantised" and dataset.dequantise is False:
            return [f"dataset.dequantise=false: model={self.name} is a density, and whole levels have none: use true"]
        if self.reads == "dequantised" and dataset.binarise not in ("auto", "none"):
            return [f"dataset.binarise={dataset.binarise}: model={self.name} is a density of grey pixels: use none"]
        return []


class PenaltyOptions(Choice):
    weight: NonNegative
    final_weight: NonNegative | None
    anneal_images: Whole
    interval: Count

    second_derivative: ClassVar[bool] = True  # whether the penalty needs the second derivative of D

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Annealing without a goal, and a discriminator without the second derivative that the penalty needs."""
        problems = half_annealed(chosen, f"penalty.{self.name}", "final_weight", self.final_weight, self.anneal_images)
        if not self.second_derivative:
            return problems
        if size := chosen.count("ensemble"):
            return problems + self._in_ensemble(chosen.one("architecture"), size)
        if chosen.on("compile"):
            problems.append(
                f"compile=true: a compiled discriminator has no second derivative, which penalty={self.name} needs: "
                f"use compile=false (on a GPU, capture does more), or leave {self.name} out: penalty=[]"
            )
        return problems

    def _in_ensemble(self, architecture: Choice | None, size: int) -> list[str]:
        """Norms through which an ensemble cannot take the penalty's derivative."""
        if not isinstance(architecture, MLPOptions) or architecture.discriminator.norm not in ("batch", "spectral"):
            return []
        return [
            f"architecture.discriminator.norm={architecture.discriminator.norm}: changes with every look, and "
            f"ensemble={size} cannot take the slopes of penalty={self.name} through that: use norm=layer, "
            "penalty=[], or --multirun seed=0,1,2"
        ]


class GradientPenaltyOptions(PenaltyOptions):
    sides: Literal["one", "two"]
    target: NonNegative

    def advice(self, chosen: Chosen) -> list[str]:
        """Batch norm, through which one sample has no slope of its own."""
        if chosen.norm("discriminator") != "batch":
            return []
        return [
            f"penalty={self.name}: asks for a slope at each sample, and batch norm in D ties those of a minibatch "
            "together; the paper took it out (Gulrajani et al. 2017, section 4): architecture.discriminator.norm=layer"
        ]


class DRAGANOptions(GradientPenaltyOptions):
    deviation: Positive


class ConsistencyOptions(PenaltyOptions):
    second_derivative = False

    shift: Fraction
    noise: NonNegative

    def unused(self, chosen: Chosen) -> Values:
        """What is done to samples of the other kind."""
        model, dataset = chosen.one("model"), chosen.one("dataset")
        if model and "discriminator" in model.makes:
            return {"shift": f"is for pictures, and D of model={model.name} judges codes: leave it out"}
        if isinstance(dataset, NoPictures):
            return {"shift": f"is for pictures, and dataset={dataset.name} holds {dataset.holds}: leave it out"}
        if isinstance(dataset, ImageOptions):
            return {"noise": f"is for points, and dataset={dataset.name} holds pictures: leave it out"}
        return {}
