"""Figures of papers stand in the experiments, and beside a run's own at its end, in its report and in the manual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TINY_POINTS, config_of

from gan_cli.config.library import Library

ROOT = Path(__file__).parents[2]
FIGURES = (
    "[{result: modes, model: A, value: 7.8, spread: .1, source: B 2018}, "
    "{result: frechet, model: C, value: 9, source: D}]"
)


def test_a_run_and_its_report_show_what_was_published(gan_train, capfd):
    from gan_cli import cli
    from gan_cli.commands.report.command import main as report

    for seed in (0, 1):
        keys = (*TINY_POINTS, f"published={FIGURES}", f"seed={seed}", "steps=4", f"hydra.run.dir=runs/{seed}")
        assert gan_train(*keys).code == 0
    modes = [json.loads(Path(f"runs/{seed}/status.json").read_text())["modes"] for seed in (0, 1)]
    log = Path("runs/0/train.log").read_text()
    assert f"modes: here {modes[0]}; published: A 7.8 ± 0.1 (B 2018)" in log
    assert "frechet: here not measured; published: C 9 (D)" in log
    assert cli._exit_code(lambda: report(["runs"]), "gan-report") == 0
    page = Path("runs/report.html").read_text()
    content = json.loads(page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0])
    assert content["published"][0]["published"] == "A 7.8 ± 0.1 (B 2018)"
    assert content["published"][0]["here"].startswith(f"{sum(modes) / 2:.4g} ± ")
    assert content["published"][1] == {"result": "frechet", "published": "C 9 (D)", "of": "", "here": "", "runs": 0}
    assert "published" not in content["keys"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("published=[{result: modes, model: A, source: B}]", "published"),
        ("published=[{result: modes, model: A, value: many, source: B}]", "published"),
        ("published=3", "published"),
    ],
)
def test_a_figure_needs_a_value_and_a_source(gan_train, typed, told):
    result = gan_train(*TINY_POINTS, typed)
    assert result.code == 2
    assert told in result.err
    assert len(result.err.splitlines()) == 1


def test_the_manual_names_every_figure_of_the_experiments_in_its_table():
    texts = [ROOT / "README.md", *(ROOT / "gan_cli" / "docs").glob("*.md")]
    rows = [line for text in texts for line in text.read_text().splitlines() if line.startswith("|")]
    compared = []
    for path in sorted(Library().folders[0].glob("experiment/*.yaml")):
        for row in (line for line in rows if f"`gan-train experiment={path.stem} " in line):
            for figure in config_of(f"experiment={path.stem}").published:
                value = figure.value * (100 if figure.result == "high_quality" else 1)
                shown = f"{value:g}".lstrip("0")  # .029
                assert figure.model in row, (path.stem, figure)
                assert shown in row, (path.stem, figure)
                compared.append(figure.result)
    assert {"modes", "high_quality", "mode_kl", "parzen"} <= set(compared)
