"""Arrays as they lie in files, ``.npy``, ``.npz`` and ``.pt``: nothing in them is unpickled, or allocated unasked."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy

from gan_cli import memory
from gan_cli.config.mistakes import suggestion
from gan_cli.data.archive import opened
from gan_cli.data.columns import Fields
from gan_cli.data.conditions import Condition, Kind, standardised
from gan_cli.data.mapping import array_of_file
from gan_cli.data.samples import UNKNOWN, Samples
from gan_cli.errors import UserError, reason_of
from gan_cli.output.text import printable

ENDINGS = (".npy", ".npz", ".pt", ".pth")
VALUES = ("images", "pictures", "signals", "points", "samples", "values", "data", "x", "X", "x_train", "train_images")
LABELS = ("labels", "label", "targets", "target", "y", "Y", "y_train", "train_labels")
NONE = "none"  # in the place of a name: there are no labels
NUMBERS, TEXTS = "buif", "US"  # kinds of NumPy's types
SHOWN = 8  # names in a line
FEWER = "give a part of it, or a .npy of the same numbers, which is read from the disk as needed"


def pair(
    path: Path, said: str, key: str | None, labels_key: str | None
) -> tuple[np.ndarray, np.ndarray | None, Sequence[str]]:
    """The values of a file, (N, …), their labels, (N,), (N, k) or None, and the names of arrays that are left out.

    Args:
        said: the path as it was typed.
        key, labels_key: the names of both in a file of several arrays; None: by the usual ones; labels: or ``none``.

    Raises:
        UserError: if there are no such arrays, or the file cannot be read.
    """
    who = f"dataset.path={said}"
    arrays = _arrays(path, who)
    names = [*arrays]
    known = f"there are: {', '.join(map(printable, names[:SHOWN]))}{' …' if len(names) > SHOWN else ''}"
    for option, name in (("key", key), ("labels_key", None if labels_key == NONE else labels_key)):
        if name is not None and name not in arrays:
            raise UserError(f"dataset.{option}={name}: no array is called so{suggestion(name, names)}; {known}")
    numbers = [name for name in names if arrays[name].dtype.kind in NUMBERS]
    labels = labels_key or next((name for name in LABELS if name in numbers and name != key), None)
    others = [name for name in numbers or names if name != labels]
    usual = [name for name in VALUES if name in others]
    found = key or (others[0] if len(others) == 1 else usual[0] if usual else None)
    if found is None:
        raise UserError(f"{who}: which of its arrays is it? say dataset.key=NAME; {known}")
    values = arrays[found]
    if labels is None:
        texts = [name for name in LABELS if name in arrays and arrays[name].dtype.kind in TEXTS]
        each = values.shape[:1], (*values.shape[:1], 1)
        labels = next((name for name in texts if arrays[name].shape in each), None)
    of_rows = None if labels is None or labels == NONE else arrays[labels]
    for name, array, kinds in ((found, values, NUMBERS), (labels, of_rows, NUMBERS + TEXTS)):
        if array is not None and array.dtype.kind not in kinds:
            raise UserError(f"{who}: {name or 'it'} holds {array.dtype}, and no numbers: give an array of numbers")
    if not values.ndim or not values.size:
        raise UserError(f"{who}: holds no samples ({values.dtype} {values.shape}): give an array (N, …)")
    if of_rows is not None and (of_rows.ndim not in (1, 2) or len(of_rows) != len(values) or not of_rows.size):
        raise UserError(
            f"{who}: its labels {printable(labels or '')} are {of_rows.shape}, and not one for each of "
            f"{len(values):,} samples: name others, dataset.labels_key=NAME or none"
        )
    if of_rows is not None and of_rows.ndim == 2 and of_rows.shape[1] == 1:
        of_rows = of_rows[:, 0]
    left_out = [name for name in names if name not in (found, labels)]
    return values, of_rows, left_out


class Labels(NamedTuple):
    """The labels of all samples: classes, int64 (N,), with their names; or rows of conditions, float32 (N, k)."""

    rows: np.ndarray
    names: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def classes(self) -> np.ndarray | None:
        return None if self.conditions else self.rows

    def given_to(self, values: np.ndarray, places: np.ndarray, fields: Fields) -> Samples:
        """Samples with the labels at these places; there are as many classes as in all."""
        classes = 0 if self.conditions else int(self.rows.max()) + 1
        return Samples(values, self.rows[places], self.names, classes, conditions=self.conditions, fields=fields)


def labels_of(labels: np.ndarray, who: str, *, unlabelled: bool) -> Labels:
    """What labels (N,) or (N, k) are: whole numbers and texts, one each, are classes, others conditions.

    Args:
        unlabelled: whether samples may be without; see ``classes_of``.

    Raises:
        UserError: if they are neither.
    """
    texts = labels.dtype.kind in TEXTS
    said = labels[~np.isnan(labels)] if unlabelled and labels.dtype.kind == "f" else labels
    if texts or (labels.ndim == 1 and (labels.dtype.kind in "bui" or (said == np.round(said)).all())):
        return Labels(*classes_of(labels, who, unlabelled=unlabelled))
    each = labels.reshape(len(labels), -1)
    if not np.isfinite(each).all():
        raise UserError(f"{who}: its labels are not finite: mend them, or leave them out: dataset.labels_key=none")
    kinds: list[Kind] = ["attribute" if set(np.unique(x)) <= {0, 1} else "number" for x in each.T]
    names = ["label"] if len(kinds) == 1 else [f"label{place}" for place in range(len(kinds))]
    seen, conditions = standardised(each, names, kinds)
    return Labels(seen, conditions=conditions)


def classes_of(labels: np.ndarray, who: str, *, unlabelled: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels from 0 up, int64 (N,), and what they are called, where they are not 0, 1, 2, … already.

    Args:
        labels: whole numbers, or texts.
        unlabelled: whether samples may be without: an empty text, NaN, or −1 beside two classes from 0 up at least.
            Theirs is −1.
    """
    if unlabelled and labels.ndim == 1:
        missing = _missing(labels)
        if missing.any() and not missing.all():
            numbers, names = classes_of(labels[~missing], who)
            found = np.full(len(labels), UNKNOWN)
            found[~missing] = numbers
            return found, names
    if labels.dtype.kind in TEXTS and labels.ndim == 1:
        texts = np.char.decode(labels, "utf-8", "backslashreplace") if labels.dtype.kind == "S" else labels
        named, places = np.unique(texts, return_inverse=True)
        if "" in named:
            raise UserError(f"{who}: some of its labels are empty: name each class, or use dataset.labels_key=none")
        return places.astype(np.int64), tuple(map(printable, named.tolist()))
    whole = labels.dtype.kind != "f" or (np.isfinite(labels).all() and (labels == np.round(labels)).all())
    if labels.ndim > 1 or not whole:
        raise UserError(
            f"{who}: its labels are no whole numbers: give classes, or leave them out: dataset.labels_key=none"
        )
    values, numbers = np.unique(labels.astype(np.int64), return_inverse=True)
    if (values == np.arange(len(values))).all():
        return numbers.astype(np.int64), ()
    return numbers.astype(np.int64), tuple(str(value) for value in values.tolist())


def _missing(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind in TEXTS:
        return np.char.str_len(labels) == 0
    nothing = np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(len(labels), bool)
    others = np.unique(labels[~nothing & (labels != UNKNOWN)])
    return nothing | (labels == UNKNOWN) if len(others) > 1 and others[0] >= 0 else nothing


def _arrays(path: Path, who: str) -> Mapping[str, np.ndarray]:
    if path.is_dir() or not path.exists():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{who}: {what}: give a .npy, .npz or .pt file")
    try:
        if path.suffix == ".npy":
            return {"": _mapped(path)}
        if path.suffix == ".npz":
            return _npz(path, who)
        if path.suffix in (".pt", ".pth"):
            return _tensors(path, who)
    except UserError:
        raise
    except Exception as error:  # what reads a damaged file raises anything
        reason = reason_of(error)
        if any(said in reason for said in ("allow_pickle", "Object arrays", "Python objects", "Weights only")):
            reason = "it holds Python objects, which are not read"
        raise UserError(f"{who}: cannot be read ({reason}): write it again") from error
    raise UserError(f"{who}: ends in {path.suffix or 'nothing'}: give a .npy, .npz or .pt file")


def _mapped(path: Path) -> np.ndarray:
    """The array of a ``.npy``, read from the disk as needed."""
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(found, np.memmap):
        raise ValueError("it holds no array")
    order: Literal["C", "F"] = "C" if found.flags.c_contiguous else "F"
    return array_of_file(path, found.dtype, found.shape, found.offset, order)


def _npz(path: Path, who: str) -> Mapping[str, np.ndarray]:
    """The arrays of a ``.npz``; what they take is known before they are unpacked."""
    with opened(path) as packed:
        members = [member for member in packed.infolist() if member.filename.endswith(".npy")]
        heads = {member.filename: _head(packed, member, who) for member in members}
        memory.require(sum(2 * size for size in heads.values()), who, FEWER)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if f"{name}.npy" in heads}


def _head(packed: zipfile.ZipFile, member: zipfile.ZipInfo, who: str) -> int:
    """The bytes of an array by what it says of itself."""
    with packed.open(member) as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise UserError(f"{who}: {printable(member.filename)} holds Python objects, which are not read: leave it out")
    if abs(member.file_size - size) > 2**16:
        raise UserError(
            f"{who}: {printable(member.filename)} says {size:,} bytes and has {member.file_size:,}: damaged"
        )
    return size


def _tensors(path: Path, who: str) -> Mapping[str, np.ndarray]:
    """The tensors of a ``.pt``: one, or those of a dictionary. Nothing but tensors is read."""
    import torch

    mapped = zipfile.is_zipfile(path)
    if not mapped:
        memory.require(2 * path.stat().st_size, who, FEWER)
    found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    named = {"": found} if isinstance(found, torch.Tensor) else found
    if not isinstance(named, Mapping):
        raise UserError(f"{who}: holds {type(found).__name__}: give a tensor, or a dictionary of tensors")
    tensors = {str(name): value for name, value in named.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise UserError(f"{who}: holds no tensor: give one, or a dictionary of tensors")
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise UserError(f"{who}: {printable(name) or 'its tensor'} is sparse or quantised: write it dense")
        if not tensor.is_contiguous() or tensor.dtype == torch.bfloat16:
            memory.require(4 * size, who, FEWER)
    return {name: _numbers(tensor) for name, tensor in tensors.items()}


def _numbers(tensor: object) -> np.ndarray:
    import torch

    assert isinstance(tensor, torch.Tensor)
    plain = tensor.detach()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).contiguous().resolve_conj().numpy()
