"""Which recordings are meant: files, folders of them, and the folder that ``fkp-live batch`` fills."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp_live.errors import InputError
from fkp_live.sources.recordings import Recording
from fkp_live.sources.spec import CHECK_ACCESS

# Of several recordings of one film the first of these is read: a CSV may lack the openness and holds one confidence.
SUFFIXES = (".jsonl", ".parquet", ".csv")
# How the first line of a recording begins, or what stands in it: other tables may lie in the same folder.
_MARKS = {".jsonl": (b'"schema"',), ".csv": (b"frame", b"x_0", b"y_67")}
_HEAD = 16_384
# The names that files have while they are written, see `sinks.files`.
_PARTIAL = re.compile(r"\.partial(-\d+)?$")


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A recording that is meant.

    Attributes
    ----------
    path : its file
    source : what was recorded, where ``fkp-live batch`` noted it: a path or URL; else empty
    """

    path: Path
    source: str = ""

    def film(self, recording: Recording) -> str:
        """The film's name for people: batch's source, the recording's own, or the file's."""
        return self.source or recording.info.name or self.path.name

    def find_film(self, recording: Recording) -> Path | None:
        """The film itself, if it is where batch found it, or lies beside the recording under the name in its header."""
        named = [Path(self.source)] if self.source else []
        # Only a name: a header may come from anywhere, and must not lead to other folders.
        if name := os.path.basename(recording.info.name.replace("\\", "/")):
            named.append(self.path.parent / name)
        return next((path for path in named if path != self.path and _is_file(path)), None)


def find_recordings(paths: Iterable[Path]) -> list[RecordingFile]:
    """The recordings of these files and folders: files as they are given, those of a folder by name.

    A folder is searched to its bottom; hidden and partial files, and tables that are no recordings, are passed over.
    Recordings that differ only in their extension count once.

    Raises
    ------
    InputError : there is no such file or folder, or no recording in it
    """
    found: list[RecordingFile] = []
    for path in paths:
        try:
            is_folder, exists = path.is_dir(), path.exists()
        except OSError as error:
            raise InputError(f"{path} cannot be opened: {error.strerror}.", CHECK_ACCESS) from error
        if not exists:
            raise InputError(f"There is no file or folder {path}.", "Check the spelling.")
        here = _in_folder(path) if is_folder else [RecordingFile(path)]
        if not here:
            raise InputError(
                f"There is no recording in the folder {path}.",
                f"Give a folder with files of --csv or --jsonl, or of fkp-live batch ({', '.join(SUFFIXES)}).",
            )
        found.extend(here)
    return found


def failed_items(folder: Path) -> list[str]:
    """Sources of the items that failed in the folder of a batch, and so have no recording; empty for other folders."""
    records = folder / "records"
    if not (folder / "points").is_dir():
        return []
    done = {path.stem for path in folder.glob("points/??/*")}
    noted = (_noted(path) for path in records.glob("??/*.json") if path.stem not in done)
    return sorted(str(one.get("source", "")) for one in noted if one.get("status") == "failed")


def _in_folder(folder: Path) -> list[RecordingFile]:
    points, records = folder / "points", folder / "records"
    if points.is_dir() and records.is_dir():
        listed = [
            RecordingFile(path, _source_of(records / path.parent.name / f"{path.stem}.json"))
            for path in _recordings_below(points)
        ]
        return sorted(listed, key=lambda one: (one.source, one.path))
    return [RecordingFile(path) for path in _recordings_below(folder)]


def _recordings_below(folder: Path) -> Iterator[Path]:
    best: dict[Path, Path] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            suffix = path.suffix.lower()
            if name.startswith(".") or suffix not in SUFFIXES or _PARTIAL.search(path.stem):
                continue
            if suffix in _MARKS and not _may_be_recording(path, _MARKS[suffix]):
                continue
            stem = path.with_suffix("")
            other = best.get(stem)
            if other is None or SUFFIXES.index(suffix) < SUFFIXES.index(other.suffix.lower()):
                best[stem] = path
    return iter(sorted(best.values()))


def _may_be_recording(path: Path, marks: tuple[bytes, ...]) -> bool:
    """Whether to read it: not a table of something else. An unreadable or empty file is read, and so named."""
    try:
        with path.open("rb") as file:
            line = file.readline(_HEAD)
    except OSError:
        return True
    return not line or all(mark in line for mark in marks)


def _source_of(record: Path) -> str:
    """What batch noted; empty where the record is missing or damaged, as of an item that is not done yet."""
    source = _noted(record).get("source")
    return source if isinstance(source, str) else ""


def _noted(record: Path) -> dict[str, Any]:
    """What a record holds; empty where it is missing or damaged."""
    try:
        noted = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or one with a NUL
        return False
