"""One process of several that train a game in float64; not a test itself: ``processes.py RANK WORLD FOLDER KEY …``."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from conftest import setup_of

from gan_cli import distributed
from gan_cli.algorithm import play


def trained(keys: list[str], world: int) -> dict[str, torch.Tensor]:
    """Parameters, moving average and statistics of a game after some steps."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]  # pictures and what is widened
    early = "early" in keys and world > 1
    if "parts" in keys and world > 1:
        keys = [*keys, "accumulate=2"]
    if "again" in keys and world > 1:
        keys = [*keys, "activation_checkpointing=true"]
    keys = [key for key in keys if key not in ("early", "parts", "again")]
    setup = setup_of(*keys)
    if early:  # as on a GPU, in buckets of a layer or two
        distributed.BUCKET = 500
        for player in setup.players:
            player.average = distributed.Averaging(player.parameters)
    found: dict[str, torch.Tensor] = {}

    def observe(step, statistics):
        for move, values in enumerate(statistics):
            found.update({f"step {step} move {move} {name}": value.clone() for name, value in values.items()})

    play(setup, range(1, setup.config.steps + 1), [observe])
    for player in setup.players:
        found.update({f"{player.name} {name}": value for name, value in player.network.state_dict().items()})
    found.update({f"ema {name}": value for name, value in setup.sampler.network.state_dict().items()})
    return found


def main(rank: int, world: int, folder: Path, cases: list[str]) -> None:
    torch.set_num_threads(1)
    for number, case in enumerate(cases):
        if world == 1:
            torch.save(trained(case.split(), 1), folder / f"{number}-alone.pt")
            continue
        store = dist.FileStore(str(folder / f"store-{number}"), world)
        with distributed.joined(store, rank, world, rank, torch.device("cpu")):
            torch.save(trained(case.split(), world), folder / f"{number}-{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
