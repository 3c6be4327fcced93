"""What a reader of recordings should know of one, as lines on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fkp_live.console import say

if TYPE_CHECKING:
    from fkp_live.sources.recordings import Recording


def say_notes(recording: Recording, command: str) -> None:
    """Say what was left out of a recording that was read to its end."""
    if recording.note:
        say(f"{command}: {recording.note}.", sys.stderr)
    if not recording.whole:
        say(
            f"{command}: {recording.path} does not hold the frames without a face; shares are of the frames it holds.",
            sys.stderr,
        )
