"""Standard input, output and error as they come: closed, torn off, full, or in an encoding without most letters.

What is shown must not cost what is done: what a stream does not take is lost, and what its encoding lacks is replaced.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

from gan_cli.errors import UserError

NOBODY = (errno.EPIPE, errno.EIO, errno.ECONNRESET)  # reads on: a pipe to ``head``, a terminal that was closed


class Sink(io.FileIO):
    """Takes every byte, and passes on what the other end takes; ``fault`` is what kept it from the rest."""

    fault: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            while (written := super().write(data)) is None:  # a full pipe that some other program made non-blocking
                select.select([], [self], [])
            return written
        except OSError as error:
            self.fault = self.fault or error
            return len(data)


def secure() -> None:
    """Gives this process three streams that can be written to and read from, whatever it was started with.

    A closed one is ``/dev/null`` from now on: the next file that is opened would else take its number, and with it
    what libraries write to standard error.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _writable(1, sys.stdout)  # type: ignore[misc, assignment]
    sys.stderr = sys.__stderr__ = _writable(2, sys.stderr)  # type: ignore[misc, assignment]


def _writable(number: int, before: TextIO | None) -> TextIO:
    """The stream with this number, in the encoding and with the buffer that it had."""
    if before is not None and not isinstance(before, io.TextIOWrapper):
        return before  # of a notebook or an editor, which knows what it takes
    if before is not None and before.fileno() != number:
        before.reconfigure(errors="backslashreplace")
        return before
    if before is not None:
        before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Sink(number, "w", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=before.line_buffering if before else number == 2,
        write_through=before.write_through if before else False,
    )


def finish() -> None:
    """Passes on what standard output still holds.

    Raises:
        UserError: if not all of it could be written, though somebody reads it.
    """
    sys.stdout.flush()
    buffer = sys.stdout.buffer if isinstance(sys.stdout, io.TextIOWrapper) else None
    sink = buffer.raw if isinstance(buffer, io.BufferedWriter) else None
    if isinstance(sink, Sink) and sink.fault and sink.fault.errno not in NOBODY:
        raise UserError(f"standard output: cannot be written ({sink.fault.strerror}): make room, or show it elsewhere")
