"""Output files: checks before anything is opened, and a partial file that becomes the target once it is complete.

A file under the name that was asked for is always complete: it is written as ``<stem>.partial<suffix>`` beside its
target (``<stem>.partial-2<suffix>`` and so on where that exists) and renamed at the end.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fkp_live.errors import ExitCode, FkpError, OutputError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


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
    inputs : files that are read in the same run; the output must be none of them, under any name
    others : the run's other outputs, likewise
    suffixes : the extensions that are understood, in lower case; empty: any

    Raises
    ------
    OutputError
    """
    try:
        _check(Path(path), overwrite, inputs, others, suffixes)
    except OSError as exc:
        # A name too long, a folder that may not be entered: any of the checks may be the first to fail on it.
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
            message = f"{path} and {other} are the same file."
            raise OutputError(message, "Give each output its own name.", ExitCode.USAGE)
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
        # Permissions, read-only disks and quotas cannot be looked up: only an attempt shows them.
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as exc:
        raise OutputError(
            f"No file can be created in {path.parent}: {exc.strerror}.", "Choose another folder."
        ) from exc


def places(path: Path) -> tuple[Path, Path]:
    """The real file behind a name (links followed) and the name it has while it is being written."""
    target = _real(path)
    return target, target.with_name(f"{target.stem}.partial{target.suffix}")


def _real(path: Path) -> Path:
    # os.path and not Path, which raises where "~name" is not a user's home; then it is a name like any other.
    name = os.path.expanduser(path)
    try:
        return Path(os.path.realpath(name))
    except FileNotFoundError as exc:
        raise OutputError(
            f"{path} cannot be written: the working folder no longer exists.",
            "Change to another folder (cd), or give a path from the root on.",
        ) from exc


def _same_file(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)
    except OSError:
        pass
    try:
        return os.path.normcase(os.path.realpath(a)) == os.path.normcase(os.path.realpath(b))
    except FileNotFoundError:
        return False  # a relative name in a working folder that no longer exists


class PartialFile:
    """A new, empty file beside its target, and its way to the target's name.

    A descriptor is held until the end, and the file is written through it, so that another file or a link that takes
    its name meanwhile is neither written to nor renamed or removed.

    Parameters
    ----------
    path : the name asked for
    overwrite : whether an existing file is replaced at the end
    suffixes : the extensions that are understood, in lower case; empty: any

    Attributes
    ----------
    path : as given
    target : the real file behind `path`
    name : where the file is while it is being written
    descriptor : for reading and writing; closed by `commit`, `keep` and `discard`

    Raises
    ------
    OutputError : as `check_output`
    """

    def __init__(self, path: str | Path, *, overwrite: bool, suffixes: Collection[str] = ()) -> None:
        check_output(path, overwrite=overwrite, suffixes=suffixes)
        self.path = Path(path)
        self._overwrite = overwrite
        self.target, first = places(self.path)
        try:
            self.name, self.descriptor = _created(first)
        except OSError as exc:
            raise self.failed(exc) from exc
        self._identity = _identity(os.fstat(self.descriptor))

    @property
    def address(self) -> str:
        """A name for libraries that open files themselves. On Linux it leads to this very file, whatever `name` is."""
        address = f"/proc/self/fd/{self.descriptor}"
        return address if os.path.exists(address) else str(self.name)

    @property
    def kept(self) -> Path | None:
        """The partial file, None where there is none (any more)."""
        if not self._is_in_place():
            return None
        beside = self.path.with_name(self.name.name)
        # Not the same where `path` is a link, or has a ~ in its name.
        return beside if _same_file(beside, self.name) else self.name

    def _is_in_place(self) -> bool:
        try:
            return _identity(os.lstat(self.name)) == self._identity
        except OSError:
            return False

    def commit(self) -> None:
        """Give the file its final name. OutputError if that is not possible; the partial file then stays."""
        in_place = self._is_in_place()
        try:
            os.close(self.descriptor)  # before the rename, which Windows refuses for open files
        except OSError as exc:
            raise self.failed(exc) from exc
        if not in_place:
            raise OutputError(
                f"{self.path} is not complete: {self.name} was removed or replaced while it was being written.",
                "Write to a folder that no other program changes.",
            )
        try:
            if self._overwrite:
                os.replace(self.name, self.target)
            else:
                _rename_to_new(self.name, self.target)
        except FileExistsError as exc:
            raise OutputError(
                f"{self.path} appeared while it was being written, and is not replaced.",
                f"The finished file is {self.kept}.",
            ) from exc
        except OSError as exc:
            hint = f"The finished file is {self.kept}."
            raise OutputError(f"{self.path} cannot be replaced: {exc.strerror}.", hint) from exc

    def keep(self) -> None:
        """Leave the file under its partial name."""
        with suppress(OSError):
            os.close(self.descriptor)

    def discard(self) -> None:
        """Remove the file."""
        in_place = self._is_in_place()
        self.keep()
        if in_place:
            self.name.unlink(missing_ok=True)

    @contextmanager
    def discarded_on_failure(self) -> Iterator[None]:
        """Remove the file where the block fails; what the system refuses is raised as `failed` has it."""
        try:
            yield
        except BaseException as exc:
            self.discard()
            if isinstance(exc, OSError):
                raise self.failed(exc) from exc
            raise

    def failed(self, exc: BaseException) -> FkpError:
        """The error to raise where writing failed with ``exc``."""
        return write_failure(self.path, exc)


def write_failure(path: str | Path, exc: BaseException) -> FkpError:
    """The error to raise where writing to ``path`` failed with ``exc``."""
    if isinstance(exc, FkpError):
        return exc
    reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    full = getattr(exc, "errno", None) in _FULL
    return OutputError(
        f"{path} cannot be written: {reason}.",
        "Make room on the disk, or choose another one." if full else "",
    )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _created(first: Path) -> tuple[Path, int]:
    """An empty file that was not there before, and its descriptor: ``first``, or its name with -2, -3 and so on."""
    path, number = first, 1
    while True:
        try:
            # O_EXCL follows no link, not even one that leads nowhere.
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
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
        # No hard links here (FAT, some network disks): check and rename, with a moment between them.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.rename(path, target)
    else:
        os.unlink(path)


def write_text(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a whole text file, or none. Raises OutputError as `check_output`, or if there is no room."""
    file = PartialFile(path, overwrite=overwrite)
    with (
        file.discarded_on_failure(),
        os.fdopen(file.descriptor, "w", encoding="utf-8", closefd=False) as stream,
    ):
        stream.write(text)
    file.commit()
