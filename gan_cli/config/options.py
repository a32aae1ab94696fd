"""The base of all options: types of values, and rules about combinations. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

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
OF_GAMES = ("architecture", "loss", "penalty")  # groups that not every model uses
OF_PLAYERS = (  # and root keys
    "discriminator",
    "generator",
    "pack",
    "instance_noise",
    "augment",
    "augmentation",
    "reuse_fakes",
)
LARGE = 2**40  # of samples in a minibatch, far beyond any machine
Reading = Literal["bytes", "levels", "binary", "dequantised"]
Made = TypeVar("Made")
Values = Mapping[str, Any]  # keys of a config and their values, nested, as YAML has them


class Group(str, Generic[Made]):
    """The name of a config group, together with the type of the objects that its options make.

    ``PRIOR = Group[Latents]("prior")`` stands beside the protocol ``Latents``, so that ``library.build(PRIOR, choice)``
    returns a ``Latents``.
    """


def _whole(value: object) -> object:
    """Converts a float that is whole: YAML reads ``1e4`` as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _batch_size(value: object) -> int | dict[int, int]:
    """A count, or ``{images seen: count}`` from 0 on.

    Raises:
        ValueError: saying what it must be.
    """
    if not isinstance(value, Mapping):
        return _one_size(value)
    try:
        schedule = {int(images): _one_size(size) for images, size in value.items()}
    except (TypeError, ValueError) as error:
        raise ValueError("must be sizes of at least 1 by the images seen, such as {0:64,100000:128}") from error
    if min(schedule, default=1):
        raise ValueError("must begin with the size at 0 images, such as {0:64,100000:128}")
    return schedule


def _one_size(value: object) -> int:
    size = _whole(value)
    if not isinstance(size, int) or isinstance(size, bool):
        raise ValueError("must be a whole number, or {0:64,100000:128}: sizes by the images seen")
    if not 1 <= size < LARGE:
        raise ValueError("must be at least 1" if size < 1 else f"must be less than {LARGE}")
    return size


def sizes_of(batch_size: object) -> list[int]:
    """Every size in a ``batch_size`` as typed; empty if it is not valid."""
    try:
        checked = _batch_size(batch_size)
    except ValueError:
        return []
    return list(checked.values()) if isinstance(checked, dict) else [checked]


BatchSize = Annotated[Any, BeforeValidator(_batch_size)]  # int, or dict[int, int]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=2**63 - 1)]
Several = Annotated[int, BeforeValidator(_whole), Field(ge=2, le=1_000_000)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=2**64 - 1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
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
    """All values that are valid alone, for rules about combinations of them.

    Attributes:
        root: the keys at the root, as they are typed.
        options: the option of each group; all options by name, for groups of which any number can be chosen.
    """

    root: Values
    options: Values

    def one(self, group: str) -> Choice | None:
        """The option of a group, or None if it is not valid."""
        return self.options.get(group)

    def several(self, group: str) -> Mapping[str, Choice]:
        """The options of a group of which any number can be chosen."""
        return self.options.get(group, {})

    def count(self, key: str) -> int:
        """The value of a root key if it is a whole number, else 0."""
        value = _whole(self.root.get(key))
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def on(self, key: str) -> bool:
        """Whether a root key is true."""
        return self.root.get(key) is True

    def of_player(self, player: str, key: str) -> Any:
        """A player's own value of a root key such as ``discriminator.steps``; None if it is not valid."""
        options = self.root.get(player)
        return options.get(key) if isinstance(options, Mapping) else None

    def norm(self, player: str) -> object:
        """The norm in a player's network; None where the model or the architecture leaves no choice."""
        model, architecture = self.one("model"), self.one("architecture")
        if model is None or architecture is None or not model.heeds("architecture") or player in model.makes:
            return None
        own = architecture.model_dump().get(player)
        return own.get("norm") if isinstance(own, Mapping) else None


class Choice(Options):
    """The keys of one option of a group, such as ``loss=minimax``; ``name`` is the option's own.

    Attributes:
        before: values of keys that a saved config lacks, where they differ from the defaults in the YAML.
        together: whether an ensemble can train games with this option as one computation.
        uses: the names in ``OF_GAMES`` and ``OF_PLAYERS`` that a model uses.
        idle: other groups and keys that a model does not use, such as ``prior`` or ``architecture.generator``.
        figures: the names of the figures that are about a model, or about a dataset alone.
        conditionings: the values of ``conditioning`` that a model can follow.
        makes: the players whose networks a model makes itself, whatever the architecture says under their names.
        learns_labels: whether a model learns the classes of samples, rather than being told of them.
        by_images: keys that a resumed run may change: what was before stays as it was; see ``resumed``.
    """

    name: str

    before: ClassVar[Values] = {}
    together: ClassVar[bool] = False
    uses: ClassVar[Sequence[str]] = ()
    idle: ClassVar[Sequence[str]] = ()
    figures: ClassVar[Sequence[str]] = ()
    conditionings: ClassVar[Sequence[str]] = ("concat",)
    makes: ClassVar[Sequence[str]] = ()
    learns_labels: ClassVar[bool] = False
    by_images: ClassVar[Sequence[str]] = ()

    def heeds(self, key: str) -> bool:
        """Of a model, whether a group or a key has an effect on it."""
        unused = ({*OF_GAMES, *OF_PLAYERS} - set(self.uses)) | set(self.idle)
        return not any(f"{key}.".startswith(f"{other}.") for other in unused)

    @property
    def reads(self) -> Reading:
        """Of a model, what it takes pictures for: see ``gan_cli.models.units``."""
        return "bytes"

    @property
    def has_labels(self) -> bool:
        """Of a dataset, whether each sample has one of a few labels, as far as that is known before it is read."""
        return False

    def settled(self, model: Choice) -> Choice:
        """The same with what ``auto`` means for this model."""
        return self

    def told(self, classes: int, dataset: str) -> Choice:
        """Of a model, the same with the number of classes in the data, once they are there."""
        return self

    def unreadable(self, dataset: str, holds: str) -> str | None:
        """Of a model, why it is not for a dataset that holds ``pictures``, ``points`` or ``signals``; None if it is."""
        return None

    def resumed(self, before: Choice, images: int) -> Choice:
        """The same for a run that goes on with it after so many images, instead of with ``before``.

        Raises:
            UserError: if it cannot.
        """
        return self

    def contradictions(self, chosen: Chosen) -> list[str]:
        """One line for each value that this option cannot be combined with, and a fix."""
        return []

    def unused(self, chosen: Chosen) -> Values:
        """Keys of its own that have no effect beside the other values, and what is said of each where it is typed."""
        return {}

    def advice(self, chosen: Chosen) -> list[str]:
        """One line for each combination that seldom goes well: what is known of it, and what to set."""
        return []

    def keywords(self) -> Values:
        """The options as keyword arguments of the class they configure."""
        return {key: value for key, value in self.model_dump().items() if key != "name"}
