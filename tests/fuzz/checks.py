"""What must hold for any input: the checks that a worker carries out. Values are plain JSON."""

from __future__ import annotations

import csv
import os
import re
import reprlib
import shutil
import sys
import traceback
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from fkp_live import FaceLandmarker, Pipeline, PipelineOptions
from fkp_live.commands import run
from fkp_live.commands.bench import options as bench_options
from fkp_live.commands.bench import report as bench_report
from fkp_live.commands.options import parse
from fkp_live.console import printable
from fkp_live.display.overlay import draw
from fkp_live.engine import Engine
from fkp_live.errors import ExitCode, FkpError, InputError, ModelError, UsageError
from fkp_live.faces.offline_smoothing import smoothed
from fkp_live.images.picture import BgrPicture
from fkp_live.inference.metadata import read_metadata
from fkp_live.recorded import table_rows
from fkp_live.sinks import VIDEO_FORMATS, CsvSink, JsonlSink, Sink, VideoSink
from fkp_live.sinks.csv import CSV_COLUMNS
from fkp_live.sources import open_source
from fkp_live.sources import spec as specs
from fkp_live.sources.picture_header import picture_size
from fkp_live.sources.recordings import open_recording
from fkp_live.stream import settled
from fkp_live.targets import parse_target
from fkp_live.types import Face, FrameResult, SourceInfo
from tests.fuzz import commands
from tests.fuzz.commands import FoundError
from tests.fuzz.media import face_picture
from tests.fuzz.worker import Outcome
from train.recipe import read_recipe

Check = Callable[[Any], str]
_ENGINE = Engine.for_streams(PipelineOptions(provider="cpu"))
_LANDMARKER = FaceLandmarker(engine=_ENGINE)
_FACE = face_picture(160, 160)


def carry_out(name: str, value: Any) -> Outcome:
    """One check, and the working folder emptied before it."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for descriptor in (1, 2):
        os.ftruncate(descriptor, 0)
    try:
        return Outcome(CHECKS[name](value))
    except FoundError as finding:
        return Outcome("finding", f"{finding}\n{commands.printed(2)[-2000:]}", f"{name}: {finding.signature}")
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        text = "".join(traceback.format_exception(error))[-6000:]
        return Outcome("finding", text, f"{name}: {_place_of(error)}")


def _place_of(error: BaseException) -> str:
    """Type of an error and the innermost line of ours that it came through."""
    ours = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if any(f"/{package}/" in frame.filename for package in ("fkp_live", "train", "fuzz"))
    ]
    return f"{type(error).__name__} at {ours[-1] if ours else '?'}"


def refused(error: FkpError, *allowed: type[FkpError]) -> str:
    """The kind of a refusal. Raises FoundError if it is none of those, or has no message."""
    if not isinstance(error, allowed):
        raise error
    if not str(error).strip():
        raise FoundError("empty message", f"{type(error).__name__} without a message")
    return type(error).__name__


# ----- words, names and texts


def spec(text: str) -> str:
    """A name of a source, also opened where it is a path in this folder."""
    if "**" in text or (text.startswith(("/", "~")) and specs._is_glob(Path(text.replace("\0", "")))):
        return "not tried"  # patterns over the whole disk
    specs.local_files(text)
    try:
        where = specs.resolve(text)
    except InputError as error:
        return refused(error, InputError)
    if isinstance(where, Path) and not where.is_absolute() and ".." not in where.parts:
        try:
            open_source(text).close()
        except (InputError, UsageError) as error:
            return refused(error, InputError, UsageError)
        return "opened"
    return type(where).__name__


def url(value: dict[str, str]) -> str:
    """No name for people holds the password."""
    secret = value["password"]
    text = f"{value['scheme']}://{value['user']}:{secret}@{value['host']}{value['rest']}"
    shown = specs.without_password(text)
    if re.match(r"\d{0,5}[/?#]", secret):
        return "may be a port"
    if secret in shown:
        raise FoundError("password", f"{text!r} is shown as {shown!r}")
    return "hidden"


def target(text: str) -> str:
    """A target of --send is refused, or shown in a way that names the same one."""
    try:
        read = parse_target(text)
    except UsageError as error:
        return refused(error, UsageError)
    if parse_target(str(read)) != read:
        raise FoundError("target", f"{text!r} is {read!r}, and shown as {str(read)!r}")
    return read.scheme


def table(value: list[str]) -> str:
    """Names of pictures, whatever is in them, are read back from the CSV file."""
    path, points = Path("a.csv"), np.zeros((68, 2), np.float32)
    face = Face(points, points[:, 0], np.zeros(4, np.float32), 0.5)
    with CsvSink(path, files=value) as sink:
        for index in range(len(value)):
            sink.write(FrameResult(index, 0.0, (32, 24), (face,) * (index % 2)))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    written = [name.encode("utf-8", "backslashreplace").decode() for name in value]
    if [row["file"] for row in rows] != written or {len(row) for row in rows} != {1 + len(CSV_COLUMNS)}:
        raise FoundError("table", f"{written!r} is read back as {[row.get('file') for row in rows]!r}")
    return "read back"


def words(value: list[str]) -> str:
    """A command line is read, or refused as a usage error."""
    try:
        parsed = bench_options.parse(value[1:]) if value[:1] == ["bench"] else parse(value)
    except UsageError as error:
        return refused(error, UsageError)
    except SystemExit as end:
        if end.code:
            raise
        return "help"
    return type(parsed).__name__


def text(value: dict[str, str]) -> str:
    """What is printed obeys the encoding of the stream and holds no control character."""
    stream: Any = SimpleNamespace(encoding=value["encoding"])
    shown = printable(value["text"], stream)
    shown.encode(value["encoding"])
    if any((ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160 for char in shown):
        raise FoundError("control character", f"{value!r} is printed as {shown!r}")
    return "printable"


def recipe(value: dict[str, str]) -> str:
    """A recipe, and the recipe that it may build on, are read or refused."""
    for name, content in value.items():
        Path(f"{name}.toml").write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        read = read_recipe(Path("recipe.toml"))
    except (InputError, UsageError) as error:
        return refused(error, InputError, UsageError)
    read.as_dict()
    return "read"


def metadata(value: dict[str, str]) -> str:
    """Metadata of a model, which may hold anything."""
    names = [
        SimpleNamespace(name=name) for name in ("image", "points", "confidence", "score", "box", "keypoints")
    ]
    ort = SimpleNamespace(
        get_modelmeta=lambda: SimpleNamespace(custom_metadata_map=value),
        get_inputs=lambda: names[:1],
        get_outputs=lambda: names[1:],
    )
    try:
        found = read_metadata(Path("x.onnx"), ort)
    except ModelError as error:
        return refused(error, ModelError)
    return str(found["schema"])


def labels(value: str) -> str:
    """A CSV file of labels is read with finite points on pictures that exist, or refused."""
    from train.data.faces import read_csv  # needs pandas, which the product does not

    for name in ("a.png", "b.png"):
        cv2.imwrite(name, _FACE)
    Path("labels.csv").write_bytes(value.encode("utf-8", "surrogatepass"))
    try:
        faces = read_csv(Path("labels.csv"))
    except InputError as error:
        return refused(error, InputError)
    if not np.isfinite(faces.points).all() or not all(path.is_file() for path in faces.paths):
        raise FoundError("labels", f"read as {faces.points!r} of {faces.paths}")
    return "read"


def report(value: str) -> str:
    """An older report of ``bench`` is refused, or can be compared with."""
    Path("old.json").write_bytes(value.encode("utf-8", "surrogatepass"))
    try:
        old = bench_report.read_report(Path("old.json"))
    except InputError as error:
        return refused(error, InputError)
    bench_report.comparison(old, old)
    return "compared"


def recording(value: str) -> str:
    """A recording in text is read to its end, painted and smoothed anew, or refused."""
    Path("points").write_bytes(value.encode("utf-8", "surrogatepass"))
    picture = np.zeros((96, 160, 3), np.uint8)
    try:
        with open_recording("points") as opened:
            results = list(opened)
            for found in results:
                draw(picture, found.faces, pose=True, measures=True)
                table_rows(found)
            for found in smoothed(results, "offline"):
                draw(picture, found.faces)
    except InputError as error:
        return refused(error, InputError)
    return "read"


def header(value: str) -> str:
    """The size in a picture's header, from bytes as Latin-1."""
    size = picture_size(value.encode("latin-1"))
    return "a size" if size else "none"


# ----- pictures, boxes and frames


def array_of(value: dict[str, Any]) -> Any:
    """An array as described; ``face``: a picture with a face."""
    if value.get("face"):
        return cv2.resize(_FACE, (value["shape"][1] + 1, value["shape"][0] + 1))
    made = np.random.default_rng(value["seed"]).integers(0, 256, value["shape"]).astype(value["dtype"])
    if value["strided"] and made.ndim:
        made = made[::-1]
    made.setflags(write=not value["read_only"])
    return made


def image(value: dict[str, Any]) -> str:
    """Any array is refused, or its faces are finite and inside of what is possible."""
    given = array_of(value)
    before = given.copy()
    try:
        faces = _LANDMARKER(given)
    except ValueError:
        return "ValueError"
    if not np.array_equal(before, given):
        raise FoundError("changed", "the caller's picture was painted on")
    for face in faces:
        if face.points.shape != (68, 2) or not np.isfinite(face.points).all():
            raise FoundError("points", repr(face))
    return f"{len(faces)} faces"


def boxes(value: Any) -> str:
    """Any boxes are refused by ValueError, or give (N, 68, 2) finite points."""
    try:
        points = _LANDMARKER.landmarks(_FACE, value)
    except ValueError:
        return "ValueError"
    if points.ndim != 3 or points.shape[1:] != (68, 2) or not np.isfinite(points).all():
        raise FoundError("points", f"{value!r} gave shape {points.shape}: {points!r}")
    return "points"


def frames(value: dict[str, Any]) -> str:
    """A stream of pictures with any times and sizes is followed; every number stays finite."""
    pipeline = Pipeline(PipelineOptions(**value["options"]), engine=_ENGINE)
    found = 0
    for index, (time, described) in enumerate(value["frames"]):
        try:
            result = pipeline.process_image(array_of(described), time)
        except ValueError as error:
            if "expected" not in str(error):
                raise
            return "ValueError"
        for face in result.faces:
            found += 1
            numbers = [*face.points.ravel(), *face.box, face.score, face.pose.yaw, face.measures.mouth_open]
            if not np.isfinite(numbers).all():
                raise FoundError("not finite", f"frame {index} at {time!r}: {face!r}")
    return "with faces" if found else "without faces"


def sinks(value: dict[str, Any]) -> str:
    """Results with any finite times and sizes are written: as many as came, times that grow, and the video plays."""
    base = None if value["base"] is None else Fraction(1, value["base"])
    info = SourceInfo("x", 32, 24, fps=value["fps"], time_base=base, origin=value["origin"])
    kind = value["kind"]
    path = Path(f"a{kind}")
    sink: Sink
    sink = (
        VideoSink(path, info)
        if kind in VIDEO_FORMATS
        else CsvSink(path)
        if kind == ".csv"
        else JsonlSink(path, {})
    )
    points = np.full((68, 2), 9.0, np.float32)
    face = Face(points, points[:, 0] / 9, np.array([1, 2, 9, 9], np.float32), 0.5, 1, points)
    with settled(sink):
        for index, (time, pts, width, height) in enumerate(value["results"]):
            given = None if base is None else pts
            result = FrameResult(index, time, (width, height), (face,), pts=given, time_base=base)
            sink.write(result, BgrPicture(np.full((height, width, 3), 90, np.uint8)))
    written = commands.frames_in(
        path, {".csv": "--csv", ".jsonl": "--jsonl"}.get(kind, "--out"), ordered=False
    )
    if written != len(value["results"]):
        raise FoundError(
            f"lost {kind}", f"{written} of {len(value['results'])} results are in the file; {sink.note!r}"
        )
    if kind in VIDEO_FORMATS:
        times = commands.times_of(path)
        if times != sorted(set(times)):
            raise FoundError(f"times {kind}", f"times of the file: {times}")
    return f"written {kind}"


def options(value: dict[str, Any]) -> str:
    """Options of a pipeline from a program are refused as wrong values or types, or the pipeline works."""
    try:
        Pipeline(PipelineOptions(**value), engine=_ENGINE).process_image(_FACE, 0.0)
    except (ValueError, TypeError, UsageError) as error:
        return type(error).__name__
    return "pipeline"


def file(value: dict[str, Any]) -> str:
    """A damaged model file is refused, or opens and gives points of the right shape."""
    path = Path(value["path"])
    try:
        landmarker = FaceLandmarker("cpu", path)
    except FkpError as error:
        if error.exit_code not in (ExitCode.MODEL, ExitCode.FAILURE):
            raise
        return f"exit {int(error.exit_code)}"
    points = landmarker.landmarks(_FACE, [20, 20, 140, 140])
    if points.shape != (1, 68, 2):
        raise FoundError("shape", f"points of shape {points.shape}")
    return "runs"


def command(value: dict[str, Any]) -> str:
    """A run of the command with any words."""
    Path("clip.mp4").write_bytes(Path(value["clip"]).read_bytes())
    return commands.run_words(value["words"])


def video(value: dict[str, Any]) -> str:
    return commands.run_file(Path(value["path"]), value)


CHECKS: dict[str, Check] = {
    **{
        c.__name__: c
        for c in (spec, url, target, table, words, text, recipe, metadata, labels, report, recording, header)
    },
    **{c.__name__: c for c in (image, boxes, frames, sinks, options, file, command, video)},
}

# Runs of the command share the networks, which take longer to open than a short video to process.
run.Pipeline = lambda chosen: Pipeline(chosen, engine=_ENGINE)  # type: ignore[assignment,misc]
reprlib.aRepr.maxstring = 200
sys.setrecursionlimit(1000)
