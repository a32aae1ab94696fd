"""``hydra/sweeper=random`` and ``optuna``: Hydra takes a sweeper only from a package of this name.

The work is in ``gan_cli.sweeps.search``, imported when a search begins.
"""

from __future__ import annotations

from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Search(Sweeper):
    """Options as in ``conf/hydra/sweeper``, checked before Hydra is called."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[JobReturn]:
        from gan_cli.sweeps.search.sweeper import search

        return search(self, arguments)
