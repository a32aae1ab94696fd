"""All cores decode pictures: by threads where there are few, else by processes, which share no interpreter's lock."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from gan_cli.data.contents import Unreadable
from gan_cli.data.decoder import READY
from gan_cli.data.formats import Decoded
from gan_cli.data.opening import NoRoom
from gan_cli.data.recipe import Recipe
from gan_cli.errors import reason_of
from gan_cli.processes import cores, program

log = logging.getLogger(__name__)
Piece = Sequence[tuple[int, Any]]  # positions and items
Found = Decoded | Unreadable
MANY = 4096  # pictures that are worth the start of processes, a third of a second of each core
ENDS_THE_DECODER = "ends the program that decodes it"


@dataclass(frozen=True)
class Decoders:
    """Who decodes: call ``decode`` from as many threads as ``at_once``."""

    decode: Callable[[Piece], list[Found]]
    at_once: int
    who: str


@contextmanager
def decoders(recipe: Recipe, count: int) -> Iterator[Decoders]:
    """What decodes ``count`` pictures."""
    with ExitStack() as ending:
        helpers = _started(recipe, ending) if count >= MANY and cores() > 1 else []
        if helpers:
            yield _by_processes(recipe, helpers)
            return
        at_once = min(32, cores() + 4)
        yield Decoders(lambda piece: [recipe.decode(*entry) for entry in piece], at_once, f"{at_once} threads")


def _started(recipe: Recipe, ending: ExitStack) -> list[_Helper]:
    """A process for each core; none where the recipe cannot be sent to one, or none can be started."""
    try:
        job = pickle.dumps((recipe, cores()))
        helpers = [ending.enter_context(_Helper(job)) for _ in range(cores())]
        for helper in helpers:
            helper.require_ready()
    except (OSError, EOFError, pickle.PickleError, AttributeError, TypeError) as error:
        log.info("pictures are decoded by this process alone (%s)", reason_of(error))
        return []
    return helpers


def _by_processes(recipe: Recipe, helpers: Sequence[_Helper]) -> Decoders:
    idle: SimpleQueue[_Helper] = SimpleQueue()
    for helper in helpers:
        idle.put(helper)

    def decode(piece: Piece) -> list[Found]:
        helper = idle.get()
        try:
            found = helper.decode(piece)
        finally:
            idle.put(helper)
        pairs = zip(piece, found, strict=True)
        return [recipe.decode(*entry) if isinstance(each, NoRoom) else each for entry, each in pairs]

    return Decoders(decode, len(helpers), f"{len(helpers)} processes")


class _Helper:
    """A process that decodes what is written to it; it ends when the pipe to it is closed, and so with this one."""

    def __init__(self, job: bytes) -> None:
        self._job = job
        self._start()

    def __enter__(self) -> _Helper:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            program("gan_cli.data.decoder"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # a Ctrl-C reaches it through this process alone
        )
        self._write(self._job)

    def require_ready(self) -> None:
        """Waits until it has started; raises an EOFError if it cannot."""
        if self._read() != READY:
            raise EOFError

    def decode(self, piece: Piece) -> list[Found | NoRoom]:
        """What it finds; a picture that ends the process, whatever it does to a decoder, is one that cannot be read.

        Raises:
            Unranged: if one needs a range and has none.
        """
        try:
            self._write(pickle.dumps(piece))
            found = self._read()
        except (EOFError, OSError, pickle.UnpicklingError):
            self._end()
            self._start()
            self.require_ready()
            if len(piece) == 1:
                index, _ = piece[0]
                return [Unreadable(index, ENDS_THE_DECODER, passing=False)]
            return [each for entry in piece for each in self.decode([entry])]
        if isinstance(found, Exception):
            raise found
        return found

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)
