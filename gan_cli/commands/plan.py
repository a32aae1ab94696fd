"""The plan of a command: what is trained, and where. Torch-free."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.runs.names import RESUMPTION

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_cli.config.schema import Config
    from gan_cli.runs.resume import Resumption


@dataclass(frozen=True)
class Plan:
    """How a command is run.

    Args:
        config: the checked config of a single run.
        composed: Hydra's config that it came from, with Hydra's own keys.
        run_dir: the run folder.
        output_subdir: the folder in it for the config and the command; empty for that of the config, None for nowhere.
        resumption: the checkpoint to continue.
        claimed: whether the run folder was made for this command.
        finished: whether a job that was started again has finished its run already.
        extra: overrides of a sweep that nobody typed.
        folder: the folder of a sweep.
        runs: how many a sweep has.
        at_once: whether all of them are composed before the first begins.
        unusable: values of a sweep that are left out, and why.
        added: typed keys that not every option has.
        in_processes: whether a sweep's runs have processes of their own.
    """

    config: Config | None = None
    composed: DictConfig | None = None
    run_dir: Path | None = None
    output_subdir: str | None = ""
    resumption: Resumption | None = None
    claimed: bool = False
    finished: bool = False
    extra: Sequence[str] = ()
    folder: Path | None = None
    runs: int = 1
    at_once: bool = False
    unusable: Sequence[tuple[str, str]] = ()
    added: Collection[str] = ()
    in_processes: bool = False


def resuming(resumption: Resumption, added: Collection[str] = ()) -> Plan:
    """The plan of a resumed run: Hydra writes into its folder, and the config beside the earlier ones."""
    subdir = f".hydra/{RESUMPTION.format(resumption.number)}"
    return Plan(run_dir=resumption.folder, output_subdir=subdir, resumption=resumption, added=added)
