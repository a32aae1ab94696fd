"""Standard input, output and error in any state: closed, broken, full, or in an encoding without most letters.

Output must not stop a run: what a stream does not accept is lost, and characters that its encoding lacks are replaced.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

from gan_cli.errors import UserError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NOBODY = (errno.EPIPE, errno.EIO, errno.ECONNRESET)  # the reader is gone: a pipe to ``head``, a closed terminal


class Sink(io.FileIO):
    """A file that accepts every byte, and writes those that the other end takes; ``fault`` is the first error."""

    fault: OSError | None = None

    def write(self, data: ReadableBuffer) -> int:
        try:
            while (written := super().write(data)) is None:  # a full pipe that some other program made non-blocking
                select.select([], [self], [])
            return written
        except OSError as error:
            self.fault = self.fault or error
            return len(memoryview(data))


def secure() -> None:
    """Gives this process three streams that can be read and written, in whatever state it was started.

    A closed stream becomes ``/dev/null``; else the next opened file would get its number, and receive what libraries
    write to standard error.
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
    """The stream with this number, with its encoding and buffering kept.

    One that has no buffer, as with ``PYTHONUNBUFFERED=1``, gets one that keeps no line back.
    """
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
        line_buffering=(before.line_buffering or before.write_through) if before else number == 2,
        write_through=before.write_through if before else False,
    )


def finish() -> None:
    """Flushes standard output.

    Raises:
        UserError: if a part of it could not be written, although there is a reader.
    """
    sys.stdout.flush()
    buffer = sys.stdout.buffer if isinstance(sys.stdout, io.TextIOWrapper) else None
    sink = buffer.raw if isinstance(buffer, io.BufferedWriter) else None
    if isinstance(sink, Sink) and sink.fault and sink.fault.errno not in NOBODY:
        raise UserError(f"standard output: cannot be written ({sink.fault.strerror}): make room, or show it elsewhere")
