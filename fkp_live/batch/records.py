"""The record of an item: a small JSON file that says how it ended, written after everything else of the item.

An item is done when its record is ok and was made with the same options. Results and records lie in 256 folders, by
the first two digits of the item's key, so that no folder grows too large.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OK, FAILED = "ok", "failed"
SCHEMA = "fkp-live-record/1"


@dataclass(frozen=True, slots=True)
class Record:
    """What a batch needs to know of a record; the file holds more, see `write_record`.

    Attributes
    ----------
    status : `OK` or `FAILED`
    error : the reason of a failure, else empty
    attempts : how often the item was begun
    options_hash : of the options, see `options_hash`
    duration : seconds of the whole film, None where unknown
    model : SHA-256 of the landmark network
    files : result files below the folder of the batch
    """

    status: str
    error: str
    attempts: int
    options_hash: str
    duration: float | None
    model: str
    files: tuple[str, ...]


def options_hash(options: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of the options that shape the results: numbers, texts, None."""
    text = json.dumps(options, sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def place(kind: str, key: str, ending: str) -> str:
    """Where a file of an item lies below the folder of the batch: ``points/3f/3f….jsonl``."""
    return f"{kind}/{key[:2]}/{key}{ending}"


def write_record(out: Path, key: str, content: Mapping[str, Any], *, beside: Path) -> None:
    """Write a record; a reader sees the old one or the new one, never a part.

    Parameters
    ----------
    out : folder of the batch
    content : status, error, attempts, options_hash, duration, model, files and whatever else is known
    beside : a folder on the same disk, for the file while it is being written
    """
    whole = readable({"schema": SCHEMA, "key": key, **content})
    text = json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)
    partial = beside / "record.json"
    partial.write_text(text + "\n", encoding="utf-8")
    target = out / place("records", key, ".json")
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)


def read_record(out: Path, key: str) -> Record | None:
    """The record of an item; None where there is none, or where it is damaged."""
    try:
        with open(os.path.join(out, place("records", key, ".json")), "rb") as file:
            content = json.loads(file.read())
        return Record(
            status=sys.intern(content["status"]),
            error=content["error"] or "",
            attempts=int(content["attempts"]),
            # One text for all records, or 100,000 of them would take 20 MB more.
            options_hash=sys.intern(content["options_hash"]),
            duration=content.get("duration"),
            model=sys.intern(content.get("model", {}).get("sha256", "")),
            files=tuple(_names(content.get("files", {}))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def recorded_keys(out: Path) -> set[str]:
    """Keys of all records: 256 folders are listed, and no record is opened."""
    return {name.removesuffix(".json") for name in names_below(out / "records") if name.endswith(".json")}


def names_below(folder: Path) -> Iterator[str]:
    """Names of what lies in the folders of a folder; none where it is not there."""
    try:
        below = os.listdir(folder)
    except OSError:
        return
    for name in below:
        try:
            yield from os.listdir(folder / name)
        except OSError:
            continue


def readable(value: Any) -> Any:
    """A value without undecodable bytes of names, which DuckDB, pandas and others refuse: \\udcff stands for them."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {name: readable(each) for name, each in value.items()}
    return [readable(each) for each in value] if isinstance(value, list | tuple) else value


def _names(files: Mapping[str, Any]) -> Iterator[str]:
    for value in files.values():
        yield from [value] if isinstance(value, str) else value
