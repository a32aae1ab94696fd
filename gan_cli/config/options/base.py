"""Types that options share; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


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


class Choice(Options):
    """The keys of one option of a group, such as ``loss=minimax``; ``name`` is the option's own.

    Attributes:
        before: what a key was before it existed, where a saved config without it does not mean its YAML's value.
    """

    name: str

    before: ClassVar[dict[str, Any]] = {}

    def keywords(self) -> dict[str, Any]:
        """The options as keyword arguments of the class they configure."""
        return {key: value for key, value in self.model_dump().items() if key != "name"}
