"""Which tensors of one network another takes over: those of the same name and shape.

Layers of a sequence are named by their places, which move where a network has more of them: a generator for pictures of
twice the size has a stage more at its beginning. So the layers of two sequences are matched in their order, in the way
that takes over the most numbers; of several such ways, the one that keeps the most names.

Labels are appended to an input, so that the layer that reads it has more columns where it is told more of them. All its
other columns are taken over, and those of the labels begin at 0: it does at first what it did there.

Buffers that a module names as ``of_this_run`` follow from the data or the config of this run, and are not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.models.conditioning import Conditioned
from gan_cli.models.labels import appended

Names = dict[str, str]  # of tensors: here → there
Part = tuple[slice, slice] | None  # rows and columns of a tensor; None is the whole
Score = tuple[int, int]  # numbers taken over, and names kept


@dataclass(frozen=True)
class Taken:
    """What a network takes over.

    Attributes:
        names: each tensor that is taken, and its name there.
        parts: what is taken of those that are not taken whole.
        misfits: each tensor of the network that is not, with the reason.
        left: the tensors there that nothing takes.
    """

    names: Names
    parts: dict[str, Part]
    misfits: dict[str, str]
    left: list[str]


def taken(network: nn.Module, there: Mapping[str, Tensor], other: nn.Module | None) -> Taken:
    """What ``network`` takes over of the tensors ``there``.

    Args:
        other: the network that they are of, also without memory; None where it cannot be made: names then decide alone.
    """
    here, there = takeable(network), takeable(network if other is None else other, there)
    names = {name: name for name, tensor in here.items() if name in there and _alike(tensor, there[name])}
    parts: dict[str, Part] = {}
    if other is not None:
        matching = _Matching(here, there, _of_labels(network), _of_labels(other))
        _, names = matching.modules("", network, "", other)
        parts = {name: part for name, source in names.items() if (part := matching.but_labels(name, source))}
    used = set(names.values())
    misfits = {name: _reason(tensor, there.get(name)) for name, tensor in here.items() if name not in names}
    return Taken(names, parts, misfits, [name for name in there if name not in used])


def takeable(network: nn.Module, tensors: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of a network, by default those that it has, without what is given by its data and config."""
    modules = network.named_modules()
    own = {f"{name}.{key}".removeprefix(".") for name, module in modules for key in getattr(module, "of_this_run", ())}
    every = network.state_dict() if tensors is None else tensors
    return {name: tensor for name, tensor in every.items() if name not in own}


@torch.no_grad()
def take(network: nn.Module, there: Mapping[str, Tensor], found: Taken) -> None:
    """Copies into the network what it takes over."""
    here = network.state_dict()  # the network's own memory
    for name, source in found.names.items():
        part = found.parts.get(name) or ...
        here[name].zero_()[part] = there[source][part]


def _of_labels(network: nn.Module) -> dict[str, int]:
    """For each tensor, how many columns labels append to what the part around it is given; 0 if it is given none."""
    found: dict[str, int] = {}
    for name, module in network.named_modules():  # those inside follow those around them
        if (count := appended(module)) is not None:
            found |= dict.fromkeys((f"{name}.{key}".removeprefix(".") for key in module.state_dict()), count)
    return found


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype


def _reason(here: Tensor, there: Tensor | None) -> str:
    if there is None:
        return "not there"
    if here.shape != there.shape:
        return f"there {_shown(there)}, here {_shown(here)}"
    if here.dtype != there.dtype:
        return f"there {there.dtype}, here {here.dtype}".replace("torch.", "")
    return "taken from there for another layer"


def _shown(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"


class _Matching:
    """Matches the tensors of two networks, by their state dicts."""

    def __init__(
        self,
        here: Mapping[str, Tensor],
        there: Mapping[str, Tensor],
        labels_here: Mapping[str, int],
        labels_there: Mapping[str, int],
    ) -> None:
        self.here, self.there = here, there
        self.labels_here, self.labels_there = labels_here, labels_there

    def but_labels(self, name: str, source: str) -> Part:
        """What two tensors share that differ by the columns of labels alone; None of others."""
        one, other = self.here[name], self.there[source]
        if _alike(one, other) or one.dtype != other.dtype or min(one.dim(), other.dim()) < 2:
            return None
        shared = one.shape[1] - self.labels_here.get(name, 0)
        fits = shared == other.shape[1] - self.labels_there.get(source, 0) > 0
        alike = one.shape[0] == other.shape[0] and one.shape[2:] == other.shape[2:]
        return (slice(None), slice(shared)) if fits and alike else None

    def modules(self, name: str, one: nn.Module, source: str, other: nn.Module) -> tuple[Score, Names]:
        """What one module takes over from another; ``name`` and ``source`` are what their tensors' names begin with.

        A network that is told labels by something around it, and one that is not, are compared without that.
        """
        if isinstance(one, Conditioned) and not isinstance(other, Conditioned):
            return self.modules(f"{name}network.", one.network, source, other)
        if isinstance(other, Conditioned) and not isinstance(one, Conditioned):
            return self.modules(name, one, f"{source}network.", other.network)
        score, names = (0, 0), Names()
        own = [*dict(one.named_parameters(recurse=False)), *dict(one.named_buffers(recurse=False))]
        for mine, theirs in ((f"{name}{each}", f"{source}{each}") for each in own):
            if mine not in self.here or theirs not in self.there:
                continue
            tensor, part = self.here[mine], self.but_labels(mine, theirs)
            if part or _alike(tensor, self.there[theirs]):
                names[mine] = theirs
                score = _plus(score, (tensor[part or ...].numel(), int(mine == theirs)))
        if _ordered(one) and _ordered(other):
            more, found = self._sequences(name, one, source, other)
            return _plus(score, more), names | found
        parts = dict(other.named_children())
        for key, child in one.named_children():
            if key in parts:
                more, found = self.modules(f"{name}{key}.", child, f"{source}{key}.", parts[key])
                score, names = _plus(score, more), names | found
        return score, names

    def _sequences(self, name: str, one: nn.Module, source: str, other: nn.Module) -> tuple[Score, Names]:
        """The best match in order of the layers of two sequences: a longest common subsequence, weighted by numbers."""
        ours, theirs = _layers(one), _layers(other)
        pairs = {}
        for i, (key, child) in enumerate(ours):
            for j, (their_key, their_child) in enumerate(theirs):
                if key == their_key or type(child) is type(their_child):
                    pairs[i, j] = self.modules(f"{name}{key}.", child, f"{source}{their_key}.", their_child)
        best: dict[tuple[int, int], Score] = {}
        for i in range(len(ours), -1, -1):
            for j in range(len(theirs), -1, -1):
                ways = [best[i + 1, j]] if i < len(ours) else []
                ways += [best[i, j + 1]] if j < len(theirs) else []
                ways += [_plus(pairs[i, j][0], best[i + 1, j + 1])] if (i, j) in pairs else []
                best[i, j] = max(ways, default=(0, 0))
        names, i, j = Names(), 0, 0
        while i < len(ours) and j < len(theirs):
            if (i, j) in pairs and best[i, j] == _plus(pairs[i, j][0], best[i + 1, j + 1]):
                names, i, j = names | pairs[i, j][1], i + 1, j + 1
            elif best[i, j] == best[i + 1, j]:
                i += 1
            else:
                j += 1
        return best[0, 0], names


def _plus(one: Score, other: Score) -> Score:
    return one[0] + other[0], one[1] + other[1]


def _ordered(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList)


def _layers(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The parts that have something to take over."""
    return [(key, child) for key, child in module.named_children() if child.state_dict()]
