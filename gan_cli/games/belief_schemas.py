"""What fully visible belief nets may be told. Nothing here imports torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gan_cli.config.mistakes import shown
from gan_cli.config.options import Chosen, Count, Positive, Reading, Values
from gan_cli.data.schemas import ImageOptions
from gan_cli.games.schemas import LikelihoodOptions

COUNTS = 2**24  # of n-grams at most: 128 MiB
MOST = 24  # pixels, of which even two levels and the edge have more counts
WEIGHTS = 2**27  # of one layer at most


class OfLevelsOptions(LikelihoodOptions):
    figures = ("sampling_time",)

    levels: Annotated[Count, Field(ge=2, le=256)]

    @property
    def reads(self) -> Reading:
        """Two levels are black and white."""
        return "binary" if self.levels == 2 else "levels"


class NGramOptions(OfLevelsOptions):
    idle = (*LikelihoodOptions.idle, "optimizer", "schedule", "ema_half_life", "final_ema_half_life", "precision")

    n: Count
    smoothing: Positive

    def contradictions(self, chosen: Chosen) -> list[str]:
        """More counts than there is room for, and whatever does not count."""
        problems = super().contradictions(chosen)
        if (self.levels + 1) ** min(self.n, MOST) > COUNTS:
            problems.append(
                f"model.n={self.n}: needs ({self.levels} + 1)^{self.n} counts, more than {COUNTS:,}: "
                "use a smaller model.n or fewer model.levels"
            )
        for group, wanted in (("optimizer", "counting"), ("schedule", "constant")):
            option = chosen.one(group)
            if option is not None and option.name != wanted:
                problems.append(f"{group}={option.name}: model=ngram counts, by {group}={wanted} alone: leave it out")
        if average := chosen.root.get("ema_half_life"):
            problems.append(f"ema_half_life={shown(average)}: model=ngram counts, and averages nothing: use 0")
        return problems


class BeliefNetOptions(OfLevelsOptions):
    output: Literal["categorical", "logistic"]
    components: Count

    def numbers(self) -> int:
        """What the head is given for each pixel."""
        return 1 if self.levels == 2 else self.levels if self.output == "categorical" else 3 * self.components

    def unused(self, chosen: Chosen) -> Values:
        """How several levels are told, of two; and parts of what is no mixture."""
        if self.levels == 2:
            why = "is of more levels than two, which one probability tells: leave it out, or use more model.levels"
            return dict.fromkeys(("output", "components"), why)
        return {"components": "is of model.output=logistic: leave it out"} if self.output == "categorical" else {}


class PerceptronOptions(BeliefNetOptions):
    """A belief net of matrices, which an ensemble can take."""

    together = True

    def inputs(self, pixels: int) -> int:
        """How many units the outputs are connected to at most."""
        return pixels

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Matrices that no memory holds."""
        problems, dataset = super().contradictions(chosen), chosen.one("dataset")
        if isinstance(dataset, ImageOptions):
            pixels = dataset.numbers
            if (weights := pixels * self.numbers() * self.inputs(pixels)) > WEIGHTS:
                problems.append(
                    f"model={self.name}: needs {weights:,} weights for dataset.size={dataset.shown_size} with "
                    f"model.levels={self.levels}: use model.output=logistic, fewer levels or model=pixelcnn"
                )
        return problems


class MADEOptions(PerceptronOptions):
    hidden: Annotated[list[Count], Field(min_length=1)]
    masks: Annotated[Count, Field(le=1024)]
    order: Literal["natural", "random"]
    direct: bool

    def inputs(self, pixels: int) -> int:
        return max(self.hidden[-1], pixels if self.direct else 0)


class PixelCNNOptions(BeliefNetOptions):
    blind_spot: bool
    layers: Count
    width: Count
    kernel: Literal[3, 5, 7]

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Channels that the colours cannot share."""
        problems, dataset = super().contradictions(chosen), chosen.one("dataset")
        shares = 2 * dataset.channels if isinstance(dataset, ImageOptions) and dataset.channels > 1 else 1
        if self.width % shares:
            who = {2: "grey and alpha", 3: "red, green and blue", 4: "red, green, blue and alpha"}[shares // 2]
            problems.append(
                f"model.width={self.width}: {who} share the channels, so it must be a multiple of {shares}, "
                f"such as model.width={-(-self.width // shares) * shares}"
            )
        return problems
