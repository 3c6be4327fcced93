"""``fkp-live --list-cameras``: one line a camera, for people and for scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from fkp_live.console import say
from fkp_live.errors import ExitCode, UsageError
from fkp_live.sources import Camera, list_cameras


def main(arguments: Sequence[str]) -> int:
    """Print a line for each camera: number, name, sizes and rates, with tabs between.

    Raises
    ------
    UsageError : there are other arguments
    """
    if others := [word for word in arguments if word not in ("--list-cameras", "--debug")]:
        raise UsageError(f"--list-cameras stands alone, but {others[0]} was given.", "See fkp-live --help.")
    cameras = quiet_list()
    for camera in cameras:
        say(camera.line())
    if not cameras:
        say(
            "No camera was found on this machine.\n"
            "  Is it plugged in? May this user read it (Linux: the group video; macOS: Settings, Privacy)?",
            sys.stderr,
        )
    return int(ExitCode.OK)


def quiet_list() -> list[Camera]:
    """The cameras of this machine, without the messages that drivers write past Python."""
    with drivers_silenced():
        return list_cameras()


@contextmanager
def drivers_silenced() -> Iterator[None]:
    """Close file descriptor 2 to what writes past Python; ``sys.stderr`` goes on, through a copy.

    Drivers write about absent cameras, and libjpeg about each damaged picture of a camera that compresses, which is
    usual with many.
    """
    own = sys.stderr
    own.flush()
    kept = os.dup(2)
    if _descriptor(own) == 2:
        sys.stderr = open(os.dup(kept), "w", 1, own.encoding, own.errors)  # noqa: SIM115
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        copy, sys.stderr = sys.stderr, own
        if copy is not own:
            with suppress(OSError):  # whoever read it may be gone
                copy.close()
        os.dup2(kept, 2)
        os.close(kept)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a stream of a program that calls this one
        return None
