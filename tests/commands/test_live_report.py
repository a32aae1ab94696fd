"""``gan-report --live``: the same page, on this machine alone, growing with its runs."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import TINY_POINTS
from PIL import Image

from gan_cli.commands.report import growing, live
from gan_cli.commands.report.collect import collect
from gan_cli.commands.report.command import main
from gan_cli.commands.report.page import as_html
from gan_cli.commands.report.reading import each_once
from gan_cli.errors import UserError
from gan_cli.runs import records
from gan_cli.runs.folder import RunFolder

ENTRY = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job ignores
from gan_cli.cli import report
report()
"""


@pytest.fixture
def runs(trained):
    """Three runs below ``runs``."""
    for name in ("one", "two", "three"):
        shutil.copytree(trained(*TINY_POINTS, "log_every=1"), Path("runs", name))
    return Path("runs")


@pytest.fixture
def serving(monkeypatch):
    """Serves folders in this process, every look at which finds what is there: asks the server."""
    monkeypatch.setattr(growing, "EVERY", 0)
    started = []

    def call(*paths: str):
        server = live.Server(growing.Growing(paths))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        started.append((server, thread))
        return lambda *request, **options: asked(server.server_port, *request, **options)

    yield call
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(port: int, address: str, method: str = "GET", hosts: tuple[str, ...] | None = None) -> tuple[int, str, bytes]:
    """The status, the content type and the content of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, address, skip_host=True)
    for host in (f"127.0.0.1:{port}",) if hosts is None else hosts:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type", ""), answer.read()
    connection.close()
    return found


def new(ask, token: str = "") -> dict:
    status, kind, content = ask(f"/new?since={token}")
    assert (status, kind) == (200, "application/json")
    return json.loads(content)


def test_the_page_and_its_pictures_are_those_of_the_runs(runs, serving):
    ask = serving("runs")
    status, kind, page = ask("/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    (text,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page.decode())
    content = json.loads(text)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', as_html(collect(["runs"]), runs))
    static = json.loads(data)
    assert [run["name"] for run in content["runs"]] == ["one", "three", "two"]
    for run, same in zip(content["runs"], static["runs"], strict=True):
        for key in ("curves", "clock", "results", "settings", "commands", "status"):
            assert run[key] == same[key]
        assert list(run["grids"]) == ["1", "2"]
    for address in [*content["reals"], *content["runs"][0]["grids"].values()]:
        for end, side in (("", 480), ("/large", 512)):
            status, kind, picture = ask(f"/{address}{end}")
            assert (status, kind) == (200, "image/webp")
            with Image.open(io.BytesIO(picture)) as image:
                assert max(image.size) == side


def test_what_is_new_comes_alone_and_is_read_on(runs, serving, monkeypatch):
    ask = serving("runs")
    before = new(ask)
    assert new(ask, before["token"]) == {"token": before["token"]}
    read = []
    monkeypatch.setattr(records, "record_of", lambda line: read.append(line) or json.loads(line))
    for text, steps in (('{"step": 3, "loss/gen', [1, 2]), ('erator": 0.5}\n', [1, 2, 3])):
        with (runs / "two/metrics.jsonl").open("a") as file:
            file.write(text)
        if len(steps) == 2:
            monkeypatch.setattr(records, "record_of", lambda line: None)
        else:
            monkeypatch.setattr(records, "record_of", lambda line: read.append(line) or json.loads(line))
        (run,) = new(ask, before["token"])["runs"]
        assert (run["name"], run["curves"]["loss/generator"][0]) == ("two", steps)
    assert read == [b'{"step": 3, "loss/generator": 0.5}\n']
    shutil.copy(runs / "two/samples/step-000000002.png", runs / "two/samples/step-000000004.png")
    shutil.copytree(runs / "one", runs / "four")
    after = new(ask, before["token"])
    changed = {run["name"]: list(run["grids"]) for run in after["runs"]}
    assert changed == {"two": ["1", "2", "4"], "four": ["1", "2"]}
    assert len(after["order"]) == 4
    shutil.rmtree(runs / "four")
    assert new(ask, after["token"])["order"] == before["order"]
    assert len(new(ask, "of-another-server")["runs"]) == 3


def test_how_a_run_stands_is_told_and_why_it_stopped(runs, serving):
    status = json.loads((runs / "one/status.json").read_text())
    going = RunFolder(runs / "one")
    going.open()
    ask = serving("runs")
    for told, wanted in (
        ({"status": "running", "step": 1, "steps": 2}, ("running", None, 2)),
        (
            {"status": "diverged", "step": 2, "reason": "loss/generator not finite"},
            ("diverged", "loss/generator not finite", 2),
        ),
        ({"status": "running"}, ("running", None, 2)),
    ):
        (runs / "one/status.json").write_text(json.dumps({**status, "reason": None, **told}))
        (run,) = [run for run in new(ask)["runs"] if run["name"] == "one"]
        assert (run["status"], run["reason"], run["step"]) == wanted
    best = {"metric": "swd", "value": None, "better": "low", "step": 0}
    (runs / "one/status.json").write_text(json.dumps({**status, "status": "running", "best": best}))
    with (runs / "one/metrics.jsonl").open("a") as file:  # measured since it was saved
        file.write(
            "".join(json.dumps({"step": i, "metric/swd": value}) + "\n" for i, value in ((3, 9.5), (4, 2.5), (5, 4.0)))
        )
    (run,) = [run for run in new(ask)["runs"] if run["name"] == "one"]
    assert (run["results"]["best swd"], run["results"]["swd"], run["step"]) == (2.5, 4.0, 5)
    token = new(ask)["token"]
    going.close()  # as a kill does, which writes nothing
    (run,) = new(ask, token)["runs"]
    assert (run["status"], run["reason"]) == ("killed", "continue: gan-train resume=runs/one")


def test_a_run_that_cannot_be_read_for_a_moment_comes_back_and_a_folder_may_be_empty_at_first(runs, serving, capfd):
    Path("empty").mkdir()
    ask = serving("runs", "empty")
    whole = (runs / "one/status.json").read_bytes()
    for _ in range(2):
        (runs / "one/status.json").write_bytes(whole[:100])
        assert [run["name"] for run in new(ask)["runs"]] == ["runs/three", "runs/two"]
        (runs / "one/status.json").write_bytes(whole)
        assert len(new(ask)["runs"]) == 3
    shutil.move("runs/one", "empty/one")
    assert [run["name"] for run in new(ask)["runs"]] == ["runs/three", "runs/two", "empty/one"]
    shutil.rmtree("runs")
    Path("runs").mkdir()
    shutil.rmtree("empty/one")
    assert new(ask)["order"] == []
    assert ask("/")[0] == 200


def test_a_folder_that_is_gone_takes_no_other_with_it_and_may_come_back(runs, serving, capfd):
    Path("others").mkdir()
    shutil.move("runs/one", "others/one")
    with each_once():
        ask = serving("runs", "others")
        assert [run["name"] for run in new(ask)["runs"]] == ["runs/three", "runs/two", "others/one"]
        shutil.move("runs", "away")
        assert [run["name"] for run in new(ask)["runs"]] == ["others/one"]
        Path("runs").write_text("a file")
        assert new(ask)["order"] == [2]
        assert ask("/")[0] == 200
        Path("runs").unlink()
        shutil.move("away", "runs")
        assert [run["name"] for run in new(ask)["runs"]] == ["runs/three", "runs/two", "others/one"]
    said = "gan-report: runs: is no longer there: its runs are left out until it is back"
    assert capfd.readouterr().err.splitlines() == [said]
    with pytest.raises(UserError, match=r"status.json: is no folder: give a run folder"):
        growing.Growing(["others/one/status.json"])


def test_only_this_machines_own_page_is_answered(runs, serving):
    (runs / "one/samples/secret.png").write_bytes(b"secret")
    ask = serving("runs")
    content = new(ask)
    picture = content["runs"][0]["grids"]["2"]
    for hosts in (("localhost:1",), ("127.0.0.1",), ("LOCALHOST:99",)):
        assert ask("/", hosts=hosts)[0] == 200
    for hosts in (
        (),
        ("evil.example",),
        ("127.0.0.1.evil.example",),
        ("localhost.evil.example:80",),
        ("localhost", "evil.example"),
        ("evil.example@localhost:80",),
        ("",),
        ("0.0.0.0",),
    ):
        for address in ("/", "/new?since=", f"/{picture}"):
            status, _, answer = ask(address, hosts=hosts)
            assert status == 403
            assert b"one" not in answer
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PATCH", "TRACE"):
        assert ask("/", method)[0] >= 400
    places = (
        "status.json",
        "runs/one/status.json",
        "one/status.json",
        "../outside",
        "/etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
    )
    numbers = (
        *("picture/0/../../status.json", "picture/0/secret/1", "picture/0/2", "picture/7/2/1", "picture/0/3/1"),
        *("picture/-1/2/1", f"{picture}/large/..", f"{picture}/../real/1", "picture/0/%32/1", "picture/0/real/1/"),
        *("http://evil.example/", "%2e%2e/%2e%2e/etc/passwd", "picture/0/" + "9" * 5000 + "/1"),
    )
    for address in (*places, *numbers):
        status, _, answer = ask(f"/{address}" if "://" not in address else address)
        assert (status, b"secret" in answer or b"root:" in answer) == (404, False), address
    assert ask(f"/{picture}")[0] == 200


def test_links_out_of_a_run_are_not_followed_even_when_they_come_later(runs, serving, capfd):
    Image.new("RGB", (8, 8), (1, 2, 3)).save("outside.png")
    ask = serving("runs")
    content = new(ask)
    grid, real = runs / "one/samples/step-000000002.png", runs / "one/samples/real.png"
    for path in (grid, real):
        path.unlink()
        path.symlink_to(Path("outside.png").absolute())
    assert ask(f"/{content['runs'][0]['grids']['2']}")[0] == 404
    assert ask("/picture/0/real/1")[0] == 404
    assert list(new(ask)["runs"][0]["grids"]) == ["1"]
    for _ in range(3):
        new(ask)
    lines = capfd.readouterr().err.splitlines()
    assert all("leads out of the run folder: left out" in line for line in lines)


def test_only_live_opens_a_port_and_only_on_this_machine(runs, monkeypatch):
    server = live.Server(growing.Growing(["runs"]))
    try:
        assert server.socket.getsockname()[0] == "127.0.0.1"
        with pytest.raises(UserError, match=rf"--port {server.server_port}: Address already in use: give another"):
            live.Server(growing.Growing(["runs"]), server.server_port)
    finally:
        server.server_close()

    def refuse(*_: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    main(["runs"])
    assert Path("runs/report.html").is_file()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_closes_it(runs, number, code):
    command = [sys.executable, "-c", ENTRY, "runs", "--live"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        port = int(re.fullmatch(r"gan-report: live: http://127\.0\.0\.1:(\d+)/ \(until Ctrl-C\)\n", line)[1])
        assert asked(port, "/")[0] == 200
        process.send_signal(number)
        assert process.wait(timeout=60) == code
        assert process.stderr.read() == "gan-report: interrupted\n"
    finally:
        process.kill()
        process.communicate()
    with pytest.raises(ConnectionRefusedError):
        asked(port, "/")


def test_three_hundred_runs_are_looked_at_quickly(tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "EVERY", 0)
    lines = "".join(json.dumps({"step": i, **{f"value/{k}": i / 7 for k in range(20)}}) + "\n" for i in range(1, 21))
    for number in range(300):
        folder = tmp_path / f"seed-{number:03d}"
        (folder / ".hydra").mkdir(parents=True)
        config = {"seed": number, "dataset": {"name": "ring"}, **{f"key_{k}": k for k in range(100)}}
        (folder / "status.json").write_text(json.dumps({"status": "finished", "step": 20, "config": config}))
        (folder / ".hydra/overrides.yaml").write_text(f"- seed={number}\n")
        (folder / "metrics.jsonl").write_text(lines)
    found = growing.Growing([str(tmp_path)])
    token = json.loads(found.since(""))["token"]
    with (tmp_path / "seed-007/metrics.jsonl").open("a") as file:
        file.write('{"step": 21, "value/1": 3}\n')
    began = time.process_time()
    change = json.loads(found.since(token))
    taken = time.process_time() - began
    assert [run["name"] for run in change["runs"]] == ["seed-007"]
    assert taken < 1.5, taken
    began = time.process_time()
    assert json.loads(found.since(change["token"])) == {"token": change["token"]}
    assert time.process_time() - began < 0.5
