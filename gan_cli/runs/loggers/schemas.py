"""The options of loggers: types and limits. Torch-free."""

from __future__ import annotations

from typing import Literal

from gan_cli.config.options import Choice, Chosen, Text


class WandBOptions(Choice):
    project: Text
    entity: Text | None
    mode: Literal["online", "offline", "disabled"] | None

    def contradictions(self, chosen: Chosen) -> list[str]:
        """An ensemble, which has several runs in one process."""
        if (size := chosen.count("ensemble")) < 2:
            return []
        return [f"logger=wandb: follows one run in a process, and ensemble={size} has {size}: use tensorboard"]
