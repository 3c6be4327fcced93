"""The page of --serve in a browser, on the demo clip: frames, overlay, faces, keys; reload, back, and the end."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from browsing import soon

from fkp_live import Pipeline, open_source
from fkp_live.types import Image

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
for package in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(package, reason="needs the extra server")
serving = pytest.importorskip("fkp_live.server.serving", reason="needs the server")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

DEMO = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"
FIRST = "document.querySelectorAll('.faces button').length === 1 && document.querySelector('#over').hidden"
SHOWN = "document.querySelector('.faces .name').textContent === '#1'"
# Pixels of the canvas that have the colour of the first face.
COLOURED = """(() => {
  const { data } = document.querySelector('#canvas').getContext('2d').getImageData(0, 0, 400, 300);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) found += Math.hypot(data[i] - 70, data[i + 1] - 200, data[i + 2] - 255) < 40;
  return found;
})()"""


@contextmanager
def demo_stream(snapshot: Callable[[Image, Image], str]) -> Iterator[Any]:
    """A server that shows the first frames of the demo clip again and again, until it is left."""
    from fkp_live.server.controls import Controls

    pipeline, stop = Pipeline(), threading.Event()
    with open_source(str(DEMO)) as source, serving.Server(":0") as server:
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


@pytest.fixture
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
        soon(page, "document.querySelector('.message.good')?.textContent === 'written: picture.png'")
        assert len(saved) == 1
        page.keyboard.press("m")
        soon(page, "document.querySelector('#mirror').getAttribute('aria-pressed') === 'true'")
        page.keyboard.press("r")
        soon(page, "document.querySelector('.message.bad')?.textContent.includes('record')")
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
    soon(page, "document.querySelector('.message')?.textContent.startsWith('The stream has ended')")
    page.close()
    assert all(url.startswith((server.url, "about:")) for url in asked)
    assert [line for line in failed if "ERR_CONNECTION" not in line] == []
