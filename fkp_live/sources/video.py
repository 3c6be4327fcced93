"""Video files and streams as a source: opened with FFmpeg, decoded, stamped, and cut to a range."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

from fkp_live.errors import InputError
from fkp_live.sources.container import CURE_DAMAGED, Container
from fkp_live.sources.damage import Damage
from fkp_live.sources.decoding import Converter
from fkp_live.sources.live import live_frames
from fkp_live.sources.seeking import decoded_from
from fkp_live.sources.source import Frames, Opened, peek_first
from fkp_live.sources.timestamps import Timestamps
from fkp_live.types import Frame, SourceInfo

_SIZES_NAMED = 3  # changes of the picture size that the note lists
_PRINTED = 5e-4  # seconds; half the last digit of a printed time


def open_video(
    where: str,
    name: str,
    start: float | None,
    end: float | None,
    max_pixels: int,
    *,
    remote: bool = False,
    threads: bool = True,
) -> Opened:
    """Open a video file or stream and decode its first frame.

    Parameters
    ----------
    where : path or URL
    name : for people
    start, end : seconds from the beginning of a file; ignored where the stream is live
    max_pixels : of a picture; more is refused
    remote : ``where`` is a URL
    threads : decode in several threads

    Raises
    ------
    InputError : it cannot be opened, or there is no picture in it
    """
    container = Container(where, name, max_pixels, remote=remote, threads=threads)
    converter, damage = Converter(), Damage(container)
    try:
        if container.live:
            return _open_live(container, damage, converter)
        return _open_file(container, damage, converter, where, start, end)
    except BaseException:
        container.close()
        raise


def _open_live(container: Container, damage: Damage, converter: Converter) -> Opened:
    no_picture = InputError(f"No picture could be decoded from {container.name}.", CURE_DAMAGED)
    first, frames = peek_first(live_frames(container, damage, converter), lambda: no_picture)
    return Opened(replace(_info(container, converter, first), live=True), frames, damage.note)


def _open_file(
    container: Container,
    damage: Damage,
    converter: Converter,
    where: str,
    start: float | None,
    end: float | None,
) -> Opened:
    file = _File(container, damage, converter, start, end)
    first, frames = peek_first(file.frames(), file.no_frames_error)
    # What the header takes for the beginning may be that of another track.
    begins_before = not start and first.time < container.origin - file.slack
    info = replace(
        _info(container, converter, first),
        start=start or 0.0,
        frames=file.count,
        duration=container.duration,
        path=where,
        origin=first.time if begins_before else container.origin,
        has_audio=container.has_audio,
        time_base=first.time_base,
        colour=converter.colour,
    )
    return Opened(info, frames, file.note)


def _info(container: Container, converter: Converter, first: Frame) -> SourceInfo:
    width, height = first.picture.size
    fps = float(container.rate) if container.rate else None
    aspect = container.stream.sample_aspect_ratio
    return SourceInfo(container.name, width, height, fps=fps, pixel_aspect=_pixel_aspect(aspect, converter))


def _pixel_aspect(aspect: Fraction | None, converter: Converter) -> Fraction | None:
    """Width of a pixel over its height, as pictures are handed out; None: square, or unknown."""
    if not aspect or aspect == 1:
        return None
    return 1 / aspect if converter.quarter_turned else aspect


class _File:
    """The frames of a file whose time lies in a range.

    Parameters
    ----------
    start, end : seconds from the beginning; None: no limit

    Attributes
    ----------
    slack : seconds within which two times mean the same picture
    """

    def __init__(
        self,
        container: Container,
        damage: Damage,
        converter: Converter,
        start: float | None,
        end: float | None,
    ) -> None:
        self._container, self._damage, self._converter = container, damage, converter
        self._start, self._end = start, end
        base = container.time_base
        # So that a time printed and typed in again means the frame that it was printed for; not half a tick, which
        # would be half a picture where the clock ticks once a picture (AVI, IVF, Ogg, MXF).
        self.slack = min(float(base) / 2, _PRINTED) + 5e-7
        self._timestamps = Timestamps(base, container.rate, by_decoding="avi" in container.kinds)
        self._last: float | None = None  # time of the last decoded picture
        self._size: tuple[int, int] | None = None
        self._size_changes: list[str] = []

    @property
    def count(self) -> int | None:
        """How many frames will come, an estimate; None where unknown."""
        file = self._container
        if self._start is None and self._end is None and file.stream.frames:
            return file.stream.frames
        if file.duration is None or not file.rate:
            return None
        span = min(file.duration, self._end or file.duration) - (self._start or 0.0)
        count = max(round(span * float(file.rate)), 1) if span else 0
        # More pictures than bytes: a clock that jumps.
        return count if count and not 0 < file.size < count else None

    def frames(self) -> Frames:
        """Frames in the range; at the end of the file a check that the file is complete."""
        base, origin = self._container.time_base, self._container.origin
        start, end = self._start or 0.0, float("inf") if self._end is None else self._end
        # Without --start every picture, also one before the origin.
        first = origin + start - self.slack if start else float("-inf")
        index = 0
        try:
            pictures = decoded_from(self._container, self._damage, origin + start if start else None)
            for pts, picture in self._timestamps.stamped(pictures):
                self._last = seconds = float(pts * base)
                if seconds >= origin + end - self.slack:
                    return
                if seconds >= first:
                    converted = self._converter(picture)
                    self._note_size(converted.size, seconds - origin)
                    yield Frame(converted, index, seconds, time.perf_counter(), pts, base)
                    index += 1
        finally:
            self._container.close()

    def _note_size(self, size: tuple[int, int], seconds: float) -> None:
        if self._size is not None and size != self._size:
            before, after = (f"{width}x{height}" for width, height in (self._size, size))
            self._size_changes.append(f"from {before} to {after} at {seconds:.2f} s")
        self._size = size

    def no_frames_error(self) -> InputError:
        """Why there is no frame in the range."""
        file = self._container
        if self._start and file.duration is not None and self._start >= file.duration:
            return InputError(
                f"{file.name} lasts {file.duration:.2f} s, but --start is {self._start} s.",
                "Give a smaller --start.",
            )
        if self._last is not None:
            limits = (("--start", self._start), ("--end", self._end))
            given = " and ".join(f"{option} {value}" for option, value in limits if value is not None)
            return InputError(
                f"{file.name} has no frame in the range of {given}; "
                f"the nearest is at {self._last - file.origin:.3f} s.",
                "Give a wider range.",
            )
        return InputError(f"No picture could be decoded from {file.name}.", CURE_DAMAGED)

    def note(self) -> str:
        """What to report in the end; usually empty."""
        file, sizes = self._container, ""
        if self._size_changes:
            more = len(self._size_changes) - _SIZES_NAMED
            sizes = f"the picture size of {file.name} changes {', '.join(self._size_changes[:_SIZES_NAMED])}"
            sizes += f" and {more} times more" if more > 0 else ""
        notes = (file.note, sizes, self._damage.note(), self._timestamps.note(file.name))
        return "; ".join(note for note in notes if note)
