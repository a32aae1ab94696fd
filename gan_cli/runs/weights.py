"""The weights of a game, and what is needed to rebuild it: from a checkpoint, or from an exported generator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from gan_cli.config.options import Values
from gan_cli.config.paths import expanded
from gan_cli.data.columns import Fields
from gan_cli.data.columns import read as fields_in
from gan_cli.data.columns import saved as saved_fields
from gan_cli.data.conditions import Conditions, columns_in, conditions_in
from gan_cli.errors import UserError
from gan_cli.models.averaging import directed
from gan_cli.output import sealed_json
from gan_cli.output.replacing import replacing
from gan_cli.runs import checkpoint
from gan_cli.runs.names import EXPORTED, HUB_ABOUT, HUB_FILE
from gan_cli.runs.schemas import Exported, problem_of

if TYPE_CHECKING:
    from gan_cli.training.state import State

FORMAT = 2  # 1: without checksums
POINTER = b"version https://git-lfs"  # a repository's file, before Git LFS has fetched it


@dataclass(frozen=True)
class Weights:
    """Trained weights.

    Attributes:
        folder: the folder of the run, or of the exported file.
        ema: whether ``tensors`` are the moving average.
        tensors: the weights of the network that draws samples.
        classes: the number of labels that the networks see, or ``Columns`` of conditions.
        names: the names of the classes by label; empty where they have none.
        conditions: what it is given in place of a class, or None.
        full_depth: whether the pictures that it was trained on are at full depth.
        fields: what the numbers of a sample stand for; empty where they are themselves.
        data: what tells the samples that it was trained on; None in an exported file.
        others: the weights of the other players' networks; an exported file has none.
        kept: what the game keeps besides weights; an exported file has nothing of it.
    """

    folder: Path
    step: int
    config: Values
    shape: tuple[int, ...]
    classes: int
    ema: bool
    tensors: dict[str, Tensor]
    names: tuple[str, ...] = ()
    conditions: Conditions | None = None
    fields: Fields = ()
    others: Mapping[str, dict[str, Tensor]] = field(default_factory=dict)
    kept: Mapping[str, Tensor] = field(default_factory=dict)
    full_depth: bool = False
    data: Values | None = None


def find(where: str, key: str, ema: bool) -> Weights:
    """The weights that ``key=where`` names: a run folder, a checkpoint, ``latest``, or an exported file or its folder.

    Args:
        ema: the moving average, if the run kept one.

    Raises:
        UserError: if there are none that can be read.
    """
    if (path := exported(expanded(where, f"{key}="))) is not None:
        return read(path, key, ema)
    folder, _, state = checkpoint.find(where, key)
    return of_checkpoint(folder, state, ema)


def exported(path: Path) -> Path | None:
    """The exported file that a path names, or that lies in the folder that it names; None if there is none."""
    if path.is_dir():
        return next((file for name in (EXPORTED, HUB_FILE) if (file := path / name).is_file()), None)
    return path if path.suffix == ".safetensors" and path.is_file() else None


def of_checkpoint(folder: Path, state: State, ema: bool) -> Weights:
    """The weights in a checkpoint's state."""
    averaged, sampler = ema and bool(state["ema"]), state.get("sampler", "generator")
    tensors = state["networks"].get(sampler, {})
    if averaged:
        tensors = directed(state["ema"], tensors)
    return Weights(
        folder,
        state["step"],
        state["config"],
        tuple(state["data"]["shape"]),
        columns_in(state["classes"], state["data"]),
        averaged,
        tensors,
        tuple(state["data"].get("names", ())) if state["classes"] else (),
        conditions_in(state["data"]) if state["classes"] else None,
        fields_in(state["data"].get("fields", ())),
        {name: tensors for name, tensors in state["networks"].items() if name != sampler},
        state.get("kept") or {},
        state["data"].get("full_depth", False),
        state["data"],
    )


def write(weights: Weights, path: Path, about: Path | None = None) -> None:
    """Writes the tensors to ``path`` and the rest to ``about``: by default beside them, as JSON of the same name."""
    from safetensors.torch import save

    tensors = save({name: tensor.contiguous() for name, tensor in weights.tensors.items()}, {"format": "pt"})
    facts = {
        "format": FORMAT,
        "weights": hashlib.sha256(tensors).hexdigest(),
        "step": weights.step,
        "shape": weights.shape,
        "classes": int(weights.classes),
        "names": weights.names,
        **({"conditions": of.saved(), "rows": of.rows.tolist()} if (of := weights.conditions) else {}),
        "ema": weights.ema,
        "config": weights.config,
        **({"full_depth": True} if weights.full_depth else {}),
        **({"fields": saved_fields(weights.fields)} if weights.fields else {}),
    }
    with replacing(about or path.with_suffix(".json")) as aside:
        aside.write_text(sealed_json.written(facts), encoding="utf-8")
    with replacing(path) as aside:
        aside.write_bytes(tensors)


def read(path: Path, key: str, ema: bool) -> Weights:
    """Reads back what ``write`` wrote.

    Raises:
        UserError: if a file is missing or damaged, the package that reads it is not there, or other weights than
            the exported ones are asked for.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ModuleNotFoundError as error:
        raise UserError(f"{key}={path}: needs the package safetensors: pip install 'gan-cli[export]'") from error
    about = path.with_suffix(".json")
    if path.name == HUB_FILE and not about.is_file():
        about = path.with_name(HUB_ABOUT)
    try:
        text, tensors = about.read_text(encoding="utf-8"), path.read_bytes()
        for file, content in ((about, text.encode()), (path, tensors)):
            if content.startswith(POINTER):
                raise UserError(f"{key}={path}: {file.name} is a pointer of Git LFS, not the file: git lfs pull")
        facts, as_written = sealed_json.read(text)
        if facts["format"] not in (1, FORMAT):
            raise UserError(f"{key}={path}: {about.name} is from another version of gan-sample: export it again")
        if as_written is False or (as_written is None and facts["format"] == FORMAT):
            raise UserError(f"{key}={path}: its weights do not fit {about.name}, which is altered: export it again")
        if problem := problem_of(facts, Exported):
            raise ValueError(f"{about.name}: {problem}")
        if as_written and facts["weights"] != hashlib.sha256(tensors).hexdigest():
            raise ValueError("altered: not what its checksum says was written")
        shape = tuple(facts["shape"])
        found = Weights(
            path.parent,
            facts["step"],
            dict(facts["config"]),
            shape,
            columns_in(facts["classes"], facts),
            facts["ema"],
            load(tensors),
            tuple(facts.get("names", ())),
            conditions_in(facts),
            full_depth=facts.get("full_depth", False),
            fields=fields_in(facts.get("fields", ())),
        )
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{key}={path}: lacks {about.name}, which lies beside it when it is exported") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise UserError(f"{key}={path}: cannot be read ({type(error).__name__}: {error}): export it again") from error
    if found.ema and not ema:
        raise UserError("ema=false: the exported weights are the moving average: leave it out, or name the run")
    return found
