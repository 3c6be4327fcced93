"""Recording by a key: a video and a table of the same frames, begun and ended while the run goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fkp_live.commands.progress import log
from fkp_live.commands.stamped import stamped
from fkp_live.errors import FkpError
from fkp_live.sinks import CsvSink, VideoSink
from fkp_live.types import FrameResult, Picture, SourceInfo

_VIDEO, _TABLE = ".mp4", ".csv"
_ENDINGS = (_VIDEO, _TABLE, f".partial{_VIDEO}", f".partial{_TABLE}")


class _Recording:
    """One recording: its two files, with frames and seconds counted from its own beginning."""

    def __init__(self, info: SourceInfo, first: FrameResult) -> None:
        self.stem = stamped(info, _ENDINGS)
        self.seconds = 0.0
        self.complete: list[str] = []
        self._first, self._frames = first.time, 0
        # "Cut off at the front": then the file begins with its first picture, and not with a gap.
        info = replace(info, start=max(first.time - info.origin, 0.0))
        self._video = VideoSink(self.stem + _VIDEO, info)
        try:
            # Of a folder every picture comes, and from the first one on each has its name.
            self._table = CsvSink(self.stem + _TABLE, files=info.pictures[first.index :])
        except BaseException:
            self._video.abort()
            raise

    def write(self, result: FrameResult, picture: Picture) -> None:
        self.seconds = result.time - self._first
        self._video.write(result, picture)
        self._table.write(replace(result, index=self._frames, time=self.seconds))
        self._frames += 1

    def close(self) -> None:
        """Finish both files, the table also where the video fails."""
        try:
            self._video.close()
            self.complete.append(self.stem + _VIDEO)
        finally:
            self._table.close()
            self.complete.append(self.stem + _TABLE)

    def abort(self) -> list[str]:
        """Stop after a failure; the names of the parts that are kept."""
        self._video.abort()
        self._table.abort()
        return [str(sink.kept) for sink in (self._video, self._table) if sink.kept is not None]


class Recorder:
    """A sink that records while it is switched on: ``NAME-YYYYMMDD-HHMMSS.mp4`` and ``.csv`` in the working folder.

    The video has the pictures that a file of the run has, with the source's exact times, from 0 on; the table has the
    same frames, with ``frame`` from 1 and ``timestamp`` from 0 as in the video. Files are finished in a thread, so the
    stream goes on meanwhile. A recording that fails ends, and the run goes on. `close` and `abort` alike finish what is
    being recorded.

    Parameters
    ----------
    info : of the source
    say : called with a sentence when a recording was saved or failed; from another thread, too

    Attributes
    ----------
    files : names of the files that are complete
    wants_picture : whether `write` needs the painted picture: while it is switched on
    """

    kept: Path | None = None

    def __init__(self, info: SourceInfo, say: Callable[[str], object]) -> None:
        self.files: list[str] = []
        self._info, self._say = info, say
        self.wants_picture = self._closed = False
        self._recording: _Recording | None = None
        self._endings: list[threading.Thread] = []
        self._failures: list[str] = []

    @property
    def note(self) -> str:
        """Which recordings failed, and why."""
        return "; ".join(self._failures)

    @property
    def begun(self) -> bool:
        """Whether the recording that is switched on has a frame."""
        return self._recording is not None

    @property
    def mark(self) -> str:
        """How long the recording has lasted, as "0:12"; empty where there is none."""
        if not self.wants_picture:
            return ""
        seconds = int(self._recording.seconds) if self._recording is not None else 0
        return f"{seconds // 60}:{seconds % 60:02}"

    def toggle(self) -> None:
        """Begin with the next frame, or end with the last one."""
        if self.wants_picture:
            self._end()
        else:
            self.wants_picture = not self._closed

    def write(self, result: FrameResult, picture: Picture | None = None) -> None:
        """Record a frame, if it is switched on. Never raises for what happens to its files."""
        if self._closed:
            raise ValueError("write to a closed Recorder")
        if not self.wants_picture or picture is None:
            return
        try:
            if self._recording is None:
                self._recording = _Recording(self._info, result)
            self._recording.write(result, picture)
        except (FkpError, OSError) as error:
            recording, self._recording, self.wants_picture = self._recording, None, False
            self._failed(error, [] if recording is None else recording.abort())

    def close(self) -> None:
        """End the recording and wait until its files are finished. A Ctrl-C meanwhile is raised afterwards."""
        self._closed = True
        if self.wants_picture:
            self._end()
        interrupted: KeyboardInterrupt | None = None
        for thread in self._endings:
            while thread.is_alive():
                try:
                    thread.join()
                except KeyboardInterrupt as exc:  # finishing does not take long
                    interrupted = exc
        if interrupted is not None:
            raise interrupted

    def abort(self) -> None:
        """As `close`: what was recorded is whole. Logs the files, because after a failure there is no summary."""
        self.close()
        for line in (*(f"recorded: {name}" for name in self.files), *self._failures):
            log(line)

    def _end(self) -> None:
        recording, self._recording, self.wants_picture = self._recording, None, False
        if recording is None:
            return
        self._endings = [thread for thread in self._endings if thread.is_alive()]
        thread = threading.Thread(
            target=self._finish, args=(recording,), name="fkp-live recording", daemon=True
        )
        self._endings.append(thread)
        thread.start()

    def _finish(self, recording: _Recording) -> None:
        try:
            recording.close()
        except (FkpError, OSError) as error:
            self._failed(error, recording.abort())
        else:
            self._say(f"saved {recording.complete[0]}")
        self.files += recording.complete

    def _failed(self, error: Exception, kept: list[str]) -> None:
        reason = error.message if isinstance(error, FkpError) else str(error)
        where = f" What was recorded is in {' and '.join(kept)}." if kept else ""
        self._failures.append(f"a recording failed: {reason}{where}")
        self._say(f"recording ended: {reason}{where}")
