"""What is fetched ahead is what was asked for, in whatever order the threads run."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest
import torch
from conftest import minibatch_of

from gan_cli.data.ahead import Ahead, Buffers, OnHost
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples

CPU = torch.device("cpu")


def packed(path=None, count=50, labels=True):
    values = np.random.default_rng(0).integers(256, size=(count, 8, 8, 3), dtype=np.uint8)
    if path is not None:
        values.tofile(path)
        values = np.memmap(path, np.uint8, mode="c", shape=values.shape)
    return Samples(values.transpose(0, 3, 1, 2), np.arange(count) % 10 if labels else None)


@pytest.mark.parametrize("labels", [True, False])
def test_packs_on_the_disk_give_the_bytes_of_packs_in_memory(tmp_path, labels):
    direct = Minibatches(packed(labels=labels), CPU, seed=3, flip=True)
    ahead = Minibatches(packed(tmp_path / "pack.u8", labels=labels), CPU, seed=3, flip=True)
    assert direct._ahead is None
    assert isinstance(ahead._ahead, OnHost)
    order = [(p, n) for n in range(12) for p in ("discriminator", "discriminator", "generator")]
    order += [("generator", 40), ("generator", 2), ("discriminator", 12)]  # not what was foreseen
    kept = []
    for player, number in order:
        expected, found = (batches.rows(player, 7 * number, 7) for batches in (direct, ahead))
        kept.append((expected, found))
    for expected, found in kept:  # after all: nothing is written over what was handed out
        assert torch.equal(expected[0], found[0])
        assert (found[1] is None) if not labels else torch.equal(expected[1], found[1])
    for size in (5, 9):
        torch.manual_seed(0)
        expected = minibatch_of(direct, "generator", 7 * size, size)[0]
        torch.manual_seed(0)
        assert torch.equal(expected, minibatch_of(ahead, "generator", 7 * size, size)[0])


@pytest.mark.parametrize(
    "source",
    [
        np.arange(2000 * 48, dtype=np.float32).reshape(2000, 3, 4, 4).transpose(0, 2, 3, 1),
        np.arange(2000 * 48).reshape(2000, 3, 4, 4).astype(np.uint8, order="F").transpose(0, 2, 3, 1),
        np.arange(2000 * 48, dtype=np.float32).reshape(2000, 12, 4).transpose(0, 2, 1),
        np.arange(2000 * 48, dtype=np.float32).reshape(2000, 48, order="F"),
        np.arange(4000)[::2],
    ],
    ids=["channels first", "columns first", "signals", "points", "labels"],
)
def test_a_minibatch_of_samples_that_lie_otherwise_copies_no_other_samples(source):
    """As pictures in a .npy with their channels first do, whose file may be larger than memory."""
    indices, rows = (
        np.array([3, 1999, 0, 3, 77]),
        torch.empty(5, *source.shape[1:], dtype=torch.from_numpy(source).dtype),
    )
    tracemalloc.start()
    try:
        Buffers([rows]).fill([torch.from_numpy(source)], torch.from_numpy(indices))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(rows.numpy(), source[indices])
    assert most < source.nbytes / 3  # np.take copies all of it


def test_what_was_foreseen_for_one_attempt_is_not_given_to_another(tmp_path):
    first = Minibatches(packed(tmp_path / "pack.u8"), CPU, seed=3)
    first.rows("generator", 0, 7)
    again = first.seeded(3, attempt=1)
    wanted = Minibatches(packed(), CPU, seed=3, attempt=1).rows("generator", 7, 7)[0]
    assert torch.equal(again.rows("generator", 7, 7)[0], wanted)
    assert not torch.equal(first.rows("generator", 7, 7)[0], wanted)


def test_the_next_minibatch_is_fetched_while_this_one_is_used():
    fetched = threading.Event()

    class Slow(Buffers):
        calls = 0

        def fill(self, sources, indices):
            super().fill(sources, indices)
            Slow.calls += 1
            if Slow.calls == 2:
                fetched.set()

    class Host(Ahead):
        def make(self, sources, size):
            return Slow([torch.empty(size, *s.shape[1:], dtype=s.dtype) for s in sources])

    ahead, source = Host(CPU), torch.arange(100)[:, None]
    first = ahead.rows([source], "generator", 0, 4, lambda drawn: torch.arange(4) + drawn)[0]
    assert fetched.wait(timeout=600)  # nobody has asked for it yet
    assert first[:, 0].tolist() == [0, 1, 2, 3]
    assert ahead.rows([source], "generator", 4, 4, lambda drawn: torch.arange(4) + drawn)[0][:, 0].tolist() == [
        4,
        5,
        6,
        7,
    ]


def test_a_failing_disk_is_the_trainings_error():
    class Broken(Ahead):
        def make(self, sources, size):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Broken(CPU).rows([torch.zeros(3, 1)], "generator", 0, 2, lambda drawn: torch.arange(2))

    class Torn(Buffers):
        def fill(self, sources, indices):
            raise OSError("torn")

    class Tearing(Ahead):
        def make(self, sources, size):
            return Torn([])

    with pytest.raises(OSError, match="torn"):
        Tearing(CPU).rows([torch.zeros(3, 1)], "generator", 0, 2, lambda drawn: torch.arange(2))


def test_a_run_from_a_folder_is_the_same_from_cache_and_memory(gan_train):
    """The cache of an image folder is read from the disk, one minibatch ahead."""
    from pathlib import Path

    from conftest import TINY_DCGAN, state_in, tensors
    from PIL import Image

    Path("pictures").mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(256, size=(20, 8, 8, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(f"pictures/{i}.png")
    keys = [key for key in TINY_DCGAN if "limit" not in key]
    folder = (*keys, "dataset=image_folder", "dataset.path=pictures", "dataset.size=8")
    ends = []
    for parts in ((6,), (4, 6)):
        name = f"run{len(parts)}"
        assert gan_train(*folder, f"steps={parts[0]}", f"hydra.run.dir={name}").code == 0
        for steps in parts[1:]:
            assert gan_train(f"resume={name}", f"steps={steps}").code == 0
        ends.append(tensors(state_in(Path(name))["networks"]))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
