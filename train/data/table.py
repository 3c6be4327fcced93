"""CSV files as text: encoding, separator, rows with their line numbers, numbers.

Read rightly: UTF-8 with or without a byte order mark, UTF-16 with one, commas, semicolons or tabs between columns, and
decimal commas where they do not separate columns. Anything else is refused by file and row.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.topology import N_POINTS

COLUMNS = 1 + 2 * N_POINTS
EXPECTED = "Expected a header row, then a row a face: name, x0, y0, … x67, y67."
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# No picture is this large: a coordinate beyond it, in pixels, is a mistake.
_FARTHEST = 1e6


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a CSV file, `COLUMNS` in each row.

    Attributes
    ----------
    csv : the file
    header : cells of the first line
    rows : cells of the others; blank lines at the end are omitted
    lines : line of each row in the file, from 1
    decimal_comma : whether numbers may have one
    ends : whether the last line ends with a line feed
    """

    csv: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    decimal_comma: bool
    ends: bool

    @property
    def names(self) -> list[str]:
        """The first cell of each row."""
        return [row[0] for row in self.rows]

    def place(self, row: int) -> str:
        """Where a row is, for messages."""
        return f"{self.csv}, row {self.lines[row]}"


def read_table(path: Path, *, partial: bool = False) -> Table:
    """The cells of a file; InputError where it cannot be read, has no rows or rows of another length.

    ``partial``: cells may be empty, so a short row is refused here instead of by `numbers`.
    """
    text = _text(path)
    first_line = text[: text.find("\n")] if "\n" in text else text
    separator = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, strict=True)
    rows, lines, line = list[list[str]](), list[int](), 1
    try:
        for row in reader:
            rows.append(row)
            lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, row {line}, cannot be read as CSV: {error}", EXPECTED) from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows or not any(rows[0]):
        raise InputError(f"{path} has no header in its first line", EXPECTED)
    if len(rows[0]) != COLUMNS:
        raise InputError(f"{path} has {len(rows[0])} columns, expected {COLUMNS}", _what_has(len(rows[0])))
    if not rows[1:]:
        raise InputError(f"{path} holds no faces, only a header", EXPECTED)
    for row, at in zip(rows[1:], lines[1:], strict=False):
        if len(row) > COLUMNS or (partial and len(row) < COLUMNS):
            raise InputError(f"{path}, row {at}: {len(row)} columns, expected {COLUMNS}", _what_has(len(row)))
        row += [""] * (COLUMNS - len(row))
    return Table(path, rows[0], rows[1:], lines[1 : len(rows)], separator != ",", text.endswith(("\n", "\r")))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"no such data set: {path}", EXPECTED) from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read as CSV: {reason}", EXPECTED) from error
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, row {row}, cannot be read as CSV: its text is not {encoding.removesuffix('-sig').upper()}",
            "Save it as UTF-8.",
        ) from error


def _what_has(columns: int) -> str:
    """A hint for files of another number of columns."""
    if columns == 1 + 4 * N_POINTS:
        return "Decimal commas? Write decimal points, or put semicolons between the columns."
    if columns == 1 + 3 * N_POINTS:
        return f"Three numbers a point? Omit all but x and y. {EXPECTED}"
    if columns == COLUMNS - 1:
        return f"Is the column of file names missing? {EXPECTED}"
    if columns in (1 + 2 * 5, 1 + 2 * 21, 1 + 2 * 98, 1 + 2 * 106):
        return f"It has {columns // 2} points a face, and the network has {N_POINTS}. {EXPECTED}"
    return EXPECTED


def numbers(table: Table, *, partial: bool = False) -> NDArray[np.float64]:
    """The rows' numbers (N, 136), in the order of their columns; where ``partial``, NaN for empty cells.

    Raises
    ------
    InputError
        A cell is not a number of pixels; the message names its row and column.
    """
    cells = pd.DataFrame([row[1:] for row in table.rows], dtype=str)
    if table.decimal_comma and _decimal_comma(table):
        cells = cells.apply(lambda column: column.str.replace(",", "."))
    values = cells.map(_number).to_numpy(np.float64)
    good = np.abs(values) <= _FARTHEST
    if partial:
        good |= cells.map(lambda cell: not cell.strip()).to_numpy(bool)
    bad = np.argwhere(~good)
    if len(bad):
        row, column = (int(v) for v in bad[0])
        _refuse_cell(table, row, column + 1)
    return values


def _decimal_comma(table: Table) -> bool:
    """Whether the numbers have decimal commas. InputError where some have points and some commas."""
    commas = any("," in cell for cells in table.rows for cell in cells[1:])
    if commas:
        for row, cells in enumerate(table.rows):
            for column, cell in enumerate(cells[1:], 1):
                if "." in cell:
                    _refuse_cell(table, row, column, " among numbers with decimal commas")
    return commas


def _number(cell: str) -> float:
    """NaN where the cell holds none. Python's own ``float`` also takes 1_000."""
    try:
        return float(cell) if "_" not in cell else np.nan
    except ValueError:
        return np.nan


def _refuse_cell(table: Table, row: int, column: int, among: str = "") -> None:
    found = table.rows[row][column]
    what = f"'{shortened(found)}'" if found.strip() else "nothing (a short row?)"
    raise InputError(
        f"{table.csv}, row {table.lines[row]}, column {column}: expected a coordinate in pixels, got {what}{among}",
        f"Every row needs a file name and {COLUMNS - 1} finite numbers.",
    )


def shortened(text: str, most: int = 60) -> str:
    """Text for a message, cut where it is long."""
    return text if len(text) <= most else f"{text[:most]}…"


def is_number(cell: str) -> bool:
    """Whether a cell of the header is a number, which a name of a column is not."""
    return not np.isnan(_number(cell.replace(",", "."))) or cell.strip().lower().lstrip("+-") == "nan"


def refuse_duplicates(table: Table, keys: Sequence[str]) -> None:
    """InputError where a row has no name, or two rows the same key (their names, spelt alike)."""
    first_line: dict[str, int] = {}
    for name, key, line in zip(table.names, keys, table.lines, strict=True):
        if not name:
            raise InputError(
                f"{table.csv}, row {line}, column 0: no file name", "Fill the cell or remove the row."
            )
        if key in first_line:
            raise InputError(
                f"{table.csv}, row {line}, column 0: '{name}' stands in row {first_line[key]} already",
                "One row an image: remove one of the two.",
            )
        first_line[key] = line
