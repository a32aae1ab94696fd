"""What loggers may be told. Nothing here imports torch."""

from __future__ import annotations

from typing import Literal

from gan_cli.config.options import Choice, Chosen, Text


class WandBOptions(Choice):
    project: Text
    entity: Text | None
    mode: Literal["online", "offline", "disabled"] | None

    def contradictions(self, chosen: Chosen) -> list[str]:
        """An ensemble."""
        if (size := chosen.count("ensemble")) < 2:
            return []
        return [f"logger=wandb: follows one run in a process, and ensemble={size} has {size}: use tensorboard"]
