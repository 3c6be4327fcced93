"""Names for files that a key makes: of the source and the moment, never those of files that exist."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath

from fkp_live.types import SourceInfo

_LONGEST = 40  # characters of the source's name; a name may have 255 bytes, a character four


def stamped(info: SourceInfo, endings: Sequence[str]) -> str:
    """``NAME-YYYYMMDD-HHMMSS``, with -2, -3 and so on where a file with one of the ``endings`` exists.

    NAME is that of the source: a file's without its extension, "camera-0", or host and path of a URL.
    """
    begin = f"{_name(info)}-{datetime.now():%Y%m%d-%H%M%S}"
    stems = itertools.chain([begin], (f"{begin}-{number}" for number in itertools.count(2)))
    return next(stem for stem in stems if not any(os.path.lexists(stem + ending) for ending in endings))


def _name(info: SourceInfo) -> str:
    name = info.name.partition("://")[2] or info.name
    if info.path is not None:
        name = PurePath(name).stem
    # What some system or other forbids in names, spaces, and dots at the beginning.
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    return plain[:_LONGEST].rstrip("-.") or "fkp-live"
