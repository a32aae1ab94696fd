"""What records moves: CUDA graphs, and the stream that they are recorded in."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Protocol, TypeVar

import torch

WAITS = "called a synchronizing CUDA operation"

Result = TypeVar("Result")


class Machine(Protocol):
    """A device that can record work."""

    def record(self, function: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        """Records a function without running it.

        Returns:
            A function that replays it, and what it returned: tensors that each replay fills.
        """

    def watched(self) -> AbstractContextManager[list[str]]:
        """A context with a list, to which it adds the places that waited for the device."""


class CUDAGraphs:
    """Records as CUDA graphs, each with memory of its own."""

    def record(self, function: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        graph, failed = torch.cuda.CUDAGraph(), None
        current = torch.cuda.current_stream()
        stream = None if current == torch.cuda.default_stream() else current  # the default one cannot be recorded
        try:
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):  # other threads fetch data
                try:
                    result = function()
                except BaseException as error:
                    failed = error
                    raise
        except RuntimeError as error:
            if error is not failed:  # of the recording's end: the reason came before, and the generator is left within
                index = current.device.index
                torch.cuda.default_generators[index].graphsafe_set_state(torch.Generator(f"cuda:{index}"))
            raise failed or error from None
        return graph.replay, result

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        found: list[str] = []
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield found
            finally:
                torch.cuda.set_sync_debug_mode(before)
        for warning in caught:
            if WAITS in str(warning.message):
                found.append(f"{warning.filename}:{warning.lineno}")
            elif "Synchronization debug mode" not in str(warning.message):
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """A context in which work on a GPU runs in a stream that can be recorded; on other devices it does nothing."""
    if device.type != "cuda":
        yield
        return
    stream, outside = _stream_of(device), torch.cuda.current_stream(device)
    stream.wait_stream(outside)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        outside.wait_stream(stream)  # an interrupted run is saved after this


@cache
def _stream_of(device: torch.device) -> torch.cuda.Stream:
    """One stream of a GPU for all that is recorded: the allocator keeps the memory of each stream apart."""
    return torch.cuda.Stream(device)
