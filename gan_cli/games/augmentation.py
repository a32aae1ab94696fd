"""Augmentation of all that D sees, data and samples alike, differentiable, so that G learns through it.

``color``, ``translation`` and ``cutout`` are those of DiffAugment (Zhao et al. 2020), each with its own strength for
each sample. ``blit``, ``geometric`` and ``ada_color`` are groups of adaptive augmentation (Karras et al. 2020, appendix
B), each transform of which has a coin of its own for each sample. Pictures are (B, C, H, W) in [−1, 1]; colours change,
and alpha does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from gan_cli.random import normal_like, uniform_for

Probability = float | Tensor | None  # with which a transform is applied to a sample; None: always


def coloured(x: Tensor) -> Tensor:
    """Brightness ± 0.5, saturation × [0, 2], contrast × [0.5, 1.5]."""
    x = (x + _uniform(x) - 0.5).to(x.dtype)
    if x.shape[1] > 1:
        grey = x.mean(dim=1, keepdim=True)
        x = (grey + 2 * _uniform(x) * (x - grey)).to(x.dtype)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (mean + (0.5 + _uniform(x)) * (x - mean)).to(x.dtype)


def translated(x: Tensor, share: float = 0.125, fill: float | None = 0.0) -> Tensor:
    """Shifts pictures by whole pixels, up to ``share`` of the size each way.

    Args:
        fill: the value of pixels that come in from outside; None repeats the edge.
    """
    height, width = x.shape[2:]
    shifts = [
        torch.floor((2 * _uniform(x)[:, 0, 0] - 1) * share * size + 0.5) for size in (height, width)
    ]  # (B, 1) each, whole pixels
    rows = torch.arange(height, device=x.device) + shifts[0]  # (B, H)
    columns = torch.arange(width, device=x.device) + shifts[1]  # (B, W)
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None, :]
    moved = _at(x, rows.clamp(0, height - 1).long()[:, :, None], columns.clamp(0, width - 1).long()[:, None, :])
    return moved if fill is None else torch.where(inside, moved, fill)


def cut_out(x: Tensor, share: float = 0.5) -> Tensor:
    """Sets a square, ``share`` of the picture's side at a random place, to grey (0)."""
    height, width = x.shape[2:]
    inside = []
    for size, dimension in ((height, 2), (width, 3)):
        half = share * size / 2
        centre = torch.floor(_uniform(x) * (size + 1))
        shape = [1, 1, 1, 1]
        shape[dimension] = size
        place = torch.arange(size, device=x.device).reshape(shape)
        inside.append((place >= centre - half) & (place < centre + half))
    return torch.where(inside[0] & inside[1], 0.0, x)


def blitted(x: Tensor, p: Probability = None) -> Tensor:
    """A flip to the left or none, 0 to 3 quarter turns, a shift by whole pixels up to ⅛ of the size, edges mirrored."""
    x = torch.where(_chosen(x, p) & (_uniform(x) < 0.5), x.flip(3), x)
    turns = torch.where(_chosen(x, p), torch.floor(4 * _uniform(x)), 0.0)
    if x.shape[2] == x.shape[3]:
        x = torch.where(turns % 2 == 1, x.rot90(1, (2, 3)), x)
    x = torch.where(turns >= 2, x.flip(2, 3), x)
    chosen = _chosen(x, p)
    places = []
    for size in x.shape[2:]:
        shift = torch.where(chosen, torch.floor((2 * _uniform(x) - 1) * size / 8 + 0.5), 0.0)[:, :, 0, 0]
        places.append(_mirrored(torch.arange(size, device=x.device) + shift, size).long())  # (B, size)
    return _at(x, places[0][:, :, None], places[1][:, None, :])


def warped(x: Tensor, p: Probability = None) -> Tensor:
    """Scale 2^N(0, 0.2²), a turn by any angle, stretch 2^N(0, 0.2²), another turn, a shift N(0, ⅛²), edges mirrored.

    Pixels are interpolated between their four neighbours; the paper's filter against aliasing is left out.
    """
    scale = _where(_chosen(x, p), torch.exp2(0.2 * _normal(x)), 1.0)
    stretch = _where(_chosen(x, p), torch.exp2(0.2 * _normal(x)), 1.0)
    turn = None if p is None else 1 - (1 - torch.as_tensor(p)).sqrt()  # of two turns, so that one of them has p
    first, second = (_where(_chosen(x, turn), 2 * math.pi * _uniform(x), 0.0) for _ in range(2))
    chosen = _chosen(x, p)
    down, right = (_where(chosen, size / 8 * _normal(x), 0.0) for size in x.shape[2:])
    rows, columns = (torch.arange(n, device=x.device, dtype=torch.float32) - (n - 1) / 2 for n in x.shape[2:])
    v, u = rows[None, :, None] - down, columns[None, None, :] - right  # where each pixel comes from, backwards
    v, u = _turned(v, u, second)
    v, u = _turned(v * stretch, u / stretch, first)
    v, u = v / scale, u / scale
    return _between(x, *(_mirrored(at + (n - 1) / 2, n) for at, n in zip((v, u), x.shape[2:], strict=True)))


def recoloured(x: Tensor, p: Probability = None) -> Tensor:
    """Brightness N(0, 0.2²), contrast 2^N(0, 0.5²), inverted light, turned hue, saturation 2^N(0, 1).

    Pictures have three channels; of those with another number, hue and saturation stay as they are.
    """
    x = x + torch.where(_chosen(x, p), 0.2 * _normal(x), 0.0).to(x.dtype)
    x = x * torch.where(_chosen(x, p), torch.exp2(0.5 * _normal(x)), 1.0).to(x.dtype)
    inverted = _chosen(x, p) & (_uniform(x) < 0.5)
    if x.shape[1] != 3:
        return torch.where(inverted, -x, x)
    grey = x.mean(dim=1, keepdim=True)
    x = torch.where(inverted, x - 2 * grey, x)
    grey = torch.where(inverted, -grey, grey)
    angle = torch.where(_chosen(x, p), math.pi * (2 * _uniform(x) - 1), 0.0)
    colour = x - grey  # (B, 3, H, W), across the axis of greys (1, 1, 1)/√3, about which hue turns
    across = (colour.roll(1, 1) - colour.roll(-1, 1)) / math.sqrt(3)  # the axis × colour, Rodrigues' formula
    colour = angle.cos().to(x.dtype) * colour + angle.sin().to(x.dtype) * across
    return grey + torch.where(_chosen(x, p), torch.exp2(_normal(x)), 1.0).to(x.dtype) * colour


def _uniform(x: Tensor) -> Tensor:
    """U(0, 1) for each sample, (B, 1, 1, 1), float32: bfloat16 has too few values for a coin or a place."""
    return uniform_for(x.new_empty(len(x), 1, 1, 1, dtype=torch.float32))


def _normal(x: Tensor) -> Tensor:
    """N(0, 1) for each sample, (B, 1, 1, 1), float32."""
    return normal_like(x.new_empty(len(x), 1, 1, 1, dtype=torch.float32))


def _chosen(x: Tensor, p: Probability) -> Tensor:
    """A coin for each sample, (B, 1, 1, 1)."""
    return _uniform(x) < (1.0 if p is None else p)


def _where(chosen: Tensor, value: Tensor, other: float) -> Tensor:
    """(B, 1, 1)."""
    return torch.where(chosen, value, other)[:, 0]


def _turned(v: Tensor, u: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    cos, sin = angle.cos(), angle.sin()
    return cos * v - sin * u, sin * v + cos * u


def _mirrored(place: Tensor, size: int) -> Tensor:
    """A place on a line that is mirrored at 0 and at size − 1."""
    last = max(1, size - 1)
    return (last - (place.remainder(2 * last) - last).abs()).clamp(0, size - 1)


def _at(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels at whole places, which broadcast to (B, H, W)."""
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    return x.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)


def _between(x: Tensor, v: Tensor, u: Tensor) -> Tensor:
    """The colours at places between pixels, (B, H, W) each, in pixels from the first."""
    height, width = x.shape[2:]
    top, left = v.floor(), u.floor()
    rows, columns = top.long(), left.long()
    down, right = ((a - b)[:, None].to(x.dtype) for a, b in ((v, top), (u, left)))
    below, beside = (rows + 1).clamp_max(height - 1), (columns + 1).clamp_max(width - 1)
    upper = torch.lerp(_at(x, rows, columns), _at(x, rows, beside), right)
    return torch.lerp(upper, torch.lerp(_at(x, below, columns), _at(x, below, beside), right), down)


def _by_coin(transform: Callable[[Tensor], Tensor], x: Tensor, p: Probability = None) -> Tensor:
    return transform(x) if p is None else torch.where(_chosen(x, p), transform(x), x)


def _of_colours(transform: Callable[[Tensor, Probability], Tensor], x: Tensor, p: Probability = None) -> Tensor:
    """The last of two and of four channels is alpha, which is no colour."""
    if x.shape[1] not in (2, 4):
        return transform(x, p)
    return torch.cat([transform(x[:, :-1], p), x[:, -1:]], dim=1)


AUGMENTATIONS: dict[str, Callable[[Tensor, Probability], Tensor]] = {
    "color": partial(_of_colours, partial(_by_coin, coloured)),
    "translation": partial(_by_coin, translated),
    "cutout": partial(_by_coin, cut_out),
    "blit": blitted,
    "geometric": warped,
    "ada_color": partial(_of_colours, recoloured),
}
