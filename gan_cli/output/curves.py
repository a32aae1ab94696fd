"""Signals as pictures of curves, which every sheet, strip and animation can hold."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from gan_cli.output.pictures import PAPER, Colour

WIDTH, HEIGHT, REACH = 128, 72, 1.1  # pixels, and how far values are shown
COLOURS: tuple[Colour, ...] = ((45, 80, 150), (200, 60, 40), (40, 130, 70), (140, 80, 160), (190, 130, 20))
FAINT = (225, 225, 225)


def as_pictures(samples: Tensor) -> Tensor:
    """Pictures (n, C, H, W) in [−1, 1]: as they are, or of signals (n, C, L), which are drawn between −1 and 1."""
    if samples.dim() == 4:
        return samples
    drawn = [np.asarray(curve(signal)) for signal in samples.numpy()]
    pixels = torch.from_numpy(np.stack(drawn) if drawn else np.empty((0, HEIGHT, WIDTH, 3), np.uint8))
    return pixels.permute(0, 3, 1, 2).float() * (2 / 255) - 1


def curve(signal: np.ndarray) -> Image.Image:
    """A line for each channel of a signal (C, L), in its colour, from left to right."""
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    draw.line((0, HEIGHT // 2, WIDTH, HEIGHT // 2), fill=FAINT)
    across = np.linspace(0, WIDTH - 1, signal.shape[1])
    for channel, values in enumerate(np.nan_to_num(signal, nan=0.0, posinf=REACH, neginf=-REACH)):
        down = (REACH - values.clip(-REACH, REACH)) / (2 * REACH) * (HEIGHT - 1)
        points = np.stack([across, down], axis=1).ravel().tolist()
        draw.line(points if len(points) > 2 else points * 2, fill=COLOURS[channel % len(COLOURS)])
    return image
