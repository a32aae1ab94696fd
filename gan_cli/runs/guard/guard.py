"""Looks for trouble where something is read anyway, and says or does what the policy wants."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

from torch import Tensor

from gan_cli.data.knows import KnowsModes
from gan_cli.distributed import from_first
from gan_cli.errors import Diverged, WentBack
from gan_cli.games.game import Certain, Statistics
from gan_cli.runs.checkpoint import file_of
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.guard.looks import BEGINNING, CONSTANT, LONG, LOST, MOST, TRY, VARIED, is_looked_at
from gan_cli.runs.guard.policies import Warn
from gan_cli.runs.guard.rollback import NOTHING, last_good, turn_back
from gan_cli.runs.guard.signs import FEW, Kept, Variety, is_far
from gan_cli.runs.records import BACK, Record, append
from gan_cli.training.setup import Setup
from gan_cli.training.state import not_finite

log = logging.getLogger(__name__)


class Guard:
    """The last observer before what is seen is told and saved.

    What is read at a step is handed in first (``record``, ``samples``, ``count``, ``measured``); ``look`` then decides.
    All that it must remember is its ``state``, which a checkpoint holds.

    Args:
        real: samples of the data, as many as in a grid.
        together: whether others go on beside this run, and it alone ends where its weights are lost.
        best: the step of ``best.pt``, if there is one.
    """

    def __init__(
        self,
        setup: Setup,
        policy: Warn,
        folder: RunFolder,
        real: Tensor,
        *,
        together: bool,
        best: Callable[[], int | None],
    ) -> None:
        self.setup, self.policy, self.folder, self.together, self.best = setup, policy, folder, together, best
        self.config = config = setup.config
        self.kept, self.variety, self.epoch = Kept(), Variety(real), len(setup.samples)
        self.pending: tuple[int, list[str]] | None = None  # first step since the last look with what is not finite
        counted = isinstance(setup.dataset, KnowsModes) or "modes" in config.metrics
        logged = config.log_every > 0 and isinstance(setup.game, Certain)
        looks = {LOST: True, "spread": bool(policy.spread and self.variety.variance)}
        looks["duplicates"] = bool(policy.duplicates and self.variety.apart and len(real) >= FEW)
        looks |= {"modes": bool(policy.modes) and counted, "certain": bool(policy.certain) and logged}
        looks |= {"far": bool(policy.far) and config.watch is not None}
        self.good = {kind: 0 for kind, wanted in looks.items() if wanted}  # the last step at which it was not so
        self.seen: dict[str, str | None] = {}  # since the last look: what was found wrong, None if nothing
        self.lasting: list[str] = []  # troubles that have been said and are not over
        self.hinted: set[str] = set()
        self.sure = 0  # log intervals in which a player has been certain, in a row
        self.most: dict[str, float] = {}  # modes or classes counted so far, by where they were counted
        self.varied = False  # whether samples have ever differed as data do
        self.first: float | None = None  # value of the watched metric
        self.troubles: list[dict[str, Any]] = []
        self.rollbacks: list[dict[str, Any]] = []

    # what is read

    def record(self, record: Record) -> None:
        """As a listener of the log."""
        if null := [key for key, value in record.items() if value is None]:
            self.lost(f"{', '.join(null)} not finite")
        said = self.setup.game.certain(record) if isinstance(self.setup.game, Certain) else None
        self.sure = self.sure + 1 if said else 0
        if said and ((record["epoch"] or 0.0) >= 1 or self.sure >= LONG):
            self._hint("certain", said)
        long = bool(self.policy.certain) and self.sure >= self.policy.certain
        if not said or long:
            self.seen["certain"] = f"{said} (for {self.sure} log intervals)" if said else None

    def samples(self, samples: Tensor) -> None:
        """As a listener of the sample grids."""
        if not samples.isfinite().all():
            self.seen[LOST] = "the generator's samples not finite"
            return
        spread, twins = self.variety.spread(samples), self.variety.duplicates(samples)
        if spread is not None:
            low = f"samples have {spread:.2g} of the data's variance"
            self.seen["spread"] = low if spread < self.policy.spread else None
            self.varied = self.varied or spread > VARIED
            if spread < CONSTANT:
                self._hint("spread", TRY["spread"])
        if twins is not None:
            self.seen["duplicates"] = (
                f"{twins:.0%} of the samples have a twin" if twins > self.policy.duplicates else None
            )

    def count(self, where: str, found: float) -> None:
        """Modes or classes found, in a grid or by a metric."""
        most = self.most[where] = max(found, self.most.get(where, found))
        few = found < self.policy.modes * most
        self.seen["modes"] = f"{where} {found:g}, and {most:g} before" if few else self.seen.get("modes")

    def measured(self, values: Mapping[str, float | None], best: float | None, sign: int) -> None:
        """The values of metrics; ``best`` is that of the watched one until now."""
        if (modes := values.get("modes")) is not None:
            self.count("modes by metrics=modes", modes)
        watch = self.config.watch
        if watch is None or not self.policy.far:
            return
        value = values.get(watch)
        if value is None:
            self.seen["far"] = f"{watch} not finite"
            return
        self.first = value if self.first is None else self.first
        far = best is not None and is_far(value, best, self.first, sign, self.policy.far)
        self.seen["far"] = f"{watch} {value:.4g}, and {best:.4g} at its best" if far else None

    def lost(self, reason: str) -> None:
        """Something that was to be measured is not finite."""
        self.seen[LOST] = reason

    def _hint(self, kind: str, words: str) -> None:
        if kind not in self.hinted:
            self.hinted.add(kind)
            log.warning("hint: %s", words)

    # what follows from it

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        self.kept(step, statistics)
        if is_looked_at(self.config, step):
            self.look(step)

    def lose(self, lost: tuple[int, list[str]] | None) -> None:
        """Takes over which statistics are not finite, and from which step, from whoever keeps them."""
        self.pending = self.pending or lost

    def look(self, step: int) -> None:
        """Decides what is wrong, and what is to be done.

        Raises:
            Diverged: if the run is to end.
            WentBack: if it is to go on from an earlier checkpoint, which is ready.
        """
        found = self._found(step)
        bad = {kind: words for kind, words in found.items() if words is not None}
        for kind in found:
            if kind not in bad:
                self.good[kind] = (self.best() or step) if kind == "far" else step
        new = [kind for kind in bad if kind not in self.lasting]
        self.lasting = [kind for kind in self.lasting if kind in bad or kind not in found] + new
        for kind in new:
            self._tell(step, kind, bad[kind])
        back = self._act(step, bad) if bad else None
        if self.policy.attempts:
            back = from_first(back, self.setup.device)
        if back is not None:
            raise WentBack(self.folder.checkpoints / file_of(back))

    def _found(self, step: int) -> dict[str, str | None]:
        """What was looked at, and what is wrong with it."""
        self.fold()
        (lost, self.pending), (seen, self.seen) = (self.pending, None), (self.seen, {})
        images = self.setup.batch_sizes.images_seen(step)
        early = ["spread"] if images < self.epoch or (images < BEGINNING and not self.varied) else []
        early += ["duplicates"] if images < self.epoch or not self.varied else []  # of an untrained generator, all are
        found = {kind: None if kind in early else words for kind, words in seen.items()}
        found = {kind: words for kind, words in found.items() if kind in self.good}
        if lost:
            self.good[LOST] = lost[0] - 1
            found[LOST] = f"{', '.join(lost[1])} not finite"
        elif found.get(LOST) is None:
            saved = self.config.checkpoint_every and step % self.config.checkpoint_every == 0
            found[LOST] = not_finite(self.setup) if saved or step == self.config.steps else None
            if found[LOST]:
                self.good[LOST] = step - 1
        return found

    def fold(self) -> None:
        """Fetches from the device whether all is finite."""
        for lost in self.kept.first_lost():
            self.lose(lost)

    def _tell(self, step: int, kind: str, words: str) -> None:
        began, said = self.good[kind] + 1, self._said(step, kind, words)
        log.warning("trouble: %s: %s", said, TRY[kind])
        self.troubles = [*self.troubles, {"kind": kind, "began": began, "found": step, "reason": said}][-MOST:]
        append(self.folder.metrics, {"step": step, f"trouble/{kind}": began})

    def _said(self, step: int, kind: str, words: str) -> str:
        began = self.good[kind] + 1
        return f"{words} at step {step}" + (f", since step {began}" if began < step else "")

    def _act(self, step: int, bad: Mapping[str, str]) -> int | None:
        """Ends the run, or makes ready the checkpoint of the step from which it goes on."""
        kind = min(bad, key=lambda kind: self.good[kind])
        good, began = self.good[kind], self.good[kind] + 1
        reason = self._said(step, kind, bad[kind])
        if not self.policy.stops:
            if LOST in bad and self.together and (whose := not_finite(self.setup)):
                raise Diverged(f"{whose} at step {step}", "others go on without it")
            return None
        attempt, (path, state) = self.setup.attempt, last_good(self.folder, good, self.best())
        where = f"the last good checkpoint is {path}" if path else "there is no checkpoint from before it"
        if state is not None and attempt < self.policy.attempts:
            self.rollbacks.append(
                {
                    "attempt": attempt + 1,
                    "to": state["step"],
                    "found": step,
                    "began": began,
                    "kind": kind,
                    "reason": reason,
                }
            )
            turn_back(self.folder, state, self.config, attempt + 1, self.rollbacks)
            log.warning(
                "back to step %d: %s; it goes on with other draws%s (attempt %d of %d)",
                *(state["step"], reason, self._slower(attempt + 1), attempt + 1, self.policy.attempts),
            )
            return int(state["step"])
        after = f"; it has gone back {attempt} time{'s' * (attempt > 1)}" if attempt else ""
        ways = "guard=warn to go on all the same"
        if not self.policy.attempts and not self.together:
            ways = f"resume={path or self.folder.path} guard=rollback to go on from there with other draws, or {ways}"
        raise Diverged(f"{reason}{after}", f"{TRY[kind]}; {where}: {ways}")

    def _slower(self, attempt: int) -> str:
        slowed = self.config.slowed(attempt)
        return "" if slowed == 1 else f" and {slowed:g} of the rates"

    # what is remembered

    @property
    def needed(self) -> int:
        """The last step at which all was well: this guard may need the checkpoint before it. ``best.pt`` is apart."""
        return min(step for kind, step in self.good.items() if kind != "far")

    def notes(self) -> list[Record]:
        """A line of ``metrics.jsonl`` for each time that the run has gone back, at the step from which it went on."""
        notes: list[Record] = []
        at = None
        for each in reversed(self.rollbacks):  # one that went back further takes those before it along
            at = each["to"] if at is None else min(at, each["to"])
            note: Record = {"step": at, BACK: each["attempt"], "rollback/found": each["found"]}
            notes.insert(0, {**note, f"rollback/{each['kind']}": each["began"]})
        return notes

    def facts(self) -> dict[str, Any]:
        """For ``status.json``: what has been wrong, and how often the run has gone back."""
        facts: dict[str, Any] = {"troubles": self.troubles} if self.troubles else {}
        return facts | ({"attempt": self.setup.attempt, "rollbacks": self.rollbacks} if self.rollbacks else {})

    @property
    def unwell(self) -> str | None:
        """What is wrong and lasts."""
        said = {each["kind"]: each["reason"] for each in self.troubles}
        return "; ".join(said[kind] for kind in self.lasting if kind in said) or None

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to know of the past."""
        self.fold()
        return {name: copy(getattr(self, name)) for name in NOTHING}

    def restore(self, state: Mapping[str, Any] | None, step: int) -> None:
        """Puts back what ``state`` returned at a step; of what is looked for only now, nothing is known before it."""
        state = state or NOTHING  # of a version that did not look
        self.good = {kind: state["good"].get(kind, step) for kind in self.good}
        self.lasting = [kind for kind in state["lasting"] if kind in self.good]
        self.pending = (state["pending"][0], list(state["pending"][1])) if state["pending"] else None
        self.sure, self.most, self.first = state["sure"], dict(state["most"]), state["first"]
        self.varied = state["varied"]
        self.troubles, self.rollbacks = list(state["troubles"]), list(state["rollbacks"])
