"""Thirty kill points of ``kill_points.py``, and some write points of ``write_points.py``; the scripts try hundreds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import forked
import kill_points
import pytest
import write_points

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks at what a process does")
QUICK = ("mlp", "ensemble", "optimistic", "own game of one", "watched", "figure")
POINTS = 5  # of each


@pytest.mark.parametrize("config", QUICK)
def test_killed_anywhere_and_resumed_is_the_undisturbed_run(tmp_path, config):
    undisturbed = kill_points.whole(config, tmp_path)
    for seed in range(POINTS):
        told, wrong = kill_points.kill_point(config, undisturbed, tmp_path, seed, kills=1)
        assert not wrong, f"{config}, seed {seed}, killed {told}: {wrong}"


def test_killed_at_its_last_changes_an_ensemble_whose_members_have_ended_counts_all_their_images(tmp_path):
    undisturbed = kill_points.whole(config := "ensemble watched", tmp_path)
    for before_the_last in (20, 9, 5):  # while one, the other, and neither is left
        place = kill_points.prepared(tmp_path / str(before_the_last))
        moment = forked.killed_at_event(undisturbed.events - before_the_last)
        assert forked.run(place, *kill_points.command(config), before=moment).code == -9
        assert forked.run(place, "gan-train", "resume=run").code == 0
        ours, theirs = kill_points.facts(place), kill_points.facts(undisturbed.folder)
        assert [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)] == []


@pytest.mark.skipif(not write_points.small_file_systems(), reason="may not mount a file system")
def test_a_disk_that_is_really_full_ends_a_command_with_one_line_and_loses_nothing():
    script = Path(__file__).with_name("write_points.py")
    command = [sys.executable, str(script), "--only", "… logger=tensorboard", "gan-sample", "--step", "13"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
