"""``fkp-live plot``: which files it writes, for which face, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from recorded import face, film, write

from fkp_live.choices import PLOT_KINDS
from fkp_live.commands.cli import main
from fkp_live.plots.clinical import ClinicalObserved

pytest.importorskip("matplotlib", reason="plots need matplotlib")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "points.jsonl", film([[face(3), face(7, scale=50)]] * 20 + [[face(7, scale=50)]] * 10))
    write(tmp_path / "none.jsonl", film([[]] * 5))
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_gets_every_kind(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "points.jsonl", "--out", "a/plots"]) == 0
    expected = [f"points-{kind}.png" for kind in PLOT_KINDS]
    assert names(here / "a" / "plots") == sorted(expected)
    assert capsys.readouterr().out.splitlines() == [str(Path("a/plots") / name) for name in expected]
    assert all(cv2.imread(str(here / "a" / "plots" / name)) is not None for name in expected)


def test_a_file_gets_the_timeline_of_the_main_face(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fkp_live.plots import drawing

    drawn = []
    whole = drawing.draw
    monkeypatch.setattr(drawing, "draw", lambda *words: drawn.append((words[0], words[2])) or whole(*words))
    assert main(["plot", "points.jsonl", "--out", "one.png", "--quiet"]) == 0
    assert main(["plot", "points.jsonl", "--out", "two.svg", "--face", "3", "--kind", "path", "--quiet"]) == 0
    assert drawn == [("timeline", 7), ("path", 3)]
    assert {"one.png", "two.svg"} < set(names(here))


def test_the_clinical_measures_are_a_plot_on_request(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fkp_live.plots import clinical_figure
    from fkp_live.plots.figure import new_figure

    drawn = []

    def draw(seen: ClinicalObserved, number: int) -> object:
        drawn.append((seen.eyes_mm, seen.sides(number).frames, number))
        return new_figure(100)

    # What it draws is tested in plots/.
    monkeypatch.setattr(clinical_figure, "draw_clinical", draw)
    assert main(["plot", "points.jsonl", "--out", "a", "--symmetry", "--scale-mm", "92"]) == 0
    assert capsys.readouterr().out == f"{Path('a/points-clinical.png')}\n"
    assert names(here / "a") == ["points-clinical.png"]
    assert drawn == [(92.0, 30, 7)]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("points.jsonl", 2, "--out"),
        ("points.jsonl --out a.png --kind all", 2, "folder"),
        ("points.jsonl --out a.png --face 5", 2, "7, 3"),
        ("points.jsonl --out a.png --face x", 2, "--face"),
        ("points.jsonl --out a.jpg", 6, ".png"),
        ("points.jsonl --out mine.png", 6, "exists already"),
        ("points.jsonl --out no/a.png", 6, "no folder"),
        ("points.jsonl --out points.jsonl", 6, ".png"),
        ("none.jsonl --out a.png", 3, "no face"),
        ("gone.jsonl --out a.png", 3, "gone.jsonl"),
        (". --out a.png", 2, "2 recordings"),
        ("points.jsonl --out a.png --scale-mm 92", 2, "--symmetry"),
        ("points.jsonl --out a.png --symmetry --scale-mm 0", 2, "--scale-mm"),
        ("points.jsonl --out a.png --symmetry --kind path", 2, "--kind"),
        ("none.jsonl --out a.png --symmetry", 3, "no face"),
    ],
)
def test_what_is_refused_and_how(
    here: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, message: str
) -> None:
    (here / "mine.png").write_bytes(b"mine")
    before = names(here)
    assert main(["plot", *words.split(), "--quiet"]) == code
    assert message in capsys.readouterr().err
    assert names(here) == before
    assert (here / "mine.png").read_bytes() == b"mine"
