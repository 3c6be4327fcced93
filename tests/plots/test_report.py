"""The report: one file that loads nothing, holds every reading, and cannot be broken by a name."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import OPEN, SHUT, face, film, shown, write

from fkp_live.plots.inputs import RecordingFile
from fkp_live.plots.readings import N_READINGS, RIGHT_EYE, reading
from fkp_live.plots.report import film_section, page_of
from fkp_live.plots.report_film import MOST_CURVES, MOST_ROWS
from fkp_live.plots.summary import COLUMNS, EXPRESSION_COLUMNS
from fkp_live.sources.recordings import open_recording
from fkp_live.types import EXPRESSIONS, FrameResult

DEMO = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"
HOSTILE = "</script><b>\"'&\u202e{{data}}<!--\n日本"


class Page(HTMLParser):
    """Elements and attributes as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(path: Path, *, film: Path | None = None, source: str = "", share: int = 1) -> str:
    with open_recording(path) as recording:
        section = film_section(
            RecordingFile(path, source), recording, path.parent / "report.html", film=film, share=share
        )
    return page_of([section])


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    (film,) = json.loads(found[1])["films"]
    return film


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def channel(made: list[Any]) -> np.ndarray:
    """(1, n) values, or (3, n) lowest, mean and highest of joined columns."""
    low, step, *texts = made
    whole = np.array([numbers(text, "<u2") for text in texts], float)
    return np.where(whole == 65535, np.nan, low + step * whole)


def test_the_page_holds_every_reading_of_a_short_film(
    tmp_path: Path, demo_results: list[FrameResult]
) -> None:
    page = report(write(tmp_path / "points.jsonl", demo_results))
    data = data_of(page)
    with open_recording(tmp_path / "points.jsonl") as recording:
        expected = np.array([reading(one.faces[0]) for one in recording])
    (one,) = data["faces"]
    assert not data["joined"]
    times = data["start"] + data["tick"] * numbers(data["times"], "<u4")
    np.testing.assert_allclose(times, [r.time for r in demo_results], atol=1e-4)
    assert len(one["channels"]) == N_READINGS
    for place, made in enumerate(one["channels"]):
        spread = np.ptp(expected[:, place])
        np.testing.assert_allclose(channel(made)[0], expected[:, place], atol=spread / 60_000 + 1e-6)
    assert (numbers(one["presence"], "u1") == 255).all()


def test_nothing_is_loaded_from_anywhere(tmp_path: Path, demo_results: list[FrameResult]) -> None:
    page = Page(report(write(tmp_path / "points.jsonl", demo_results), film=DEMO))
    pictures = page.named("img")
    assert len(pictures) >= 10
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in pictures)
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "action", "poster"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        assert not any(name.startswith("on") or name == "style" for name in attributes), (
            "the policy forbids them"
        )
    assert "url(" not in "".join(page.texts["style"])
    (policy,) = [one["content"] for one in page.named("meta") if one.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy
    # The scripts and styles that stand in the page are the ones that the policy allows.
    script, style = page.texts["script"][-1], "".join(page.texts["style"])
    for rule, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


@pytest.mark.parametrize("place", ["header", "batch"])
def test_no_name_breaks_the_page(tmp_path: Path, place: str) -> None:
    results = film([[face()]] * 5)
    name = HOSTILE if place == "header" else "film.mp4"
    path = write(
        tmp_path / "points.jsonl",
        results,
        name=name,
        model={"name": HOSTILE, "sha256": HOSTILE},
        provider=HOSTILE,
    )
    page = report(path, source=HOSTILE if place == "batch" else "")
    parsed = Page(page)
    assert len(parsed.named("script")) == 2
    assert not parsed.named("b")
    assert parsed.elements[-1][0] == "script"
    assert data_of(page)["name"] == HOSTILE
    # "</script " ends a script too, and "<!--" changes what does.
    data = page.split('id="data">')[1].split("</script>\n<script>")[0]
    assert not set(data) & set("<>&\n")
    assert html.unescape("".join(parsed.texts["h2"][0])) == HOSTILE
    assert any(HOSTILE in text for text in parsed.texts["dd"])


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("film.mp4", "./film.mp4"),
        ("a b#c?d%.mp4", "./a%20b%23c%3Fd%25.mp4"),
        ("http://host.example/x.mp4", "./x.mp4"),
        ("javascript:alert(1).mp4", "./javascript%3Aalert%281%29.mp4"),
        ("//host.example/x.mp4", "./x.mp4"),
        ("..\\..\\x.mp4", "./x.mp4"),
        ("日本.mp4", "./%E6%97%A5%E6%9C%AC.mp4"),
    ],
)
def test_the_film_is_looked_for_beside_the_page_and_nowhere_else(
    tmp_path: Path, name: str, address: str
) -> None:
    page = Page(report(write(tmp_path / "points.jsonl", film([[face()]]), name=name)))
    (section,) = [one for one in page.named("section") if "film" in one.get("class", "")]
    assert section["data-src"] == address


def test_a_film_elsewhere_has_a_relative_address(tmp_path: Path) -> None:
    (tmp_path / "films ü").mkdir()
    (tmp_path / "out").mkdir()
    there = tmp_path / "films ü" / "a.mp4"
    there.write_bytes(DEMO.read_bytes())
    page = Page(report(write(tmp_path / "out" / "points.jsonl", film([[face()]])), film=there))
    (section,) = [one for one in page.named("section") if one.get("class") == "film"]
    assert section["data-src"] == "./../films%20%C3%BC/a.mp4"


@pytest.mark.parametrize("name", ["camera 0", "points.jsonl"])
def test_without_a_name_there_is_no_film(tmp_path: Path, name: str) -> None:
    page = report(write(tmp_path / "points.jsonl", film([[face()]]), name=name))
    assert 'class="film">' in page
    assert "No pictures" in page


def test_a_film_that_cannot_be_read_costs_the_pictures_alone(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    page = report(write(tmp_path / "points.jsonl", film([[face()]] * 3)))
    assert "No pictures: " in page
    assert len(data_of(page)["faces"]) == 1


def test_a_film_without_a_face_and_one_without_a_frame(tmp_path: Path) -> None:
    page = report(write(tmp_path / "none.jsonl", film([[]] * 9)))
    assert "No face was seen" in page
    assert data_of(page)["faces"] == []
    assert "<td>-1</td>" in page
    assert data_of(report(write(tmp_path / "empty.jsonl", [])))["times"] == ""


def test_curves_are_joined_until_they_fit_and_blinks_stay(tmp_path: Path) -> None:
    opened, shut_face = face(), face(measures=SHUT)
    results = film([[shut_face if i == 900 else opened] for i in range(1500)])
    path = write(tmp_path / "points.jsonl", results)
    whole, small = report(path), report(path, share=100)
    assert len(whole) - len(small) > 10_000
    assert not data_of(whole)["joined"]
    (one,) = data_of(small)["faces"]
    assert data_of(small)["joined"]
    low, mean, high = channel(one["channels"][RIGHT_EYE])
    assert np.nanmin(low) == pytest.approx(SHUT.right_eye_open, abs=1e-3)
    shut = np.flatnonzero(numbers(one["shut"], "u1"))
    assert len(shut) == 1
    at = shut[0]
    assert low[at] == pytest.approx(SHUT.right_eye_open, abs=1e-3)
    assert high[at] == pytest.approx(OPEN.right_eye_open, abs=1e-3)
    assert low[at] < mean[at] < high[at]


def test_many_faces_keep_to_the_pages_size(tmp_path: Path) -> None:
    faces = [face(number) for number in range(64)]
    results = film([faces[k % 60 : k % 60 + 5] for k in range(120)])
    page = report(write(tmp_path / "points.jsonl", results))
    shown = data_of(page)["faces"]
    assert len(shown) == MOST_ROWS
    assert sum("channels" in one for one in shown) == MOST_CURVES
    assert page.count('<details class="face"') == MOST_CURVES
    assert f"Of 64 faces those with the most time: curves of {MOST_CURVES}" in page
    assert page.count("<tr>") == 1 + 64


def test_a_table_of_thousands_is_cut_and_says_so(tmp_path: Path) -> None:
    one = face()
    page = report(write(tmp_path / "points.jsonl", film([[replace(one, id=k)] for k in range(60)])), share=20)
    assert page.count("<tr>") == 1 + 25
    assert "rows in the table of 25" in page


def test_the_table_is_the_summary(tmp_path: Path) -> None:
    page = Page(report(write(tmp_path / "points.jsonl", film([[face(1), face(2)]] * 4))))
    heads = [text for text in page.texts["button"] if "Copy" not in text]
    columns = len(COLUMNS) - len(EXPRESSION_COLUMNS)
    assert len(page.named("th")) == columns
    assert all(one["scope"] == "col" for one in page.named("th"))
    assert "film" in heads
    assert len(page.named("td")) == 2 * columns


def test_the_licence_of_the_library_is_in_the_page(tmp_path: Path) -> None:
    page = report(write(tmp_path / "points.jsonl", film([[face()]])))
    assert "Copyright (c) 2022 Leon Sorokin" in page
    assert "THE SOFTWARE IS PROVIDED" in page


def test_expressions_have_curves_and_columns_where_there_are_some(tmp_path: Path) -> None:
    pages = {}
    for name, one in (("with", shown("sad")), ("without", face())):
        write(tmp_path / f"{name}.jsonl", film([[one]] * 6))
        page = report(tmp_path / f"{name}.jsonl")
        pages[name] = (page, data_of(page)["faces"][0]["channels"])
    page, channels = pages["with"]
    assert len(channels) == N_READINGS + len(EXPRESSIONS)
    assert channel(channels[N_READINGS + 3])[0] == pytest.approx([0.7] * 6, abs=1e-3)
    assert "afraid" in page.split("<tbody>")[0].split("<thead>")[1]
    assert len(pages["without"][1]) == N_READINGS
    assert "afraid" not in pages["without"][0].split("<tbody>")[0].split("<thead>")[1]
