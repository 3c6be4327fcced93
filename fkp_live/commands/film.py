"""The film or the pictures of a recording, read once more beside its results: each result with its frame's picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import Source, open_source
from fkp_live.sources.recording import CURE_RECORDING
from fkp_live.sources.recordings import Recording
from fkp_live.sources.replay import film_of
from fkp_live.types import FrameResult, Picture, SourceInfo

Pictured = Iterator[tuple[FrameResult, Picture | None]]

# Seconds by which the time of a frame may differ from the recorded one: rounding, also to whole milliseconds.
_SAME_TIME = 2e-3
# Pictures of a folder that could not be read, one after another; their frames are not recorded.
_MOST_MISSING = 1_000_000


def file_names(recording: Recording) -> tuple[str, ...]:
    """File names of the pictures that were recorded, by frame; empty where it was a film.

    Raises
    ------
    InputError : the recording is damaged
    """
    names: list[str] = []
    for name, result in recording.named():
        if not name and not names:
            return ()  # a film has no names, and of pictures each has one
        if result.index - len(names) > _MOST_MISSING:
            raise InputError(
                f"{recording.path} is damaged: frame {result.index + 1} of pictures follows {len(names)}.",
                CURE_RECORDING,
            )
        names += [""] * (result.index + 1 - len(names))
        names[result.index] = name
    return tuple(names)


def film_beside(recording: Recording, files: tuple[str, ...]) -> str:
    """What a recording names as its source, where it lies beside it; of pictures also the recording's own folder.

    Raises
    ------
    UsageError : it does not lie there
    """
    found, folder = film_of(recording), recording.path.parent
    if found is not None and (found.is_dir() or not files):
        return str(found)
    if files and not _leads_out(files[-1]) and (folder / files[-1]).is_file():
        return str(folder)
    raise UsageError(
        f"Pictures are to be cut out, but what was recorded ({recording.info.name}) does not lie beside "
        f"{recording.path}.",
        "Give it by --video, or --no-pictures for the points alone.",
    )


def open_film(recording: Recording, video: str) -> Source:
    """The film of a recording, as it was recorded.

    Raises
    ------
    InputError : it cannot be read, or has another size
    UsageError : it is live
    """
    options = recording.header.get("options")
    mirror = isinstance(options, Mapping) and options.get("mirror") is True
    source = open_source(video, mirror=mirror)
    made, info = source.info, recording.info
    try:
        if made.live:
            raise UsageError(
                f"{made.name} is live, but pictures are cut out of a film.", "Give a film by --video."
            )
        if info.width and (info.width, info.height) != (made.width, made.height):
            raise InputError(
                f"{made.name} has {made.width}x{made.height} pixels, but {recording.path} was recorded from a film "
                f"of {info.width}x{info.height}.",
                "Give the film that was recorded by --video.",
            )
    except BaseException:
        source.close()
        raise
    return source


def frames_of(results: Iterable[FrameResult], source: Source, recording: Path) -> Pictured:
    """Each result with the picture of its frame, read forward. InputError where the film lacks a frame."""
    frame = next(source, None)
    for result in results:
        while frame is not None and frame.time < result.time - _SAME_TIME:
            frame = next(source, None)
        if frame is None or not abs(frame.time - result.time) <= _SAME_TIME:
            raise InputError(
                f"{source.info.name} has no frame at {result.time:.3f} s, but {recording} has.",
                "Give the film that was recorded by --video.",
            )
        yield result, frame.picture


def pictures_of(results: Iterable[FrameResult], folder: Path, info: SourceInfo) -> Pictured:
    """Each result with its picture, by its file's name. InputError where there is none, or it cannot be read."""
    for result in results:
        name = info.pictures[result.index]
        if _leads_out(name):
            raise InputError(
                f"The recorded name {name} leads out of {folder}.", "Expected the name of a picture in it."
            )
        with open_source(folder / name, max_frames=1) as source:
            yield result, next(source).picture


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return not name or path.is_absolute() or ".." in path.parts
