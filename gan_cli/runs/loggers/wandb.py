"""Weights & Biases."""

from __future__ import annotations

import logging
import secrets
import shutil
from pathlib import Path

from gan_cli.config.options import Values
from gan_cli.errors import UserError, first_line
from gan_cli.runs.loggers.logger import finite, require
from gan_cli.runs.records import Record

log = logging.getLogger(__name__)


class WandB:
    """Sends the values of ``metrics.jsonl`` under their names, sample grids and the config.

    Its files and the run's id are in ``wandb/`` of the run folder, so a resumed run continues under the same id. Values
    that were sent before a kill stay; lost ones are sent again, because a resumed run repeats all records. Offline, a
    run cannot be continued, so it is written again from its first step, in place of its older files.
    """

    def __init__(self, project: str, entity: str | None, mode: str | None) -> None:
        require("wandb", "wandb")
        self.project, self.entity, self.mode = project, entity, mode

    def open(self, folder: Path, config: Values) -> None:
        import wandb

        place = folder / "wandb"
        place.mkdir(exist_ok=True)
        older, id_file = list(place.glob("offline-run-*")), place / "run-id"
        if not id_file.exists():
            id_file.write_text(secrets.token_hex(4), encoding="utf-8")
        logging.raiseExceptions = False  # on a full disk its debug.log prints a trace for each line
        quiet = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
        try:
            self.run = wandb.init(
                project=self.project,
                entity=self.entity,
                mode=self.mode,  # type: ignore[arg-type]
                id=id_file.read_text(encoding="utf-8"),
                resume="allow",
                dir=folder.resolve(),  # its service may have another current folder
                name=folder.resolve().name,
                group=folder.resolve().parent.name,
                config=dict(config),
                settings=quiet,
            )
        except wandb.Error as error:
            reason = first_line(error).rstrip(".")
            raise UserError(f"logger=wandb: {reason}: wandb login, or logger.wandb.mode=offline") from error
        if self.run.offline:
            for path in older:
                shutil.rmtree(path)
            log.info("wandb: offline; to send it: wandb sync %s", Path(self.run.dir).parent)
        elif self.run.url:
            log.info("wandb: %s", self.run.url)
        self.first = self.run.step  # the server has all steps before it

    def record(self, record: Record) -> None:
        values = dict(record)
        self._log(int(values.pop("step") or 0), {key: finite(value) for key, value in values.items()})

    def picture(self, step: int, path: Path) -> None:
        import wandb

        self._log(step, {"samples": wandb.Image(str(path))})

    def close(self, code: int) -> None:
        self.run.finish(exit_code=code)

    def _log(self, step: int, values: dict[str, object]) -> None:
        if step >= self.first:
            self.run.log(values, step=step)
