"""Pictures a second of an import, beside a pass over the same folder by torchvision's ``ImageFolder``.

``python -m gan_cli.bench.imports FOLDER --size 64``. Both have a worker for each core, and take turns. The pass
resizes, crops and converts (``Resize``, ``CenterCrop``, ``ToTensor``) in batches of 64, as many scripts do in each
epoch; the import decodes into a pack in a folder that is deleted. A rate is of the clock, and of the processors' time,
which counts where other programs are at work. Without a folder, photographs of noise are made.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gan_cli.commands.arguments import Parser
from gan_cli.config.library import Library
from gan_cli.data.knows import DATASET
from gan_cli.processes import cores

BATCH = 64


def main(argv: Sequence[str]) -> None:
    """Prints the table."""
    parser = Parser("python -m gan_cli.bench.imports", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=2000, help="that are made where no folder is given")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folder = options.folder or made(work / "pictures", options.pictures)
        ways: dict[str, Callable[[], int]] = {
            "ImageFolder": lambda: torchvision_pass(folder, options.size),
            "import": lambda: imported(folder, options.size, work, detail=2),
            "import, dataset.detail=1": lambda: imported(folder, options.size, work, detail=1),
        }
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, way in ways.items():
                began, used = time.monotonic(), processor_seconds()
                count = way()
                rates[name].append((count / (time.monotonic() - began), count / max(1e-9, processor_seconds() - used)))
    print(f"{count:,} pictures to {options.size} x {options.size}, {cores()} workers, {options.repeats} turns")
    print(f"{'':<26}{'pictures/s':>12}{'':>8}{'per processor second':>22}")
    base = np.median(rates["ImageFolder"], axis=0)
    for name, found in rates.items():
        clock, processor = np.median(found, axis=0)
        ratios = np.median(np.array(found) / np.array(rates["ImageFolder"]), axis=0)
        print(f"{name:<26}{clock:>12,.0f}  ×{ratios[0]:<5.2f}{processor:>14,.0f}  ×{processor / base[1]:<5.2f}")


def torchvision_pass(folder: Path, size: int) -> int:
    """One epoch, whose batches are thrown away."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    steps = transforms.Compose([transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor()])
    loader = DataLoader(ImageFolder(str(folder), steps), BATCH, num_workers=cores())
    return sum(len(x) for x, _ in loader)


def imported(folder: Path, size: int, work: Path, detail: int) -> int:
    with tempfile.TemporaryDirectory(dir=work) as root:
        options = {"path": str(folder), "root": root, "size": size, "detail": detail}
        return len(Library().build_by_name(DATASET, "image_folder", **options).load())


def processor_seconds() -> float:
    """Of this process and of those that it has started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def made(folder: Path, count: int) -> Path:
    """JPEGs of some 400 × 300 pixels in four classes: noise of all sizes, as photographs have it."""
    draws = np.random.default_rng(0)
    shapes = [(300, 400), (400, 300), (400, 400), (380, 420)]
    for i in range(count):
        height, width = shapes[i % 4]
        x = np.zeros((height, width, 3))
        for cells in (3, 12, 50, 200):
            small = Image.fromarray(draws.integers(0, 256, (cells, cells, 3), np.uint8))
            x += np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), float) / cells**0.7
        x = 255 * (x - x.min()) / (x.max() - x.min())
        path = folder / f"class-{i % 4}" / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x.astype(np.uint8)).save(path, quality=88)
    return folder
