"""When a run is looked at, and what is said of what is found."""

from __future__ import annotations

from gan_cli.config.schema import Config

LOST = "not_finite"  # the kind of trouble that every guard looks for; the others are called as their thresholds are
LATEST = 1000  # steps after which statistics are looked at, whatever else is read
MOST = 100  # troubles that are remembered
BEGINNING = 50_000  # images, until which samples that have never differed are those of an untrained generator
LONG = 5  # log intervals
VARIED = 0.05  # share of the data's variance: more is no untrained generator
CONSTANT = 1e-6  # share of the data's variance: less is one sample
TRY = {
    LOST: "training has left the numbers: try a lower lr (optimizer.lr) or a penalty (penalty=r1)",
    "spread": "the generator gives the same sample for every z (a full mode collapse): try another seed, a lower lr, "
    "or batch norm in G",
    "duplicates": "the generator gives few samples again and again (mode collapse): try another seed, a lower lr, "
    "pack=2 or architecture.discriminator.minibatch_std=true",
    "modes": "the generator has given up a part of the data: try another seed, a lower lr, or penalty=[r1,r2]",
    "certain": "no player learns much from one who makes no mistakes",
    "far": "training spoils what it had reached: try a rate that falls (schedule=cosine) or a penalty (penalty=r1)",
}


def is_looked_at(config: Config, step: int) -> bool:
    """Whether a run is looked at after a step: where something is read or saved anyway."""
    measured = config.evaluate_every if config.metrics else 0
    intervals = (config.log_every, config.sample_every, config.checkpoint_every, measured, LATEST)
    return step == config.steps or any(every and step % every == 0 for every in intervals)
