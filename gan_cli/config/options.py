"""What all options share: types of values, and how an option says what it does not go with. Nothing imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

GROUPS = (
    "model",
    "dataset",
    "architecture",
    "loss",
    "penalty",
    "prior",
    "optimizer",
    "schedule",
    "guard",
    "extractor",
    "metrics",
    "logger",
)
OF_GAMES = ("architecture", "loss", "penalty")  # groups that a model may have no use for
OF_PLAYERS = ("discriminator", "generator", "pack", "instance_noise", "augment", "reuse_fakes")  # and keys at the root
SEVERAL = ("penalty", "metrics", "logger")  # groups of which any number can be chosen
Reading = Literal["bytes", "levels", "binary", "dequantised"]


def _whole(value: Any) -> Any:
    """``1e4`` is a float to YAML and a count to everybody else."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _batch_size(value: Any) -> Any:
    """A count, or ``{images seen: count}`` from 0 on.

    Raises:
        ValueError: saying what it must be.
    """
    if not isinstance(value, Mapping):
        size = _whole(value)
        if not isinstance(size, int) or isinstance(size, bool):
            raise ValueError("must be a whole number, or {0:64,100000:128}: sizes by the images seen")
        if size < 1:
            raise ValueError("must be at least 1")
        return size
    try:
        schedule = {int(images): _batch_size(size) for images, size in value.items()}
    except (TypeError, ValueError) as error:
        raise ValueError("must be sizes of at least 1 by the images seen, such as {0:64,100000:128}") from error
    if min(schedule, default=1):
        raise ValueError("must begin with the size at 0 images, such as {0:64,100000:128}")
    return schedule


def sizes_of(batch_size: Any) -> list[int]:
    """Every size of a ``batch_size`` as it is typed; none if it is not one."""
    try:
        checked = _batch_size(batch_size)
    except ValueError:
        return []
    return list(checked.values()) if isinstance(checked, dict) else [checked]


BatchSize = Annotated[Any, BeforeValidator(_batch_size)]  # int, or dict[int, int]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
Several = Annotated[int, BeforeValidator(_whole), Field(ge=2, le=1_000_000)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Text = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) in (int, float) else value)]


def _rising(pair: list[float]) -> list[float]:
    if pair[0] >= pair[1]:
        raise ValueError("must be [black,white] with black below white, such as [0,4095]")
    return pair


BlackAndWhite = Annotated[list[Finite], Field(min_length=2, max_length=2), AfterValidator(_rising)]


class Options(BaseModel):
    """Some keys of the config; unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True)
class Chosen:
    """All that was chosen, as far as each value alone is right: what rules about values together look at.

    Attributes:
        root: the keys at the root, as they are typed.
        options: of each group its option; of groups of which any number can be chosen, all by name.
    """

    root: Mapping[str, Any]
    options: Mapping[str, Any]

    def one(self, group: str) -> Choice | None:
        """The option of a group, or None if it is mistaken."""
        return self.options.get(group)

    def several(self, group: str) -> Mapping[str, Choice]:
        """The options of a group of which any number can be chosen."""
        return self.options.get(group, {})

    def count(self, key: str) -> int:
        """A whole number at the root, or 0 if it is none."""
        value = self.root.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def on(self, key: str) -> bool:
        """Whether a switch at the root is set."""
        return self.root.get(key) is True


class Choice(Options):
    """The keys of one option of a group, such as ``loss=minimax``; ``name`` is the option's own.

    Attributes:
        before: what a key was before it existed, where a saved config without it does not mean its YAML's value.
        together: whether an ensemble can train games of it as one computation.
        uses: of a model, what it has a use for among ``OF_GAMES`` and ``OF_PLAYERS``.
        idle: of a model, which other groups and keys at the root it has no use for, such as ``prior``.
    """

    name: str

    before: ClassVar[dict[str, Any]] = {}
    together: ClassVar[bool] = False
    uses: ClassVar[Sequence[str]] = ()
    idle: ClassVar[Sequence[str]] = ()

    @property
    def reads(self) -> Reading:
        """Of a model, what it takes pictures for: see ``gan_cli.models.units``."""
        return "bytes"

    def settled(self, model: Choice) -> Choice:
        """The same with what ``auto`` means for this model."""
        return self

    def contradictions(self, chosen: Chosen) -> list[str]:
        """One line for each value that this option does not go with, with what would."""
        return []

    def keywords(self) -> dict[str, Any]:
        """The options as keyword arguments of the class they configure."""
        return {key: value for key, value in self.model_dump().items() if key != "name"}
