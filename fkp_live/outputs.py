"""What every output has in common: a name that is checked first, and a partial file until it is whole.

A file under the name that was asked for is always whole: it is written as ``<stem>.partial<suffix>`` beside
its target and renamed in `close`. `abort` is for a failure in the middle: the file is closed, keeps its
partial name where anything was written, and a target that existed before is left as it was.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from fkp_live.errors import FkpError, OutputError
from fkp_live.planes import Planes
from fkp_live.types import FrameResult, Image


class Sink(Protocol):
    """Something that takes results. Sinks that ask for a picture get the painted one."""

    wants_picture: bool

    @property
    def kept(self) -> Path | None: ...

    def write(self, result: FrameResult, picture: Image | Planes | None) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


def check_output(
    path: str | Path,
    *,
    overwrite: bool,
    inputs: Iterable[str | Path] = (),
    others: Iterable[str | Path] = (),
    suffixes: Collection[str] = (),
) -> None:
    """Refuse an output that cannot or must not be written, before anything is opened.

    Parameters
    ----------
    path : the file to be written
    overwrite : whether an existing file may be replaced
    inputs : files that are read in the same run; the output must be none of them, under whatever name
    others : the run's other outputs, likewise
    suffixes : the extensions that are understood, in lower case; empty: any

    Raises
    ------
    OutputError
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(
            f"{path} has {f'the extension {path.suffix}' if path.suffix else 'no extension'}, "
            f"but it must be one of {', '.join(suffixes)}.",
            f"Name it {path.with_suffix(next(iter(suffixes))).name}.",
        )
    target, partial = places(path)
    if target.is_dir():
        raise OutputError(f"{path} is a folder, but a file name is needed.", "Add a file name to it.")
    for read in map(Path, inputs):
        if _same_file(target, read):
            raise OutputError(f"{path} is the input itself and would be destroyed.", "Choose another name.")
        if _same_file(partial, read):
            raise OutputError(
                f"{path} is written as {partial.name}, which is the input.", "Choose another name."
            )
    for other in map(Path, others):
        if {target, partial} & set(places(other)) or _same_file(target, other):
            raise OutputError(f"{path} and {other} are the same file.", "Give each output its own name.")
    if target.exists():
        if not target.is_file():
            raise OutputError(f"{path} is not a regular file.", "Choose another name.")
        if not overwrite:
            raise OutputError(f"{path} exists already.", "Choose another name, or replace it by --overwrite.")
        if not os.access(target, os.W_OK):
            raise OutputError(f"{path} is write-protected.", "Choose another name or change its mode.")
    if not target.parent.is_dir():
        raise OutputError(f"There is no folder {path.parent} to write {path.name} to.", "Create it first.")
    try:
        # Permissions, read-only disks and quotas: only trying tells.
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as exc:
        raise OutputError(f"{path.parent} takes no files: {exc.strerror}.", "Choose another folder.") from exc


def places(path: Path) -> tuple[Path, Path]:
    """The real file behind a name (links followed) and the name it has while it is being written."""
    target = Path(os.path.realpath(path.expanduser()))
    return target, target.with_name(f"{target.stem}.partial{target.suffix}")


def _same_file(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)
    except OSError:
        return os.path.normcase(os.path.realpath(a)) == os.path.normcase(os.path.realpath(b))


class FileSink:
    """A partial file and its way to its final name; the context manager that tells success from failure."""

    def __init__(self, path: str | Path, overwrite: bool, suffixes: Collection[str] = ()) -> None:
        check_output(path, overwrite=overwrite, suffixes=suffixes)
        self.path = Path(path)
        self._target, self._partial = places(self.path)

    @property
    def kept(self) -> Path | None:
        """The partial file, None where there is none (any more)."""
        return self.path.with_name(self._partial.name) if self._partial.exists() else None

    def _commit(self) -> None:
        try:
            os.replace(self._partial, self._target)
        except OSError as exc:
            hint = f"The finished file is {self._partial}."
            raise OutputError(f"{self.path} cannot be replaced: {exc.strerror}.", hint) from exc

    def _discard(self) -> None:
        self._partial.unlink(missing_ok=True)

    def _failed(self, exc: BaseException) -> FkpError:
        if isinstance(exc, FkpError):
            return exc
        reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        return OutputError(f"{self.path} cannot be written: {reason}.", "Check the space left on the disk.")

    def close(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            self.close()
        else:
            self.abort()
