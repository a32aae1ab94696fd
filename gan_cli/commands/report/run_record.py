"""One run, read from its folder."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gan_cli.commands.report.logged import Logged
from gan_cli.commands.report.reading import (
    config_in,
    file_in,
    note,
    overrides_in,
    own_folders_in,
    saved_in,
    status_in,
)
from gan_cli.config.hydra_errors import one_line
from gan_cli.config.library import NAMES
from gan_cli.config.options import GROUPS, Values
from gan_cli.config.overrides import key_of
from gan_cli.output import lock
from gan_cli.output.text import printable
from gan_cli.runs.commands import repeated
from gan_cli.runs.hydra_files import Unreadable
from gan_cli.runs.names import GRID, RESUMPTION, numbered
from gan_cli.runs.results import OF_LIKELIHOOD, results_of
from gan_cli.runs.status import Status, result

IGNORED = (  # keys of a config that are not about the training
    *("hydra", "name", "resume", "dry_run", "sweep", "figure", "published"),
    *("log_every", "sample_every", "sample_count", "checkpoint_every", "checkpoint_minutes", "keep_checkpoints"),
    *("evaluate_every", "unfit_metrics", "logger", "time_limit"),
)


@dataclass(frozen=True)
class RunRecord:
    """A run folder as it is now; ``name`` is its path below the folder that the user named.

    Args:
        logged: what was read of its ``metrics.jsonl`` before, which is read on.
    """

    folder: Path
    name: str
    logged: Logged = field(default_factory=Logged, compare=False)

    @cached_property
    def written(self) -> Status:
        """The content of ``status.json``.

        Raises:
            Unreadable: if it is none of ours.
        """
        return status_in(self.folder)

    @cached_property
    def status(self) -> Status:
        """The content of ``status.json``, but ``killed`` for a run that a kill has ended.

        A run says how it stands when it saves; its last step, its time and its best value are those of its log.
        """
        found = {**self.written}
        if found["status"] == "running":
            if not lock.held(self.folder):
                found |= {"status": "killed", "reason": f"continue: gan-train resume={self.folder}"}
            found["step"] = max(found.get("step") or 0, self.log.step)
            if clock := self.log.last.get("seconds"):
                found["seconds"] = max(found.get("seconds") or 0, clock)
            if best := found.get("best"):
                found["best"] = {**best, **self._best_so_far(best)}
        return found

    def _best_so_far(self, best: Status) -> Status:
        """The best value that was logged of what is watched, and its step; nothing if there is none."""
        steps, values = self.log.columns.get(f"metric/{best['metric']}", ([], []))
        sign = -1 if best.get("better") == "high" else 1
        found = [(sign * value, step) for step, value in zip(steps, values, strict=True) if value is not None]
        return {"value": sign * min(found)[0], "step": min(found)[1]} if found else {}

    @cached_property
    def config(self) -> dict[str, object]:
        """Values by dotted key, without the class names of options.

        They come from the run's status; for older runs, which have none there, from ``.hydra`` or a checkpoint.
        """
        node = self.status.get("config") or self._composed or saved_in(self.folder)
        if not node:  # so that it is taken for no other
            return {"config": f"unknown of {self.name}"}
        keys = [*(group for group in GROUPS if group in node), *(key for key in node if key not in GROUPS)]
        return flattened({key: node[key] for key in keys if key not in IGNORED})

    @property
    def _composed(self) -> Values:
        """The config that Hydra wrote down, and what was typed for resumptions."""
        whole = config_in(self.folder, ".hydra")
        for name, typed in self._resumptions if whole else ():
            later = config_in(self.folder, ".hydra", name)
            for key in map(key_of, typed):
                _put(whole, key, _at(later, key))
        return whole

    @cached_property
    def overrides(self) -> list[str] | None:
        """The overrides of the first command; None if they are not known."""
        return self._typed_in(".hydra")

    @cached_property
    def commands(self) -> list[str]:
        """The commands that reproduce the run: the first one, and one for each resumption with other keys.

        Empty if they are not known.
        """
        if self.overrides is None:
            return []
        own = own_folders_in(self.folder, ".hydra")
        first = repeated(self.overrides, own, f"{printable(self.folder.resolve().name)}-again")
        later = [
            repeated(["resume=latest", *typed], own_folders_in(self.folder, ".hydra", name))
            for name, typed in self._resumptions
        ]
        return [shlex.join(["gan-train", *words]) for words in [first, *later]]

    @property
    def typed(self) -> set[str]:
        """The keys that were typed for it, or that a sweep has given it."""
        later = [text for _, texts in self._resumptions for text in texts]
        return {key_of(text) for text in [*(self.overrides or ()), *later]}

    @cached_property
    def _resumptions(self) -> list[tuple[str, list[str]]]:
        """The folder of each resumption in ``.hydra`` with other keys, and its overrides other than ``resume``."""
        found = []
        for place in numbered(self.folder / ".hydra", RESUMPTION).values():
            typed = self._typed_in(".hydra", place.name) or ()
            if kept := [text for text in typed if key_of(text) != "resume"]:
                found.append((place.name, kept))
        return found

    def _typed_in(self, *parts: str) -> list[str] | None:
        """The overrides of one command; None if they are not known, as where a kill has left an empty file."""
        try:
            return overrides_in(self.folder, *parts)
        except Unreadable as error:
            note(f"{self.folder.joinpath(*parts)}: what was typed is not known ({error})")
            return None

    @cached_property
    def log(self) -> Logged:
        """What ``metrics.jsonl`` holds; reports how many of its lines cannot be read."""
        self.logged.read_on(self.folder)
        return self.logged

    @cached_property
    def results(self) -> dict[str, float | None]:
        """The watched value at its best, the modes of a mixture, and the last value of each metric and statistic."""
        return results_of(self.status, [self.log.last])

    @cached_property
    def kinds(self) -> dict[str, str]:
        """What results are of, by name; those of different kinds are not to be compared.

        Likelihoods that nobody measured are those of training minibatches, whatever that is for this model.
        """
        said, best = self.status.get("kinds", {}), "best "
        of_minibatches = f"training minibatches of model={self.config.get('model')}"
        kinds = {key: said.get(key.removeprefix(best), "") for key in self.results}
        kinds |= {key: of_minibatches for key in OF_LIKELIHOOD if key in kinds and not kinds[key]}
        return {key: kind for key, kind in kinds.items() if kind}

    @property
    def published(self) -> list[dict[str, object]]:
        """Figures of papers that its experiment names; see ``Published``."""
        return (self.status.get("config") or {}).get("published") or []

    @property
    def wrong(self) -> list[str]:
        """What went wrong in training, and how often the run went back, as its guard has told."""
        troubles, backs = (told(self.status.get(key)) for key in ("troubles", "rollbacks"))
        went = [f"{each['reason']}: back to step {each.get('to')}, attempt {each.get('attempt')}" for each in backs]
        return [*(str(each["reason"]) for each in troubles), *went]

    @cached_property
    def grids(self) -> dict[int, Path]:
        """Sample grids by step."""
        found = numbered(self.folder / "samples", GRID)
        return {
            step: path for step, path in found.items() if step < 2**53 and file_in(self.folder, "samples", path.name)
        }

    def grid(self, step: int) -> Path | None:
        """The sample grid of a step, if it is still one of this run."""
        path = self.grids.get(step)
        return path and file_in(self.folder, "samples", path.name)

    def readable(self) -> bool:
        """Whether the run can be reported; prints why if it cannot."""
        try:
            told = (result(self.status), self.commands, self.config, self.results, self.grids)
            return None not in told
        except Unreadable as error:
            note(f"{self.folder}: cannot be read ({error}): left out")
        except Exception as error:  # whatever became of its files: one run must not take the others with it
            note(f"{self.folder}: cannot be read ({type(error).__name__}: {one_line(error)}): left out")
        return False


def told(entries: object) -> list[dict[str, object]]:
    """Those entries of a status that say a reason, whatever else has got there."""
    return (
        [each for each in entries if isinstance(each, dict) and "reason" in each] if isinstance(entries, list) else []
    )


def flattened(node: object, prefix: str = "") -> dict[str, object]:
    if isinstance(node, dict):
        parts = [flattened(v, f"{prefix}.{k}" if prefix else str(k)) for k, v in node.items() if k not in NAMES]
        return {key: value for part in parts for key, value in part.items()}
    return {prefix.removesuffix(".name"): _number(node)}


def _at(node: object, key: str) -> object:
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _put(node: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for part in parents:
        if not isinstance(node.get(part), dict):
            node[part] = {}
        node = node[part]
    node[last] = value


def _number(node: object) -> object:
    """Converts whole floats, so that ``1e4`` and ``10000`` are the same value."""
    if isinstance(node, list):
        return [_number(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node
