"""Commands as processes that start in a moment: each is a fork of one that has imported everything and done nothing.

It runs ``python -m gan_cli`` from its first line to the end of the interpreter, with its own arguments, folder,
environment and streams, so that signals, exit codes and what another process sees of it are those of a command. What a
fork cannot show is how a command starts: that it imports little, and what the environment or an ignored signal does to
Python before it runs. Tests of that start a process.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

EVERYTHING = (
    *("hydra.main", "hydra.core.utils", "matplotlib.figure", "torch", "torch._dynamo"),
    *("gan_cli.cli", "gan_cli.runs.run", "gan_cli.commands.dry_run.command", "gan_cli.ensemble.together"),
    "gan_cli.metrics.evaluation",
)
MOST = 1 << 17  # bytes of a request: the environment is the largest part


class Server:
    """The process that is forked; one for all tests of a process."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd="/")

    def ask(self, *files: int, **request: object) -> int:
        socket.send_fds(self.socket, [json.dumps(request).encode()], files)
        return int(self.socket.recv(MOST))

    def close(self) -> None:
        self.socket.close()  # which ends it
        self.process.wait()


class Command:
    """A command that runs; what ``subprocess.Popen`` says of a process."""

    def __init__(self, server: Server, arguments: tuple[str, ...]) -> None:
        self.server, self.args, self.returncode = server, arguments, None
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        here = {
            "arguments": [os.fspath(word) for word in arguments],
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
        }
        self.pid = server.ask(to_out, to_err, **here)
        self.ended = os.pidfd_open(self.pid)
        os.close(to_out)
        os.close(to_err)
        self.stdout, self.stderr = (open(number, encoding="utf-8") for number in (out, err))  # noqa: PTH123, SIM115

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that killed it; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self.ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = os.waitstatus_to_exitcode(self.server.ask(wait=self.pid))
            os.close(self.ended)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it says until it ends."""
        said = ["", ""]

        def read(number: int, stream: io.TextIOBase) -> None:
            said[number] = "" if stream.closed else stream.read()
            stream.close()

        until = time.monotonic() + (timeout or float("inf"))
        streams = enumerate((self.stdout, self.stderr))
        readers = [threading.Thread(target=read, args=each, daemon=True) for each in streams]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout and max(0, until - time.monotonic()))
        if any(reader.is_alive() for reader in readers):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(timeout and max(0, until - time.monotonic()))
        return said[0], said[1]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def possible() -> bool:
    """Whether this system has what this takes; Linux has."""
    return hasattr(os, "pidfd_open")


def _serve(requests: socket.socket) -> None:
    """Answers requests until there is nobody to ask; returns in each fork, which has become a command."""
    running: set[int] = set()
    while True:
        text, files, _, _ = socket.recv_fds(requests, MOST, 2)
        if not text:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        request = json.loads(text)
        if "wait" in request:
            answer = os.waitpid(request["wait"], 0)[1]
            running.remove(request["wait"])
        elif (answer := os.fork()) == 0:
            requests.close()
            return _become(request, files)
        else:
            running.add(answer)
        for number in files:
            os.close(number)
        requests.send(str(answer).encode())


def _become(request: dict, files: list[int]) -> None:
    """Makes this process what Python is when a command starts."""
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    for number, name in ((1, "stdout"), (2, "stderr")):
        errors = "strict" if number == 1 else "backslashreplace"
        stream = open(number, "w", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        stream.reconfigure(line_buffering=number == 2)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    modules = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [request["folder"], *(place for place in modules if place)]
    sys.argv = ["gan_cli", *request["arguments"]]


def _import_everything() -> None:
    for name in EVERYTHING:
        importlib.import_module(name)
    sys.modules["torch"].set_num_threads(1)  # before anything is computed: threads do not outlive a fork
    gc.freeze()


if __name__ == "__main__":
    sys.path.insert(1, str(Path(__file__).parents[1]))
    _import_everything()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("gan_cli", run_name="__main__", alter_sys=True)
