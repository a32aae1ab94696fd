"""The files that samples are written to, except sheets. Each is written under another name, then renamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.output.pictures import enlarged, images_seen
from gan_cli.output.png import read_png
from gan_cli.output.replacing import replacing
from gan_cli.runs.names import GRID, numbered

SIDE = 256  # pixels that a frame of an animation has at least


def frames_of(pictures: Tensor) -> list[Image.Image]:
    """Pictures (n, C, H, W) in [−1, 1] as the frames of an animation, enlarged to at least ``SIDE`` pixels."""
    return [enlarged(image, SIDE) for image in images_seen(pictures)]


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    with replacing(path) as aside:
        np.savez(aside, **arrays)


def write_gif(path: Path, frames: Sequence[Image.Image], fps: int) -> None:
    """An endless GIF; its clock counts hundredths of a second."""
    with replacing(path) as aside:
        frames[0].save(aside, save_all=True, append_images=frames[1:], duration=round(100 / fps) * 10, loop=0)


def write_mp4(path: Path, frames: Sequence[Image.Image], fps: int) -> None:
    """H.264, which every browser plays; odd sides get one more row or column, which the codec asks for."""
    import imageio_ffmpeg

    width, height = (side + side % 2 for side in frames[0].size)
    with replacing(path) as aside:
        video = imageio_ffmpeg.write_frames(
            str(aside),
            (width, height),
            fps=fps,
            quality=8,
            macro_block_size=1,
            output_params=["-movflags", "+faststart"],
        )
        video.send(None)
        for frame in frames:
            pixels = np.asarray(frame.convert("RGB"))
            edges = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
            video.send(np.ascontiguousarray(np.pad(pixels, edges, mode="edge")))
        video.close()


ANIMATIONS: dict[str, Callable[[Path, Sequence[Image.Image], int], None]] = {"gif": write_gif, "mp4": write_mp4}


def training_frames(folder: Path) -> list[Image.Image]:
    """The sample grids in a run's ``samples`` folder by step, all of the size of the last.

    Raises:
        UserError: if one of them cannot be read.
    """
    names = [*numbered(folder, GRID).values()]
    frames: list[Image.Image] = []
    for name in reversed(names):
        try:
            image = read_png(name)
        except (OSError, ValueError) as error:
            raise UserError(f"{name}: cannot be read: delete it, and the animation leaves it out") from error
        with image:
            frames.append(image.resize(frames[0].size if frames else image.size, Image.Resampling.NEAREST))
    return frames[::-1]
