"""The commands beside ``gan-train``: their keys, and the module that does the work. Torch-free, like the config."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Literal

from pydantic import AfterValidator

from gan_cli.commands.pages import words_after_help
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.machine import known_device
from gan_cli.config.mistakes import shown
from gan_cli.config.options import GROUPS, BlackAndWhite, Choice, Count, Options, Several, Text, Values, Whole
from gan_cli.config.overrides import Override
from gan_cli.config.paths import says_folder
from gan_cli.config.root import Root
from gan_cli.config.typed import typed
from gan_cli.data.colours import ColourName
from gan_cli.data.sizes import PictureSize
from gan_cli.errors import UserError

Device = Annotated[str, AfterValidator(known_device)]
OF_FOLDERS = ("size", "fit", "background", "channels", "depth", "range", "allow_missing")  # of pictures to compare

OF_CHECKPOINTS = ("split.", "ema.", "batch_size.", "dataset.")  # of what they draw and were trained on


class DataPlace(Options):
    """The present location of the data, if it is not the checkpoint's."""

    root: Text | None
    path: Text | None


class EvaluationRoot(Options):
    checkpoint: Text | None
    real: Text | None
    samples: Text | None
    size: PictureSize
    fit: Literal["crop", "pad", "stretch"]
    background: ColourName
    channels: Literal[1, 2, 3, 4]
    depth: Literal[8, "full"]
    range: BlackAndWhite | None
    allow_missing: bool
    count: Several
    split: Literal["train", "test"]
    seed: Whole
    ema: bool
    dataset: DataPlace
    device: Device
    batch_size: Count
    out: Text | None


class Evaluation(EvaluationRoot):
    """Everything ``gan-eval`` needs to know."""

    metrics: dict[str, Choice]
    extractor: Choice


@dataclass(frozen=True)
class Tool:
    """One command: the keys of ``conf/<name>.yaml``, and the module whose ``run(config, library)`` does the work.

    ``contradictions`` gets the values and the typed keys, and returns one line for each contradiction.
    """

    name: str
    root: type[Options]
    config: type[Options]
    groups: Sequence[str]
    module: str
    contradictions: Callable[[Values, Collection[str]], list[str]]

    def validate(self, raw: Values, library: Library, given: Collection[str] = ()) -> Options:
        values, problems = typed(raw, library, self.root, self.groups)
        if self.root.model_fields.keys() <= values.keys():
            problems += self.contradictions(values, given)
        if problems:
            raise UserError(*problems)
        return self.config.model_construct(None, **values)

    def main(self, argv: Sequence[str]) -> None:
        """Runs the command.

        Raises:
            UserError: with one line for every mistake.
        """
        command = Command.parse(argv)
        command.config_name, command.root = self.name, self.root
        if words := words_after_help(argv):
            from gan_cli.commands.help import help_text

            return print(help_text(Library(*command.config_dirs), *words, keys=f"{self.name}.yaml"))
        if command.has("--help", "-h") or not argv:
            from gan_cli.commands.comments import whole_file
            from gan_cli.commands.help import columns

            return print(whole_file((shipped_conf() / f"{self.name}.yaml").read_text(encoding="utf-8"), columns()))
        if command.has("--version"):
            from gan_cli.version import __version__

            return print(f"gan-{self.name} {__version__}")
        if unusable := [flag for flag in command.flags if flag.startswith("-") and flag not in ("--config-dir",)]:
            raise UserError(f"{unusable[0]}: is for gan-train; gan-{self.name} takes key=value and --config-dir")
        library = Library(*command.config_dirs)
        config = self.checked(command, library)
        import_module(self.module).run(config, library)
        return None

    def checked(self, command: Command, library: Library) -> Options:
        """The config of a command.

        Raises:
            UserError: with one line for every mistake.
        """
        every = command.parsed(library).every
        if lines := [line for override in every if (line := self._not_ours(override))]:
            raise UserError(*lines)
        given = [override.key for override in every]
        return check(command, library, lambda raw, library: self.validate(raw, library, given))

    def _not_ours(self, override: Override) -> str | None:
        head = override.key.partition(".")[0]
        ours = head in self.groups or (head in self.root.model_fields and override.key not in GROUPS)
        of_training = head in (*Root.model_fields, *GROUPS, "hydra")
        return f"{override.typed}: is a key of gan-train, not of gan-{self.name}" if of_training and not ours else None


def _evaluation_contradictions(values: Values, given: Collection[str]) -> list[str]:
    out = values.get("out")
    if out and not says_folder(out) and not out.endswith(".json"):
        return [f"out={out}: must end in .json, or be a folder: out={out}.json"]
    return _kinds_contradict(values, given)


def _kinds_contradict(values: Values, given: Collection[str]) -> list[str]:
    folders = [key for key in ("real", "samples") if values.get(key)]
    if values.get("checkpoint"):
        idle = [key for key in OF_FOLDERS if key in given]
        return [f"{key}={values[key]}: is compared without a checkpoint: leave one out" for key in folders] + [
            f"{key}={shown(values[key])}: is for two folders of pictures: leave it out" for key in idle
        ]
    if folders and (idle := [key for key in dict.fromkeys(given) if f"{key}.".startswith(OF_CHECKPOINTS)]):
        return [f"{_typed(key, values)}: is for a checkpoint: leave it out" for key in idle]
    if len(folders) == 1:
        other = "samples" if folders == ["real"] else "real"
        return [f"{other}: is missing: two folders of pictures are compared, real=… samples=…"]
    return [] if folders else ["checkpoint: is missing: checkpoint=RUN_FOLDER (or two folders: real=… samples=…)"]


def _typed(key: str, values: Values) -> str:
    """A key of the root, or ``dataset.path``, with its value."""
    group, _, rest = key.partition(".")
    return f"{key}={shown(vars(values[group])[rest] if rest else values[group])}"


EVALUATION = Tool(
    "eval",
    EvaluationRoot,
    Evaluation,
    ("metrics", "extractor"),
    "gan_cli.commands.evaluate",
    _evaluation_contradictions,
)
