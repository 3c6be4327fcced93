from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from shapes import face_at
from skimage.data import astronaut

from fkp_live.errors import ExitCode
from train.__main__ import main
from train.data.faces import FaceSet
from train.data.sheets import GREEN, MAGENTA, captioned, contact_sheet, error_sheet, face_tile
from train.data.view import choose
from train.evaluate.report import table


def drawn_points() -> np.ndarray:
    """68 points of a frontal face, about where the astronaut's is."""
    return face_at(224, 105, 55)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    image = np.ascontiguousarray(astronaut()[..., ::-1])
    rows = ["," + ",".join(map(str, range(136)))]
    for name in ("first_1.jpg", "second_2.jpg", "third_3.jpg"):
        (tmp_path / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
        rows.append(name + "," + ",".join(f"{v:.2f}" for v in drawn_points().ravel()))
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "faces.csv"


def of_colour(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(N, 2) x, y of the pixels that have (nearly) this colour."""
    near = np.abs(image.astype(int) - colour).max(-1) < 40
    return np.argwhere(near)[:, ::-1]


def test_painted_points_sit_where_they_were_given() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    points = np.full((68, 2), 100.0, np.float32)
    points[0], points[1] = (50, 50), (150, 150)
    tile = face_tile(image, [(points, GREEN)], 240, margin=0.1)
    found = of_colour(tile, GREEN)
    # The box is 100 px and fills 200 of 240 px of the tile: corners at 19.5 and 219.5.
    assert np.abs(found.min(0) - 19.5).max() <= 3
    assert np.abs(found.max(0) - 219.5).max() <= 3
    assert any(np.abs(found - 119.5).max(1) < 1)


def test_missed_faces_show_true_points_only() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    truth = drawn_points()
    missed = face_tile(image, [(truth, GREEN), (np.full_like(truth, np.nan), MAGENTA)], 200)
    found = face_tile(image, [(truth, GREEN), (truth + 3, MAGENTA)], 200)
    assert len(of_colour(missed, GREEN)) > 50
    assert len(of_colour(missed, MAGENTA)) == 0
    assert len(of_colour(found, MAGENTA)) > 50


def test_sheets_have_rows_and_an_incomplete_last_one() -> None:
    tiles = [np.full((10, 20, 3), 40 * (k + 1), np.uint8) for k in range(5)]
    sheet = contact_sheet(tiles, 3)
    assert sheet.shape == (20, 60, 3)
    assert sheet[5, 50].tolist() == [120] * 3
    assert sheet[15, 30].tolist() == [200] * 3
    assert sheet[15, 50].tolist() == [32] * 3
    assert captioned(tiles[0], "words").shape[0] > 10


def test_the_sheet_of_errors_puts_the_worst_first(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.zeros((300, 300, 3), np.uint8))[1].tobytes())
    truth = np.stack([drawn_points()] * 3)
    predicted = truth + np.array([0.0, 40.0, 8.0], np.float32)[:, None, None]
    sheet = error_sheet(predicted, FaceSet("set", (tmp_path / "a.png",) * 3, truth), tile=120, each=3)
    legend, rows = sheet[:18], np.split(sheet[18:], 3)
    assert len(of_colour(legend, GREEN)) > 5
    assert len(of_colour(legend, MAGENTA)) > 5
    # In the worst row face 1 (moved by 40 px) stands left of face 2, and face 0 hides its truth under its points.
    away = [np.median(of_colour(part, MAGENTA), 0) for part in np.split(rows[0], 3, axis=1)]
    assert away[0][0] > away[1][0] > away[2][0]


def test_choice_is_random_but_repeatable_and_obeys_names(csv: Path) -> None:
    from train.data.faces import read_csv

    faces = read_csv(csv)
    everything = choose([faces, faces], 100, 0)
    assert len(everything) == 6
    assert [f.caption for f in everything[:3]] == ["0 first_1.jpg", "1 second_2.jpg", "2 third_3.jpg"]
    assert {f.caption for seed in range(10) for f in choose([faces], 1, seed)} > {"0 first_1.jpg"}
    assert [f.index for f in choose([faces], 2, 5)] == [f.index for f in choose([faces], 2, 5)]
    assert [f.index for f in choose([faces], 9, 0, "^(first|third)")] == [0, 2]


def test_view_writes_a_sheet(csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "sheet.png"
    assert main(["view", str(csv), "--out", str(out), "--tile", "96", "--columns", "2"]) == ExitCode.OK
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] == 2 * 96
    assert len(of_colour(sheet, GREEN)) > 100
    assert "3 of 3 faces" in capsys.readouterr().out


def test_augmented_sheet_shows_different_crops_with_points_that_follow(csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    command = ["view", str(csv), "--out", str(out), "--tile", "100", "--count", "2", "--augmented", "3"]
    assert main(command) == ExitCode.OK
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] == 4 * 100
    tiles = [np.split(row, 4, axis=1) for row in np.split(sheet, 2)]
    for row in tiles:
        for version in row[1:]:
            assert len(of_colour(version, GREEN)) > 40
    assert np.abs(tiles[0][1].astype(int) - tiles[0][2]).mean() > 5


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--count", "0"], ExitCode.USAGE),
        (["--tile", "3"], ExitCode.USAGE),
        (["--tile", "100000"], ExitCode.USAGE),
        (["--tile", "4000", "--augmented", "9"], ExitCode.USAGE),
        (["--names", "("], ExitCode.USAGE),
        (["--recipe", "r.toml"], ExitCode.USAGE),
        (["--names", "nobody"], ExitCode.INPUT),
        (["--out", "sheet.jpg"], ExitCode.OUTPUT),
    ],
)
def test_nonsense_is_refused(
    csv: Path, tmp_path: Path, options: list[str], code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(csv), "--out", str(tmp_path / "s.png"), *options]) == code
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "s.png").exists()


def test_tables_are_markdown_of_even_width() -> None:
    lines = table(["set", "NME"], [["wild", "3.5"], ["a longer one", "12.25"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| wild         |   3.5 |"
    assert set(lines[1]) == set("|-:")
