"""The forms in which results are kept, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fkp_live.errors import OutputError
from fkp_live.sinks.sink import Sink


def check_format(form: str) -> None:
    """Refuse a form that needs a package which is not there, before anything is opened.

    Raises
    ------
    OutputError
    """
    if form == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise OutputError(
                "Results in Parquet, the default of a batch, need the package pyarrow, which is not installed.",
                "Install it: pip install 'fkp-live[parquet]'. Or choose --format csv or --format jsonl.",
            ) from error


def open_table(path: Path, form: str, header: dict[str, Any], files: Sequence[str] = ()) -> Sink:
    """A sink for results in one of `choices.TABLE_FORMATS`; replaces a file that is there.

    Parameters
    ----------
    header : of `engine.recording_header`; a CSV has no place for it
    files : name of the picture of each result, where they are pictures on their own: a first column ``file``
    """
    if form == "parquet":
        from fkp_live.sinks.parquet import ParquetSink

        return ParquetSink(path, header, overwrite=True, files=files)
    if form == "csv":
        from fkp_live.sinks.csv import CsvSink

        return CsvSink(path, overwrite=True, files=files)
    from fkp_live.sinks.jsonl import JsonlSink

    return JsonlSink(path, header, overwrite=True, files=files)
