"""The page of --serve in a browser: frames of the demo clip, faces, keys; and its overlay against that of Python."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browsing import soon
from numpy.typing import NDArray

from fkp_live import Pipeline, draw, open_source
from fkp_live.display.overlay import mirrored
from fkp_live.types import Image, TrackedFace

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

PACKAGE = Path(__file__).parents[2] / "fkp_live"
DEMO = PACKAGE / "assets" / "demo.mp4"
FIRST = "document.querySelectorAll('.faces button').length === 1 && document.querySelector('#over').hidden"
SHOWN = "document.querySelector('.faces .name').textContent === '#1'"
# Pixels of the canvas that have the colour of the first face.
COLOURED = """(() => {
  const { data } = document.querySelector('#canvas').getContext('2d').getImageData(0, 0, 400, 300);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) found += Math.hypot(data[i] - 70, data[i + 1] - 200, data[i + 2] - 255) < 40;
  return found;
})()"""


@pytest.fixture(scope="module")
def demo_face() -> TrackedFace:
    """The face of the demo clip's first frame."""
    with open_source(str(DEMO)) as source:
        return Pipeline().process(next(iter(source))).faces[0]


@contextmanager
def demo_stream(snapshot: Callable[[Image, Image], str]) -> Iterator[Any]:
    """A server that shows the first frames of the demo clip again and again, until it is left."""
    for package in ("starlette", "uvicorn", "websockets", "fkp_live.server.serving"):
        pytest.importorskip(package, reason="needs the extra server")
    from fkp_live.server import Controls, Server

    pipeline, stop = Pipeline(), threading.Event()
    with open_source(str(DEMO)) as source, Server(":0") as server:
        shown = [(frame, pipeline.process(frame)) for frame, _ in zip(source, range(4), strict=False)]
        server.begin(source.info, pipeline, controls=Controls(snapshot=snapshot))

        def run() -> None:
            for number in count():
                frame, result = shown[number % len(shown)]
                server.show(frame, replace(result, index=number, time=number / 30))
                server.obey()
                if stop.wait(0.1):
                    break

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_the_page_shows_the_stream_and_obeys_its_keys(browser: Any) -> None:
    saved: list[Image] = []
    asked: list[str] = []
    failed: list[str] = []

    def snapshot(painted: Image, clean: Image) -> str:
        saved.append(painted)
        return "written: picture.png"

    page = browser.new_page(viewport={"width": 400, "height": 700})
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("console", lambda message: message.type == "error" and failed.append(message.text))
    with demo_stream(snapshot) as server:
        page.goto(server.url)
        soon(page, f"{FIRST} && {SHOWN}")
        assert "demo.mp4" in page.inner_text("#source")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, "nothing sticks out on a phone"

        before = page.evaluate(COLOURED)
        for key in "1247":
            page.keyboard.press(key)
        assert page.get_attribute("[data-layer=contours]", "aria-pressed") == "false"
        corners = page.evaluate(COLOURED)
        page.keyboard.press("3")
        assert before > corners > page.evaluate(COLOURED) == 0

        page.keyboard.press("s")
        soon(page, "document.querySelector('#messages .good')?.textContent === 'written: picture.png'")
        assert len(saved) == 1
        page.keyboard.press("m")
        soon(page, "document.querySelector('#mirror').getAttribute('aria-pressed') === 'true'")
        page.evaluate(
            "for (const key of '[[') document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))"
        )
        soon(page, "document.querySelector('#smoothing').value === 'off'")
        page.keyboard.press("r")
        soon(page, "document.querySelector('#messages .bad')?.textContent.includes('record')")
        # What cannot be done here is an answer with an error's number, of which browsers write a line.
        assert ["409" in line for line in failed] == [True]
        failed.clear()

        page.reload()
        soon(page, FIRST)
        page.goto("about:blank")
        page.go_back()
        soon(page, FIRST)
        other = browser.new_page()
        other.goto(server.url)
        soon(other, FIRST)
        other.close()
        while server.viewers != 1:
            page.wait_for_timeout(20)
    soon(page, "document.querySelector('#messages .message')?.textContent.startsWith('The stream has ended')")
    assert page.inner_text("#messages").count("\n") == 0, "no answer of before stands beside it"
    assert "fps" not in page.inner_text("#facts"), "no rate of a stream that is over"
    page.close()
    assert all(url.startswith((server.url, "about:")) for url in asked)
    assert [line for line in failed if "ERR_CONNECTION" not in line] == []


GREY = 100
PAINT = """async ([face, mirrored]) => {
  const { drawFaces } = await import("/overlay.js");
  const canvas = new OffscreenCanvas(640, 480), context = canvas.getContext("2d");
  context.fillStyle = "rgb(100 100 100)";
  context.fillRect(0, 0, 640, 480);
  drawFaces(context, [face], new Set(["points", "contours", "boxes", "pose"]), 1, mirrored);
  return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
}"""


@pytest.mark.parametrize("turned", [False, True])
def test_the_overlay_is_painted_where_python_paints_it(
    browser: Any, demo_face: TrackedFace, turned: bool
) -> None:
    confidence = demo_face.confidence.copy()
    confidence[[2, 3, 20, 40, 62]] = 0.3, 0.4, 0.6, 0.75, 0.2  # guesses too
    face = replace(demo_face, confidence=confidence)
    page = browser.new_page()
    page.route(
        "http://page.test/*",
        lambda route: route.fulfill(
            body=(PACKAGE / "server" / "static" / "common" / route.request.url.rsplit("/", 1)[1]).read_text(),
            content_type="text/javascript",
        ),
    )
    page.goto("http://page.test/overlay.js")
    data = bytes(page.evaluate(PAINT, [face.to_dict(), turned]))
    page.close()
    browsers = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    shown = mirrored(face, 640) if turned else face
    ours = draw(np.full((480, 640, 3), GREY, np.uint8), [shown], ids=False, pose=True)
    assert browsers is not None
    for one, other in ((ours, browsers), (browsers, ours)):
        strokes, near = painted(one, 60), cv2.dilate(painted(other, 20).astype(np.uint8), np.ones((3, 3)))
        assert strokes.sum() > 1500
        assert (strokes & (near == 0)).mean() < 0.01 * strokes.mean()
    both = painted(ours, 60) & painted(browsers, 60)
    assert np.median(np.abs(ours[both].astype(int) - browsers[both])) < 25


def painted(image: Image, least: int) -> NDArray[np.bool_]:
    """Where an image differs from the grey that it was."""
    return np.abs(image.astype(int) - GREY).max(2) > least
