"""What models with an encoder may be told. Nothing here imports torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from gan_cli.config.mistakes import shown
from gan_cli.config.options import OF_GAMES, Choice, Chosen, Count, NonNegative, Positive, Reading
from gan_cli.config.root import augmentation_of
from gan_cli.games.schemas import LikelihoodOptions
from gan_cli.models.schemas import LEAST_LOG_SCALE, MLPOptions

STILL = tuple(
    f"architecture.discriminator.{key}" for key in ("dropout", "input_dropout", "noise", "input_noise", "minibatch_std")
)


class EncodedOptions(LikelihoodOptions):
    """A decoder with a distribution of x around what it says, and an encoder with a standard normal prior.

    Attributes:
        pictures: what ``likelihood=auto`` means for them; for points it is gaussian.
    """

    idle: ClassVar[Sequence[str]] = (
        *("compile", "guard.certain"),
        "architecture.generator.output",  # p(x | z) says where pixels end
    )
    pictures: ClassVar[str]

    likelihood: Literal["auto", "bernoulli", "gaussian", "logistic"]
    sigma: Positive | None
    beta: NonNegative

    @property
    def reads(self) -> Reading:
        """Bernoulli pixels are black and white, Gaussian ones dequantised, and discretised ones levels."""
        found: dict[str, Reading] = {"bernoulli": "binary", "gaussian": "dequantised", "logistic": "levels"}
        return found[self.pictures if self.likelihood == "auto" else self.likelihood]

    @property
    def points(self) -> bool:  # type: ignore[override]
        """With Gaussian noise, which ``auto`` means for them."""
        return self.likelihood in ("auto", "gaussian")

    def unreadable(self, dataset: str, holds: str) -> str | None:
        """Numbers that are no pixels, and a scale of probabilities."""
        if super().unreadable(dataset, holds):
            return (
                f"model.likelihood={self.likelihood}: is of pixels, and dataset={dataset} holds {holds}: use gaussian"
            )
        if self.sigma is not None and self.reads == "binary" and holds == "pictures":
            return (
                f"model.sigma={self.sigma:g}: a Bernoulli pixel has no scale: leave it out, or use "
                "model.likelihood=gaussian or logistic"
            )
        narrow = self.sigma is not None and math.log(self.sigma) < LEAST_LOG_SCALE
        if narrow and self.reads == "levels" and holds == "pictures":
            return f"model.sigma={self.sigma:g}: is far within a level, and counts as 0.0009: use 0.001 or more"
        return None

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A prior that has no KL divergence in closed form, and an encoder that nothing starts."""
        prior, problems = chosen.one("prior"), super().contradictions(chosen) + without_start(self, chosen)
        if prior and (prior.name != "normal" or prior.model_dump()["scale"] != 1):
            told = f"prior={prior.name}" if prior.name != "normal" else f"prior.scale={prior.model_dump()['scale']:g}"
            problems.append(
                f"{told}: the KL divergence of model={self.name} is to a standard normal prior: leave it out"
            )
        return problems


class VAEOptions(EncodedOptions):
    together = True
    uses = ("architecture",)
    idle = (*EncodedOptions.idle, *STILL, "updates")
    figures = ("vae_bias", "vae_gan")
    conditionings = ("concat", "embedding")
    pictures = "bernoulli"

    importance_samples: Count

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A weight of what the bound of several draws does not have."""
        problems = super().contradictions(chosen)
        if self.importance_samples > 1 and self.beta != 1:
            problems.append(
                f"model.beta={self.beta:g}: the bound of model.importance_samples={self.importance_samples} has no KL "
                "divergence apart: leave one of them out"
            )
        return problems


class VAEGANOptions(EncodedOptions):
    uses = (*OF_GAMES, "discriminator", "generator", "pack", "instance_noise", "augment", "augmentation")
    figures = ("vae_gan",)
    conditionings = ("concat", "projection", "auxiliary", "embedding")
    pictures = "logistic"

    gamma: NonNegative

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Samples that are told from the data by being grey, and a pass that cannot be saved."""
        problems = super().contradictions(chosen) + without_reuse(self, chosen)
        options = augmentation_of(chosen)
        if options and options.target is not None:
            problems.append(
                f"augmentation.target={options.target}: model={self.name} does not steer it: "
                "use augmentation.probability"
            )
        if self.likelihood == "bernoulli":
            problems.append(
                f"model.likelihood=bernoulli: D of model={self.name} would know black and white data from grey means: "
                "use logistic or gaussian"
            )
        return problems


class AdversarialAutoencoderOptions(Choice):
    uses = (*OF_GAMES, "discriminator", "pack", "instance_noise")
    idle = ("compile", "guard.certain", *STILL)
    makes = ("discriminator",)  # the architecture's is the encoder
    conditionings = ("concat", "embedding")

    adversarial: NonNegative
    hidden: list[Count]
    activation: Literal["relu", "leaky_relu", "tanh", "elu", "gelu", "silu"]

    def contradictions(self, chosen: Chosen) -> list[str]:
        """What is for pictures, of codes, and a pass that cannot be saved."""
        problems = without_reuse(self, chosen) + without_start(self, chosen)
        if augment := chosen.root.get("augment"):
            problems.append(
                f"augment={shown(augment)}: is for pictures, and D of model={self.name} judges codes: leave it out"
            )
        return problems


def without_start(model: Choice, chosen: Chosen) -> list[str]:
    """Layers that would take their scales from D's first minibatch, in an encoder."""
    architecture = chosen.one("architecture")
    if not isinstance(architecture, MLPOptions) or architecture.discriminator.norm != "weight":
        return []
    return [
        "architecture.discriminator.norm=weight: takes its scales from the first minibatch of D, and the encoder of "
        f"model={model.name} would have none: use norm=layer"
    ]


def without_reuse(model: Choice, chosen: Chosen) -> list[str]:
    """Fakes that are out of date when their maker moves."""
    if not chosen.on("reuse_fakes"):
        return []
    return [f"reuse_fakes=true: other players of model={model.name} move between D and who made the fakes: use false"]
