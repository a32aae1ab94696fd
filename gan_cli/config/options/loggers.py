"""What loggers may be told."""

from __future__ import annotations

from typing import Literal

from gan_cli.config.options.base import Choice, Text


class WandBOptions(Choice):
    project: Text
    entity: Text | None
    mode: Literal["online", "offline", "disabled"] | None
