"""Features of real pictures, kept on the disk: the same pictures are not shown to the same network twice."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from gan_cli.config.options import Choice
from gan_cli.config.paths import expanded
from gan_cli.data.samples import digest_of
from gan_cli.errors import reason_of
from gan_cli.metrics.extractors.extractor import Extractor
from gan_cli.output import amounts, sealed_json
from gan_cli.output.replacing import replacing

log = logging.getLogger(__name__)
MOST = 2**30  # bytes of all files together; the features of 130,000 pictures by Inception
LONGEST = 2**16  # bytes of the line that says what is in a file
KIND = np.dtype("<f4")


class KeptFeatures:
    """Float32 features (N, F) in files of their own: a line of JSON with its checksum, then the bytes.

    A file stands for all that the numbers depend on: every byte of the pictures, as they are presented, and their
    order; the network's weights and how it is shown a picture; torch, and the processor and threads that round.
    What is damaged or about something else is computed again. Together they take at most ``most`` bytes: those that
    were not used for longest make room. Several processes may share the folder.
    """

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self.folder, self.most = folder, most

    @classmethod
    def beside(cls, extractor: Choice) -> KeptFeatures:
        """In the folder ``features`` beside the classifiers: below the extractor's ``root``, or in ``data``."""
        return cls(expanded(str(extractor.keywords().get("root", "data")), "extractor.root=") / "features")

    def of(self, extractor: Extractor, values: np.ndarray) -> np.ndarray:
        """The features of real pictures (N, C, H, W): read if they are there, else computed and kept."""
        signature = extractor.signature()
        if signature is None:
            return extractor.features(values)
        about = {"pictures": digest_of(values), "extractor": dict(signature), **_machine(extractor.device)}
        name = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=10).hexdigest()
        path = self.folder / f"{name}.f32"
        found = self._read(path, about, len(values))
        if found is None:
            found = extractor.features(values)
            self._write(path, about, found)
        return found

    def _read(self, path: Path, about: Mapping[str, object], count: int) -> np.ndarray | None:
        try:
            with path.open("rb") as file:
                said, as_written = sealed_json.read(file.readline(LONGEST).decode())
                if not as_written or {key: said.get(key) for key in about} != about:
                    raise ValueError("about something else")
                rows, width = said["shape"]
                data = bytearray(file.read(os.fstat(file.fileno()).st_size))
            if rows != count or len(data) != rows * width * KIND.itemsize or said["bytes"] != _hash(data):
                raise ValueError("altered: not what its checksum says was written")
        except FileNotFoundError:
            return None
        except Exception as error:  # what a damaged file holds can be anything
            log.warning("%s is damaged (%s): features are computed again", path, reason_of(error))
            return None
        with suppress(OSError):
            os.utime(path)  # used now
        return np.frombuffer(data, KIND).reshape(rows, width)

    def _write(self, path: Path, about: Mapping[str, object], features: np.ndarray) -> None:
        if features.dtype != KIND or features.ndim != 2:
            return
        data = np.ascontiguousarray(features).data.cast("B")
        facts = {**about, "shape": features.shape, "bytes": _hash(data)}
        line = json.dumps(json.loads(sealed_json.written(facts))).encode() + b"\n"
        if len(line) + len(data) > self.most or len(line) > LONGEST:
            log.info("features of real pictures take %s and are not kept", amounts.size(len(data)))
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(path, len(line) + len(data))
            with replacing(path) as aside, aside.open("wb") as file:
                file.write(line)
                file.write(data)
        except OSError as error:
            log.warning(
                "features cannot be kept in %s (%s): they are computed each time", self.folder, reason_of(error)
            )

    def _make_room(self, path: Path, size: int) -> None:
        """Deletes files that were not used for longest, so that there is room for another one."""
        there = []
        for other in self.folder.glob("*.f32"):
            with suppress(OSError):  # another process has deleted it
                if other != path:
                    there.append((other.stat().st_mtime_ns, other.stat().st_size, other))
        total, gone = sum(each[1] for each in there), []
        for _, taken, other in sorted(there):
            if total + size <= self.most:
                break
            other.unlink(missing_ok=True)
            total -= taken
            gone.append(taken)
        if gone:
            told = self.folder, amounts.size(self.most), len(gone), amounts.size(sum(gone))
            log.info("%s: at most %s are kept: %d that were not used for longest (%s) are deleted", *told)


def _machine(device: torch.device) -> dict[str, object]:
    """What else the last bits of a feature depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {"torch": str(torch.__version__), "device": f"{device.type} {name}", "threads": torch.get_num_threads()}


def _hash(data: bytes | bytearray | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()
