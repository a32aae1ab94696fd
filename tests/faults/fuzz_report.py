"""Puts junk into run folders: a report is made all the same, of every run that was left alone.

    python tests/faults/fuzz_report.py --count 500 --seed 0

Trains three tiny runs, then changes files of one or two of them at random, and makes the report of all as a page,
CSV, JSON or Markdown, or as the page that is served, which has seen them before. Prints the seed, what became of the
reports, and each that did not end as it should: not made, without a run that was left alone, without a line about a run
that is missing, after more than 10 seconds, with a control character, the value of an environment variable or a file
that a link led to, or with a script that the page's own are not.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fuzzing import main

from gan_cli import cli
from gan_cli.commands.report.command import main as report
from gan_cli.commands.report.growing import Growing
from gan_cli.commands.report.page import page as page_of

SECRET, OUTSIDE = "hunter2-never-to-be-shown", "what-a-link-leads-to"
LONGEST = 10.0  # seconds
RUN = (
    *("architecture=mlp", "dataset=ring", "dataset.points=50", "architecture.generator.hidden=[4]", "prior.size=2"),
    *("architecture.discriminator.hidden=[4]", "batch_size=8", "sample_count=4", "steps=4", "log_every=1"),
    *("sample_every=2", "keep_checkpoints=1"),
)
VALUES = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        1.5,
        1e308,
        -1e308,
        2**70,
        10**400,
        "",
        "a",
        "finished",
        "running",
        "${oc.env:SECRET}",
    ),
    *(
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "=cmd|' /C calc'!A0",
    ),
    *(
        "\x1b[31mred",
        "a\u202eb",
        "\x00",
        "a\nb|c",
        "`x`",
        "](javascript:alert(1))",
        "x" * 3000,
        "__proto__",
        "constructor",
    ),
    *(
        [],
        {},
        [1, "a", None],
        {"a": {"b": [1, {"c": None}]}},
        {"name": []},
        {"__proto__": 1, "constructor": 2},
        [[[[]]]],
    ),
    *(
        {"metric": 1},
        {"metric": "a", "value": "b"},
        {"metric": "a", "value": 1, "better": 3},
        [{"result": "a"}],
        {"a" * 900: 1},
    ),
]
BYTES = [
    *(
        b"",
        b"{",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"\xff\xfe",
        b"\x00" * 100,
        b"{" * 100_000,
        b"[" * 100_000,
        b"\xef\xbb\xbf{}",
    ),
    *(
        b'{"status": NaN}',
        b'{"status": "finished", "step": 1e999}',
        b"9" * 5000,
        b'{"step": 1, "a": 1e999}\n',
        b"x" * 3_000_000,
    ),
    *(
        b"a: ${oc.env:SECRET}\n",
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        b"!!python/object/apply:os.system [id]\n",
    ),
    *(
        b"- ${oc.env:SECRET}\n",
        b"- [1]\n- {a: b}\n",
        b"a: 2024-01-01\nb: !!binary aGk=\nc: .nan\n",
        b"%PDF-1.4",
        b"- a\n- 3\n",
    ),
    *(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        b"GIF89a" + b"\0" * 30,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
    ),
]
FILES = [
    *("status.json", "status.json", "status.json", "metrics.jsonl", "metrics.jsonl", ".hydra/config.yaml"),
    *(
        ".hydra/overrides.yaml",
        "samples/real.png",
        "samples/step-000000004.png",
        "train.log",
        ".hydra/resume-1/config.yaml",
    ),
]


def spoiled(source: random.Random, folder: Path) -> None:
    """Changes one file of a run."""
    path = folder / source.choice(FILES)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = source.randrange(8)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return None
    if path.suffix == ".json" and kind < 5 and path.exists():
        return changed(source, path)
    if path.suffix == ".jsonl" and kind < 4 and path.exists():
        return lined(source, path)
    if path.suffix == ".yaml" and kind < 3 and path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        lines[source.randrange(len(lines) + 1) :] = [
            f"{source.choice(('a', 'seed', '- x'))}: {json.dumps(source.choice(VALUES))}"
        ]
        return void(path.write_text("\n".join(lines), encoding="utf-8", errors="replace"))
    if kind == 5:
        path.unlink(missing_ok=True)
        return path.symlink_to(source.choice(("/work-outside", "../../outside", str(folder), "loop", path.name)))
    if kind == 6:
        path.unlink(missing_ok=True)
        return path.mkdir() if source.random() < 0.5 else os.mkfifo(path)
    content = path.read_bytes() if path.exists() else b""
    if kind == 7 and content:
        at = source.randrange(len(content))
        return void(
            path.write_bytes(content[:at] + bytes([source.randrange(256)]) + content[at + source.choice((1, 9, 99)) :])
        )
    return void(path.write_bytes(source.choice(BYTES)))


def void(written: int) -> None:
    """What a write returns is of no interest."""


def changed(source: random.Random, path: Path) -> None:
    """Gives one key of a JSON file, at any depth, another value."""
    try:
        whole = node = json.loads(path.read_bytes())
    except (ValueError, RecursionError):  # spoiled before
        return
    if not isinstance(node, dict) or not node:
        return
    key = source.choice([*node])
    while isinstance(node[key], dict) and node[key] and source.random() < 0.6:
        node = node[key]
        key = source.choice([*node])
    if source.random() < 0.2:
        node.pop(key)
        key = source.choice(("best", "modes", "seeds", "spread", "classes", "__proto__", "x\x1b[31m", "<b>"))
    node[key] = source.choice(VALUES)
    path.write_text(json.dumps(whole), encoding="utf-8")


def lined(source: random.Random, path: Path) -> None:
    """Gives one line of ``metrics.jsonl`` another value, or puts another line in."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    record = {
        "step": source.choice((1, 2, -3, 2**60, "1", None, True)),
        source.choice(("loss/generator", "metric/<b>", "__proto__", "D/real", "\x1b")): source.choice(VALUES),
    }
    lines.insert(source.randrange(len(lines) + 1), json.dumps(record))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def train(folder: Path) -> None:
    """Three tiny runs, in this process."""
    for seed in range(3):
        sys.argv = ["gan-train"]
        with contextlib.redirect_stderr(io.StringIO()):
            code = cli._exit_code(
                lambda seed=seed: cli._train([*RUN, f"seed={seed}", f"hydra.run.dir={folder}/run-{seed}"])
            )  # type: ignore[misc]
        assert code == 0


def reported(source: random.Random, runs: Path, here: Path) -> tuple[str, str]:
    """Spoils one or two runs and makes a report: how it ended, and what was said."""
    place = here / "runs"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(runs, place)
    touched = source.sample(range(3), source.choice((1, 1, 2)))
    kind = source.choice(("html", "html", "live", "live", "csv", "json", "md"))
    out, err = io.StringIO(), io.StringIO()
    os.environ.pop("HYDRA_FULL_ERROR", None)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        before = Growing([str(place)])
        if kind == "live":
            before.since("")
    for seed in touched:
        for _ in range(source.choice((1, 1, 2, 3))):
            spoiled(source, place / f"run-{seed}")
    began = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if kind == "live":
            code = cli._exit_code(lambda: served(before, here / "report"), "gan-report")
        else:
            code = cli._exit_code(
                lambda: report([str(place), "--format", kind, "--out", str(here / "report")]), "gan-report"
            )
    said, page = err.getvalue(), (here / "report").read_bytes().decode() if (here / "report").exists() else ""
    (here / "report").unlink(missing_ok=True)
    if time.process_time() - began > LONGEST:
        return "takes too long", said
    if code or "Traceback" in said or not page:
        return "not made", said
    if SECRET in page + said or OUTSIDE in page + said:
        return "reveals something", said
    if any(not c.isprintable() for c in (page + said).replace("\n", "")):
        return "shows control characters", said
    scripts = 2 if kind in ("html", "live") else page.count("&lt;script")
    if page.count("<script") != scripts and kind in ("html", "live", "md"):
        return "holds another script", page[:2000]
    if kind == "csv" and re.search(r"(^|,)\"?[=+@]", page, re.MULTILINE):
        return "holds a formula", page
    names = [f"run-{seed}" for seed in range(3) if seed not in touched]
    if kind != "md" and not all(name in page for name in names):
        return "lacks a run", said
    missing = [f"run-{seed}" for seed in touched if kind != "md" and f"run-{seed}" not in page]
    if any(name not in said and (place / name / "status.json").is_file() for name in missing) and "status" not in said:
        return "leaves out silently", said
    return ("made without some runs" if missing else "made"), said


def served(growing: Growing, out: Path) -> None:
    """Writes the page as it would be served, once all its pictures were asked for."""
    growing.looked = 0.0
    content = growing.since("")
    for address in re.findall(r'"picture/([^"]*)"', content):
        number, name, _ = address.split("/")
        growing.picture((int(number), name, True))
    out.write_text(page_of(content, live=True), encoding="utf-8")


def fuzz(count: int, seed: int, here: Path, told: Callable[[str], None] = print) -> Counter[str]:
    """How so many reports ended; tells of each that did not end as it should."""
    counts: Counter[str] = Counter()
    runs = here / "trained"
    train(runs)
    (here / "outside").write_text(OUTSIDE)
    os.environ["SECRET"] = SECRET
    try:
        for number in range(count):
            how, said = reported(random.Random(f"{seed}/{number}"), runs, here)
            counts[how] += 1
            if not how.startswith("made"):
                told(f"{how}: {number}: {said[-1500:]!a}")
    finally:
        del os.environ["SECRET"]
    return counts


if __name__ == "__main__":
    main(__doc__, "reports", 500, fuzz, lambda how: how.startswith("made"))
