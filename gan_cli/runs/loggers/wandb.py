"""Weights & Biases."""

from __future__ import annotations

import logging
import secrets
import shutil
from pathlib import Path
from typing import Any

from gan_cli.errors import UserError
from gan_cli.runs.loggers.logger import finite, require

log = logging.getLogger(__name__)


class WandB:
    """Sends the values of ``metrics.jsonl`` under their names, sample grids and the config.

    Its files and the run's id lie in ``wandb/`` of the run folder, so a resumed run goes on as the same one. What was
    sent before a kill stays; what was lost is sent again, as the run is told from its first step. Offline there is
    nothing to go on from: the run is written whole again, in place of its older files.
    """

    def __init__(self, project: str, entity: str | None, mode: str | None) -> None:
        require("wandb", "wandb")
        self.project, self.entity, self.mode = project, entity, mode

    def open(self, folder: Path, config: dict[str, Any]) -> None:
        import wandb

        place = folder / "wandb"
        place.mkdir(exist_ok=True)
        older, id_file = list(place.glob("offline-run-*")), place / "run-id"
        if not id_file.exists():
            id_file.write_text(secrets.token_hex(4), encoding="utf-8")
        quiet = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
        try:
            self.run = wandb.init(
                project=self.project,
                entity=self.entity,
                mode=self.mode,  # type: ignore[arg-type]
                id=id_file.read_text(encoding="utf-8"),
                resume="allow",
                dir=folder.resolve(),  # its service has a current folder of its own
                name=folder.resolve().name,
                group=folder.resolve().parent.name,
                config=config,
                settings=quiet,
            )
        except wandb.Error as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise UserError(f"logger=wandb: {reason}: wandb login, or logger.wandb.mode=offline") from error
        if self.run.offline:
            for path in older:
                shutil.rmtree(path)
            log.info("wandb: offline; to send it: wandb sync %s", Path(self.run.dir).parent)
        elif self.run.url:
            log.info("wandb: %s", self.run.url)
        self.first = self.run.step  # the server has those before it

    def record(self, record: dict[str, float | None]) -> None:
        values = dict(record)
        self._log(int(values.pop("step") or 0), {key: finite(value) for key, value in values.items()})

    def picture(self, step: int, path: Path) -> None:
        import wandb

        self._log(step, {"samples": wandb.Image(str(path))})

    def close(self, code: int) -> None:
        self.run.finish(exit_code=code)

    def _log(self, step: int, values: dict[str, Any]) -> None:
        if step >= self.first:
            self.run.log(values, step=step)
