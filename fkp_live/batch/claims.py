"""Claims: who works on an item, and how often it was begun. Made by atomic create, on a folder that machines share.

Attempt ``n`` at an item is the folder ``claims/<2 hex>/<key>.<n>``, made before the work begins. It is claim and
working folder in one: whatever is written lies in it until the item is finished, so that nothing half-written has a
final name, and the attempt of a run that was killed leaves one folder to remove. The number of a claim is never used
twice: a worker that was given up and goes on cannot write into the folder of the next attempt. The folder's date is
renewed while the item is worked on. An attempt that ended otherwise than by a result stays as an empty folder whose
name ends in ``.died`` (the worker process ended) or ``.lost`` (its machine or the whole run ended).
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp_live.batch.records import names_below

_NAME = re.compile(r"([0-9a-f]{32})\.(\d+)(\.died|\.lost)?")
_OWNER = "owner.json"
# What a rename fails with where there is another claim, and where `Claims.clear` of another run removed this one.
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}
_NEW = ".new-"  # in the name of a claim that is not one yet


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt of this run.

    Attributes
    ----------
    key : of the item
    number : of the attempt, from 1
    folder : where its files are written
    """

    key: str
    number: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts at an item that have no result.

    Attributes
    ----------
    number : of the last one, 0 for none
    died : how many ended with their worker process
    held : whether the last one is being worked on, as far as can be known
    by : who does, for people
    """

    number: int = 0
    died: int = 0
    held: bool = False
    by: str = ""


class Claims:
    """The claims of one folder.

    Parameters
    ----------
    out : folder of the batch
    stale : seconds without a sign of life after which a claim of another machine counts as dead
    """

    def __init__(self, out: Path, stale: float) -> None:
        self._root, self._stale = out / "claims", stale
        self._me = {"host": socket.gethostname(), "place": _place(), **_process(os.getpid())}

    def keys(self) -> set[str]:
        """Keys of the items that have claims."""
        names = names_below(self._root)
        return {match[1] for name in names if (match := _NAME.fullmatch(name))}

    def attempts(self, key: str) -> Attempts:
        """What is known of the attempts at an item."""
        found = self._found(key)
        if not found:
            return Attempts()
        number, ending, folder = max(found)
        died = sum(ending == ".died" for _, ending, _ in found)
        if ending:
            return Attempts(number, died)
        owner = _read_owner(folder)
        by = (
            f"{owner.get('host', 'another machine')}, process {owner.get('pid', '?')}"
            if owner
            else "another run"
        )
        return Attempts(number, died, self._is_alive(folder, owner), by)

    def take(self, key: str, number: int) -> Claim | None:
        """Begin attempt ``number``; None if somebody else has just begun it."""
        folder = self._folder(key) / f"{key}.{number}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        # With its owner from the beginning: without one, of a process killed in between, it would be held for a while.
        new = folder.with_name(f"{folder.name}{_NEW}{uuid.uuid4().hex}")
        new.mkdir()
        try:
            (new / _OWNER).write_text(json.dumps(self._me), encoding="utf-8")
            new.rename(folder)  # fails where there is one: none is ever empty
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            if error.errno in _TAKEN:
                return None
            raise
        return Claim(key, number, folder)

    def renew(self, claim: Claim) -> None:
        """Show that the attempt is being worked on."""
        with suppress(OSError):
            os.utime(claim.folder)

    def holds(self, claim: Claim) -> bool:
        """Whether the attempt is still the last one: false where another machine took this run for dead."""
        found = self._found(claim.key)
        return bool(found) and max(found)[::2] == (claim.number, claim.folder)

    def give_up(self, claim: Claim, *, died: bool) -> None:
        """Count the attempt as one without a result; ``died``: its worker process ended."""
        self._bury(claim.folder, ".died" if died else ".lost")

    def bury(self, key: str, attempts: Attempts) -> None:
        """Remove what dead attempts have left, and count them; those only, as another machine may do the same."""
        for number, ending, folder in self._found(key):
            if not ending and number <= attempts.number:
                self._bury(folder, ".lost")

    def clear(self, key: str) -> None:
        """Remove every trace of attempts, after the record was written or where nothing is to be counted."""
        # The highest last, so that whoever looks meanwhile does not take its number.
        for _, ending, folder in sorted(self._found(key)):
            _remove(folder, ending)
        for left in self._folder(key).glob(f"{key}.*{_NEW}*"):
            shutil.rmtree(left, ignore_errors=True)

    def drop(self, claim: Claim) -> None:
        """Take an attempt back, as if it had not begun."""
        _remove(claim.folder, "")

    def _folder(self, key: str) -> Path:
        return self._root / key[:2]

    def _found(self, key: str) -> list[tuple[int, str, Path]]:
        folder = self._folder(key)
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        matches = (_NAME.fullmatch(name) for name in names)
        return [(int(m[2]), m[3] or "", folder / m[0]) for m in matches if m and m[1] == key]

    def _bury(self, folder: Path, ending: str) -> None:
        grave = folder.with_name(folder.name + ending)
        # Renamed first: from then on nobody can write into it under its old name.
        with suppress(OSError):
            os.rename(folder, grave)
            for entry in os.scandir(grave):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)

    def _is_alive(self, folder: Path, owner: dict[str, Any]) -> bool:
        """Whether the owner of a claim lives: known at once of a process of this machine, else by the date."""
        if owner and owner["place"] == self._me["place"] and (lives := _lives(owner)) is not None:
            return lives
        try:
            age = self._now() - folder.stat().st_mtime
        except OSError:
            return False  # finished in this moment
        return age < self._stale

    def _now(self) -> float:
        """The time by the clock of the disk, which may be another machine's."""
        probe = self._root / f".clock-{self._me['host']}-{os.getpid()}"
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:
            return time.time()
        finally:
            with suppress(OSError):
                probe.unlink()


def _remove(folder: Path, ending: str) -> None:
    """Remove an attempt. Renamed first: killed half way, it would seem held by somebody unknown."""
    if not ending:
        grave = folder.with_name(folder.name + ".lost")
        with suppress(OSError):
            os.rename(folder, grave)
            folder = grave
    shutil.rmtree(folder, ignore_errors=True)


def _read_owner(folder: Path) -> dict[str, Any]:
    """Who made a claim; empty where that cannot be read, as on a disk that was full."""
    try:
        owner = json.loads((folder / _OWNER).read_bytes())
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) and {"host", "place", "pid"} <= owner.keys() else {}


def _place() -> str:
    """Where process numbers mean the same: a running machine, and of its containers one."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError, AttributeError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _process(number: int) -> dict[str, Any]:
    """A process by its number and, where the system gives it, the moment at which it began."""
    began = ""
    with suppress(OSError, IndexError):
        # The name of the program, in brackets, may hold spaces.
        fields = Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()
        began = "" if fields[0] in "ZX" else fields[19]  # one that has ended may still be listed
    return {"pid": number, "began": began}


def _lives(owner: dict[str, Any]) -> bool | None:
    """Whether a process of this place lives, None where that cannot be known."""
    number = int(owner["pid"])
    if owner.get("began"):
        return _process(number)["began"] == owner["began"]
    if sys.platform == "win32":  # where signal 0 would end it
        return None
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    return True
