"""What ``--help`` answers to a word, in every command, and within the screen."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gan_cli.commands.bench.command import main as bench
from gan_cli.commands.report.command import main as report
from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION
from gan_cli.output.screen import console


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("resume", ["resume: null", "Go on with a run", "gan-train resume=latest steps=20000"]),  # a key and a page
        (
            "metrics",
            ["metrics=classification", "metrics=density_coverage", "Is it any good?", "gan-eval checkpoint=latest"],
        ),
        ("modes", ["metrics=modes\n", "Which games keep the modes"]),  # an option and a page
        ("speed", ["metrics=speed\n", "Speed: gan-bench"]),
        ("loss", ["loss=f_gan\n", "loss=wasserstein\n", "More: gan-train --help losses"]),
        ("hinge", ["loss=hinge\n    Hinge (Lim & Ye 2017"]),
        ("ring", ["dataset=ring\n", "experiment=ring\n"]),
        (
            "batch_size",
            ["batch_size: 64", "experiment=default, which a run is that names no preset\n    batch_size: 32"],
        ),
        ("nz", ["nz: here it is prior.size=…\n", "prior=normal\n"]),
        ("epochs", ["epochs: here it is steps=…\n", "steps: 2200"]),
        ("keys", ["# gan-train\n", "\nbatch_size: 64", "\nseed: 0"]),
        ("topics", ["The manual", "--help resume"]),
    ],
)
def test_a_word_shows_everything_that_it_is_and_last_the_page(gan_train, word, shown):
    out = gan_train("--help", word).out
    places = [out.find(each) for each in shown]
    assert places[0] == 0
    assert places == sorted(places)


@pytest.mark.parametrize("columns", [80, 200])
def test_comments_of_yaml_files_are_filled_anew_where_they_are_too_wide(gan_train, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    console.cache_clear()  # of the width that it was made with
    out = gan_train("--help", "batch_size", "hinge", "dcgan_r1").out
    console.cache_clear()
    assert {line for line in out.splitlines() if len(line) > columns} == set()
    assert ("batch_size: 64\n    # larger is" in out) == (columns == 80)
    assert ("\n      J(G) = -E D(G(z))\n" in out) == (columns == 80)
    words = " ".join(out.replace("#", " ").split())
    assert "batch norm wants 16 or more; {0:32,100000:64}: 32, and 64 once 100,000 images have been seen" in words
    assert "R1 (Mescheder et al. 2018) on every fourth minibatch, which keeps D from winning." in words


def test_one_option_can_be_asked_for(gan_train):
    out = gan_train("--help", "loss=hinge").out
    assert out.startswith("loss=hinge\n")
    assert "loss=f_gan" not in out


def test_a_word_that_is_nothing_is_answered_with_topics(gan_train):
    assert "did you mean 'speed'?" in gan_train("--help", "sped").err
    said = gan_train("--help", "fid").err
    assert "--help fid: no such topic: here it is metrics=frechet extractor=inception: --help metrics=frechet" in said
    assert "the word stands in --help" in gan_train("--help", "Slurm").err
    result = gan_train("--help", "qqqqq", "resume")
    assert "--help qqqqq: no such group, option, key or topic: --help topics lists the topics" in result.err
    assert result.code == 2
    assert result.out == ""


def test_the_overview_names_the_topics_and_fits_a_terminal(gan_train):
    lines = gan_train("--help").out.splitlines()
    assert any("--help topics" in line for line in lines)
    assert {line for line in lines if len(line) > 80 and not line.startswith("The options and keys are files")} == set()


@pytest.mark.parametrize("command", [EVALUATION.main, SAMPLING.main, report, bench])
def test_every_command_prints_the_pages(command, capsys):
    command(["--help", "metrics"])
    assert "gan-eval checkpoint=latest" in capsys.readouterr().out


@pytest.mark.parametrize("command", [EVALUATION.main, SAMPLING.main])
@pytest.mark.parametrize("columns", [80, 130])
def test_the_keys_of_other_commands_fit_the_screen(command, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    console.cache_clear()
    command(["--help"])
    console.cache_clear()
    out = capsys.readouterr().out
    assert {line for line in out.splitlines() if len(line) > columns and not line.startswith("# gan-")} == set()
    assert "\nseed" in out
    assert "\ncheckpoint: null" in out


@pytest.mark.parametrize("command", [report, bench])
def test_commands_with_flags_fit_the_screen_and_break_their_examples(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        command(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert {line for line in lines if len(line) > 80} == set()
    assert all(line.endswith("\\") for line, after in pairwise(lines) if after.startswith("    --"))


def test_other_commands_explain_their_own_keys(gan_sample):
    assert gan_sample("--help", "truncation").out.startswith("truncation:")
