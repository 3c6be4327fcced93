"""``fkp-live report``: the page it writes, the film it finds, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from recorded import face, film, write

from fkp_live.commands.cli import main

DEMO = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "points.jsonl", film([[face()]] * 20), name="my film.mp4")
    return tmp_path


def test_the_film_beside_the_recording_gives_the_pictures(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(DEMO, here / "my film.mp4")
    assert main(["report", "points.jsonl", "--out", "report.html"]) == 0
    page = (here / "report.html").read_text("utf-8")
    assert page.count("data:image/jpeg") > 10
    assert 'data-src="./my%20film.mp4"' in page
    assert capsys.readouterr().out == "report.html\n"


def test_a_film_can_be_named(here: Path) -> None:
    (here / "films").mkdir()
    shutil.copy(DEMO, here / "films" / "b.mp4")
    words = ["report", "points.jsonl", "--out", "r.html", "--video", "films/b.mp4", "--quiet"]
    assert main(words) == 0
    page = (here / "r.html").read_text("utf-8")
    assert 'data-src="./films/b.mp4"' in page
    assert "data:image/jpeg" in page


def test_several_recordings_are_one_page(here: Path) -> None:
    write(here / "second.jsonl", film([[]] * 5), name="second.mp4")
    assert main(["report", ".", "--out", "report.html", "--quiet"]) == 0
    page = (here / "report.html").read_text("utf-8")
    assert page.count('<section class="film"') == 2
    assert "No face was seen" in page
    # Its own page is no recording.
    assert main(["report", ".", "--out", "report.html", "--quiet", "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("points.jsonl", 2, "--out"),
        ("points.jsonl --out report.pdf", 6, ".html"),
        ("points.jsonl --out mine.html", 6, "exists already"),
        ("points.jsonl --out r.html --video gone.mp4", 3, "gone.mp4"),
        ("points.jsonl points.jsonl --out r.html --video points.jsonl", 2, "2 recordings"),
        ("bad.jsonl --out r.html", 3, "bad.jsonl"),
        ("gone.jsonl --out r.html", 3, "gone.jsonl"),
    ],
)
def test_what_is_refused_and_how(
    here: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, message: str
) -> None:
    (here / "mine.html").write_text("mine")
    (here / "bad.jsonl").write_text("{}\n")
    before = sorted(here.iterdir())
    assert main(["report", *words.split(), "--quiet"]) == code
    assert message in capsys.readouterr().err
    assert sorted(here.iterdir()) == before
    assert (here / "mine.html").read_text() == "mine"


def test_too_many_recordings_for_a_page(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(50):
        shutil.copy(here / "points.jsonl", here / f"{number}.jsonl")
    assert main(["report", ".", "--out", "r.html", "--quiet"]) == 2
    assert "51 recordings" in capsys.readouterr().err
