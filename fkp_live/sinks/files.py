"""What every output has in common: a name that is checked first, and a partial file until it is whole.

A file under the name that was asked for is always whole: it is written as ``<stem>.partial<suffix>`` beside
its target (``<stem>.partial-2<suffix>`` and so on where that exists) and renamed in `close`. `abort` is for a
failure in the middle: the file is closed, keeps its partial name where anything was written, and a target
that existed before is left as it was.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

from fkp_live.errors import FkpError, OutputError
from fkp_live.types import FrameResult, Picture

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Sink(Protocol):
    """Something that takes results. Sinks that ask for a picture get the painted one."""

    wants_picture: bool

    @property
    def kept(self) -> Path | None: ...

    def write(self, result: FrameResult, picture: Picture | None) -> None: ...

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
    try:
        _check(Path(path), overwrite, inputs, others, suffixes)
    except OSError as exc:
        # A name too long, a folder that may not be entered: whatever is looked at first meets it.
        raise OutputError(
            f"{path} cannot be written: {exc.strerror}.", "Choose another name or another folder."
        ) from exc


def _check(
    path: Path,
    overwrite: bool,
    inputs: Iterable[str | Path],
    others: Iterable[str | Path],
    suffixes: Collection[str],
) -> None:
    if _real(path).is_dir():
        raise OutputError(f"{path} is a folder, but a file name is needed.", "Add a file name to it.")
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(
            f"{path} has {f'the extension {path.suffix}' if path.suffix else 'no extension'}, "
            f"but it must be one of {', '.join(suffixes)}.",
            f"Name it {path.with_suffix(next(iter(suffixes))).name}.",
        )
    target, partial = places(path)
    if target.is_symlink():
        raise OutputError(f"{path} is a link that leads back to itself.", "Choose another name.")
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
    with suppress(FileNotFoundError):
        os.lstat(partial)  # too long a name, even where the target's is not
    try:
        # Permissions, read-only disks and quotas: only trying tells.
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as exc:
        raise OutputError(f"{path.parent} takes no files: {exc.strerror}.", "Choose another folder.") from exc


def places(path: Path) -> tuple[Path, Path]:
    """The real file behind a name (links followed) and the name it has while it is being written."""
    target = _real(path)
    return target, target.with_name(f"{target.stem}.partial{target.suffix}")


def _real(path: Path) -> Path:
    # os.path and not Path, because that raises where "~name" is nobody's home; then it is a name like any other.
    return Path(os.path.realpath(os.path.expanduser(path)))


def _created(first: Path) -> Path:
    """An empty file that was not there before: ``first``, or its name with -2, -3 and so on."""
    path, number = first, 1
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return path
        except FileExistsError:
            number += 1
            path = first.with_name(f"{first.stem}-{number}{first.suffix}")


def _rename_to_new(path: Path, target: Path) -> None:
    """Rename without ever replacing a file. FileExistsError if ``target`` is there."""
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network disks): then as nearly as can be had.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.rename(path, target)
    else:
        os.unlink(path)


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
        self._overwrite = overwrite
        self._target, first = places(self.path)
        try:
            self._partial = _created(first)
        except OSError as exc:
            raise self._failed(exc) from exc

    @property
    def kept(self) -> Path | None:
        """The partial file, None where there is none (any more)."""
        if not os.path.exists(self._partial):
            return None
        beside = self.path.with_name(self._partial.name)
        # Not beside a link, or with a ~ in its name.
        return beside if _same_file(beside, self._partial) else self._partial

    def _commit(self) -> None:
        try:
            if self._overwrite:
                os.replace(self._partial, self._target)
            else:
                _rename_to_new(self._partial, self._target)
        except FileExistsError as exc:
            raise OutputError(
                f"{self.path} came into being while it was written, and is not replaced.",
                f"The finished file is {self.kept}.",
            ) from exc
        except OSError as exc:
            hint = f"The finished file is {self.kept}."
            raise OutputError(f"{self.path} cannot be replaced: {exc.strerror}.", hint) from exc

    def _discard(self) -> None:
        self._partial.unlink(missing_ok=True)

    def _failed(self, exc: BaseException) -> FkpError:
        if isinstance(exc, FkpError):
            return exc
        reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        full = getattr(exc, "errno", None) in _FULL
        return OutputError(
            f"{self.path} cannot be written: {reason}.",
            "Make room on the disk, or choose another one." if full else "",
        )

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


def write_text(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a text file as a whole, or not at all. Raises OutputError as `check_output`, or if there is no room."""
    file = FileSink(path, overwrite)
    try:
        file._partial.write_text(text, encoding="utf-8")
    except OSError as exc:
        file._discard()
        raise file._failed(exc) from exc
    file._commit()
