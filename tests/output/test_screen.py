"""What the user watches: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from conftest import TINY_MLP


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What the command writes to a terminal of 100 columns."""
    terminal, end = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k != "CI"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gan_cli", *arguments],
        stderr=end,
        stdout=end,
        env={**variables, "TERM": "xterm-256color", "COLUMNS": "120", **environment},
    )
    os.close(end)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    assert process.wait(timeout=600) == 0, shown.decode()
    return shown.decode()


def test_a_terminal_shows_a_live_line_and_a_summary():
    shown = on_a_terminal(*TINY_MLP, "steps=400", "log_every=20")
    assert "\x1b[2K" in shown  # the line is drawn again and again
    live = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    for text in ("400/400", "img/s", "J(D)", "J(G)", "D(x)", "D(G(z))"):
        assert text in live
    assert live.count("step 20/400") == 0  # no plain lines between
    assert "last samples:" in live


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}])
def test_ci_and_dumb_terminals_get_plain_lines(environment):
    shown = on_a_terminal(*TINY_MLP, "steps=40", "log_every=20", **environment)
    assert "\x1b" not in shown
    assert "step 20/40" in shown
    assert "step 40/40" in shown


def test_a_sweep_gets_plain_lines(gan_train):
    result = gan_train("-m", *TINY_MLP, "steps=2", "log_every=1", "seed=0,1")
    assert result.code == 0
    assert result.err.count("step 2/2") == 2
    assert "\x1b" not in result.err
