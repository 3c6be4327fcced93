"""CSV files of faces: read as they are, or refused by file, row and column."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled import HEADER, row_of, write_csv, write_images

from fkp_live.errors import ExitCode, InputError
from fkp_live.topology import MIRROR
from train.data.faces import read_csv

Row = list[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "images", "a_1.jpg", "b_2.jpg", "c_3.jpg")
    return tmp_path


def usual(folder: Path) -> np.ndarray:
    """Points of a file of one face as it should be."""
    return read_csv(write_csv(folder / "usual.csv", [row_of("a_1.jpg")])).points


def test_points_keep_their_order_and_their_fractions(folder: Path) -> None:
    row = row_of("b_2.jpg", -40)
    faces = read_csv(write_csv(folder / "faces.csv", [row_of("a_1.jpg", 5.25), row]))
    assert faces.name == "faces"
    assert faces.names == ["a_1.jpg", "b_2.jpg"]
    assert faces.points.shape == (2, 68, 2)
    assert faces.points.dtype == np.float32
    assert faces.points[1].ravel().tolist() == np.array(row[1:], np.float32).tolist()
    # Some of it left of and above the picture: legal.
    assert faces.points[1].min() < -10


def test_images_are_found_beside_the_csv_as_both_layouts_have_them(tmp_path: Path) -> None:
    write_images(tmp_path / "training", "a_1.jpg")
    faces = read_csv(write_csv(tmp_path / "training_frames_keypoints.csv", [row_of("a_1.jpg")]))
    assert faces.paths == (tmp_path / "training" / "a_1.jpg",)
    write_images(tmp_path / "flat", "a_1.jpg")
    faces = read_csv(write_csv(tmp_path / "flat" / "own.csv", [row_of("a_1.jpg")]))
    assert faces.image(0).shape == (150, 160, 3)
    elsewhere = read_csv(tmp_path / "flat" / "own.csv", images=tmp_path / "training", name="mine")
    assert (elsewhere.name, elsewhere.paths[0].parent) == ("mine", tmp_path / "training")


def refused(csv: Path, *said: str) -> InputError:
    """The error of a file, after checking that it names the file and ``said``."""
    with pytest.raises(InputError) as caught:
        read_csv(csv)
    assert caught.value.exit_code == ExitCode.INPUT
    for words in (str(csv), *said):
        assert words in caught.value.message
    return caught.value


def spoilt(column: int, text: str) -> list[Row]:
    rows = [row_of("a_1.jpg"), row_of("b_2.jpg")]
    rows[1][column] = text
    return rows


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(spoilt(5, "twelve"), ["row 3", "column 5", "'twelve'"], id="text"),
        pytest.param(spoilt(136, "nan"), ["row 3", "column 136", "'nan'"], id="nan"),
        pytest.param(spoilt(1, "inf"), ["row 3", "column 1", "'inf'"], id="infinite"),
        pytest.param(spoilt(1, "-Infinity"), ["row 3", "column 1", "'-Infinity'"], id="minus infinite"),
        pytest.param(spoilt(7, ""), ["row 3", "column 7", "nothing"], id="empty cell"),
        pytest.param(spoilt(7, "  "), ["row 3", "column 7", "nothing"], id="blank cell"),
        pytest.param(spoilt(7, "1_000"), ["row 3", "column 7", "'1_000'"], id="Python's thousands"),
        pytest.param(spoilt(7, "0x10"), ["row 3", "column 7", "'0x10'"], id="hexadecimal"),
        pytest.param(spoilt(7, "9" * 5000), ["row 3", "column 7", f"'{'9' * 60}…'"], id="5,000 digits"),
        pytest.param(
            [row_of("a_1.jpg"), row_of("b_2.jpg")[:100]], ["row 3", "column 100", "nothing"], id="short row"
        ),
        pytest.param([row_of("a_1.jpg"), [*row_of("b_2.jpg"), "7"]], ["row 3", "138"], id="long row"),
        pytest.param(
            [row_of("a_1.jpg"), row_of("c_3.jpg"), row_of("a_1.jpg")],
            ["row 4", "column 0", "'a_1.jpg'", "row 2"],
            id="duplicate",
        ),
        pytest.param(
            [row_of("a_1.jpg"), row_of("./a_1.jpg")],
            ["row 3", "'./a_1.jpg'", "row 2"],
            id="duplicate by path",
        ),
        pytest.param(
            [row_of("a_1.jpg"), row_of("nobody.jpg")], ["row 3", "column 0", "nobody.jpg"], id="missing"
        ),
        pytest.param([row_of("x" * 300)], ["row 2", "column 0", "does not exist"], id="name of 300 letters"),
        pytest.param([row_of("a\0.jpg")], ["row 2", "column 0", "does not exist"], id="null byte"),
        pytest.param([row_of("")], ["row 2", "column 0", "no file name"], id="no name"),
        pytest.param([], ["only a header"], id="no faces"),
        pytest.param([row_of("a_1.jpg"), [], row_of("b_2.jpg")], ["row 3", "no file name"], id="blank line"),
        pytest.param(
            [row_of("a_1.jpg"), HEADER, row_of("b_2.jpg")], ["row 3", "no file name"], id="second header"
        ),
        pytest.param(spoilt(5, "1e39"), ["row 3", "column 5", "'1e39'"], id="beyond float32"),
        pytest.param(spoilt(5, "-1e30"), ["row 3", "column 5", "'-1e30'"], id="beyond pictures"),
        pytest.param([["a_1.jpg", *["7"] * 136]], ["row 2", "'a_1.jpg'", "on one spot"], id="one spot"),
        pytest.param([[*row_of(n), "7"] for n in "ab"], ["row 2", "138"], id="rows longer than the header"),
        pytest.param([row_of("a_1.jpg"), row_of('"b_2.jpg')], ["row 3", "CSV"], id="open quote"),
    ],
)
def test_a_spoilt_file_is_refused_by_file_row_and_column(
    folder: Path, rows: list[Row], said: list[str]
) -> None:
    refused(write_csv(folder / "faces.csv", rows), *said)


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        (136, "file names missing"),
        (138, "Expected a header row"),
        (2, "Expected a header row"),
        (11, "5 points a face"),
        (197, "98 points a face"),
        (205, "Three numbers a point"),
        (273, "Decimal commas"),
    ],
)
def test_another_number_of_columns_is_refused(folder: Path, columns: int, hint: str) -> None:
    csv = folder / "faces.csv"
    csv.write_text(",".join(map(str, range(columns))) + "\n" + ",".join(["1"] * columns) + "\n")
    assert hint in refused(csv, f"{columns} columns, expected 137").hint


def test_decimal_commas_between_commas_are_refused_by_row(folder: Path) -> None:
    row = ",".join(row_of("a_1.jpg")).replace(".", ",").replace("a_1,jpg", "a_1.jpg")
    (folder / "f.csv").write_text(",".join(HEADER) + "\n" + row + "\n")
    assert "Decimal commas" in refused(folder / "f.csv", "row 2", "273 columns").hint


@pytest.mark.parametrize(
    "header",
    [
        row_of("a_1.jpg"),
        [cell.replace(".", "e0") if "." in cell[-4:] else cell for cell in row_of("a_1.jpg")],
        ["a_1.jpg", *["nan"] * 136],
        [*map(str, range(136)), "name"],
        ["name", *(f"{axis}{k}" for k in range(68) for axis in "xz")],
        ["name", *(f"{axis}{k}" for k in range(67) for axis in "xy"), "x0", "y0"],
        ["name", *(f"{axis}{k}" for k in range(2, 70) for axis in "xy")],
    ],
    ids=["none", "none, exponents", "none, nan", "name last", "x and z", "x0 twice", "from 2"],
)
def test_a_header_that_does_not_name_the_columns_is_refused(folder: Path, header: Row) -> None:
    csv = write_csv(folder / "faces.csv", [row_of("a_1.jpg"), row_of("b_2.jpg")], header)
    refused(csv, "its first line does not name the columns")


@pytest.mark.parametrize("names", [list(map(str, range(1, 137))), [f"p{k}" for k in range(136)]])
def test_names_that_say_nothing_are_read_in_the_usual_order(folder: Path, names: Row) -> None:
    csv = write_csv(folder / "b.csv", [row_of("a_1.jpg")], ["image", *names])
    assert np.array_equal(read_csv(csv).points, usual(folder))


@pytest.mark.parametrize(
    "form", ["{a}{k}", "{a}_{k}", "{A}{k}", "point_{a}_{k}", "{k}_{a}", "{k}{a}", "point{k}_{a}", " {a}{k} "]
)
@pytest.mark.parametrize("first", [0, 1])
def test_columns_are_read_by_the_names_that_the_header_gives_them(
    folder: Path, form: str, first: int
) -> None:
    def named(order: list[tuple[str, int]]) -> Path:
        cells = dict(zip([(a, k) for k in range(68) for a in "xy"], row_of("a_1.jpg")[1:], strict=True))
        header = ["name", *(form.format(a=a, A=a.upper(), k=k + first) for a, k in order)]
        return write_csv(folder / "named.csv", [["a_1.jpg", *(cells[place] for place in order)]], header)

    blocks = [(a, k) for a in "xy" for k in range(68)]
    y_first = [(a, k) for k in range(68) for a in "yx"]
    shuffled = [blocks[k] for k in np.random.default_rng(0).permutation(136)]
    for order in (blocks, y_first, shuffled):
        assert np.array_equal(read_csv(named(order)).points, usual(folder))


def as_semicolons(text: str) -> str:
    return text.replace(",", ";")


def with_decimal_commas(text: str) -> str:
    head, row = text.replace(",", ";").split("\n", 1)
    return head + "\n" + row.replace(".", ",").replace("a_1,jpg", "a_1.jpg")


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace(",", ", ").encode(),
        lambda text: as_semicolons(text).encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: with_decimal_commas(text).encode(),
        lambda text: with_decimal_commas(text).replace(";", "\t").encode("utf-16"),
        lambda text: (text + "\n\n,,,\n").encode(),
        lambda text: text.replace("a_1.jpg", '"a_1.jpg"').encode(),
    ],
    ids=[
        "byte order mark", "UTF-16", "UTF-16 big-endian", "CRLF", "CR", "no last line feed", "spaces", "semicolons",
        "tabs", "decimal commas", "Excel's Unicode text", "blank lines at the end", "quotes",
    ],
)  # fmt: skip
def test_other_forms_of_the_same_file_are_read_alike(folder: Path, changed: Callable[[str], bytes]) -> None:
    expected = usual(folder)
    (folder / "other.csv").write_bytes(changed((folder / "usual.csv").read_text()))
    faces = read_csv(folder / "other.csv")
    assert faces.names == ["a_1.jpg"]
    assert np.array_equal(faces.points, expected)


def test_decimal_points_among_decimal_commas_are_refused(folder: Path) -> None:
    """1.234 among them could be a thousand."""
    usual(folder)
    text = with_decimal_commas((folder / "usual.csv").read_text())
    cells = text.split(";")
    cells[-3] = cells[-3].replace(",", ".")
    (folder / "f.csv").write_text(";".join(cells))
    refused(folder / "f.csv", "row 2", "column 134", "decimal commas")


def test_a_file_that_was_cut_in_its_last_number_is_refused(folder: Path) -> None:
    usual(folder)
    text = (folder / "usual.csv").read_text()
    last = text.rstrip("\n").rsplit(",", 1)[1]
    (folder / "cut.csv").write_text(text[: -len(last)])  # its first digit stays
    refused(folder / "cut.csv", "row 2", "middle of its last number", f"'{last[0]}'")
    (folder / "cut.csv").write_text(text[: -len(last) - 1])
    refused(folder / "cut.csv", "row 2", "column 136", "nothing")


@pytest.mark.parametrize("content", [b"", b"\n\n", b",,\n", bytes(range(256)) * 40, b"\xff\xfe\x00"])
def test_a_file_that_is_not_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.csv").write_bytes(content)
    refused(tmp_path / "faces.csv")


def test_names_in_another_encoding_are_refused_by_row(folder: Path) -> None:
    csv = write_csv(folder / "f.csv", [row_of("a_1.jpg"), row_of("B.jpg")])
    csv.write_bytes(csv.read_bytes().replace(b"B.jpg", "é.jpg".encode("latin-1")))
    assert "UTF-8" in refused(csv, "row 3").hint


def test_missing_files_are_named(tmp_path: Path) -> None:
    for name in ("absent.csv", "x" * 300, "nul\0.csv"):
        with pytest.raises(InputError, match=r"absent\.csv|x{300}|nul"):
            read_csv(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_csv(tmp_path)


# --- order and unit of the points -------------------------------------------------------------------------------------


def xy(row: Row) -> np.ndarray:
    return np.array(row[1:], float).reshape(68, 2)


@pytest.mark.parametrize(
    ("reordered", "said"),
    [
        (lambda p: p[:, ::-1].ravel(), "they are one with y before x"),
        (lambda p: p.T.ravel(), "they are one as all x, then all y"),
        (lambda p: p[:, ::-1].T.ravel(), "they are one as all y, then all x"),
        (lambda p: p[MIRROR].ravel(), "they are one with left and right exchanged"),
        (lambda p: (p * [-1, 1] + [160, 0]).ravel(), "they are one with left and right exchanged"),
        (lambda p: (p * [1, -1] + [0, 150]).ravel(), "they are one with y from the bottom up"),
        (lambda p: p[np.random.default_rng(0).permutation(68)].ravel(), "not a face in the order"),
        (lambda p: np.roll(p, 17, axis=0).ravel(), "not a face in the order"),
        (lambda p: np.roll(p, 1).ravel(), "not a face in the order"),
        (lambda p: np.random.default_rng(0).uniform(0, 150, 136), "not a face in the order"),
        (lambda p: np.linspace(0, 150, 136), "not a face in the order"),
    ],
    ids=[
        "y before x", "blocks", "blocks, y first", "mirrored points", "mirrored picture", "y up", "shuffled",
        "jaw last", "moved by a column", "noise", "a line",
    ],
)  # fmt: skip
def test_points_in_another_order_are_refused_by_row(
    folder: Path, reordered: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    row = row_of("b_2.jpg")
    other = [row[0], *(f"{value:.2f}" for value in reordered(xy(row)))]
    error = refused(write_csv(folder / "f.csv", [row_of("a_1.jpg"), other]), "row 3", "'b_2.jpg'", said)
    assert "iBUG" in error.hint


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda p: p / [160, 150], "span 0.6"),
        (lambda p: (p - 100) / 50, "span 2"),
        (lambda p: p / [80, 75] - 1, "span 1."),
        (lambda p: p + 100_000, "68 of the 68 points of 'b_2.jpg' lie off its picture (160x150 pixels)"),
        (lambda p: p * 4, "points of 'b_2.jpg' lie off its picture"),
        (lambda p: p - [80, 75], "points of 'b_2.jpg' lie off its picture"),
        (lambda p: p - [400, 0], "68 of the 68 points of 'b_2.jpg' lie off its picture"),
        (lambda p: p - [0, -100], "points of 'b_2.jpg' lie off its picture"),
    ],
    ids=[
        "0 to 1", "the original project's", "-1 to 1", "far away", "larger picture", "from the middle", "left of it",
        "under it",
    ],
)  # fmt: skip
def test_points_in_another_unit_are_refused_by_row(
    folder: Path, changed: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    row = row_of("b_2.jpg")
    other = [row[0], *(f"{value:.4f}" for value in changed(xy(row)).ravel())]
    refused(write_csv(folder / "f.csv", [row_of("a_1.jpg"), other]), "row 3", said)


@pytest.mark.parametrize("turn", [0, 90, 180, 270, 35])
def test_faces_may_be_turned(folder: Path, turn: float) -> None:
    row = row_of("a_1.jpg")
    angle = np.deg2rad(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (xy(row) - 75) @ matrix.T + 75
    csv = write_csv(folder / "f.csv", [[row[0], *(f"{value:.2f}" for value in turned.ravel())]])
    assert np.allclose(read_csv(csv).points[0], turned, atol=0.01)


def test_names_that_lead_out_of_the_folder_are_refused_where_asked(folder: Path) -> None:
    outside = (folder / "images" / "b_2.jpg").rename(folder / "b_2.jpg")
    for name in (str(outside), "../b_2.jpg", "images/../../b_2.jpg", r"C:\b_2.jpg", r"..\b_2.jpg"):
        csv = write_csv(folder / "f.csv", [row_of("a_1.jpg"), row_of(name)])
        with pytest.raises(
            InputError, match=r"f\.csv, row 3, column 0: .* leads out of the folder"
        ) as caught:
            read_csv(csv, inside=True)
        assert "name of a file in it" in caught.value.hint
    # `python -m train label` writes such names itself.
    assert read_csv(write_csv(folder / "f.csv", [row_of(str(outside))])).paths == (outside,)


def test_blank_lines_at_the_end_are_no_faces(folder: Path) -> None:
    assert read_csv(write_csv(folder / "f.csv", [row_of("a_1.jpg"), [], []])).names == ["a_1.jpg"]


def test_select_and_shift_leave_the_original_alone(folder: Path) -> None:
    rows = [row_of("a_1.jpg"), row_of("b_2.jpg", 5), row_of("c_3.jpg", 9)]
    faces = read_csv(write_csv(folder / "f.csv", rows))
    assert faces.select([True, False, True]).names == ["a_1.jpg", "c_3.jpg"]
    assert faces.select([2, 0], "two").names == ["c_3.jpg", "a_1.jpg"]
    assert faces.select([2, 0], "two").points[0, 0, 0] == pytest.approx(faces.points[0, 0, 0] + 9, abs=0.02)
    moved = faces.shifted((1.5, -2.0))
    assert np.allclose((moved.points - faces.points)[1, 30], [1.5, -2.0])
    assert faces.points[0].ravel().tolist() == np.array(rows[0][1:], np.float32).tolist()
