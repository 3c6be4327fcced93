"""A conversion: recording and sink opened, frames and faces chosen, pictures added where they are needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

# Before anything that imports av, or cv2.imshow hangs on Linux.
import cv2  # noqa: F401
import numpy as np

from fkp_live import __version__
from fkp_live.commands.chosen_frames import Spaced, hardest, main_face, only_face
from fkp_live.commands.convert_options import ENDINGS, ConvertOptions
from fkp_live.commands.film import Pictured, file_names, film_beside, frames_of, open_film, pictures_of
from fkp_live.commands.progress import log, progress_of
from fkp_live.commands.signals import Stops
from fkp_live.console import say
from fkp_live.errors import ExitCode, InputError, UsageError
from fkp_live.faces.blendshapes import NeutralFace, blendshapes
from fkp_live.faces.head_pose import head_pose
from fkp_live.sinks import CsvSink, JsonlSink, ParquetSink, Sink, check_output
from fkp_live.sinks.coco import PICTURE_SUFFIXES, CocoSink, picture_folder
from fkp_live.sinks.folders import check_folder
from fkp_live.sinks.live_link import LiveLinkSink
from fkp_live.sinks.pts import SUFFIXES, PtsSink
from fkp_live.sources.recordings import Recording, open_recording
from fkp_live.sources.spec import local_files
from fkp_live.stats import RunStats
from fkp_live.types import Face, FrameResult, Pose, SourceInfo
from fkp_live.wording import counted

# Seconds from one frame to the next that no recording has: its times are damaged.
_LONGEST_PAUSE = 86_400.0


def convert(options: ConvertOptions, stops: Stops) -> int:
    """Carry out ``options`` and return the exit code.

    Raises
    ------
    FkpError
        For every failure that a user can cause. Files that exist are then as they were before.
    """
    stops.raise_interrupt()  # a conversion that was cut short is of no use, so nothing of it is finished
    with ExitStack() as stack:
        recording = stack.enter_context(open_recording(options.source))
        files = file_names(recording)
        video = None
        if options.pictures or options.video is not None:
            video = options.video or film_beside(recording, files)
        _check_outputs(options, video)
        info = replace(recording.info, pictures=files)
        chosen = _chosen(options, recording, info)
        pictured: Pictured = ((result, None) for result in chosen)
        if video is not None and files:
            pictured = pictures_of(chosen, Path(video), info)
        elif video is not None:
            pictured = frames_of(chosen, stack.enter_context(open_film(recording, video)), recording.path)
        sink = stack.enter_context(_whole(_sink(options, recording, info, sized=video is not None)))
        progress = stack.enter_context(
            progress_of(
                options.progress, replace(info, frames=options.hard), None, RunStats(), quiet=options.quiet
            )
        )
        frames = faces = 0
        for result, picture in pictured:
            sink.write(result, picture)
            frames, faces = frames + 1, faces + len(result.faces)
            progress.advance(len(result.faces))
        if options.kind in ("pts", "livelink") and not faces:
            raise _no_face(options)
    progress.done()
    for note in (recording.note, sink.note):
        if note and not options.quiet:
            log(note)
    if not options.quiet:
        say(f"{counted(frames, 'frame')}, {counted(faces, 'face')}")
        say(f"written: {options.out}")
    return int(ExitCode.OK)


def _check_outputs(options: ConvertOptions, video: str | None) -> None:
    inputs = [options.source, *(local_files(video) if video is not None else [])]
    if options.kind == "pts":
        check_folder(options.out, overwrite=options.overwrite, suffixes=SUFFIXES, inputs=inputs)
        return
    check_output(options.out, overwrite=options.overwrite, inputs=inputs, suffixes=(ENDINGS[options.kind],))
    if options.kind == "coco" and options.pictures:
        folder = picture_folder(options.out)
        check_folder(folder, overwrite=options.overwrite, suffixes=PICTURE_SUFFIXES, inputs=inputs)


def _no_face(options: ConvertOptions) -> InputError:
    if options.face is None:
        return InputError(
            f"{options.source} holds no face, so there is nothing to write.", "Look at the film."
        )
    return InputError(
        f"{options.source} holds no face {options.face}.",
        "Choose another --face, or omit it for the main one.",
    )


@contextmanager
def _whole(sink: Sink) -> Iterator[Sink]:
    """Close the sink after success, abort it otherwise; what Ctrl-C leaves of a file is removed."""
    try:
        yield sink
        sink.close()
    except KeyboardInterrupt:
        sink.abort()
        if sink.kept is not None:
            with suppress(OSError):
                sink.kept.unlink()
        raise
    except BaseException as error:
        sink.abort()
        if sink.kept is not None and str(sink.kept) not in str(error):
            error.add_note(f"What was written until then is in {sink.kept}.")
        raise


# frames and faces


def _chosen(options: ConvertOptions, recording: Recording, info: SourceInfo) -> Iterator[FrameResult]:
    """The results that are converted, with the faces that are."""
    results = only_face(recording, options.face)
    if options.kind == "livelink":
        return _usable(recording)
    if options.hard is not None:
        apart = {"apart": 0.0} if info.pictures else {}
        hard = hardest(_sound(results), options.hard, **apart)
        return (result for result in only_face(recording, options.face) if result.index in hard)
    spaced = Spaced(options.spacing(film=not info.pictures))
    with_face = options.kind == "pts"
    return (r for r in results if (r.faces or not with_face) and spaced(r.time))


def _sound(results: Iterable[FrameResult]) -> Iterator[FrameResult]:
    """The results without faces whose points are not all numbers: nobody can be shown those."""
    for result in results:
        faces = tuple(face for face in result.faces if np.isfinite(face.points).all())
        yield result if len(faces) == len(result.faces) else replace(result, faces=faces)


def _usable(results: Iterable[FrameResult]) -> Iterator[FrameResult]:
    """The results of a film with increasing times, every face with a pose.

    Raises
    ------
    InputError : its times are damaged
    """
    last = None
    for result in _sound(results):
        if not math.isfinite(result.time) or (last is not None and abs(result.time - last) > _LONGEST_PAUSE):
            raise InputError(
                f"Frame {result.index + 1} has the time {result.time} s, which no film has.",
                "Record the film again: its times are damaged.",
            )
        last = result.time
        yield replace(result, faces=tuple(replace(face, pose=_pose(face)) for face in result.faces))


def _pose(face: Face) -> Pose:
    pose = face.pose
    if pose is None or not all(map(math.isfinite, (pose.pitch, pose.yaw, pose.roll))):
        return head_pose(face.points)
    return pose


# sinks


def _sink(options: ConvertOptions, recording: Recording, info: SourceInfo, *, sized: bool) -> Sink:
    """``sized``: each frame has a picture, whose size is known then."""
    out, overwrite, files = options.out, options.overwrite, info.pictures
    if options.kind == "csv":
        return CsvSink(out, overwrite=overwrite, columns=options.csv_columns, files=files)
    if options.kind == "jsonl":
        return JsonlSink(out, _header(recording), overwrite=overwrite, files=files)
    if options.kind == "parquet":
        return ParquetSink(out, _header(recording), overwrite=overwrite, files=files)
    if options.kind == "pts":
        return PtsSink(out, info, overwrite=overwrite, pictures=options.pictures, crop=options.crop)
    if options.kind == "coco":
        if not (info.width or sized):
            raise UsageError(
                f"{recording.path} does not say how large its frames are, and COCO has it of every image.",
                "Give the film or the folder of pictures by --video; with --no-pictures only sizes are read.",
            )
        return CocoSink(out, info, overwrite=overwrite, pictures=options.pictures)
    return _live_link(options, recording)


def _live_link(options: ConvertOptions, recording: Recording) -> LiveLinkSink:
    number = main_face(recording) if options.face is None else options.face
    neutral, seen = NeutralFace(), 0
    for result in only_face(_usable(recording), number):
        for face in result.faces[:1]:
            neutral.add(face.points, _pose(face))
            seen += 1
    if not seen:
        raise _no_face(options)

    def shapes(face: Face) -> dict[str, float]:
        return blendshapes(face.points, _pose(face), neutral)

    return LiveLinkSink(
        options.out,
        shapes,
        face_id=number,
        rate=options.resample,
        origin=recording.info.origin,
        overwrite=options.overwrite,
    )


def _header(recording: Recording) -> dict[str, Any]:
    """The header of a recording; of one without, such as a CSV, what is known of its source."""
    info = recording.info
    source = {"name": info.name, "width": info.width, "height": info.height, "fps": info.fps}
    return recording.header or {"version": __version__, "source": {**source, "origin": info.origin}}
