"""Recordings in CSV: ours, with all columns or OpenFace's alone, those of version 0.1, and OpenFace's own files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TextIO

import numpy as np

from fkp_live.errors import InputError
from fkp_live.recorded import CSV_COLUMNS, is_own_table
from fkp_live.sources.recording import CURE_RECORDING
from fkp_live.sources.recording_tables import Row, Rows, TableRecording
from fkp_live.sources.spec import CHECK_ACCESS

_LONGEST_LINE = 1 << 20  # characters; a file name and 700 numbers have 10,000
_HEAD = ("frame", "face_id", "timestamp", "confidence", "success")


class CsvRecording(TableRecording):
    """A recording in CSV, see `TableRecording`. It has no header of a run.

    Raises
    ------
    InputError : it cannot be opened, or lacks a column that is needed
    """

    def __init__(self, path: Path) -> None:
        try:
            # Undecodable bytes of a file's name stay what they are; a mark that Excel puts first is skipped.
            self._file: TextIO = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
        except OSError as error:
            raise InputError(f"{path} cannot be opened: {error.strerror}.", CHECK_ACCESS) from error
        try:
            names = [name.strip() for name in self._cells(_Lines(self._file), path)]
            super().__init__(path, {}, names)
        except BaseException:
            self._file.close()
            raise
        self._count = len(names)
        self._named = names.index("file") if "file" in names else None
        self._pick = _Picker(names)

    def _cells(self, lines: _Lines, path: Path) -> Sequence[str]:
        try:
            return next(csv.reader(lines, skipinitialspace=True), [])
        except csv.Error as error:
            raise InputError(f"{path} is not a CSV file: {error}.", CURE_RECORDING) from error

    def _rows(self) -> Iterator[Row]:
        self._file.seek(0)
        lines = _Lines(self._file)
        reader = csv.reader(lines, skipinitialspace=True)
        try:
            next(reader, None)
            for cells in reader:
                if lines.over:
                    # No line feed: even with all cells, its last number may be shorter than it was.
                    self.note = f"the last line of {self.path} is cut off and was left out"
                    return
                if cells:
                    yield self._row(cells, f"line {reader.line_num}")
        except csv.Error as error:
            raise InputError(
                f"{self.path} is damaged: line {reader.line_num} ({error}).", CURE_RECORDING
            ) from error

    def _row(self, cells: Sequence[str], where: str) -> Row:
        if len(cells) != self._count:
            raise InputError(
                f"{self.path} is damaged: {where} has {len(cells)} cells, expected {self._count}.",
                CURE_RECORDING,
            )
        try:
            values = self._pick(cells)
        except ValueError as error:
            raise InputError(
                f"{self.path} is damaged: {where} is not a result ({error}).", CURE_RECORDING
            ) from error
        return Row(cells[self._named] if self._named is not None else "", values, where)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Lines:
    """The lines of a file, for csv.

    Attributes
    ----------
    over : whether the file has ended, so that a row made of these lines has no line feed at its end
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.over = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            self.over = True
            raise StopIteration
        if not line.endswith(("\n", "\r")):
            if len(line) == _LONGEST_LINE:
                raise csv.Error(f"a line of more than {_LONGEST_LINE} characters")
            self.over = True
        return line


class _Picker:
    """The numbers of a row in the order of `CSV_COLUMNS`, NaN where there is none."""

    def __init__(self, names: Sequence[str]) -> None:
        present = [name for name in CSV_COLUMNS if name in names]
        self._places = np.array([CSV_COLUMNS.index(name) for name in present])
        self._chosen = itemgetter(*(names.index(name) for name in present))
        self._head = sum(name in _HEAD for name in present)
        self._success = present.index("success") if "success" in present else None
        self._id = present.index("face_id") if "face_id" in present and is_own_table(names) else None

    def __call__(self, cells: Sequence[str]) -> Rows:
        """(349,) float64. ValueError where a cell is not a number."""
        chosen = self._chosen(cells)
        values = np.full(len(CSV_COLUMNS), np.nan)
        if (
            self._success is not None
            and chosen[self._success].strip() == "0"
            and (self._id is None or chosen[self._id].strip().startswith("-"))
        ):
            # No face: the rest is empty, or old.
            values[self._places[: self._head]] = [_number(cell) for cell in chosen[: self._head]]
            return values
        try:
            values[self._places] = list(map(float, chosen))
        except ValueError:
            values[self._places] = [_number(cell) for cell in chosen]
        return values


def _number(cell: str) -> float:
    """The number of a cell; NaN for an empty one, and for the "-nan(ind)" of OpenFace on Windows."""
    try:
        return float(cell)
    except ValueError:
        if not cell.strip() or "nan" in cell.lower():
            return math.nan
        raise
