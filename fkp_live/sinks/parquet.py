"""Parquet: the table of `CsvSink` in columns of numbers, compressed, with the header of JSONL in its metadata."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fkp_live.errors import OutputError
from fkp_live.recorded import CSV_COLUMNS, METADATA_KEY, WHOLE_COLUMNS, table_rows
from fkp_live.sinks.jsonl import JsonlFormat
from fkp_live.sinks.sink import FileSink
from fkp_live.types import FrameResult, Picture

# Rows that are held back and then written as one row group: 19 MB, about four minutes of one face. A row group costs
# 30 kB in the file's footer, which is held until the end.
_GROUP_ROWS = 8192

# With the network's noise: 643 bytes a row, where dictionaries (pyarrow's default) took 980 and twice the time.
_COMPRESSION: dict[str, Any] = {
    **{"compression": "zstd", "compression_level": 6, "use_dictionary": ["file", *WHOLE_COLUMNS]},
    "column_encoding": {name: "BYTE_STREAM_SPLIT" for name in CSV_COLUMNS if name not in WHOLE_COLUMNS},
}


class ParquetSink(FileSink):
    """One row per face and frame, with the columns and the rounded numbers of `CsvSink`; null where it has nothing.

    ``frame`` and ``face_id`` are int32, ``success`` and ``blink`` int8, ``timestamp`` float64, ``file`` text, all
    others float32. The file is complete once it is closed: what Parquet readers need is at its end. Memory stays flat.

    Parameters
    ----------
    header : as of `JsonlSink`: JSON under the key ``fkp`` of the schema's metadata
    files : names of the pictures of the source, by frame (`SourceInfo.pictures`): they make a first column ``file``

    Raises
    ------
    OutputError : also where pyarrow is not installed

    >>> with ParquetSink("points.parquet", {"source": {"name": "clip.mp4"}}) as sink:
    ...     sink.write(pipeline.process(frame))
    """

    def __init__(
        self,
        path: str | Path,
        header: dict[str, Any],
        *,
        overwrite: bool = False,
        files: Sequence[str] = (),
    ) -> None:
        pa, parquet = _pyarrow(path)
        super().__init__(path, overwrite)
        self._pa, self._files = pa, files
        self._rows = np.empty((_GROUP_ROWS, len(CSV_COLUMNS)))
        self._names: list[str] = []  # of the files of the rows
        self._held = 0  # rows that are not written yet
        with self._file.discarded_on_failure():
            self._schema = _schema(pa, header, with_file=bool(files))
            self._stream = os.fdopen(self._file.descriptor, "wb", closefd=False)
            self._writer = parquet.ParquetWriter(self._stream, self._schema, **_COMPRESSION)

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        name = ""
        if self._files and result.index < len(self._files):
            # UTF-8 cannot hold the undecodable bytes of a file's name; as in CSV and JSONL.
            name = self._files[result.index].encode("utf-8", "backslashreplace").decode()
        for row in table_rows(result):
            if self._held == _GROUP_ROWS:
                self._flush()
            self._rows[self._held] = row
            self._names.append(name)
            self._held += 1
            self._results += 1

    def _flush(self) -> None:
        """Write the rows held back as one row group."""
        columns = [self._pa.array(self._names, self._pa.string())] if self._files else []
        types = self._schema.types[len(columns) :]
        for column, kind in zip(self._rows[: self._held].T, types, strict=True):
            # from_pandas: NaN becomes null
            columns.append(
                self._pa.array(column, self._pa.float64(), from_pandas=True).cast(kind, safe=False)
            )
        try:
            self._writer.write_batch(self._pa.record_batch(columns, self._schema), row_group_size=_GROUP_ROWS)
        except OSError as exc:
            raise self._file.failed(exc) from exc
        self._names.clear()
        self._held = 0

    def _finish(self) -> None:
        try:
            if self._held:
                self._flush()
        finally:
            try:
                self._writer.close()
            finally:
                self._stream.close()


def _pyarrow(path: str | Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise OutputError(
            f"{path} needs the package pyarrow, which is not installed.",
            "Install it: pip install 'fkp-live[parquet]'",
        ) from error
    return pyarrow, parquet


def _schema(pa: Any, header: dict[str, Any], *, with_file: bool) -> Any:
    kinds = {name: pa.float32() for name in CSV_COLUMNS} | {"timestamp": pa.float64()}
    kinds |= {name: getattr(pa, kind)() for name, kind in WHOLE_COLUMNS.items()}
    fields = ([("file", pa.string())] if with_file else []) + list(kinds.items())
    text = JsonlFormat(header).header.strip()
    return pa.schema(fields, metadata={METADATA_KEY: text.encode("utf-8", "backslashreplace")})
