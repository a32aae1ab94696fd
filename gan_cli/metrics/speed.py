"""What a model costs: how fast it draws, and how much it has learnt."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import torch

from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.likelihood import asked
from gan_cli.metrics.metric import Metric


@dataclass(frozen=True, kw_only=True)
class Speed(Metric):
    """Samples drawn in a second, in minibatches of ``batch``, and the parameters of all players' networks together.

    It draws minibatches until ``seconds`` are over, one at least, after one of a single sample that does not count. A
    clock is no measure of a model, so no value can be watched; device and threads stand in the note beside it.
    """

    judges_samples = False
    of_data = False

    batch: int
    seconds: float

    def refusal(self, evidence: Evidence) -> str | None:
        return None if evidence.model is not None else "needs a model: samples alone do not say how they were drawn"

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        model = asked(evidence)
        z, labels = model.latents(self.batch, evidence.seed), model.labels_of(range(self.batch))
        model.decode(z[:1], None if labels is None else labels[:1])
        drawn, began = 0, perf_counter()
        while not drawn or perf_counter() - began < self.seconds:
            model.decode(z, labels, self.batch)
            drawn += self.batch
        speed = drawn / (perf_counter() - began)
        threads = torch.get_num_threads()
        where = f", {threads} thread{'s' * (threads > 1)}" if model.device.type == "cpu" else ""
        evidence.note(["samples_per_second"], f"minibatches of {self.batch:,}, {model.device}{where}")
        values = {"samples_per_second": speed}
        if evidence.players:
            each = ", ".join(f"{name} {count:,}" for name, count in evidence.players.items())
            evidence.note(["parameters"], each)
            values["parameters"] = float(sum(evidence.players.values()))
        return values
