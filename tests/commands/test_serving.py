"""``--serve`` through the command: what viewers get, and what is refused before anything is opened."""

from __future__ import annotations

import http.client
import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import until

pytest.importorskip("uvicorn", reason="needs the extra server")
pytest.importorskip("websockets", reason="needs the extra server")

from served import message
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fkp_live.commands.cli import main
from fkp_live.commands.options import parse
from fkp_live.commands.recorder import Recorder
from fkp_live.commands.serving import _record
from fkp_live.server.address import Address
from fkp_live.server.controls import RefusedError
from fkp_live.types import SourceInfo

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, without a screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return tmp_path


class Run:
    """A run of the command in a thread.

    Attributes
    ----------
    address : host and port that it printed
    code : exit code, None while it goes on
    out, err : what it printed so far
    """

    def __init__(self, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
        self.code: int | None = None
        self.out = self.err = ""
        self._capsys = capsys
        self._thread = threading.Thread(target=self._run, args=(words,))
        self._thread.start()
        until(lambda: self._read() and ("serving: " in self.err or self.code is not None))
        found = re.search(r"serving: http://([\w.:\[\]]+)/\n", self.err)
        assert found, self.err
        self.address = found[1]

    def join(self) -> int | None:
        self._thread.join()
        self._read()
        return self.code

    def _run(self, words: list[str]) -> None:
        self.code = main(words)

    def _read(self) -> bool:
        out, err = self._capsys.readouterr()
        self.out += out
        self.err += err
        return True


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Starts the command: ``run("--demo", "--serve", ":0")``."""
    return lambda *words: Run(capsys, [*words])


@contextmanager
def page(run: Run) -> Iterator[Any]:
    """A viewer of the page; `ask` of it is the next frame: head and JPEG, None at the end."""
    with connect(f"ws://{run.address}/view") as socket:

        def ask() -> tuple[dict[str, Any], bytes] | None:
            try:
                socket.send("next")
            except ConnectionClosed:
                return None
            data = socket.recv(60)
            return None if isinstance(data, str) else message(data)

        yield ask


def test_a_film_that_is_only_served_begins_with_the_first_viewer_and_ends_for_all(run: Any) -> None:
    going = run("--demo", "--max-frames", "12", "--serve", ":0", "--progress", "off")
    assert going.code is None
    host, port = going.address.rsplit(":", 1)
    asking = http.client.HTTPConnection(host, int(port), timeout=60)
    asking.request("GET", "/healthz")
    assert json.loads(asking.getresponse().read())["frames"] == 0  # nobody looks yet
    asking.close()
    with page(going) as ask:
        heads = []
        while (found := ask()) is not None:
            heads.append(found[0])
    assert going.join() == 0
    # A viewer gets the newest frame, which on a busy machine is not each of them.
    numbers = [head["frame"]["frame"] for head in heads]
    assert numbers == sorted({*numbers})
    assert numbers[0] < 6
    assert numbers[-1] == 11
    nose = heads[0]["frame"]["faces"][0]["points"][30]
    assert 0 < nose[0] < heads[0]["size"][0]
    assert heads[0]["state"]["source"] == "demo.mp4"
    assert "The file begins with the first viewer" in going.err
    assert "12 frames in" in going.out
    assert "serving" not in going.out


def test_numbers_on_standard_output_stay_alone(run: Any) -> None:
    going = run("--demo", "--max-frames", "3", "--serve", "localhost:0", "--jsonl", "-")
    assert going.join() == 0  # written, so it waits for nobody
    assert [json.loads(line).get("frame") for line in going.out.splitlines()] == [None, 0, 1, 2]


def test_viewers_get_covered_faces_and_record_what_they_see(
    run: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    # The film goes on slowly until all was asked for.
    monkeypatch.setattr("fkp_live.commands.run.Pace.wait", lambda self, time, stopped: asked.wait(0.5))
    words = ["--demo", "--max-frames", "30", "--background", "black"]
    going = run(*words, "--serve", ":0", "--progress", "off")
    with page(going) as ask:
        head, jpeg = ask()
        assert post(going, {"do": "record"})[0] == 200
        assert post(going, {"do": "snapshot"})[0] == 200
        asked.set()
        while ask() is not None:
            pass
    assert going.join() == 0
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    x, y = np.array(head["frame"]["faces"][0]["points"][30], int)
    assert image[y - 20 : y + 20, x - 20 : x + 20].max() < 10
    assert image[:40, :40].max() > 50
    saved = sorted(path.suffix for path in here.iterdir())
    assert saved == [".csv", ".mp4", ".png", ".png"]
    clean = cv2.imread(str(next(here.glob("*-clean.png"))))
    assert clean[y - 20 : y + 20, x - 20 : x + 20].max() < 10
    assert going.out.count("written: ") == 4


def test_what_was_not_done_is_not_said_to_be_done(run: Any, here: Path) -> None:
    going = run("--demo", "--max-frames", "2", "--serve", ":0", "--progress", "off")
    # Nobody looks yet: there is no frame.
    assert post(going, {"do": "neutral"}) == (409, {"ok": False, "said": "there is no face now"})
    assert post(going, {"do": "snapshot"}) == (409, {"ok": False, "said": "There is no picture yet."})
    assert post(going, {"do": "record"}) == (200, {"ok": True, "said": "recording"})
    assert "before its first frame" in post(going, {"do": "record"})[1]["said"]
    with page(going) as ask:
        while ask() is not None:
            pass
    assert going.join() == 0
    assert list(here.iterdir()) == []


def test_a_recorder_that_is_closed_records_nothing() -> None:
    recorder = Recorder(SourceInfo("film.mp4", 8, 8, fps=30.0), print)
    recorder.close()
    with pytest.raises(RefusedError, match="nothing is recorded"):
        _record(recorder)


def post(run: Run, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and answer of a request of a button."""
    connection = http.client.HTTPConnection(run.address, timeout=60)
    try:
        connection.request("POST", "/control", json.dumps(asked))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_port_in_use_ends_the_run_before_anything_is_opened(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--demo", "--serve", f":{port}", "--csv", "a.csv"]) == 6
    assert f"Port {port} of 127.0.0.1 is in use" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [*sys.modules]:
        if name.startswith("fkp_live.server."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["--demo", "--serve", ":0"]) == 6
    assert "pip install 'fkp-live[server]'" in capsys.readouterr().err


def test_options() -> None:
    assert parse(["0", "--serve"]).serve == Address()
    assert parse(["0", "--serve", "[::1]:9", "--viewers", "3"]).viewers == 3
    assert parse(["0"]).serve is None
    assert parse(["0", "--headless", "--serve"]).has_output


@pytest.mark.parametrize(
    "words", [["--serve", "film.mp4:x"], ["--serve", "0"], ["--serve", ""], ["--viewers", "0"]]
)
def test_addresses_that_are_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--demo", *words]) == 2
    assert words[0] in capsys.readouterr().err
