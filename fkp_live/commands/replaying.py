"""A replay: recording and film opened and compared, then a run in which recorded results take the pipeline's place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fkp_live import __version__
from fkp_live.choices import ID_ORDERS, PipelineOptions
from fkp_live.commands.film import file_names
from fkp_live.commands.options import Options
from fkp_live.commands.progress import log
from fkp_live.commands.recorder import Recorder
from fkp_live.commands.run import Detect, run
from fkp_live.commands.signals import Stops
from fkp_live.commands.viewer import Controls
from fkp_live.errors import InputError, UsageError
from fkp_live.faces.offline_smoothing import smoothed
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import check_output
from fkp_live.sources import Source, open_source
from fkp_live.sources.recordings import Recording, open_recording
from fkp_live.sources.replay import COMPARED, Replay, blank_source, check_film, film_of, renamed, slack_of
from fkp_live.stream import Processor
from fkp_live.types import Frame, FrameResult, SourceInfo

if TYPE_CHECKING:
    from fkp_live.commands.replay import ReplayOptions


def replay(options: ReplayOptions, stops: Stops) -> int:
    """Carry out ``options`` and return the exit code.

    Raises
    ------
    FkpError
        For every failure that a user can cause. Files that exist are then as they were before.
    """
    with open_recording(options.recording) as recording:
        for path in options.run.outputs.values():
            check_output(path, overwrite=options.run.overwrite, inputs=[recording.path])
        options = _as_recorded(options, recording)
        film = options.video or _film(options.run, recording)
        if film is not None:
            _check_film(options, recording, film)
        elif next(iter(recording), None) is None:
            raise InputError(
                f"{recording.path} holds no frame.",
                "Record the film again, with a wider range of --start and --end.",
            )
        if options.run.edits.background is not None and not options.run.quiet:
            log("Only faces of the recording are covered: heads in which no face was followed stay visible.")
        shaped = replace(options.run, source=str(recording.path) if film is None else film)
        return run(shaped, stops, lambda _: _Recorded(options, recording, film))


def _as_recorded(options: ReplayOptions, recording: Recording) -> ReplayOptions:
    """With start and mirror of the recorded run, where they were not given."""
    was = recording.header.get("options")
    was = was if isinstance(was, Mapping) else {}
    start, mirror = was.get("start"), was.get("mirror")
    start = start if isinstance(start, int | float) and start >= 0 else None
    start = start if options.start is None else options.start
    mirror = mirror is True if options.mirror is None else options.mirror
    return replace(options, start=start, mirror=mirror, run=replace(options.run, start=start, mirror=mirror))


def _film(options: Options, recording: Recording) -> str | None:
    """The film that lies beside the recording; None where none is needed.

    Raises
    ------
    UsageError : it does not lie there
    """
    window = not options.headless and (
        options.headless is False or not (options.outputs or options.fills_stdout)
    )
    pictures = options.out is not None or window or any(to.scheme == "camera" for to in options.send)
    if not pictures:
        return None
    found = film_of(recording)
    if found is not None:
        return str(found)
    if options.edits.only_points and recording.info.width and recording.info.height:
        return None
    name = recording.info.name
    known = (
        f"the film that it names, {name}, does not lie beside it" if recording.header else "it names no film"
    )
    raise UsageError(
        f"{recording.path} is to be drawn on its film, but {known}.",
        "Give the film that was recorded: --video FILE. Numbers alone (--csv, --jsonl) need none.",
    )


def _check_film(options: ReplayOptions, recording: Recording, film: str) -> None:
    """Refuse a film that is not the recorded one, before anything is opened to write."""
    if next(iter(recording), None) is None:
        raise InputError(
            f"{recording.path} holds no frame.",
            "Record the film again, with a wider range of --start and --end.",
        )
    with _opened(options, film, max_frames=COMPARED) as probe:
        if probe.info.live:
            raise UsageError(f"{probe.info.name} is live, but a recording is of a film.", "Give a file.")
        check_film(probe, probe.info, recording, film=probe.info.name)


def _opened(options: ReplayOptions, film: str, **more: Any) -> Source:
    return open_source(
        film, start=options.start, mirror=bool(options.mirror), max_pixels=options.run.max_pixels, **more
    )


class _Recorded:
    """The `run.Work` of a recording.

    Parameters
    ----------
    options : start and mirror as the film is to be read
    recording : open, until the run has ended
    film : None: black frames
    """

    provider = "replay"
    detect: Detect | None = None
    pipeline: Pipeline | None = None

    def __init__(self, options: ReplayOptions, recording: Recording, film: str | None) -> None:
        self._options, self._recording, self._film = options, recording, film
        self._info = recording.info
        self.options = _pipeline_options(recording)
        self.note = f"{recording.path.name}: recorded from {recording.info.name}; no network runs"

    def open(self, spec: int | str, options: Options) -> Source:
        """The film, or black frames."""
        if self._film is None:
            source = blank_source(open_recording(self._recording.path), file_names(self._recording))
        else:
            source = _opened(self._options, self._film)
        self._info = source.info
        return source

    def processed(self, frames: Iterable[Frame]) -> tuple[Iterable[Frame], Processor[FrameResult]]:
        """Frames and their recorded results: renamed first, so that joined tracks are smoothed as one."""
        results: Iterator[FrameResult] = iter(self._recording)
        if self._options.rename:
            results = renamed(results, self._options.rename)
        if self._options.smooth is not None:
            results = smoothed(results, self._options.smooth)
        made = Replay(
            frames,
            results,
            film=self._info.name,
            recording=self._recording.path.name,
            slack=slack_of(self._info),
            whole=self._recording.whole,
        )
        return made, made

    def header(self, options: Options, info: SourceInfo) -> dict[str, Any]:
        """The recording's own, and what the replay changed."""
        own = {key: value for key, value in self._recording.header.items() if key != "schema"}
        if not own:
            size = {"width": info.width, "height": info.height, "fps": info.fps, "origin": info.origin}
            own = {"version": __version__, "source": {"name": info.name, **size}}
        names = {str(old): new for old, new in self._options.rename.items()}
        return {**own, "replay": {"version": __version__, "smooth": self._options.smooth, "rename": names}}

    def controls(self, source: Source, recorder: Recorder) -> Controls:
        """Of the keys only those of the window and of the recorder."""
        return Controls(recorder)

    def last_note(self) -> str:
        """What was left out of the recording."""
        return self._recording.note


def _pipeline_options(recording: Recording) -> PipelineOptions:
    """As far as senders need to know them: how many faces there were, and how they are numbered."""
    was = recording.header.get("options")
    was = was if isinstance(was, Mapping) else {}
    most, order = was.get("max_faces"), was.get("id_order")
    return PipelineOptions(
        max_faces=most if isinstance(most, int) and most > 0 else None,
        id_order=order if order in ID_ORDERS else ID_ORDERS[0],
    )
