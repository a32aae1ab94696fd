"""The plan of a command: what is trained, and where. Torch-free."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.runs.names import RESUMPTION

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_cli.config.schema import Config
    from gan_cli.runs.resume import Resumption


@dataclass(frozen=True)
class Single:
    """How a single run is trained.

    Args:
        config: its checked config.
        composed: Hydra's config that it came from, with Hydra's own keys.
        run_dir: the run folder.
        added: typed keys that not every option has.
        output_subdir: the folder in it for the config and the command; empty for that of the config, None for nowhere.
        resumption: the checkpoint to continue.
        claimed: whether the run folder was made for this command.
        finished: whether a job that was started again has finished its run already.
    """

    config: Config
    composed: DictConfig
    run_dir: Path
    added: Collection[str]
    output_subdir: str | None = ""
    resumption: Resumption | None = None
    claimed: bool = False
    finished: bool = False

    def resuming(self, resumption: Resumption) -> Single:
        """The same for a resumed run: Hydra writes into its folder, and the config beside the earlier ones."""
        subdir = f".hydra/{RESUMPTION.format(resumption.number)}"
        folder, config = resumption.folder, resumption.config
        return replace(self, config=config, run_dir=folder, output_subdir=subdir, resumption=resumption)


@dataclass(frozen=True)
class Sweep:
    """How the runs of a sweep are trained.

    Args:
        config: the checked config of its first usable run.
        folder: of the whole sweep.
        output_subdir: the folder in each run's for its config and its command; None for nowhere.
        unusable: values that are left out, and why.
        added: typed keys that not every option has.
        extra: overrides that nobody typed.
        runs: how many there are.
        at_once: whether all of them are composed before the first begins.
        in_processes: whether they have processes of their own.
    """

    config: Config
    folder: Path
    output_subdir: str | None
    unusable: Sequence[tuple[str, str]]
    added: Collection[str]
    extra: Sequence[str]
    runs: int
    at_once: bool
    in_processes: bool
