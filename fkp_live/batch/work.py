"""The work at one item: a film or picture in, its result files in the folder of its attempt and a report out.

Runs in a worker process, here or on another machine, with an `Engine` opened once.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2

from fkp_live import __version__
from fkp_live.batch.crops import FaceCrops
from fkp_live.batch.items import FILM, Item, segments_of
from fkp_live.batch.records import FAILED, OK, readable
from fkp_live.batch.tables import open_table
from fkp_live.choices import MAX_PIXELS, SHAPING, PipelineOptions
from fkp_live.display.overlay import draw
from fkp_live.engine import Engine, recording_header
from fkp_live.errors import InputError, ModelError, OutputError
from fkp_live.inference.models import resolve_model
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.sinks import VideoSink
from fkp_live.sources import Source, open_source
from fkp_live.stream import process_stream, settled
from fkp_live.types import Frame, FrameResult, Picture

# Seconds from one report on the frames done to the next.
_REPORT_EVERY = 0.5
# What no other item would escape: the disk is full or read-only, or gone.
_DISK = {errno.ENOSPC, errno.EROFS, errno.EIO, errno.ESTALE, getattr(errno, "EDQUOT", errno.ENOSPC)}
Moved = Callable[[int, int | None], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with each item.

    Attributes
    ----------
    form : of the results, one of `choices.TABLE_FORMATS`
    pipeline : how films are processed; pictures are looked at with its model, or `models.PICTURE_MODEL`
    annotate : write annotated films and pictures
    crops : side of face crops in pixels, None for none
    segment : length in seconds of the parts of films, None for whole films
    max_pixels : refuse larger pictures and films
    """

    form: str
    pipeline: PipelineOptions
    annotate: bool = False
    crops: int | None = None
    segment: float | None = None
    max_pixels: int = MAX_PIXELS

    def options(self) -> dict[str, Any]:
        """The options that shape the results; where they are computed is none of them."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "pipeline"}
        pipeline = asdict(self.pipeline)
        model = self.pipeline.model
        return own | {
            **{name: value for name, value in pipeline.items() if name not in ("provider", "threads")},
            "model": None if model is None else _identity(resolve_model(model)),
        }


@dataclass(frozen=True, slots=True)
class Job:
    """One item and the folder of its attempt, which everything is written into."""

    item: Item
    folder: Path


class Worker:
    """Works on one item after another.

    Parameters
    ----------
    plan : what is done with each

    Attributes
    ----------
    engine : the networks of films

    Raises
    ------
    ModelError, ProviderError
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.engine = Engine.for_streams(plan.pipeline)

    @cached_property
    def _landmarker(self) -> FaceLandmarker:
        # Opened at the first picture: many archives hold films alone. A model that was named serves both.
        pipeline = self._plan.pipeline
        engine = Engine.for_pictures(pipeline) if pipeline.model is None else self.engine
        return FaceLandmarker(max_faces=pipeline.max_faces, engine=engine)

    def _engine_of(self, item: Item) -> Engine:
        return self.engine if item.kind == FILM else self._landmarker.engine

    def facts(self, item: Item) -> dict[str, Any]:
        """What made the results of an item, for its record."""
        engine = self._engine_of(item)
        model = {"name": engine.model_name, "sha256": engine.model_sha256, "licence": engine.model_licence}
        return {
            "model": model,
            "provider": engine.provider,
            "version": __version__,
            "host": socket.gethostname(),
        }

    def do(self, job: Job, moved: Moved = lambda frames, total: None) -> dict[str, Any]:
        """Work on an item; the part of its record that is known here.

        Parameters
        ----------
        moved : called now and then with the frames done and those that will come, None where that is not known

        Raises
        ------
        OutputError : the disk takes nothing more. Any other failure is in the report
        """
        began = time.perf_counter()
        work = self._film if job.item.kind == FILM else self._picture
        try:
            report = {"status": OK, "error": "", **work(job, moved)}
        except Exception as error:
            if _is_disk(error):
                raise
            text = str(error) or type(error).__name__
            known = isinstance(error, (InputError, OutputError)) or hasattr(error, "hint")
            report = {"status": FAILED, "error": text if known else f"{type(error).__name__}: {text}"}
        return {**report, "seconds": round(time.perf_counter() - began, 3), **self.facts(job.item)}

    def _film(self, job: Job, moved: Moved) -> dict[str, Any]:
        plan, tally = self._plan, _Tally(moved)
        crops = None if plan.crops is None else FaceCrops(plan.crops)
        with ExitStack() as stack:
            source, part = self._opened(job.item)
            stack.enter_context(source)
            info, path = source.info, job.folder / f"points.{plan.form}"
            table = open_table(path, plan.form, self._header(source, job.item, part))
            sinks = [stack.enter_context(settled(table))]
            files: dict[str, Any] = {"points": path.name}
            if plan.annotate:
                audio = info.path if info.has_audio else None
                files["annotated"] = "annotated.mp4"
                video = VideoSink(job.folder / files["annotated"], info, audio_from=audio, overwrite=True)
                sinks.append(stack.enter_context(settled(video)))

            def on_frame(frame: Frame, result: FrameResult, painted: Picture | None) -> None:
                tally.add(result, info.frames)
                if crops is not None:
                    crops.see(frame, result.faces)

            process_stream(source, Pipeline(plan.pipeline, engine=self.engine), sinks, on_frame=on_frame)
        if not tally.frames:
            raise InputError(f"No frame came out of {job.item.name}.", "Play it, or copy it again.")
        if crops is not None:
            files["crops"] = crops.write(job.folder)
        notes = [source.note, *(sink.note for sink in sinks)]
        return {
            **{"frames": tally.frames, "faces": tally.faces, "ids": len(tally.ids)},
            **{"size": [info.width, info.height], "fps": info.fps, "duration": info.duration},
            **{"segment": part, "files": files},
            "note": "; ".join(filter(None, notes)),
        }

    def _opened(self, item: Item) -> tuple[Source, dict[str, Any] | None]:
        """The film or its part, open, and for the record: which part it is."""
        part, seconds = item.segment, self._plan.segment
        if part is None or seconds is None:
            return self._source(item), None
        if part.number:
            source = self._source(item, start=part.start, end=part.end)
            return source, asdict(part)
        # Only now is the length known, and with it the end of the first part: all, where there is no length.
        source = self._source(item)
        duration = source.info.duration
        part = part if duration is None else segments_of(duration, seconds)[0]
        if part.end is not None:
            source.close()
            source = self._source(item, end=part.end)
        return source, asdict(part)

    def _source(self, item: Item, start: float | None = None, end: float | None = None) -> Source:
        # In this thread alone: as many workers as cores get more done that way (benchmarks.archive).
        source = open_source(
            item.where, start=start, end=end, max_pixels=self._plan.max_pixels, read_ahead=False
        )
        if source.info.live:
            source.close()
            raise InputError(
                f"{item.name} is a live stream, which does not end.", "Record it with fkp-live --out."
            )
        return source

    def _picture(self, job: Job, moved: Moved) -> dict[str, Any]:
        """The faces of a picture, on their own: nothing is followed and nothing is smoothed."""
        plan = self._plan
        with open_source(
            job.item.where, max_frames=1, max_pixels=plan.max_pixels, read_ahead=False
        ) as source:
            frame = next(iter(source), None)
            if frame is None:
                raise InputError(f"There is no picture in {job.item.name}.", "Save it again as PNG.")
            result = FrameResult.of(replace(frame, time=0.0), self._landmarker(frame.picture))
            files: dict[str, Any] = {"points": "points.jsonl"}
            # Whatever the form of the table that is made of all pictures in the end.
            header = self._header(source, job.item, None)
            with settled(open_table(job.folder / files["points"], "jsonl", header)) as table:
                table.write(result, None)
            note, size = source.note, list(frame.picture.size)
        if plan.annotate:
            files["annotated"] = f"annotated{_picture_suffix(job.item)}"
            painted = draw(frame.picture.copy(), result.faces).bgr()
            _write_picture(job.folder / files["annotated"], painted)
        if plan.crops is not None:
            crops = FaceCrops(plan.crops)
            crops.see(frame, result.faces)
            files["crops"] = crops.write(job.folder)
        moved(1, 1)
        return {"frames": 1, "faces": len(result.faces), "size": size, "files": files, "note": note}

    def _header(self, source: Source, item: Item, part: dict[str, Any] | None) -> dict[str, Any]:
        options = {name: getattr(self._plan.pipeline, name) for name in SHAPING}
        cut = {name: None if part is None else part[name] for name in ("start", "end")}
        header = recording_header(source.info, self._engine_of(item), cut | options)
        # The file's name alone would not do: in an archive many are called the same.
        return header | {"source": header["source"] | {"name": readable(item.name)}}


class _Tally:
    """Counts frames, rows of faces and ids, and says now and then how far the work is."""

    def __init__(self, moved: Moved) -> None:
        self.frames = self.faces = 0
        self.ids: set[int | None] = set()
        self._moved, self._due = moved, 0.0

    def add(self, result: FrameResult, total: int | None) -> None:
        self.frames += 1
        self.faces += len(result.faces)
        self.ids.update(face.id for face in result.faces)
        if (now := time.monotonic()) >= self._due:
            self._due = now + _REPORT_EVERY
            self._moved(self.frames, total)


def _picture_suffix(item: Item) -> str:
    """PNG stays PNG; all others become JPEG."""
    return ".png" if item.where.lower().endswith(".png") else ".jpg"


def _write_picture(path: Path, image: Any) -> None:
    _, coded = cv2.imencode(path.suffix, image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.", "Make room on the disk, or choose another --out."
        ) from error


def _identity(model: Path) -> str:
    """What stands for a model in the options: another file under the same name is another model."""
    try:
        return hashlib.sha256(model.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(
            f"The model {model} cannot be read: {error.strerror}.",
            "Check --model, and whether you may read it.",
        ) from error


def _is_disk(error: BaseException) -> bool:
    """Whether a failure is that of the disk which all items are written to."""
    return isinstance(error, OutputError) and any(
        isinstance(cause, OSError) and cause.errno in _DISK for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
