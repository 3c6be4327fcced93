"""The report in a browser: it opens from disk, asks for the film alone, and curves, film and table go together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import soon
from recorded import write

from fkp_live.plots.inputs import RecordingFile
from fkp_live.plots.report import film_section, page_of
from fkp_live.sources.recordings import open_recording
from fkp_live.types import FrameResult

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
DEMO = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    yield page
    page.close()


def write_report(folder: Path, results: list[FrameResult], name: str) -> Path:
    path = write(folder / "points.jsonl", results, name=name)
    target = folder / "report.html"
    with open_recording(path) as recording:
        target.write_text(page_of([film_section(RecordingFile(path), recording, target)]), "utf-8")
    return target


def test_curves_and_film_go_together(tmp_path: Path, demo_results: list[FrameResult], page: Any) -> None:
    name = "a film #1 <b>.mp4"
    shutil.copy(DEMO, tmp_path / name)
    address = write_report(tmp_path, demo_results, name).as_uri()
    page.goto(address)
    soon(page, "!document.querySelector('video').hidden")
    assert page.locator(".u-wrap").count() == 4, "who is on screen, eyes, mouth, pose"

    # A click on a curve takes the film there, and every curve's mark.
    curve = page.locator(".face .u-over").first
    box = curve.bounding_box()
    curve.click(position={"x": box["width"] / 2, "y": 20})
    soon(page, "Math.abs(document.querySelector('video').currentTime - 1) < 0.1")
    heads = page.evaluate(
        "[...document.querySelectorAll('.playhead')].map((one) => one.getBoundingClientRect().left)"
    )
    assert max(heads) - min(heads) < 2
    assert abs(heads[0] - (box["x"] + box["width"] / 2)) < 5

    # Playing moves the marks.
    page.evaluate("document.querySelector('video').play()")
    soon(page, f"document.querySelector('.playhead').getBoundingClientRect().left > {heads[0] + 20}")
    page.evaluate("document.querySelector('video').pause()")

    # Dragging from 0.5 s to 1 s zooms every curve; 0 shows all again.
    curve.hover(position={"x": box["width"] / 4, "y": 20})
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=4)
    page.mouse.up()
    curve.click(position={"x": box["width"] / 2, "y": 20})
    soon(page, "document.querySelector('.now').textContent === '0:00.75'")
    page.locator(".chart").nth(2).focus()
    page.keyboard.press("Home")
    soon(page, "document.querySelector('.now').textContent === '0:00.00'")
    page.keyboard.press("0")
    page.keyboard.press("ArrowRight")
    soon(page, "document.querySelector('.now').textContent === '0:00.03'")
    assert page.asked[0] == address
    assert {url.rsplit("/", 1)[0] for url in page.asked} == {address.rsplit("/", 1)[0]}
    assert len(set(page.asked)) == 2, "the page and the film"
    assert page.said == []


def test_a_film_that_is_not_there_is_said(tmp_path: Path, demo_results: list[FrameResult], page: Any) -> None:
    page.goto(write_report(tmp_path, demo_results[:30], "gone.mp4").as_uri())
    soon(page, "document.querySelector('.film-note').textContent.includes('gone.mp4')")
    assert page.locator("video").is_hidden()
    # One that the reader chooses plays, without a server.
    page.set_input_files("input[type=file]", DEMO)
    soon(page, "!document.querySelector('video').hidden")
    assert page.locator(".film-note").text_content() == ""
    # What cannot be played is said.
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    page.set_input_files("input[type=file]", tmp_path / "broken.mp4")
    soon(page, "document.querySelector('.film-note').textContent.includes('cannot play')")


def test_the_table_sorts_and_the_page_works_in_the_dark(
    tmp_path: Path, demo_results: list[FrameResult], browser: Any
) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(write_report(tmp_path, demo_results[:10], "gone.mp4").as_uri())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
    head = page.locator("#table th").nth(1)
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    page.locator("#copy").click()
    soon(page, "document.querySelector('#copied').textContent === '1 rows copied.'")
    page.close()
