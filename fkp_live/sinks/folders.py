"""Output folders: a partial folder beside its target that becomes the target once everything in it is written."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import cv2

from fkp_live.errors import OutputError
from fkp_live.sinks.files import write_failure
from fkp_live.types import Image, SourceInfo
from fkp_live.wording import counted

# Longest stem of a file in a folder, in letters: with four bytes a letter and an ending it is a name anywhere.
_LONGEST = 48


def check_folder(
    path: str | Path, *, overwrite: bool, suffixes: Collection[str], inputs: Iterable[str | Path] = ()
) -> None:
    """Refuse a folder that cannot or must not be written, before anything is opened.

    Parameters
    ----------
    path : the folder to be made; it may exist where it is empty
    overwrite : whether one with files in it may be replaced: if it holds only files with these ``suffixes``, as an
        earlier run left them, and nothing that someone else put there
    inputs : files that are read in the same run; none of them may lie in the folder

    Raises
    ------
    OutputError
    """
    folder = _absolute(path)
    try:
        if folder.is_dir():
            _check_content(path, folder, overwrite, suffixes)
            for read in inputs:
                if folder.resolve() in Path(read).resolve().parents:
                    raise OutputError(
                        f"{read} lies in {path} and would be destroyed.", "Choose another folder."
                    )
        elif os.path.lexists(folder):
            raise OutputError(f"{path} is a file, but a folder is needed.", "Choose another name.")
        if not folder.parent.is_dir():
            raise OutputError(
                f"There is no folder {folder.parent} to write {folder.name} to.", "Create it first."
            )
        with suppress(FileNotFoundError):
            os.lstat(_partial(folder, 1))  # too long a name, even where the target's is not
        with tempfile.TemporaryDirectory(dir=folder.parent):
            pass
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.", "Choose another name or another folder."
        ) from error


def _absolute(path: str | Path) -> Path:
    try:
        return Path(os.path.abspath(os.path.expanduser(path)))
    except FileNotFoundError as error:
        raise OutputError(
            f"{path} cannot be written: the working folder no longer exists.",
            "Change to another folder (cd), or give a path from the root on.",
        ) from error


def _partial(folder: Path, number: int) -> Path:
    return folder.with_name(folder.name + (".partial" if number == 1 else f".partial-{number}"))


def _check_content(path: str | Path, folder: Path, overwrite: bool, suffixes: Collection[str]) -> None:
    found = os.listdir(folder)
    if not found:
        return
    if not overwrite:
        raise OutputError(
            f"{path} is a folder with {counted(len(found), 'file')} in it.",
            "Choose another name, or replace it by --overwrite.",
        )
    for name in found:
        if not (folder / name).is_file() or Path(name).suffix.lower() not in suffixes:
            raise OutputError(
                f"{path} holds {name}, which is not of an earlier conversion, so it is not replaced.",
                "Choose another folder, or empty this one.",
            )
    if folder.is_symlink():
        raise OutputError(f"{path} is a link to a folder with files in it.", "Name the folder itself.")


class PartialFolder:
    """A new, empty folder beside its target, and its way to the target's name.

    Attributes
    ----------
    path : as given
    name : where the folder is while it is filled

    Raises
    ------
    OutputError : as `check_folder`
    """

    def __init__(self, path: str | Path, *, overwrite: bool, suffixes: Collection[str]) -> None:
        check_folder(path, overwrite=overwrite, suffixes=suffixes)
        self.path = Path(path)
        self._overwrite, self._suffixes = overwrite, suffixes
        self._target = _absolute(path)
        self.name = self._made()

    def _made(self) -> Path:
        """The first of NAME.partial, NAME.partial-2 and so on that does not exist yet, made."""
        number = 1
        while True:
            folder = _partial(self._target, number)
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            except OSError as error:
                raise write_failure(self.path, error) from error
            else:
                return folder

    def free(self, stem: str, *suffixes: str) -> str:
        """A stem that no file in the folder has with any of these suffixes: ``stem``, or with -2, -3 and so on."""
        found, number = stem, 1
        while any(os.path.lexists(self.name / f"{found}{suffix}") for suffix in suffixes):
            number += 1
            found = f"{stem}-{number}"
        return found

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file of the folder. OutputError if it cannot be written."""
        try:
            (self.name / name).write_bytes(content)
        except OSError as error:
            raise write_failure(self.path, error) from error

    def append(self, name: str, content: bytes) -> None:
        """Write to the end of a file of the folder. OutputError if that fails."""
        try:
            with open(self.name / name, "ab") as file:
                file.write(content)
        except OSError as error:
            raise write_failure(self.path, error) from error

    def commit(self) -> None:
        """Give the folder its final name. OutputError if that is not possible; the partial folder then stays."""
        hint = f"The finished folder is {self.name}."
        try:
            aside = self._set_aside()
            try:
                os.rename(self.name, self._target)
            except OSError:
                if aside is not None:
                    os.rename(aside, self._target)
                raise
        except OSError as error:
            raise OutputError(f"{self.path} cannot be replaced: {error.strerror}.", hint) from error
        except OutputError as error:
            raise OutputError(error.message, hint) from error
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)

    def _set_aside(self) -> Path | None:
        """Move what is to be replaced out of the way; where it is now."""
        if not os.path.lexists(self._target):
            return None
        # Once more: it may have been filled since.
        check_folder(self.path, overwrite=self._overwrite, suffixes=self._suffixes)
        aside = self.name.with_name(f"{self.name.name}.replaced")
        os.rename(self._target, aside)
        return aside

    def discard(self) -> None:
        """Remove the folder with what was written so far. Does not raise."""
        with suppress(OSError):
            shutil.rmtree(self.name)


def frame_stem(info: SourceInfo, index: int) -> str:
    """Stem of the files of one frame: that of its picture in a folder, else the source's name and its number from 1.

    Of letters, digits, dots and dashes, and not hidden, whatever a recording has as the name of its source.
    """
    if index < len(info.pictures):
        return _plain(info.pictures[index])
    return f"{_plain(info.name)}_{index + 1:06d}"


def _plain(name: str) -> str:
    stem = re.sub(r"\.\w{1,5}$", "", name.replace("\\", "/").strip("/"))
    return re.sub(r"[^\w.-]+", "_", stem)[-_LONGEST:].lstrip(".-_") or "face"


def png(image: Image) -> bytes:
    """An image (H, W, 3) uint8 BGR as the bytes of a PNG file."""
    return bytes(cv2.imencode(".png", image)[1].data)
