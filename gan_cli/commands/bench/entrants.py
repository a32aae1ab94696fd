"""What stands in the table of times to a quality: a variant, or a peer's script with the variant that is its game."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from gan_cli.commands.bench.peer import BatchTime, Peer
from gan_cli.commands.bench.table import Row
from gan_cli.commands.bench.trial import Found, Trial
from gan_cli.commands.bench.until import Goal


@dataclass(frozen=True)
class Outcome:
    """How a goal was reached with one seed: step, and seconds of training; None: it was not."""

    seed: int
    step: int | None = None
    seconds: float | None = None
    processor_seconds: float | None = None
    nearest: float | None = None  # the value that came nearest, where it was not reached


@dataclass
class Entrant:
    """What was found of it so far.

    Args:
        facts: what else its row says.
        peer: the script at whose speed the variant's steps are taken; None: at their own.
    """

    name: str
    goals: Sequence[Goal]
    facts: Row
    peer: Peer | None = None
    times: list[BatchTime] = field(default_factory=list)  # of the peer's batches beside the present seed
    outcomes: dict[Goal, list[Outcome]] = field(default_factory=dict)
    seeds: list[Row] = field(default_factory=list)

    def time(self, seconds: float) -> None:
        """Gives the peer a turn."""
        if self.peer is not None:
            self.times.append(self.peer.batches(seconds))

    def add(self, trial: Trial) -> None:
        """Takes in what a seed has come to."""
        for goal in self.goals:
            self.outcomes.setdefault(goal, []).append(self._outcome(trial, goal))
        told: Row = {"seed": trial.config.seed, "why": trial.why}
        if self.peer is None:
            told["evaluations"] = [asdict(found) for found in trial.evaluations]
        else:
            told["seconds_per_batch"] = [asdict(time) for time in self.times]
        self.seeds.append(told)
        self.times = []

    def _outcome(self, trial: Trial, goal: Goal) -> Outcome:
        seed, found = trial.config.seed, trial.reached.get(goal)
        if found is None:
            return Outcome(seed, nearest=trial.nearest(goal))
        if self.peer is None:
            return Outcome(seed, found.step, found.seconds, found.processor_seconds)
        return at_the_speed_of(self.times, seed, found)

    def row(self) -> Row:
        """Everything measured of it."""
        goals = [of_goal(goal, outcomes) for goal, outcomes in self.outcomes.items()]
        return {"name": self.name, "goals": goals, **self.facts, "seeds": self.seeds}


def at_the_speed_of(times: Sequence[BatchTime], seed: int, found: Found) -> Outcome:
    """The steps that a game took, each for a peer's median seconds per batch."""
    worked = [time.processor_seconds for time in times if time.processor_seconds is not None]
    processor_seconds = found.step * statistics.median(worked) if worked else None
    seconds = found.step * statistics.median(time.seconds for time in times)
    return Outcome(seed, found.step, seconds, processor_seconds)


def of_goal(goal: Goal, outcomes: Sequence[Outcome]) -> Row:
    """A goal over all seeds."""
    reached = [one for one in outcomes if one.step is not None]
    known = all(one.processor_seconds is not None for one in reached)  # it is not on every system
    return {
        "until": str(goal),
        "reached": len(reached),
        "of": len(outcomes),
        "step": spread(one.step for one in outcomes),
        "seconds": spread(one.seconds for one in outcomes),
        "processor_seconds": spread(one.processor_seconds for one in outcomes) if known else None,
        "nearest": goal.nearest([one.nearest for one in outcomes if one.nearest is not None]),
        "all": [asdict(one) for one in outcomes],
    }


def spread(values: Iterable[float | None]) -> dict[str, float | None]:
    """Median, lowest and highest; what was not reached (None) is later than all that was."""
    late = sorted(math.inf if value is None else value for value in values)
    found = {"median": statistics.median(late), "low": late[0], "high": late[-1]}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
