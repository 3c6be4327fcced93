"""Cut-outs kept in a file from one run to the next, because finding the faces takes minutes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError

Arrays = Mapping[str, NDArray[Any]]


def kept_arrays(path: Path, names: Sequence[str], make: Callable[[], Arrays]) -> list[NDArray[Any]]:
    """Arrays of a .npz file by name; ``make`` makes them where there is no such file yet.

    Raises
    ------
    InputError : the file is damaged
    """
    if not path.is_file():
        _write(path, make())
    try:
        with np.load(path) as file:
            return [file[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged: {error}", "Delete it: it is made again.") from error


def _write(path: Path, arrays: Arrays) -> None:
    """Under another name first: a run that is stopped here leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
