"""What a checkpoint may say besides its config and its tensors, which are checked apart. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from gan_cli.config.mistakes import explain
from gan_cli.config.options import GROUPS, Finite, NonNegative, Options, Positive
from gan_cli.config.root import MOST_STEPS
from gan_cli.data.columns import MOST, Column, fit
from gan_cli.data.columns import Name as Word
from gan_cli.data.conditions import ROWS, VALUES

Step = Annotated[int, Field(ge=0, le=MOST_STEPS)]
Few = Annotated[int, Field(ge=0, le=1_000_000)]
Size = Annotated[int, Field(ge=1, le=2**40)]
Said = Annotated[str, Field(max_length=100_000)]
Tensors = dict[str, Any]
SHOWN = 200  # characters of a line


def _resolved(config: dict[str, Any]) -> dict[str, Any]:
    """Refuses texts that OmegaConf would replace by what this machine has; whatever else is in one, it is shown so."""
    if any("${" in text for text in _texts(config)):
        raise ValueError("holds a text that refers to other values (${…})")
    if type(config.get("steps")) is not int:
        raise ValueError("has no steps")
    if wrong := next((group for group in GROUPS if not isinstance(config.get(group, {}), dict)), None):
        raise ValueError(f"has no options of {wrong}")
    return config


def _texts(node: object) -> list[str]:
    if isinstance(node, dict):
        return [text for key, value in node.items() for text in (*_texts(key), *_texts(value))]
    if isinstance(node, list | tuple):
        return [text for value in node for text in _texts(value)]
    if node is not None and not isinstance(node, str | int | float):
        raise ValueError("holds more than texts, numbers and lists of them")
    return [node] if isinstance(node, str) else []


class SavedCondition(Options):
    """A column of conditions."""

    name: Annotated[Word, Field(min_length=1)]
    kind: Literal["attribute", "number"]
    mean: Finite
    scale: Positive


class OfSamples(Options):
    """What samples are like, and what a model is given in place of one of so many classes, if it is."""

    shape: Annotated[list[Size], Field(min_length=1, max_length=3)]
    names: list[Word] = Field(default_factory=list)
    full_depth: bool = False
    fields: Annotated[list[Column], Field(max_length=MOST)] = Field(default_factory=list)
    conditions: Annotated[list[SavedCondition], Field(max_length=VALUES)] = Field(default_factory=list)
    rows: Annotated[list[list[Finite]], Field(max_length=ROWS)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _agree(self) -> OfSamples:
        if bool(self.rows) != bool(self.conditions) or any(len(row) != len(self.conditions) for row in self.rows):
            raise ValueError("its rows are not of its conditions")
        if not fit(self.fields, self.shape):
            raise ValueError("its fields are not those of its shape")
        return self


class Identity(OfSamples):
    """Which samples it was trained on; the first versions wrote fewer keys."""

    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-z-]{1,100}$")]
    classes: Few = 0
    decoder: Word | None = None


class OptimizerState(Options):
    state: dict[int, dict[str, Any]]
    param_groups: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1)]


class PlayerState(Options):
    optimizer: OptimizerState
    last: list[Any]
    scaler: Tensors | None = None


class LogState(Options):
    sums: Tensors
    counts: dict[str, Step]
    seconds: NonNegative
    marked_seconds: NonNegative
    steps_in_interval: Step

    @model_validator(mode="after")
    def _agree(self) -> LogState:
        if self.sums.keys() != self.counts.keys() or 0 in self.counts.values():
            raise ValueError("sums and counts are not of the same numbers")
        if self.marked_seconds > self.seconds:
            raise ValueError("the last line was written later than now")
        return self


class EvaluationsState(Options):
    watch: Word | None
    best: Finite | None
    best_step: Step
    without_better: Few
    notes: dict[Word, Said] = Field(default_factory=dict)
    kinds: dict[Word, Word] = Field(default_factory=dict)


class TroubleState(Options):
    kind: Word
    began: Step
    found: Step
    reason: Said


class RollbackState(TroubleState):
    attempt: Few
    to: Step


class GuardState(Options):
    pending: tuple[Step, list[Said]] | None
    good: dict[str, Step]
    lasting: list[Word]
    sure: Few
    most: dict[str, Finite]
    varied: bool
    first: Finite | None
    troubles: Annotated[list[TroubleState], Field(max_length=10_000)]
    rollbacks: Annotated[list[RollbackState], Field(max_length=10_000)]


class StartState(Options):
    """Where the weights of a run came from."""

    path: Annotated[str, Field(max_length=1000)]
    step: Step
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    averaged: bool = False


class Saved(Options):
    """A checkpoint; what is not in those of 0.1.0 has a default."""

    format: int
    version: Word
    config: Annotated[dict[str, Any], AfterValidator(_resolved)]
    data: Identity
    classes: Few
    step: Step
    attempt: Few = 0
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    threads: Few | None = None
    sampler: Word = "generator"
    networks: dict[str, Tensors]
    players: dict[str, PlayerState]
    ema: Tensors | None
    kept: Tensors | None = None
    log: LogState
    evaluations: EvaluationsState | None
    guard: GuardState | None = None
    stopped: Said | None = None
    start: StartState | None = None

    @model_validator(mode="after")
    def _agree(self) -> Saved:
        if self.networks.keys() != self.players.keys() or self.sampler not in self.networks:
            raise ValueError("its players and its networks are not the same")
        if self.log.steps_in_interval > self.step or any(n > 10_000 * self.step for n in self.log.counts.values()):
            raise ValueError("its log is of more steps than there were")
        if self.evaluations and self.evaluations.best_step > self.step:
            raise ValueError("its best step is still to come")
        if self.classes and self.data.conditions and self.classes != len(self.data.conditions):
            raise ValueError("its networks see other labels than its data have")
        return self


class Exported(OfSamples):
    """What lies beside an exported generator."""

    format: int
    step: Step
    classes: Few
    ema: bool
    config: Annotated[dict[str, Any], AfterValidator(_resolved)]
    weights: Word = ""


def problem_of(values: Mapping[str, Any], schema: type[Options]) -> str | None:
    """What is wrong with what was read, in a line; None if nothing is."""
    try:
        schema.model_validate(values)
    except ValidationError as error:
        line = "".join(c if c.isprintable() else "?" for c in " ".join(explain(error, ())[0].split()))
        where, _, what = line.rpartition(": ")
        return line if len(line) <= SHOWN else f"{where[: SHOWN - len(what)]}…: {what}"
    return None
