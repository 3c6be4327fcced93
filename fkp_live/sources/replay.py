"""Replay: recorded results handed out again, frame by frame, as if a pipeline had just made them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np

from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.recording import Recording
from fkp_live.sources.source import Frames, Opened, OpenedSource, Source
from fkp_live.types import Face, Frame, FrameResult, SourceInfo

# Seconds by which the time of a frame may differ from the recorded one: half of a frame, within these limits. OpenFace
# rounds times to milliseconds, and counts a varying frame rate as an even one.
_LEAST_SLACK, _MOST_SLACK = 0.002, 0.02
# Number of frames of a film that are compared before anything is made of it.
COMPARED = 16


def renamed(results: Iterable[FrameResult], names: Mapping[int, int]) -> Iterator[FrameResult]:
    """Results in which faces have other ids: ``{3: 1}`` makes one track of 3 and 1.

    Raises
    ------
    InputError : two faces of a frame would get the same id

    Example
    -------
    >>> with open_recording("points.jsonl") as recording:
    ...     for result in renamed(recording, {3: 1}):
    ...         ...
    """
    for result in results:
        faces = [
            face if face.id is None or face.id not in names else replace(face, id=names[face.id])
            for face in result.faces
        ]
        _check_apart(result, faces)
        yield replace(result, faces=tuple(faces))


def _check_apart(result: FrameResult, faces: Sequence[Face]) -> None:
    """Refuse that faces of a frame which had different ids now have the same one."""
    was: dict[int, int | None] = {}
    for face, old in zip(faces, result.faces, strict=True):
        if face.id is None:
            continue
        if face.id in was and was[face.id] != old.id:
            raise InputError(
                f"In frame {result.index} (at {result.time:.3f} s) there are both face {was[face.id]} "
                f"and face {old.id}, and both would be {face.id}.",
                "Two faces of one moment are two people: omit one of the --rename.",
            )
        was[face.id] = old.id


class Replay:
    """Source and pipeline in one, for `stream.process_stream`: frames of a film, and what was recorded of each.

    Iterating gives the frames; `process`, called once for each of them in order, its recorded result with the frame's
    own time. Frames and results belong together by their index; frames that have no result have no face. It ends with
    the last result, or, where frames without a face were not recorded, with the film.

    Parameters
    ----------
    frames : of the film, read as the run read it (the same start, mirrored or not)
    results : of a recording, in order
    film, recording : names for messages
    slack : seconds by which a frame's time may differ from the recorded one, see `slack_of`
    whole : see `Recording`

    Raises
    ------
    InputError : while iterating: the film is not the one that was recorded

    Example
    -------
    >>> with open_source("film.mp4") as film, open_recording("film.jsonl") as recording:
    ...     replay = Replay(film, recording)
    ...     process_stream(replay, replay, [VideoSink("annotated.mp4", film.info)])
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        results: Iterable[FrameResult],
        *,
        film: str = "the film",
        recording: str = "the recording",
        slack: float = _MOST_SLACK,
        whole: bool = True,
    ) -> None:
        self._frames, self._results = iter(frames), iter(results)
        self._film, self._recording, self._slack, self._whole = film, recording, slack, whole
        self._next = next(self._results, None)
        self._waiting: deque[FrameResult] = deque()  # of the frames that were handed out

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._next is None and self._whole:
            raise StopIteration
        frame = next(self._frames, None)
        if frame is None:
            if self._next is not None:
                raise InputError(
                    f"{self._film} ends before frame {self._next.index} (at {self._next.time:.3f} s), "
                    f"which {self._recording} has.",
                    "Name the film that was recorded, whole: --video FILE.",
                )
            raise StopIteration
        self._waiting.append(self._result_of(frame))
        return frame

    def process(self, frame: Frame) -> FrameResult:
        """The recorded result of a frame; in the order in which the frames were handed out."""
        return self._waiting.popleft()

    def _result_of(self, frame: Frame) -> FrameResult:
        recorded = self._next
        if recorded is None or recorded.index > frame.index:
            return FrameResult.of(frame, ())
        if recorded.index < frame.index:
            raise InputError(
                f"{self._recording} is not in order: frame {recorded.index} comes after a later one.",
                "Give a recording as fkp-live wrote it.",
            )
        check_time(frame, recorded, self._slack, film=self._film, recording=self._recording)
        self._next = next(self._results, None)
        # With the exact time of the frame, which a recording rounds.
        return FrameResult.of(frame, recorded.faces, detected=recorded.detected)


def slack_of(info: SourceInfo) -> float:
    """Seconds by which times of a film with this frame rate may differ from the recorded ones."""
    half = 0.5 / info.fps if info.fps else _MOST_SLACK
    return min(max(half, _LEAST_SLACK), _MOST_SLACK)


def check_time(frame: Frame, recorded: FrameResult, slack: float, *, film: str, recording: str) -> None:
    """Refuse a frame whose time is not the recorded one: InputError."""
    if abs(frame.time - recorded.time) > slack:
        raise InputError(
            f"{film} is not the film of {recording}: its frame {frame.index} is at {frame.time:.3f} s, "
            f"and was at {recorded.time:.3f} s.",
            "Name the film that was recorded, with the --start of that run: --video FILE --start S.",
        )


def check_film(frames: Iterable[Frame], info: SourceInfo, recording: Recording, *, film: str) -> None:
    """Compare size and first frames of a film with a recording, before anything is made of them.

    Raises
    ------
    InputError : the film is not the one that was recorded
    """
    size, was = (info.width, info.height), (recording.info.width, recording.info.height)
    if all(was) and size != was:
        raise InputError(
            f"{film} is not the film of {recording.path.name}: it has {size[0]}x{size[1]} pixels, "
            f"and {was[0]}x{was[1]} were recorded.",
            "Name the film that was recorded: --video FILE.",
        )
    results = (replace(result, faces=()) for result in recording)
    replay = Replay(
        frames, results, film=film, recording=recording.path.name, slack=slack_of(info), whole=recording.whole
    )
    for _ in islice(replay, COMPARED):
        pass


def blank_source(recording: Recording, pictures: tuple[str, ...] = ()) -> Source:
    """A source of black frames with the numbers and times of a recording: for replays without a film.

    Parameters
    ----------
    recording : read in a thread, and closed at the end: not the one whose results are handed out
    pictures : see `SourceInfo`
    """

    def frames() -> Frames:
        info = recording.info
        picture = BgrPicture(np.zeros((max(info.height, 1), max(info.width, 1), 3), np.uint8))
        with recording:
            for result in recording:
                yield Frame(picture, result.index, result.time, perf_counter())

    return OpenedSource(Opened(replace(recording.info, pictures=pictures), frames()))


def film_of(recording: Recording) -> Path | None:
    """The file or folder of the name that a recording has for its source, where it lies beside it."""
    name = recording.info.name
    if "://" in name or name == recording.path.name:
        return None
    beside = recording.path.parent
    try:
        return next((path for path in (beside / name, beside / Path(name).name) if path.exists()), None)
    except (OSError, ValueError):  # a name too long, or with a null character
        return None
