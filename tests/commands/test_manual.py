"""README and the pages of the manual: found, printed, linked, and true of the commands that stand in them."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from gan_cli.commands.pages import INDEX, LINK, pages

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "gan_cli" / "docs").glob("*.md"))]


def test_readme_is_a_front_page():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 180


def test_the_topics_are_the_pages():
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \|", pages()[INDEX].read_text("utf-8"), re.MULTILINE)
    assert all((files("gan_cli") / "docs" / f"{name}.md").is_file() for name, _ in listed)
    assert sorted(listed) == [(name, name) for name in pages() if name != INDEX]


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(text):
    for _, target in LINK.findall(text.read_text("utf-8")):
        assert target.startswith("https://") or (text.parent / target).exists(), target


@pytest.mark.parametrize("columns", [80, 120])
def test_pages_are_printed_plain_within_the_terminal(gan_train, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    result = gan_train("--help", *pages())
    assert result.code == 0
    assert "\x1b" not in result.out
    assert "Go on with a run" in result.out
    assert "](" not in result.out  # links are commands here


def test_a_word_that_is_a_key_or_a_group_and_a_topic_shows_both(gan_train):
    key = gan_train("--help", "resume").out
    assert key.startswith("resume: null")
    assert "gan-train resume=latest steps=20000" in key
    group = gan_train("--help", "metrics").out
    assert group.startswith("metrics=density_coverage")
    assert "gan-eval checkpoint=latest" in group
    assert gan_train("--help", "loss").out.endswith("More: gan-train --help losses\n")


def test_a_word_that_is_neither_is_answered_with_topics(gan_train):
    assert "did you mean 'speed'?" in gan_train("--help", "sped").err
    assert "the word stands in --help" in gan_train("--help", "Slurm").err
    assert "--help topics lists the topics" in gan_train("--help", "qqqqq").err


def test_other_commands_print_the_pages_and_explain_their_own_keys(gan_eval, gan_sample):
    assert "gan-eval checkpoint=latest" in gan_eval("--help", "metrics").out
    assert gan_sample("--help", "truncation").out.startswith("truncation:")
