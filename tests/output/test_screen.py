"""What the user watches: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from conftest import TINY_MLP

from gan_cli.output.amounts import clock
from gan_cli.runs.observers.live_line import line, parts_of, short


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What the command writes to a terminal of 80 columns."""
    terminal, end = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k != "CI"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gan_cli", *arguments],
        stderr=end,
        stdout=end,
        env={**variables, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
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
    drawn = [line.strip() for line in re.split(r"[\r\n]", live) if re.match(r"\s*\d+/400 .* img/s  J\(D\)", line)]
    assert drawn
    assert max(map(len, drawn)) <= 80
    assert not any("…" in line for line in drawn)
    assert "last samples:" in live


RECORDS = {
    "a game": {"loss/discriminator": 0.6149, "loss/generator": 1.5251, "D/real": 0.58, "D/fake": 0.0004},
    "critics": {"loss/discriminator": -12345.6, "loss/generator": 1.5, "critic/real": 99.96, "critic/fake": -9.996},
    "one player": {"loss/model": 1234.5, "nats": -1234.5, "bits_per_dim": 1.2345},
    "three players": {
        "loss/discriminator": 0.6,
        "loss/encoder": 123.4,
        "loss/decoder": None,
        "D/real": 0.5,
        "D/fake": 0.5,
    },
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_the_live_line_is_as_wide_as_the_terminal(record):
    parts = parts_of({**record, "step": 1, "images_per_second": 1234.5})
    for step, steps, left in ((1250, 2200, 83.4), (99_500, 100_000, 18_720), (1, 999_999_999, 9e5), (0, 5, None)):
        for width in range(20, 140):
            shown = line(width, step, steps, left, parts).plain
            assert len(shown) <= width
            assert shown.startswith(f"{step}/{steps}"[:width])
            if width >= 45 and left:
                assert "left  1234 img/s" in shown or "left 1234 img/s" in shown
            if width >= (80 if "loss/encoder" not in record else 96) and steps <= 100_000:
                assert "…" not in shown  # nothing is left out
            assert "━" in shown or width < 120 or steps > 100_000
    shown = line(80, 1250, 2200, 83.4, parts_of({**RECORDS["a game"], "images_per_second": 340.0})).plain
    assert shown == "1250/2200  1:23 left  340 img/s  J(D) 0.61  J(G) 1.53  D(x) 0.58  D(G(z)) 4e-04"
    numbers = {
        0.0: "0.00",
        9.994: "9.99",
        9.996: "10.0",
        -99.96: "-100",
        99_999.4: "99999",
        1e5: "1e+05",
        -0.004: "-4e-03",
    }
    assert {value: short(value) for value in numbers} == numbers
    times = {83.4: "1:23", 3599.6: "1h00m", 18_720: "5h12m", 9e5: "10d10h"}
    assert {seconds: clock(seconds) for seconds in times} == times


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
