"""``fkp-live --list-cameras``: one line a camera, for people and for scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
        say("No camera was found on this machine.", sys.stderr)
    return int(ExitCode.OK)


def quiet_list() -> list[Camera]:
    """The cameras of this machine, without the messages that drivers write past Python."""
    with _native_stderr_closed():
        return list_cameras()


@contextmanager
def _native_stderr_closed() -> Iterator[None]:
    """Close file descriptor 2 to drivers, which write messages about absent cameras past Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
