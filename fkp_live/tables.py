"""`read`: recordings as tables of pandas or polars."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fkp_live.errors import InputError, UsageError
from fkp_live.recorded import CSV_COLUMNS, WHOLE_COLUMNS, table_rows
from fkp_live.sources.recording import CURE_RECORDING, Recording
from fkp_live.sources.recording_csv import CsvRecording
from fkp_live.sources.recording_jsonl import JsonlRecording
from fkp_live.sources.recordings import open_recording

ENGINES = ("pandas", "polars")
_ENDINGS = (".parquet", ".csv", ".jsonl")
# What OpenFace writes on Windows where a number is undefined.
_WINDOWS_NAN = "-nan(ind)"
# Results of a JSONL file that are made into a part of a table at once.
_PART = 4096


def read(path: str | Path, *, engine: str = "pandas") -> Any:
    """A recording as a table: a row for each face and frame, one for a frame without a face.

    The columns are those of the CSV in its order, names without spaces, whatever the format of the recording; a CSV of
    OpenFace keeps columns of its own. Whole numbers are integers (``blink`` a nullable one), ``timestamp`` is float64,
    all other columns of ours float32, and what was not computed is missing. Of a JSONL file ``confidence`` is the mean
    of the points'.

    Parameters
    ----------
    path : a file of ``--jsonl``, ``--csv``, ``fkp-live batch`` or OpenFace; or the folder of a batch, whose recordings
        become one table with a first column ``file``: the name of the film or picture
    engine : "pandas" for a DataFrame of pandas, whose ``attrs`` are the header of the recording (version, source,
        model, options); "polars" for one of polars

    Raises
    ------
    InputError : there is no recording, it is damaged, or the package is not installed
    UsageError : another engine

    Example
    -------
    >>> table = fkp_live.read("points.parquet")
    >>> table[table.success == 1].groupby("face_id").mouth_open.mean()
    """
    if engine not in ENGINES:
        raise UsageError(f"engine is {engine!r}, expected one of {', '.join(ENGINES)}.")
    path = Path(path)
    maker = _Pandas() if engine == "pandas" else _Polars()
    if not path.is_dir():
        return maker.table(path)
    tables = [maker.named(maker.table(file), name) for file, name in _recordings_below(path)]
    if not tables:
        raise InputError(
            f"There is no recording in the folder {path}.",
            f"Name the folder of fkp-live batch --out, or a file that ends in {', '.join(_ENDINGS)}.",
        )
    return maker.joined(tables)


def _recordings_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Recordings of a folder in order of their paths, and the names of what was recorded."""
    points = folder / "points" if (folder / "points").is_dir() else folder
    for file in sorted(points.rglob("*")):
        if file.suffix in _ENDINGS and ".partial" not in file.suffixes and file.is_file():
            yield file, _source_name(folder, file)


def _source_name(folder: Path, file: Path) -> str:
    """Name of the film or picture that a recording of a folder is of."""
    with open_recording(file) as recording:
        if recording.header:
            return recording.info.name
    try:
        # A CSV has no header, but a batch has a record of each of its items.
        record = json.loads((folder / "records" / file.parent.name / f"{file.stem}.json").read_bytes())
        return str(record["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return str(file.relative_to(folder))


class _Pandas:
    """Tables of pandas."""

    def __init__(self) -> None:
        self._pandas = _package("pandas", "Install it: pip install 'fkp-live[tables]'")

    def table(self, path: Path) -> Any:
        """The table of a file."""
        with open_recording(path) as recording:
            if isinstance(recording, CsvRecording):
                table = _guarded(path, lambda: self._csv(path))
                _check_whole(path, table)
            elif isinstance(recording, JsonlRecording):
                parts = [self._pandas.DataFrame(part) for part in _parts(recording)]
                table = self._pandas.concat(parts, ignore_index=True)
            else:
                table = _guarded(path, lambda: self._pandas.read_parquet(path, engine="pyarrow"))
                table.columns = [name.strip() for name in table.columns]
            table = _guarded(path, lambda: self._typed(table))
            table.attrs = dict(recording.header)
        return table

    def _csv(self, path: Path) -> Any:
        options = {"skipinitialspace": True, "encoding_errors": "surrogateescape", "low_memory": False}
        names = [name.strip() for name in self._pandas.read_csv(path, nrows=0, **options).columns]
        kinds = {name: np.float32 for name in CSV_COLUMNS[5:] if name not in WHOLE_COLUMNS}
        table = self._pandas.read_csv(
            path, names=names, header=0, dtype=kinds, na_values=[_WINDOWS_NAN], **options
        )
        return table.iloc[:-1].copy() if _is_cut(path) else table

    def _typed(self, table: Any) -> Any:
        kinds = {name: kind for name, kind in WHOLE_COLUMNS.items() if name in table}
        # Nullable ones: rows without a face have neither.
        kinds |= {name: "Int8" for name in ("blink", "expression") if name in kinds}
        kinds |= {name: "float32" for name in CSV_COLUMNS if name in table and name not in WHOLE_COLUMNS}
        # A copy, because adding a column to a table of many parts warns of its slowness.
        return table.astype(kinds | {"timestamp": "float64"}).copy()

    def named(self, table: Any, name: str) -> Any:
        """The table with a first column ``file``, if it has none yet."""
        if "file" not in table:
            table.insert(0, "file", name)
        return table

    def joined(self, tables: list[Any]) -> Any:
        """Tables under one another."""
        for table in tables:
            table.attrs = {}
        return self._pandas.concat(tables, ignore_index=True)


class _Polars:
    """Tables of polars."""

    def __init__(self) -> None:
        self._polars = _package("polars", "Install it: pip install polars")

    def table(self, path: Path) -> Any:
        """The table of a file."""
        polars = self._polars
        with open_recording(path) as recording:
            if isinstance(recording, CsvRecording):
                table = _guarded(path, lambda: self._csv(path))
                _check_whole(path, table)
            elif isinstance(recording, JsonlRecording):
                table = polars.concat([polars.DataFrame(part) for part in _parts(recording)])
            else:
                table = _guarded(path, lambda: polars.read_parquet(path))
                table = table.rename({name: name.strip() for name in table.columns})
            return _guarded(path, lambda: self._typed(table))

    def _csv(self, path: Path) -> Any:
        column = self._polars.col
        # As text first: the separator of OpenFace is a comma and a space.
        table = self._polars.read_csv(path, infer_schema=False, encoding="utf8-lossy")
        table = table.rename({name: name.strip() for name in table.columns})
        numbers = [name for name in table.columns if name != "file"]
        cells = column(numbers).str.strip_chars().replace({"": None, _WINDOWS_NAN: None})
        table = table.with_columns(cells.cast(self._polars.Float64))
        return table[:-1] if _is_cut(path) else table

    def _typed(self, table: Any) -> Any:
        kinds = {"int32": self._polars.Int32, "int8": self._polars.Int8}
        casts = []
        for name in table.columns:
            if name in WHOLE_COLUMNS:
                casts.append(self._polars.col(name).fill_nan(None).cast(kinds[WHOLE_COLUMNS[name]]))
            elif name in CSV_COLUMNS and name != "timestamp":
                casts.append(self._polars.col(name).cast(self._polars.Float32).fill_nan(None))
        return table.with_columns(casts)

    def named(self, table: Any, name: str) -> Any:
        """The table with a first column ``file``, if it has none yet."""
        if "file" in table.columns:
            return table
        return table.select(self._polars.lit(name).alias("file"), self._polars.all())

    def joined(self, tables: list[Any]) -> Any:
        """Tables under one another."""
        return self._polars.concat(tables, how="diagonal")


def _parts(recording: Recording) -> Iterator[dict[str, Any]]:
    """The columns of a JSONL recording, some thousand results at a time; at least one part."""
    files: list[str] = []
    rows: list[Any] = []
    first = True

    def part() -> dict[str, Any]:
        values = np.concatenate(rows) if rows else np.empty((0, len(CSV_COLUMNS)))
        kinds = {"timestamp": np.float64, **{name: np.float64 for name in WHOLE_COLUMNS}}
        columns = {
            name: column.astype(kinds.get(name, np.float32))
            for name, column in zip(CSV_COLUMNS, values.T, strict=True)
        }
        return ({"file": files} if any(files) else {}) | columns

    for file, result in recording.named():
        made = table_rows(result)
        rows.append(made)
        files += [file] * len(made)
        if len(rows) == _PART:
            yield part()
            first, files, rows = False, [], []
    if rows or first:
        yield part()


def _is_cut(path: Path) -> bool:
    """Whether the last line of a file has no line feed."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) not in (b"\n", b"\r")


def _check_whole(path: Path, table: Any) -> None:
    """Refuse a CSV with a row that lost cells: readers fill such rows up at their end."""
    if "success" not in table.columns:
        return
    for number, (success, last) in enumerate(zip(table["success"], table["y_67"], strict=True), start=1):
        if _is_missing(success) or (success == 1 and _is_missing(last)):
            raise InputError(f"{path} is damaged: row {number} of its table lacks cells.", CURE_RECORDING)


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _guarded(path: Path, make: Callable[[], Any]) -> Any:
    """What ``make`` returns; whatever it raises as an InputError that names the file."""
    try:
        return make()
    except Exception as error:
        raise InputError(
            f"{path} is damaged: {' '.join(str(error).split())[:300]}.", CURE_RECORDING
        ) from error


def _package(name: str, cure: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"A table of {name} needs the package {name}, which is not installed.", cure
        ) from error
