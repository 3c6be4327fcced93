"""Recordings: the numbers of a run, read back from its file as the results they were."""

from __future__ import annotations

from pathlib import Path

from fkp_live.errors import InputError
from fkp_live.sources.recording import Recording
from fkp_live.sources.spec import CHECK_ACCESS

__all__ = ["Recording", "open_recording"]

_PARQUET = b"PAR1"


def open_recording(path: str | Path) -> Recording:
    """Open what ``--jsonl``, ``--csv`` or ``fkp-live batch`` wrote, or a CSV of OpenFace.

    The format follows from the content, whatever the name of the file. `JsonlRecording` has all that was recorded;
    what CSV and Parquet lack, and what stands in for it, is in `TableRecording`. Recordings of version 0.1 are read
    too.

    Raises
    ------
    InputError : there is no such file, it is no recording, or it is Parquet and pyarrow is not installed. The
        iteration raises it where the file is damaged, with the line; a last line that is cut off is left out and
        noted

    Example
    -------
    >>> with open_recording("points.jsonl") as recording:
    ...     for result in recording:
    ...         print(result.time, [face.id for face in result.faces])
    """
    path = Path(path)
    begin = _begin(path)
    if begin.startswith(_PARQUET):
        from fkp_live.sources.recording_parquet import ParquetRecording

        return ParquetRecording(path)
    if begin.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        from fkp_live.sources.recording_jsonl import JsonlRecording

        return JsonlRecording(path)
    from fkp_live.sources.recording_csv import CsvRecording

    return CsvRecording(path)


def _begin(path: Path) -> bytes:
    """The first bytes of a file. InputError where there are none to read."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, expected a recording.", "Name a file in it.")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file, expected a recording.", "Name the file itself.")
        with path.open("rb") as file:
            begin = file.read(64)
    except FileNotFoundError:
        raise InputError(f"There is no recording {path}.", "Check the spelling.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be opened: {reason}.", CHECK_ACCESS) from error
    if not begin:
        raise InputError(f"{path} is empty, expected a recording.", "Record it again.")
    if b"\0" in begin and not begin.startswith(_PARQUET):
        raise InputError(
            f"{path} is not a recording but a film, a picture or another kind of file.",
            f"Expected .jsonl, .csv or .parquet. Record a film first: fkp-live {path.name} --jsonl points.jsonl",
        )
    return begin
