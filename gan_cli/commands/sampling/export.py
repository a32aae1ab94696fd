"""A generator for other programs. Batches may be of any size; the inputs are ``z`` and, if conditional, ``labels``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path

import torch
from torch.export import Dim

from gan_cli.data import columns
from gan_cli.errors import UserError, first_line
from gan_cli.models.labels import blank_labels
from gan_cli.output.replacing import replacing
from gan_cli.runs import weights
from gan_cli.runs.loading import Trained


def safetensors(found: Trained, path: Path) -> None:
    """The weights alone, with a JSON file beside them that says how to rebuild the generator."""
    weights.write(found.weights, path)


def torch_program(found: Trained, path: Path) -> None:
    """A graph that ``torch.export.load(path).module()(z)`` runs without this package.

    Its extra files ``classes.json``, ``conditions.json`` and ``fields.json`` hold what ``_about`` says.
    """
    program, about = _program(found, "torch"), _about(found)
    file = BytesIO()  # what torch writes itself it cannot say why it cannot write
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No complete tensor found")  # of a buffer that shares another's memory
        torch.export.save(program, file, extra_files={f"{name}.json": text for name, text in about.items()} or None)
    with replacing(path) as aside:
        aside.write_bytes(file.getvalue())


def onnx(found: Trained, path: Path) -> None:
    """A graph with inputs z (batch, latent) float32, labels, and output samples (batch, …) float32.

    Labels are int64 (batch,), or float32 (batch, k) conditions. Its metadata hold what ``_about`` says.
    """
    inputs = ["z", "labels"] if found.sampler.classes else ["z"]
    program = torch.onnx.export(
        _program(found, "onnx"),
        input_names=inputs,
        output_names=["samples"],
        dynamic_shapes=({0: "batch"}, {})[: len(inputs)],  # the program knows already that it is the same for both
        dynamo=True,
        verbose=False,
    )
    assert program
    program.model.metadata_props.update(_about(found))
    with replacing(path) as aside:
        program.save(aside)


EXPORTS: dict[str, Callable[[Trained, Path], None]] = {"safetensors": safetensors, "torch": torch_program, "onnx": onnx}


def _about(found: Trained) -> dict[str, str]:
    """What labels and numbers mean, as JSON: the names of the classes, where they have names, or the columns of
    conditions, and what the numbers of a point or the channels of a signal stand for."""
    sampler = found.sampler
    about: dict[str, object] = {"classes": sampler.names} if sampler.names else {}
    if sampler.conditions is not None:
        about = {"conditions": sampler.conditions.saved()}
    if sampler.fields:
        about["fields"] = columns.saved(sampler.fields)
    return {name: json.dumps(value) for name, value in about.items()}


def _program(found: Trained, key: str) -> torch.export.ExportedProgram:
    """The generator as a graph over a batch of any size.

    Raises:
        UserError: if torch cannot follow the code of the architecture.
    """
    z, batch = found.sampler.latents(2, 0), {0: Dim("batch", min=1)}  # two: a batch of one would become a constant
    labels = blank_labels(found.sampler.classes, 2)
    inputs = (z,) if labels is None else (z, labels)
    try:
        with redirect_stderr(StringIO()), warnings.catch_warnings():  # torch prints the graph it gives up on
            warnings.simplefilter("ignore")
            return torch.export.export(found.sampler.network, inputs, dynamic_shapes=tuple(batch for _ in inputs))
    except Exception as error:  # whatever the traced code raises
        raise UserError(
            f"export={key}: torch cannot follow the code of this architecture ({first_line(error)}): "
            "use export=safetensors"
        ) from error
