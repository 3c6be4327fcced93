"""Recordings in Parquet: what `sinks.parquet.ParquetSink` wrote, or another program's table of the same columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fkp_live.errors import InputError
from fkp_live.recorded import CSV_COLUMNS, METADATA_KEY
from fkp_live.sources.recording import CURE_RECORDING, check_header
from fkp_live.sources.recording_tables import Row, TableRecording

_BATCH_ROWS = 1024


class ParquetRecording(TableRecording):
    """A recording in Parquet, see `TableRecording`.

    Raises
    ------
    InputError : it cannot be opened, lacks a column that is needed, or pyarrow is not installed
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise InputError(
                f"{path} is a Parquet file, and the package pyarrow is not installed.",
                "Install it: pip install 'fkp-live[parquet]'",
            ) from error
        self._failures: tuple[type[Exception], ...] = (OSError, ValueError, TypeError, pyarrow.ArrowException)
        try:
            self._file: Any = parquet.ParquetFile(path, pre_buffer=False)
        except self._failures as error:
            raise InputError(
                f"{path} cannot be read as Parquet: it is cut off, damaged, or another kind of file "
                f"({' '.join(str(error).split())}).",
                CURE_RECORDING,
            ) from error
        try:
            schema = self._file.schema_arrow
            super().__init__(path, _header(schema.metadata or {}), [name.strip() for name in schema.names])
        except BaseException:
            self._file.close()
            raise
        self._columns = [name for name in schema.names if name.strip() in {"file", *CSV_COLUMNS}]

    def _rows(self) -> Iterator[Row]:
        done = 0
        try:
            for batch in self._file.iter_batches(_BATCH_ROWS, columns=self._columns):
                values = np.full((batch.num_rows, len(CSV_COLUMNS)), np.nan)
                files = [""] * batch.num_rows
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    if name.strip() == "file":
                        files = [str(one or "") for one in column.to_pylist()]
                    else:
                        values[:, CSV_COLUMNS.index(name.strip())] = _numbers(column)
                for row, (file, numbers) in enumerate(zip(files, values, strict=True), start=done + 1):
                    yield Row(file, numbers, f"row {row}")
                done += batch.num_rows
        except self._failures as error:
            raise InputError(
                f"{self.path} is damaged after row {done}: {' '.join(str(error).split())}.", CURE_RECORDING
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _numbers(column: Any) -> Any:
    """A column as float64, NaN for null."""
    return column.cast("float64", safe=False).to_numpy(zero_copy_only=False)


def _header(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        header = json.loads(metadata.get(METADATA_KEY, b"{}"))
    except (ValueError, RecursionError):
        return {}
    return dict(header) if check_header(header) else {}
