"""What a command is started with and ended by must not cost what it does: streams, alphabets, homes, signals."""

from __future__ import annotations

import ast
import errno
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import TINY_MLP, state_in

import gan_cli
from gan_cli.output import screen
from gan_cli.output.streams import Sink

ENTRIES = {"train": "main", "eval": "evaluate", "sample": "sample", "report": "report", "bench": "bench"}


def shell(line: str, **environment: str) -> subprocess.CompletedProcess:
    """What a shell makes of a line; the five commands are those of this tree."""
    functions = [
        f"gan-{name}() {{ {shlex.quote(sys.executable)} -c 'from gan_cli.cli import {entry}; {entry}()' \"$@\"; }}"
        for name, entry in ENTRIES.items()
    ]
    script = "\n".join([*functions, line])
    return subprocess.run(["bash", "-c", script], capture_output=True, env={**os.environ, **environment}, timeout=600)


def test_a_closed_stream_costs_no_training():
    found = shell(f"gan-train {shlex.join(TINY_MLP)} steps=2 hydra.run.dir=run 2>&-")
    assert found.returncode == 0
    assert state_in(Path("run"))["step"] == 2
    assert "finished 2 steps" in Path("run/train.log").read_text()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_on_a_pipe_is_read_before_the_command_ends(unbuffered):
    told = "from gan_cli.output import streams; streams.secure(); print('a line', file=sys.stderr); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; {told}"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert select.select([process.stderr], [], [], 30)[0], "no line came"
    assert process.stderr.readline() == b"a line\n"
    process.communicate()
    assert process.returncode == 0


def test_closed_streams_cost_no_training_in_several_processes():
    found = shell(f"gan-train {shlex.join(TINY_MLP)} steps=2 hydra.run.dir=run devices=2 <&- >&- 2>&-")
    assert found.returncode == 0
    assert state_in(Path("run"))["step"] == 2


def test_closed_streams_cost_no_sweep_in_workers():
    launcher = "hydra/launcher=joblib hydra.launcher.n_jobs=2"
    found = shell(f"gan-train -m {shlex.join(TINY_MLP)} steps=2 seed=0,1 name=two {launcher} <&- >&- 2>&-")
    assert found.returncode == 0
    assert [state_in(Path(f"outputs/sweeps/two/seed-{seed}"))["step"] for seed in (0, 1)] == [2, 2]


def test_every_command_ends_with_its_true_code_whatever_its_streams_are():
    closed = "<&- >&- 2>&-"
    shell(
        "; ".join(
            f"gan-{name} --help >&-; echo $? >> good; gan-{name} --nonsense {closed}; echo $? >> bad"
            for name in ENTRIES
        )
    )
    assert Path("good").read_text().split() == ["0"] * 5
    assert Path("bad").read_text().split() == ["2"] * 5


def test_a_reader_that_leaves_costs_no_training():
    found = shell(
        f"gan-train {shlex.join(TINY_MLP)} steps=300 log_every=1 hydra.run.dir=run 2>&1 | head -1; exit $PIPESTATUS"
    )
    assert found.returncode == 0
    assert state_in(Path("run"))["step"] == 300


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
def test_what_was_asked_for_and_could_not_be_shown_is_said_in_one_line():
    found = shell("gan-train --help > /dev/full")
    assert found.returncode == 2
    (line,) = found.stderr.decode().splitlines()
    assert line.startswith("gan-train: error: standard output: cannot be written (No space left on device)")
    assert shell("gan-train stepz=1 2> /dev/full").returncode == 2


@pytest.mark.parametrize("alphabet", ["ascii", "ascii:strict", "cp1252", "latin-1"])
def test_a_stream_without_a_letter_gets_another_for_it(alphabet):
    found = shell("gan-train --help loss && gan-bench --help && gan-eval --help", PYTHONIOENCODING=alphabet)
    assert found.returncode == 0, found.stderr
    assert b"f-GAN (Nowozin et al. 2016)" in found.stdout


def test_a_result_is_there_before_it_is_shown_in_ascii(trained):
    shutil.copytree(trained(*TINY_MLP), "rün")
    found = shell(
        "gan-eval checkpoint=rün metrics=[sliced_wasserstein] out=result.json count=50",
        PYTHONIOENCODING="ascii",
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(Path("result.json").read_text())["metrics"]
    assert b"checkpoint r\\xfcn" in found.stdout


def test_a_machine_of_ascii_reads_every_file_as_it_was_written():
    """In the C locale, as it was before Python coerced it: files opened without an encoding are ASCII."""
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    found = shell(
        f"gan-train --help architecture && gan-eval --help && gan-train {shlex.join(TINY_MLP)} steps=2 hydra.run.dir=ü "
        "&& gan-report ü --format md",
        **ascii_alone,
    )
    assert found.returncode == 0, found.stderr
    assert b"Logging error" not in found.stderr
    assert "finished 2 steps" in Path("ü/train.log").read_text(encoding="utf-8")


def test_every_text_file_is_opened_with_its_encoding():
    calls = [
        (file.name, node.lineno)
        for file in Path(gan_cli.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _opens_text(node) and "encoding" not in {word.arg for word in node.keywords}
    ]
    assert not calls


def _opens_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("read_text", "write_text", "FileHandler", "NamedTemporaryFile"):
        return True
    modes = [word.value for word in (*call.args, *(k.value for k in call.keywords)) if isinstance(word, ast.Constant)]
    return name == "open" and any(mode in ("r", "w", "a", "x", "rt", "wt") for mode in modes)


def test_a_sink_takes_everything_and_waits_for_a_slow_reader():
    end, start = os.pipe()
    os.set_blocking(start, False)
    sink, sent = Sink(start, "w"), b"x" * 300_000  # more than a pipe holds
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.extend(iter(lambda: os.read(end, 65536), b"")))
    timer = threading.Timer(0.2, reader.start)
    timer.start()
    left = memoryview(sent)
    while left:
        left = left[sink.write(left) :]
    sink.close()
    timer.join()
    reader.join()
    assert b"".join(got) == sent
    os.close(end)
    end, start = os.pipe()
    os.close(end)
    with Sink(start, "w") as sink:
        assert sink.write(b"nobody reads") == 12
        assert sink.fault.errno == errno.EPIPE


@pytest.mark.parametrize("columns", ["0", "1", "7"])
def test_a_terminal_that_claims_no_width_is_shown_all_the_same(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    screen.console.cache_clear()
    screen.console(stderr=False).print("finished 400 steps")
    screen.console.cache_clear()
    assert capsys.readouterr().out == "finished 400 steps\n"


@pytest.mark.parametrize(
    "words",
    [
        "resume=~no-such-user/run",
        "hydra.run.dir=~no-such-user/run",
        "dataset=mnist dataset.root=~no-such-user/data",
        "--config-dir ~no-such-user/conf",
        'dataset=image_folder dataset.path="~no-such-user/pictures" architecture=mlp',
    ],
)
def test_a_home_that_is_not_known_is_one_line(words, gan_train):
    result = gan_train(*words.split(), "steps=1")
    assert result.code == 2
    assert len(result.errors) == 1, result.err
    assert "there is no home folder ~no-such-user here: write the whole path" in result.errors[0]
    assert "Traceback" not in result.err
    assert not list(Path().glob("*no-such-user*"))


def test_a_user_without_a_name_or_a_home_can_train(gan_train, monkeypatch):
    def unknown(user):
        raise KeyError(f"getpwuid(): uid not found: {user}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for variable in ("HOME", "USER", "LOGNAME", "USERNAME", "LNAME"):
        monkeypatch.delenv(variable, raising=False)
    assert gan_train(*TINY_MLP, "steps=1", "hydra.run.dir=run").code == 0
    result = gan_train("resume=~/run", "steps=2")
    assert result.code == 2
    (line,) = result.errors
    assert line.startswith("gan-train: error: resume=~/run: there is no home folder ~ here")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_where_nothing_trains_unwinds_the_command(name):
    number = getattr(signal, name)
    script = f"""
import os, time
from gan_cli.cli import enter
def work():
    try:
        os.kill(os.getpid(), {int(number)})
        time.sleep(30)
    finally:
        print("tidied up")
enter(work, "gan-sample")
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
    assert found.returncode == 128 + number
    assert found.stdout == "tidied up\n"
    assert found.stderr == "gan-sample: interrupted\n"
