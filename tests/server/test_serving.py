"""A server on loopback as browsers, OpenCV and programs use it."""

from __future__ import annotations

import json
import posixpath
import re
import threading
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import number_of, until

from docs.blocks.pages import blocks

pytest.importorskip("uvicorn", reason="needs the extra server")
pytest.importorskip("websockets", reason="needs the extra server")

from served import INFO, Stream, message, serving
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from fkp_live.errors import OutputError
from fkp_live.pipeline import Pipeline
from fkp_live.server import Controls, Server, live
from fkp_live.types import Image

pytestmark = pytest.mark.usefixtures("no_thread_left")


def test_view_gives_the_newest_frame_with_its_numbers_when_asked() -> None:
    with serving() as stream, connect(f"{stream.sockets}/view") as page:
        stream.show()
        page.send("next")
        head, jpeg = message(page.recv(20))
        assert head["frame"]["frame"] == 0
        assert head["frame"]["faces"][0]["points"][0] == [60.0, 40.0]
        assert head["size"] == [160, 96]
        assert head["state"]["viewers"] == 1
        assert number_of(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)) == 0
        for _ in range(5):
            stream.show()
        page.send("next")
        assert message(page.recv(20))[0]["frame"]["frame"] == 5
        stream.server.close()
        assert json.loads(page.recv(20)) == {"ended": True}
        with pytest.raises(ConnectionClosedOK):
            page.recv(20)


def test_points_are_the_lines_of_a_recording() -> None:
    with serving() as stream, connect(f"{stream.sockets}/points") as program:
        assert json.loads(program.recv(20))["schema"].startswith("fkp-")
        for _ in range(4):
            stream.show()
        assert [json.loads(program.recv(20))["frame"] for _ in range(4)] == [0, 1, 2, 3]
        stream.server.close()
        with pytest.raises(ConnectionClosedOK):
            program.recv(20)


def test_opencv_plays_the_painted_stream() -> None:
    with serving() as stream:
        stop = threading.Event()

        def play() -> None:
            while not stop.wait(0.02):
                stream.show(np.full((96, 160, 3), 90, np.uint8))

        playing = threading.Thread(target=play)
        playing.start()
        try:
            capture = cv2.VideoCapture(f"http://127.0.0.1:{stream.address[1]}/stream.mjpg")
            seen = [capture.read() for _ in range(3)]
            capture.release()
            until(lambda: stream.server.viewers == 0)
        finally:
            stop.set()
            playing.join()
    for done, image in seen:
        assert done
        assert image.shape == (96, 160, 3)
        assert image[40:70, 60:95].max() > 150  # points, white
        assert abs(int(image[90, 150, 0]) - 90) < 8  # what nobody painted on


def test_the_stream_ends_for_who_plays_it() -> None:
    with serving() as stream:
        stream.show()
        answers: list[Any] = []
        playing = threading.Thread(target=lambda: answers.append(stream.get("/stream.mjpg")))
        playing.start()
        until(lambda: stream.server.viewers == 1)
    playing.join()
    status, headers, body = answers[0]
    assert status == 200
    assert headers["Content-Type"].startswith("multipart/x-mixed-replace; boundary=")
    assert body.count(b"Content-Type: image/jpeg") == 1


def test_snapshot_state_and_health() -> None:
    with serving(info=INFO) as stream:
        assert json.loads(stream.get("/healthz")[2])["frames"] == 0
        stream.show()
        pictures = {}
        for path in ("/snapshot.png", "/snapshot.png?clean=1"):
            status, headers, body = stream.get(path)
            assert (status, headers["Content-Type"]) == (200, "image/png")
            pictures[path] = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        painted, clean = pictures.values()
        assert number_of(clean) == 0
        assert np.abs(painted.astype(int) - clean).max() > 50
        state = json.loads(stream.get("/state")[2])
        assert state["source"] == "film.mp4"
        assert state["size"] == [160, 96]
        assert (state["frames"], state["viewers"], state["ended"], state["live"]) == (1, 0, False, False)
        assert json.loads(stream.get("/healthz")[2]) == {
            **{"status": "ok", "frames": 1, "viewers": 0, "ended": False},
            "fps": state["fps"],
        }


def test_buttons_reach_the_thread_of_the_stream() -> None:
    saved: list[tuple[int, int]] = []
    threads: set[int] = set()

    def record() -> str:
        threads.add(threading.get_ident())
        return "recording"

    def snapshot(painted: Image, clean: Image) -> str:
        saved.append((int(painted.max()), int(clean.max())))
        if len(saved) > 1:
            raise OutputError("The disk is full.", "Make room.")
        return "saved film.png"

    pipeline = Pipeline()
    with Server(":0") as server:
        server.begin(INFO, pipeline, controls=Controls(record=record, snapshot=snapshot))
        stream = Stream(server)
        assert stream.ask(do="snapshot") == (409, {"ok": False, "said": "There is no picture yet."})
        stream.show(np.zeros((96, 160, 3), np.uint8))
        assert stream.ask(do="record") == (200, {"ok": True, "said": "recording"})
        assert threads.isdisjoint({threading.get_ident()})
        assert stream.ask(do="snapshot") == (200, {"ok": True, "said": "saved film.png"})
        assert saved[0][0] > 150
        assert saved[0][1] == 0
        status, answer = stream.ask(do="snapshot")
        assert (status, answer["ok"]) == (409, False)
        assert "The disk is full." in answer["said"]
        assert stream.ask(do="smoothing", level="strong")[0] == 200
        assert pipeline.options.smooth == "strong"
        assert stream.ask(do="mirror", on=True)[0] == 200
        state = json.loads(stream.get("/state")[2])
        assert (state["smoothing"], state["mirror"]) == ("strong", True)
        assert state["smoothing_levels"] == ["off", "light", "medium", "strong"]
        assert state["model"] == pipeline.engine.model_name
        assert stream.ask(do="neutral")[0] == 409
        server.say("saved film.mp4")
        assert json.loads(stream.get("/state")[2])["said"] == "saved film.mp4"


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"{",
            b"[]",
            b"null",
            b"[" * 4000,
            b'{"do": []}',
            b'{"do": "rm"}',
            b"\xff\xfe",
            b'{"do": NaN}',
        ),
        *(b'{"do": "mirror"}', b'{"do": "mirror", "on": 1}', b'{"do": "smoothing", "level": "x"}'),
    ],
)
def test_requests_that_make_no_sense(body: bytes, idle: Stream) -> None:
    status, _, answer = idle.get("/control", "POST", body)
    assert status == 400
    assert json.loads(answer)["ok"] is False
    assert "xpected" in json.loads(answer)["said"]


@pytest.fixture(scope="module")
def idle() -> Any:
    """A server whose stream shows one picture and stands still."""
    with serving() as stream:
        stream.show()
        yield stream


def test_a_form_that_cannot_be_made_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(image: Image) -> bytes:
        raise ValueError("too large")

    monkeypatch.setattr(live, "png", broken)
    reported: list[str] = []
    with Server(":0", report=reported.append) as server:
        server.begin(INFO)
        stream = Stream(server)
        stream.show()
        status, _, body = stream.get("/snapshot.png")
        assert (status, json.loads(body)) == (500, {"ok": False, "said": "It failed: ValueError."})
        assert reported == ["A request of a browser failed: ValueError: too large"]


def test_paths_reach_no_file(idle: Stream) -> None:
    for path in (
        "/../setup.cfg",
        "/%2e%2e/setup.cfg",
        "/live/../../app.py",
        "//etc/passwd",
        "/common/",
        "/a%00b",
    ):
        status, _, body = idle.get(path)
        assert status == 404, path
        assert json.loads(body)["ok"] is False


def test_methods(idle: Stream) -> None:
    assert idle.get("/control")[0] == 405
    assert idle.get("/state", "DELETE")[0] == 405
    assert idle.get("/stream.mjpg", "HEAD")[0] == 200


def test_viewers_beyond_the_limit_get_a_clear_503() -> None:
    with serving(viewers=2) as stream, connect(f"{stream.sockets}/view"):
        with connect(f"{stream.sockets}/points"):
            until(lambda: stream.server.viewers == 2)
            status, _, body = stream.get("/stream.mjpg")
            assert status == 503
            assert "2 viewers look already" in json.loads(body)["said"]
            with pytest.raises(Exception, match="503"):
                connect(f"{stream.sockets}/view").__enter__()
            assert stream.get("/state")[0] == 200
        until(lambda: stream.server.viewers == 1)
        with connect(f"{stream.sockets}/view") as page:
            stream.show()
            page.send("next")
            assert message(page.recv(20))[0]["frame"]["frame"] == 0


def test_a_token_where_others_reach_it() -> None:
    with serving("0.0.0.0:0") as stream:
        token = stream.server.token
        assert len(token) >= 20
        assert stream.server.url.endswith(f"/?token={token}")
        assert stream.get("/state")[0] == 401
        status, headers, _ = stream.get(f"/state?token={token}")
        assert status == 200
        assert stream.get("/state", cookie=headers["Set-Cookie"].partition(";")[0])[0] == 200
        with pytest.raises(Exception, match="401"):
            connect(f"{stream.sockets}/points").__enter__()
        with connect(f"{stream.sockets}/points?token={token}") as program:
            assert "schema" in program.recv(20)


def test_a_server_that_never_began_or_is_closed() -> None:
    with Server(":0") as server, pytest.raises(ValueError, match="begin"):
        server.obey()
    with pytest.raises(ValueError, match="closed"):
        server.begin(INFO)
    server.close()


def test_the_program_of_the_manual(capsys: pytest.CaptureFixture[str]) -> None:
    program = blocks("docs/serve.md", "python")[0].text
    with serving() as stream:
        stream.show()
        stream.show()
        program = program.replace("127.0.0.1:8068", f"127.0.0.1:{stream.address[1]}")
        reading = threading.Thread(target=exec, args=(program, {}))
        reading.start()
        until(lambda: stream.server.viewers == 1)
    reading.join()
    assert capsys.readouterr().out == "0.0 1 [86.0, 48.0]\n0.033333 1 [86.0, 48.0]\n"


def test_a_page_that_is_about_to_ask_gets_the_last_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fkp_live.server.app._LAST_SECONDS", 20.0)
    monkeypatch.setattr("fkp_live.server.serving._END_SECONDS", 20.0)
    with serving() as stream, connect(f"{stream.sockets}/view") as page:
        stream.show()
        page.send("next")
        page.recv(20)
        stream.show()
        closing = threading.Thread(target=stream.server.close)
        closing.start()
        until(lambda: json.loads(stream.get("/state")[2])["ended"])
        page.send("next")
        assert message(page.recv(20))[0]["frame"]["frame"] == 1
        page.send("next")
        assert json.loads(page.recv(20)) == {"ended": True}
        closing.join()


def test_the_page_and_all_that_it_names(idle: Stream) -> None:
    status, headers, body = idle.get("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    named, seen = re.findall(r'(?:src|href)="([\w./-]+\.(?:js|css|svg))"', body.decode()), set()
    assert named
    while named:
        path = posixpath.normpath(f"/{named.pop()}")
        if path in seen:
            continue
        seen.add(path)
        status, headers, body = idle.get(path)
        assert (status, headers["Content-Type"]) == (200, kinds[path.rpartition(".")[2]]), path
        folder = posixpath.dirname(path)
        named += [f"{folder[1:]}/{module}" for module in re.findall(r'from "(\.[\w./-]+)"', body.decode())]
    assert {"/live/live.js", "/common/overlay.js", "/uplot/uPlot.iife.min.js"} <= seen
