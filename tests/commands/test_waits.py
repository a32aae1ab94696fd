"""gan-bench --waits: what a process takes, against one that is told how much to work and to sleep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gan_cli.commands.bench import waits
from gan_cli.commands.bench.checkout import Checkout, Spent
from gan_cli.errors import UserError

WORKS = """
import os, subprocess, sys, time
def work():
    while time.process_time() < 0.3: pass
if "child" in sys.argv: subprocess.run([sys.executable, "-S", __file__])
else: work()
open("done", "w").write("now")
time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0)
"""


@pytest.mark.parametrize(("words", "until"), [(("0.5",), ""), (("0", "child"), ""), (("60",), "done")])
def test_time_on_the_processors_is_that_of_work_and_of_children_not_of_sleep(tmp_path, words, until):
    Path("works.py").write_text(WORKS)
    found = Checkout(tmp_path).take("works.py", *words, until=until)
    assert 0.3 <= found.processor_seconds < 0.75
    assert found.seconds < 30  # what is there is not waited for any longer
    assert found.seconds > (0.5 if words == ("0.5",) else 0.0)


@pytest.mark.parametrize("until", ["", "never"])
def test_a_command_that_fails_is_one_line(tmp_path, until):
    with pytest.raises(UserError, match=r"^--waits: .*: ended with 1: ValueError: no luck$"):
        Checkout(tmp_path).take("-c", "raise ValueError('no luck')", until=until)


def test_a_wait_stands_beside_its_floor_and_another_checkouts(monkeypatch, tmp_path, capfd):
    """Seconds by hand: medians, and how far the wait is above its floor."""
    taken = {None: iter([9, 3, 1, 2]), "other": iter([9, 7, 5, 6])}
    floors = iter([9, 0.5, 0.25, 0.75])
    made = waits.Wait("a walk", lambda p: Spent(100, next(taken[p.tree])), "nothing", lambda _: Spent(1, next(floors)))
    monkeypatch.setattr(waits, "WAITS", {"walk": made})
    monkeypatch.setattr(waits, "_prepare", lambda checkout, names: None)
    monkeypatch.setattr(waits, "_checkout", lambda parent, tree: Checkout(parent, tree and tree.name))
    waits.run(["walk"], repeats=3, before=tmp_path / "other", out=tmp_path / "b.json")
    (row,) = json.loads((tmp_path / "b.json").read_text())["rows"]
    found = {key: row[key]["processor_seconds"] for key in ("before", "now", "floor")}
    assert found == {
        "before": {"median": 6, "low": 5, "high": 7},
        "now": {"median": 2, "low": 1, "high": 3},
        "floor": {"median": 0.5, "low": 0.25, "high": 0.75},
    }
    assert "1.50" in capfd.readouterr().out
