"""The model card of an exported generator, in Markdown. What names and files say stands in it as text alone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from gan_cli.commands.sampling.measured import Row
from gan_cli.config.options import Values
from gan_cli.output.text import in_markdown, printable
from gan_cli.runs.loading import Trained
from gan_cli.runs.status import Status

GRID = "samples.png"
OF_DATA = ("path", "size", "channels", "limit", "split", "classes")  # keys of a dataset that a reader wants to know


@dataclass(frozen=True)
class Card:
    """What a card says.

    Attributes:
        config: that of the run, without places of its machine.
        seeds: of the grid.
        commands: the words of the commands that trained it; empty if they are not known.
        own: whether it needs options that are not shipped.
    """

    found: Trained
    config: Values
    status: Status
    seeds: str
    rows: Sequence[Row]
    commands: Sequence[Sequence[str]]
    own: bool

    def text(self) -> str:
        """The whole card."""
        parts = self._front_matter(), self._opening(), self._use(), self._data(), self._metrics(), self._training()
        return "\n\n".join(parts) + "\n"

    @property
    def _names(self) -> list[str]:
        """The model, the architecture where it has one, and the dataset."""
        config = self.found.sampler.config
        network = [config.architecture.name] if config.model.heeds("architecture") else []
        return [printable(name) for name in (config.model.name, *network, config.dataset.name)]

    @property
    def _is_image(self) -> bool:
        return len(self.found.weights.shape) == 3

    def _front_matter(self) -> str:
        import yaml

        task = {"pipeline_tag": "unconditional-image-generation"} if self._is_image else {}
        facts = {"library_name": "gan-cli", **task, "tags": list(dict.fromkeys(["generative-model", *self._names]))}
        licence = "# license: yours to say: under which one others may use these weights, such as mit"
        return f"---\n{yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)}{licence}\n---"

    def _opening(self) -> str:
        weights = self.found.weights
        model, *network, dataset = map(in_markdown, self._names)
        what = f"{' of '.join([model, *network])}, trained on {dataset}"
        count = sum(tensor.numel() for tensor in weights.tensors.values())
        average = ", the moving average of its weights in training" if weights.ema else ""
        return (
            f"# {what}\n\n![samples]({GRID})\n\n"
            f"*Seeds {self.seeds}, as they come.*\n\n"
            f"The network that draws samples{average}: {count:,} numbers after {weights.step:,} steps of gan-train. "
            "`config.json` holds every value that it was trained with, and checksums of them and of the weights."
        )

    def _use(self) -> str:
        shape = ", ".join(map(str, self.found.weights.shape))
        own = ', config_dir="…"' if self.own else ""
        kind = f"(16, {shape}) in [-1, 1]" if self._is_image else f"(16, {shape})"
        lines = [
            "## Use",
            "",
            "```sh",
            "pip install 'gan-cli[export]'",
            "gan-sample checkpoint=FOLDER seeds=0-63",
            "gan-train start=FOLDER …  # a new run that begins with these weights",
            "```",
            "",
            "```python",
            "import gan_cli",
            "",
            'folder = "."  # this one, or what huggingface_hub.snapshot_download("…") returns',
            f"model = gan_cli.load(folder{own})",
            f"samples = model.sample(16, seed=0)  # float32 {kind}, the same for the same seeds",
            "```",
        ]
        if self.own:
            lines += ["", "It is made of options that are not shipped: `config_dir` is the folder that they are in."]
        if columns := self.found.sampler.fields:
            named = ", ".join(in_markdown(column.name) for column in columns)
            form = "npy" if len(self.found.weights.shape) == 2 else "csv"
            lines += ["", f"In their units, `gan-sample checkpoint=FOLDER format={form}` writes them: {named}."]
        if self.found.sampler.classes:
            lines += ["", f"It is conditional, on {self._classes()}: `model.sample(16, label=…)`."]
        return "\n".join(lines)

    def _classes(self) -> str:
        sampler = self.found.sampler
        if sampler.conditions is not None:
            each = [f"{c.name}:NUMBER" if c.kind == "number" else c.name for c in sampler.conditions.columns]
            example = sampler.conditions.said(sampler.conditions.rows[0])
            return f"{in_markdown(', '.join(each))}, such as {in_markdown(example)}"
        if not sampler.names:
            return f"one of {sampler.classes} labels, 0 to {sampler.classes - 1}"
        return "one of the labels " + ", ".join(
            f"{label} ({in_markdown(name)})" for label, name in enumerate(sampler.names)
        )

    def _data(self) -> str:
        dataset = self.config["dataset"]
        told = [f"{key} {dataset[key]}" for key in OF_DATA if dataset.get(key) not in (None, [], 0)]
        kinds = {2: "signals of", 3: "pictures of"}
        rows = "rows of a table, as features," if self.found.sampler.fields else "points of"
        what = kinds.get(len(self.found.weights.shape), rows)
        shape = " × ".join(map(str, self.found.weights.shape))
        said = f"{in_markdown(dataset['name'])}: {what} {shape}" + (
            f" ({in_markdown(', '.join(told))})" if told else ""
        )
        if self.status.get("step") == self.found.weights.step and (images := self.status.get("images")):
            said += f"; {images:,} samples of it seen in training, repetitions counted"
        return f"## Data\n\n{said}."

    def _metrics(self) -> str:
        if not self.rows:
            return (
                "## Metrics\n\nNone was measured of these weights where this card was made: "
                "`gan-eval checkpoint=RUN` measures, and `gan-sample checkpoint=RUN export=hub` then writes it here."
            )
        lines = ["## Metrics", "", "| metric | value | measured |", "|---|---|---|"]
        for row in self.rows:
            value = "not finite" if row.value is None else f"{row.value:.6g}"
            lines.append(f"| {in_markdown(row.name)} | {value} | {in_markdown(row.where)} |")
        return "\n".join(lines)

    def _training(self) -> str:
        known = self.status.get("environment") or {}
        words = [f"{key} {known[key]}" for key in ("gan-train", "torch", "python", "cpu", "device") if key in known]
        machine = f"\n\nWith {in_markdown(', '.join(words))}." if words else ""
        if not self.commands:
            return f"## Training\n\nThe command is not known where this card was made.{machine}"
        lines = [shlex.join(map(printable, ["gan-train", *words])) for words in self.commands]
        return "\n".join(["## Training", "", "```sh", *lines, "```"]) + machine
