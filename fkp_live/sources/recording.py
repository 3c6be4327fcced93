"""What every recording promises, whatever its file format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fkp_live.recorded import SCHEMA
from fkp_live.types import FrameResult, SourceInfo

CURE_RECORDING = "Copy the recording again, or record it anew."


class Recording:
    """A recording that is open: its results in order, read as they are asked for, so that memory stays flat.

    Each iteration begins with the first result; one at a time.

    Attributes
    ----------
    path : the file
    header : what the run wrote of itself: version, source, model, provider, options; empty where the file has none
    info : of the source that was recorded: its name, size, frames per second; where the file does not say, the name
        is that of the file, width and height are 0 and fps is None
    whole : whether each frame of the run has a result; False: frames without a face were not recorded (CSV of
        version 0.1)
    note : what was left out, such as a last line that is cut off; usually empty, final after an iteration
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path, self.header = path, header
        self.whole, self.note = True, ""
        self.info = _info(path, header)

    def __iter__(self) -> Iterator[FrameResult]:
        """The results, from the first one on. Raises InputError where the file is damaged."""
        return (result for _, result in self.named())

    def named(self) -> Iterator[tuple[str, FrameResult]]:
        """Each result with the file name of its picture; empty where the source was no folder of pictures."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_header(header: object) -> bool:
    """Whether a JSON value is the header of a recording."""
    return isinstance(header, dict) and header.get("schema") == SCHEMA


def _info(path: Path, header: dict[str, Any]) -> SourceInfo:
    """What a header says of the source; a program of one's own may have written anything there, or nothing."""
    source = header.get("source")
    known = source if isinstance(source, dict) else {}
    name = source if isinstance(source, str) else known.get("name")
    width, height, fps, origin = (_number(known.get(key)) for key in ("width", "height", "fps", "origin"))
    size = max(int(width), 0), max(int(height), 0)
    return SourceInfo(str(name or path.name), *size, fps=fps if fps > 0 else None, origin=origin)


def _number(value: object) -> float:
    """A number, 0 for anything else."""
    if isinstance(value, int | float) and abs(value) < 1 << 31:
        return float(value)
    return 0.0
