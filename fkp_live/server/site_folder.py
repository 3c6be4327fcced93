"""The static page in a folder, for any static host. What its owner added to the folder stays, such as CNAME."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from fkp_live.errors import OutputError
from fkp_live.server.site import FACTS, Asset
from fkp_live.sinks.files import write_failure

# What hosts of static pages want beside a page, and version control; the first site may be written beside it.
_OF_HOSTS = ("CNAME", "_headers", "_redirects", "robots.txt")


def check_folder(folder: Path, *, overwrite: bool, files: Collection[str] = ()) -> list[str]:
    """Refuse a folder that must not become the site, before anything is made.

    A folder may be new or empty. With ``overwrite`` it may be a site that `write_site` wrote, or hold only what hosts
    and version control want there (names that begin with a dot, CNAME …).

    Parameters
    ----------
    files : paths of the site, none of which may replace a file that is not of an earlier site

    Returns
    -------
    paths of files and folders in it that are not of an earlier site, and stay

    Raises
    ------
    OutputError
    """
    try:
        if not os.path.lexists(folder):
            if not folder.absolute().parent.is_dir():
                raise OutputError(
                    f"There is no folder {folder.absolute().parent} to write {folder.name} to.",
                    "Create it first.",
                )
            return []
        if not folder.is_dir():
            raise OutputError(f"{folder} is not a folder.", "Give the name of a new folder.")
        if Path.cwd().is_relative_to(folder.resolve()):
            raise OutputError(
                f"{folder} is the working folder or holds it, and cannot be replaced.", "Give a folder in it."
            )
        if not any(folder.iterdir()):
            return []
        if not overwrite:
            raise OutputError(
                f"{folder} is not empty.", "Choose a new folder, or replace an earlier site by --overwrite."
            )
        ours = _written_before(folder)
        others = list(_others(folder, ours))
    except OSError as error:
        raise write_failure(folder, error) from error
    if not ours and (strange := [name for name in others if not _is_of_host(name)]):
        raise OutputError(
            f"{folder} holds {strange[0]!r}, and is not a site that fkp-live web wrote.",
            "Choose a new folder.",
        )
    for name in others:
        if taken := [path for path in files if _is_at(path, name) or _is_at(name, path)]:
            raise OutputError(
                f"{folder} holds {name!r}, which is not of the earlier site, where {taken[0]!r} must be written.",
                "Move it away, or choose a new folder.",
            )
    return others


def write_site(files: Mapping[str, Asset], folder: Path, *, overwrite: bool) -> int:
    """Write the site uncompressed, for any static host and under any prefix; all of it or nothing.

    Files of an earlier site that are not of this one go. Files of others stay.

    Returns
    -------
    bytes written

    Raises
    ------
    OutputError : as `check_folder`, or there is no room
    """
    check_folder(folder, overwrite=overwrite, files=files)
    # The folder that a link leads to is replaced, and the link stays.
    target = Path(os.path.realpath(folder))
    size = 0
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.partial.", dir=target.parent) as made:
            new = Path(made) / "new"
            for name, asset in files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                content = asset.plain
                path.write_bytes(content)
                size += len(content)
            if target.is_dir():
                # Nobody can have added a file since the check: moved aside first, looked at again, then replaced.
                old = Path(made) / "old"
                target.rename(old)
                moved: list[str] = []
                try:
                    for name in check_folder(old, overwrite=overwrite, files=files):
                        (new / name).parent.mkdir(parents=True, exist_ok=True)
                        (old / name).rename(new / name)
                        moved.append(name)
                    new.rename(target)
                except BaseException:
                    for name in moved:
                        (new / name).rename(old / name)
                    old.rename(target)
                    raise
            else:
                new.rename(target)
    except OSError as error:
        raise write_failure(folder, error) from error
    return size


def _written_before(folder: Path) -> set[str]:
    """Paths of the site that a folder holds, by its own list; empty where it is none."""
    try:
        facts = json.loads((folder / FACTS).read_bytes())
        return {str(name) for name in facts["files"]} if facts["program"] == "fkp-live" else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _others(folder: Path, ours: Collection[str], prefix: str = "") -> Iterator[str]:
    """Paths in a folder that are not ours; of a folder without anything of ours only its own path."""
    with os.scandir(folder / prefix) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = prefix + entry.name
        if not entry.is_dir(follow_symlinks=False):
            if path not in ours:
                yield path
        elif any(name.startswith(f"{path}/") for name in ours):
            yield from _others(folder, ours, f"{path}/")
        else:
            yield path


def _is_of_host(name: str) -> bool:
    return name.startswith(".") or name in _OF_HOSTS


def _is_at(path: str, other: str) -> bool:
    """Whether a path is the other one, or lies in it."""
    return path == other or path.startswith(f"{other}/")
