"""Parquet: the table of `CsvSink` in columns of numbers, compressed, with the header of JSONL in its metadata."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import OutputError
from fkp_live.recorded import (
    ANGLE_DECIMALS,
    CSV_COLUMNS,
    METADATA_KEY,
    PIXEL_DECIMALS,
    SHARE_DECIMALS,
    TIME_DECIMALS,
)
from fkp_live.sinks.jsonl import JsonlFormat
from fkp_live.sinks.sink import FileSink
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FrameResult, Picture

# Rows that are held back and then written as one row group: 19 MB, about four minutes of one face. A row group costs
# 30 kB in the file's footer, which is held until the end.
_GROUP_ROWS = 8192

_WHOLE = {"frame": "int32", "face_id": "int32", "success": "int8", "blink": "int8"}
# With the network's noise: 643 bytes a row, where dictionaries (pyarrow's default) took 980 and twice the time.
_COMPRESSION: dict[str, Any] = {
    **{"compression": "zstd", "compression_level": 6, "use_dictionary": ["file", *_WHOLE]},
    "column_encoding": {name: "BYTE_STREAM_SPLIT" for name in CSV_COLUMNS if name not in _WHOLE},
}
_PLACE = {name: place for place, name in enumerate(CSV_COLUMNS)}
_HEAD = slice(0, 5)
_POSE = slice(_PLACE["pose_Rx"], _PLACE["pose_Rz"] + 1)
_POINTS = slice(_PLACE["x_0"], _PLACE["x_0"] + 2 * N_POINTS)
_SCORE = _PLACE["score"]
_BOX = slice(_PLACE["box_x0"], _PLACE["box_x0"] + 4)
_MEASURES = slice(_PLACE["right_eye_open"], _PLACE["blink"] + 1)
_RAW = slice(_PLACE["raw_x_0"], _PLACE["raw_x_0"] + 2 * N_POINTS)


def _decimals(name: str) -> int:
    if name in _WHOLE:
        return 0
    if name == "timestamp":
        return TIME_DECIMALS
    if name.startswith("pose_"):
        return ANGLE_DECIMALS
    if name in ("confidence", "score") or name.endswith("_open"):
        return SHARE_DECIMALS
    return PIXEL_DECIMALS


_FACTORS = np.array([10.0 ** _decimals(name) for name in CSV_COLUMNS])


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
        self._rows = np.full((_GROUP_ROWS, len(CSV_COLUMNS)), np.nan)
        self._names: list[str] = []  # of the files of the rows
        self._held = 0  # rows that are not written yet
        try:
            self._schema = _schema(pa, header, with_file=bool(files))
            self._stream = os.fdopen(self._file.descriptor, "wb", closefd=False)
            self._writer = parquet.ParquetWriter(self._stream, self._schema, **_COMPRESSION)
        except BaseException as exc:
            self._file.discard()
            if isinstance(exc, OSError):
                raise self._file.failed(exc) from exc
            raise

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        if not result.faces:
            row = self._next_row(result)
            row[_HEAD] = result.index + 1, -1, round(result.time, TIME_DECIMALS), np.nan, 0
        for place, face in enumerate(result.faces):
            row = self._next_row(result)
            number = place if face.id is None else face.id
            confidence = round(float(np.mean(face.confidence)), SHARE_DECIMALS)
            row[_HEAD] = result.index + 1, number, round(result.time, TIME_DECIMALS), confidence, 1
            _fill(row, face)

    def _next_row(self, result: FrameResult) -> NDArray[np.float64]:
        """The row to fill, all NaN."""
        if self._held == _GROUP_ROWS:
            self._flush()
        if self._files:
            name = self._files[result.index] if result.index < len(self._files) else ""
            # UTF-8 cannot hold the undecodable bytes of a file's name; as in CSV and JSONL.
            self._names.append(name.encode("utf-8", "backslashreplace").decode())
        row: NDArray[np.float64] = self._rows[self._held]
        self._held += 1
        self._results += 1
        return row

    def _flush(self) -> None:
        """Write the rows held back as one row group."""
        rows = self._rows[: self._held]
        # Exact for what was float32, and no change for what is rounded already.
        values = np.rint(rows * _FACTORS) / _FACTORS
        columns = [self._pa.array(self._names, self._pa.string())] if self._files else []
        types = self._schema.types[len(columns) :]
        for column, kind in zip(values.T, types, strict=True):
            # from_pandas: NaN becomes null
            columns.append(
                self._pa.array(column, self._pa.float64(), from_pandas=True).cast(kind, safe=False)
            )
        try:
            self._writer.write_batch(self._pa.record_batch(columns, self._schema), row_group_size=_GROUP_ROWS)
        except OSError as exc:
            raise self._file.failed(exc) from exc
        rows[:] = np.nan
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


def _fill(row: NDArray[np.float64], face: Face) -> None:
    """Everything of a face but the first five columns. What is float64 is rounded as its text is, ties included."""
    row[_POINTS] = face.points.T.ravel()
    row[_SCORE] = round(float(face.score), SHARE_DECIMALS)
    row[_BOX] = face.box
    if (pose := face.pose) is not None:
        angles = (-pose.pitch + 0.0, -pose.yaw + 0.0, pose.roll)
        row[_POSE] = [round(float(angle), ANGLE_DECIMALS) for angle in angles]
    if (m := face.measures) is not None:
        openness = (m.right_eye_open, m.left_eye_open, m.mouth_open)
        row[_MEASURES] = [*(round(float(value), SHARE_DECIMALS) for value in openness), m.blink]
    if face.raw is not None:
        row[_RAW] = face.raw.T.ravel()


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
    kinds |= {name: getattr(pa, kind)() for name, kind in _WHOLE.items()}
    fields = ([("file", pa.string())] if with_file else []) + list(kinds.items())
    text = JsonlFormat(header).header.strip()
    return pa.schema(fields, metadata={METADATA_KEY: text.encode("utf-8", "backslashreplace")})
