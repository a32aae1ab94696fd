"""WAV files: uncompressed sound of 8, 16, 24 or 32 bits, by the standard library."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """A sound, float32 (C, L) in [−1, 1), and its values per second.

    Raises:
        wave.Error, EOFError, OSError, ValueError: if it is damaged, or compressed.
    """
    size = path.stat().st_size
    with wave.open(str(path), "rb") as file:
        channels, width, rate, count = file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()
        if channels * width * count > size:
            raise ValueError(f"says {channels * width * count:,} bytes and has {size:,}")
        raw = np.frombuffer(file.readframes(count), np.uint8)
    raw = raw[: len(raw) // (width * channels) * width * channels]
    if width == 1:
        x = (raw.astype(np.float32) - 128) / 128
    elif width == 3:
        whole = np.zeros((len(raw) // 3, 4), np.uint8)
        whole[:, 1:] = raw.reshape(-1, 3)
        x = whole.view("<i4")[:, 0] / np.float32(2**31)
    else:
        x = raw.view({2: "<i2", 4: "<i4"}[width]) / np.float32(2 ** (8 * width - 1))
    return np.ascontiguousarray(x.reshape(-1, channels).T.astype(np.float32)), rate
