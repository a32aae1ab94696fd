"""Run folders that somebody else made or broke: a report shows what can be read, a line says what cannot and why."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from conftest import TINY_POINTS, Result
from fuzz_data import chunk
from fuzz_report import OUTSIDE, SECRET, fuzz
from PIL import Image

from gan_cli import cli
from gan_cli.commands.report.collect import RunRecord
from gan_cli.commands.report.command import main
from gan_cli.commands.report.growing import Growing
from gan_cli.commands.report.page import as_html, page
from gan_cli.runs.records import Reader, record_of, records_in
from gan_cli.sweeps.outcomes import table


@pytest.fixture
def runs(trained):
    """Three runs alike but for their names; the first two are to be left alone, and one of these is known to run."""
    for name in ("one", "two", "broken"):
        shutil.copytree(trained(*TINY_POINTS, "log_every=1"), Path("runs", name))
    return Path("runs/broken")


@pytest.fixture
def gan_report(capfd, monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = cli._exit_code(lambda: main(arguments), "gan-report")
        os.environ.pop("HYDRA_FULL_ERROR", None)
        out, err = capfd.readouterr()
        assert SECRET not in out + err
        assert err.replace("\n", "").isprintable()
        assert not any(word in err for word in ("Traceback", "unexpected fault"))
        return Result(code, out, err)

    return call


def names_in(page: str) -> set[str]:
    (data,) = (line for line in page.splitlines() if 'id="data">' in line)
    content = json.loads(data.partition('id="data">')[2].removesuffix("</script>"))
    return {run["name"] for run in content["runs"]}


STATUS = {
    "not UTF-8": b"\xff\xfe{}",
    "deep": b"[" * 100_000,
    "text": b'"finished"',
    "no status": b'{"step": 4, "steps": 4}',
    "huge": b'{"status": "' + b"x" * 5_000_000 + b'"}',
    "step of text": b'{"status": "finished", "step": "4"}',
    "step without end": b'{"status": "finished", "step": 1e999}',
    "step of 5,000 digits": b'{"status": "finished", "step": ' + b"9" * 4000 + b"}",
    "status of a list": b'{"status": ["finished"]}',
    "best without a metric": b'{"status": "finished", "best": {"value": 1}}',
    "best of text": b'{"status": "finished", "best": "frechet"}',
    "best of text inside": b'{"status": "finished", "best": {"metric": "a", "value": "b"}}',
    "modes alone": b'{"status": "finished", "modes": 3}',
    "modes of text": b'{"status": "finished", "modes": "3", "of_modes": 8, "high_quality": 1}',
    "spread of text": b'{"status": "finished", "spread": 3}',
    "classes": b'{"status": "finished", "classes": 10}',
    "environment": b'{"status": "finished", "environment": ["cpu"]}',
    "environment inside": b'{"status": "finished", "environment": {"cpu": {"a": 1}}}',
    "seeds": b'{"status": "finished", "seeds": "0"}',
    "seconds": b'{"status": "finished", "seconds": "long"}',
    "reason": b'{"status": "failed", "reason": {"a": 1}}',
    "config": b'{"status": "finished", "config": [1, 2]}',
    "deep config": b'{"status": "finished", "config": ' + b'{"a": ' * 60 + b"1" + b"}" * 60 + b"}",
}


@pytest.mark.parametrize("content", STATUS.values(), ids=STATUS)
def test_a_status_that_is_not_as_a_run_writes_it_leaves_out_that_run_and_says_why(runs, gan_report, content):
    (runs / "status.json").write_bytes(content)
    result = gan_report("runs", "--out", "page.html")
    assert result.code == 0, result.err
    assert names_in(Path("page.html").read_text()) == {"one", "two"}
    (line,) = [line for line in result.err.splitlines() if "broken" in line]
    assert line.startswith("gan-report: runs/broken/status.json: cannot be read (")
    assert len(line) < 500
    assert "one" in table(Path("runs"), ())  # and a sweep's table is made too


HYDRA = {
    "references": ("config.yaml", "a: &a [x, x]\nb: &b [*a, *a]\n"),
    "a class of Python's": ("config.yaml", "!!python/object/apply:os.system [touch it-ran]\n"),
    "deep": ("config.yaml", "a: " + "[" * 500),
    "a list": ("config.yaml", "- 1\n"),
    "large": ("config.yaml", "a: b\n" * 100_000),
}


@pytest.mark.parametrize(("name", "text"), HYDRA.values(), ids=HYDRA)
def test_what_hydra_did_not_write_leaves_out_that_run_and_says_why(runs, gan_report, name, text):
    status = json.loads((runs / "status.json").read_text())
    (runs / "status.json").write_text(json.dumps({**status, "config": None}))
    (runs / ".hydra" / name).write_text(text)
    result = gan_report("runs", "--out", "page.html")
    assert names_in(Path("page.html").read_text()) == {"one", "two"}
    assert (
        sum(line.startswith(f"gan-report: runs/broken: cannot be read ({name}: ") for line in result.err.splitlines())
        == 1
    )
    assert not Path("it-ran").exists()


@pytest.mark.parametrize("text", ["- 1\n- {a: b}\n", "a: b\n", ""], ids=["words of numbers", "no list", "nothing"])
def test_a_command_that_hydra_did_not_write_is_not_known(runs, gan_report, text):
    (runs / ".hydra/overrides.yaml").write_text(text)
    result = gan_report("runs", "--out", "page.html")
    assert names_in(Path("page.html").read_text()) == {"one", "two", "broken"}
    told = [line for line in result.err.splitlines() if "what was typed is not known (" in line]
    assert len(told) == 1
    assert told[0].startswith("gan-report: runs/broken/.hydra: ")


@pytest.mark.parametrize("form", ["html", "json", "csv", "md"])
def test_nothing_in_a_runs_config_or_command_is_looked_up(runs, gan_report, form):
    status = json.loads((runs / "status.json").read_text())
    (runs / "status.json").write_text(json.dumps({**status, "config": None}))
    config = (runs / ".hydra/config.yaml").read_text()
    (runs / ".hydra/config.yaml").write_text(config.replace("watch: null", "watch: ${oc.env:SECRET}"))
    overrides = (runs / ".hydra/overrides.yaml").read_text()
    (runs / ".hydra/overrides.yaml").write_text(overrides + "- watch=${oc.env:SECRET}\n- ${oc.env:SECRET}\n")
    result = gan_report("runs", "--format", form, "--out", "report")
    assert result.code == 0
    text = Path("report").read_text()
    assert SECRET not in text
    assert "${oc.env:SECRET}" in text
    assert RunRecord(runs, "broken").config["discriminator.lr"] == RunRecord(runs, "broken").config["optimizer.lr"]
    assert SECRET not in table(Path("runs"), ())


def bomb(side: int) -> bytes:
    """A small PNG file of so many pixels."""

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_only_pictures_of_our_kind_and_size_are_opened(runs, gan_report, gan_sample):
    picture = runs / "samples/step-000000002.png"
    marked = Path("it-ran").absolute()
    eps = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({marked}) (w) file closefile showpage\n".encode()
    gif = io.BytesIO()
    Image.new("L", (8, 8)).save(gif, "GIF")
    for content in (eps, gif.getvalue(), bomb(20_000), bomb(60_000), b"", b"\x89PNG\r\n\x1a\n"):
        picture.write_bytes(content)
        result = gan_report("runs", "--out", "page.html")
        assert result.code == 0
        assert f"gan-report: {picture}: cannot be read: left out" in result.err.splitlines()
        assert names_in(Path("page.html").read_text()) == {"one", "two", "broken"}
        result = gan_sample(f"checkpoint={runs}", "morph=true")
        assert (result.code, len(result.lines)) == (2, 1)
    assert not marked.exists()


def test_links_out_of_a_run_folder_are_not_followed_and_said(runs, gan_report):
    Path("outside.json").write_text(json.dumps({"status": "finished", "reason": OUTSIDE}))
    Image.new("RGB", (8, 8), (1, 2, 3)).save("outside.png")
    Path("outside.jsonl").write_text('{"step": 1, "loss/outside": 3}\n')
    links = {"samples/step-000000002.png": "outside.png", "metrics.jsonl": "outside.jsonl"}
    for name, target in {**links, "train.log": "outside.json"}.items():
        (runs / name).unlink()
        (runs / name).symlink_to(Path(target).absolute())
    Path("runs/linked").mkdir()
    Path("runs/linked/status.json").symlink_to(Path("outside.json").absolute())
    result = gan_report("runs", "--out", "page.html")
    page = Path("page.html").read_text()
    assert names_in(page) == {"one", "two", "broken"}
    assert "loss/outside" not in page
    assert OUTSIDE not in page
    for name in (*(f"broken/{name}" for name in links), "linked/status.json"):
        assert f"gan-report: runs/{name}: leads out of the run folder: left out" in result.err.splitlines()


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(runs, gan_report):
    for name in ("status.json", "metrics.jsonl", ".hydra/config.yaml", "samples/real.png"):
        (runs / name).unlink()
        os.mkfifo(runs / name)
    assert gan_report("runs", "--out", "page.html").code == 0
    assert names_in(Path("page.html").read_text()) == {"one", "two"}


LINES = (b'{"step": true}', b'{"step": -1}', b'{"step": 1e999}', b'{"step": 99999999999999999999}', b"[" * 50_000)
LINES += (
    b'{"step": 1, "a": 1e999}',
    b'{"step": 1, "a": true}',
    b'{"step": 1, "a": ' + b"9" * 400 + b"}",
    b'{"step": 1, "\\u001b": 1}',
)


def test_lines_of_metrics_are_ours_or_counted(tmp_path):
    assert [line for line in LINES if record_of(line)] == []
    assert record_of(b'{"step": 1, "a": NaN}') == {"step": 1, "a": None}
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b"\n".join([b'{"step": 1}', b"x" * 3_500_000, *LINES, b"", b'{"step": 2}', b'{"st']))
    assert records_in(file) == ([{"step": 1}, {"step": 2}], 1 + len(LINES))
    reader = Reader(5)
    assert (reader.more(file), reader.lost) == ([{"step": 1}], 0)


HOSTILE = (
    "</script><script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred",
    "a\u202eb",
    "|x|",
    "<b>",
    "](javascript:1)",
)


def test_names_and_values_are_shown_as_text_in_every_format(trained, gan_report):
    for i, text in enumerate(HOSTILE):
        folder = Path("runs", text.replace("/", ""))
        shutil.copytree(trained(*TINY_POINTS, "log_every=1"), folder)
        status = json.loads((folder / "status.json").read_text())
        status["config"] |= {"watch": text, "seed": i}
        (folder / "status.json").write_text(json.dumps({**status, "reason": text, "classes": [text]}))
    pages = {}
    for form in ("html", "json", "csv", "md"):
        assert gan_report("runs", "--format", form, "--out", "report").code == 0
        pages[form] = Path("report").read_text()
    pages["live"] = page(Growing(["runs"]).since(""), live=True)
    for form in pages:
        assert pages[form].replace("\n", "").isprintable()
    for form in ("html", "live"):
        assert pages[form].count("<script") == 2
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', pages[form])
        (script,) = re.findall(r"<script>(.*)</script>", pages[form], re.DOTALL)
        known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert policy.startswith(f"default-src 'none'; script-src 'sha256-{known}'; ")
    cells = [cell for row in csv.reader(io.StringIO(pages["csv"])) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert "'=cmd|' /C calc'!A0" in cells
    for line in pages["md"].splitlines():
        assert line.count("|") - line.count("\\|") == pages["md"].splitlines()[1].count("|")
    assert "<b>" not in pages["md"]
    assert "](javascript" not in pages["md"]


def test_random_junk_in_run_folders_costs_no_report_and_no_other_run(tmp_path, monkeypatch):
    told: list[str] = []
    counts = fuzz(40, 16, tmp_path, told.append)
    assert not told
    assert sum(counts.values()) == 40
    assert len(counts) == 2
    assert as_html([RunRecord(tmp_path / "trained/run-0", "run-0")], tmp_path)
