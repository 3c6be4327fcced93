"""``fkp-live convert``: a recording in another form."""

from __future__ import annotations

from collections.abc import Sequence

from fkp_live.commands.convert_options import parse
from fkp_live.commands.signals import Stops


def main(words: Sequence[str] | None, stops: Stops) -> int:
    """Convert a recording and return the exit code."""
    options = parse(words)
    # After parsing, because it loads OpenCV and all the rest.
    from fkp_live.commands.conversion import convert

    return convert(options, stops)
