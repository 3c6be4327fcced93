"""Lists of files and URLs: .txt with one a line, .csv and .parquet with a column of them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from fkp_live.errors import InputError
from fkp_live.sources.spec import CHECK_ACCESS

LIST_SUFFIXES = frozenset({".txt", ".csv", ".parquet"})
# The column that holds them, in any case of letters; else it is the first.
COLUMNS = ("path", "file", "url")


def read_list(path: Path) -> list[str]:
    """The entries of a list, without empty ones.

    A .csv needs no head: where its first row names none of `COLUMNS`, and has a file, a URL or a name with an ending
    in its first cell, that row is an entry too.

    Raises
    ------
    InputError : it cannot be read, is no list, or is empty
    """
    kind = path.suffix.lower()
    try:
        entries = {".txt": _text, ".csv": _table, ".parquet": _parquet}[kind](path)
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror or error}.", CHECK_ACCESS) from error
    entries = [entry for entry in entries if entry.strip()]
    if not entries:
        raise InputError(f"The list {path} names no file.", "Give one path or URL a line.")
    return entries


def _text(path: Path) -> list[str]:
    # Not splitlines, which also splits at characters that names may hold.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        return [line.rstrip("\n") for line in file]


def _table(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except csv.Error as error:
        raise InputError(
            f"{path} is not a CSV table: {error}.", "Save it again, or give a .txt list."
        ) from error
    if not rows:
        return []
    column = _column([name.strip() for name in rows[0]])
    if column is None:
        first = rows[0][0]
        is_entry = "://" in first or os.path.splitext(first)[1] != "" or os.path.exists(path.parent / first)
        return [row[0] for row in rows[0 if is_entry else 1 :]]
    return [row[column] for row in rows[1:] if len(row) > column]


def _parquet(path: Path) -> list[str]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise InputError(
            f"{path} is a list in Parquet, which needs the package pyarrow.",
            "Install it: pip install 'fkp-live[parquet]', or give the list as .csv or .txt.",
        ) from error
    try:
        names = parquet.read_schema(path).names
        column = names[_column(names) or 0]
        values = parquet.read_table(path, columns=[column])[column].to_pylist()
    except (ArrowException, IndexError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is not a table in Parquet: {reason}.", "Give the list as .csv or .txt."
        ) from error
    return [str(value) for value in values if value is not None]


def _column(names: list[str]) -> int | None:
    """Place of the column that holds the entries, None where no name is known."""
    lower = [name.lower() for name in names]
    return next((lower.index(known) for known in COLUMNS if known in lower), None)
