"""``--serve`` in a run: its options, the server, and what the buttons of its page reach."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from fkp_live.arguments import whole_number
from fkp_live.errors import OutputError
from fkp_live.server.address import Address, address

if TYPE_CHECKING:
    from fkp_live.commands.options import Options
    from fkp_live.commands.recorder import Recorder
    from fkp_live.commands.viewer import Viewer, Waits
    from fkp_live.display.look import Look
    from fkp_live.pipeline import Pipeline
    from fkp_live.sources import Source
    from fkp_live.types import Frame, FrameResult, Image, SourceInfo

VIEWERS = 50
_NAP = 0.05  # seconds after which a stop, and what a page asks for, is noticed


def add_serve_options(group: argparse._ArgumentGroup) -> None:
    """Add ``--serve`` and ``--viewers``."""
    group.add_argument(
        "--serve",
        type=address,
        nargs="?",
        const=Address(),
        metavar="HOST:PORT",
        help=f"show the stream in browsers, in place of a window (default address: {Address()}, which only this "
        "machine reaches; needs the extra server): docs/serve.md",
    )
    group.add_argument(
        "--viewers", type=whole_number(1), default=VIEWERS, metavar="N", help="at most N viewers of --serve"
    )


class Serving:
    """The server of a run, a context manager. It listens from the beginning, so that a port in use is noticed early.

    Parameters
    ----------
    options : of the run, with an address to serve at
    log : called with a line for the user

    Attributes
    ----------
    snapshots : names of the pictures that were saved

    Raises
    ------
    OutputError : a package is missing, or the address cannot be had
    """

    def __init__(self, options: Options, log: Callable[[str], object]) -> None:
        try:
            from fkp_live.server.serving import Server
        except ImportError as error:
            if (error.name or "fkp_live").partition(".")[0] == "fkp_live":
                raise
            raise OutputError(
                f"--serve needs the package {error.name}, which is not installed.",
                "Install it: pip install 'fkp-live[server]'",
            ) from error
        self.snapshots: list[str] = []
        self._server = Server(options.serve, viewers=options.viewers, report=log)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def begin(
        self,
        source: Source,
        pipeline: Pipeline | None,
        recorder: Recorder,
        *,
        look: Look,
        header: dict[str, Any],
        mirror: bool,
    ) -> str:
        """Begin to answer; the lines that say where."""
        from fkp_live.server.controls import Controls

        controls = Controls(
            record=partial(_record, recorder),
            snapshot=partial(self._save, source.info),
            neutral=None if pipeline is None else partial(_neutral, pipeline),
            recording=lambda: recorder.mark,
            trouble=lambda: getattr(source, "state", ""),
        )
        self._server.begin(
            source.info,
            pipeline,
            header=header,
            look=look,
            controls=controls,
            mirror=mirror,
            dropped=lambda: source.dropped,
        )
        lines = [f"serving: {self._server.url}"]
        if self._server.token:
            lines.append(
                "Other machines reach this address: whoever has the URL with its token sees the stream, and may record "
                "it here. The connection is not encrypted."
            )
        return "\n".join(lines)

    def say(self, text: str) -> None:
        """Show words on the page for some seconds. May be called from any thread."""
        self._server.say(text)

    def show(self, frame: Frame, result: FrameResult) -> None:
        """Show a frame to all who look."""
        self._server.show(frame, result)

    def obey(self) -> None:
        """Carry out what pages have asked for."""
        self._server.obey()

    def frames(self, source: Waits, stopped: Callable[[], bool]) -> Iterator[Frame]:
        """The frames of a source; while none comes, pages are obeyed."""
        while True:
            while not source.ready(_NAP):
                self.obey()
                if stopped():
                    return
            try:
                frame = next(source)
            except StopIteration:
                return
            yield frame

    def await_viewer(self, stopped: Callable[[], bool]) -> None:
        """Wait until somebody looks."""
        self._server.await_viewer(stopped)

    def _save(self, info: SourceInfo, painted: Image, clean: Image) -> str:
        from fkp_live.commands.snapshots import save_pictures

        names = save_pictures(info, painted, clean)
        self.snapshots += names
        return f"saved {names[0]}"


def sayers(*screens: Viewer | Serving | None) -> Callable[[str], None]:
    """A function that shows words on each of the screens there are."""

    def say(text: str) -> None:
        for screen in screens:
            if screen is not None:
                screen.say(text)

    return say


def _record(recorder: Recorder) -> str:
    """Begin a recording, or end it; the words to show.

    Raises
    ------
    RefusedError : no recording can begin any more
    """
    from fkp_live.server.controls import RefusedError

    recorded, begun = recorder.wants_picture, recorder.begun
    recorder.toggle()
    if recorder.wants_picture:
        return "recording"
    if not recorded:
        raise RefusedError(409, "The stream is over: nothing is recorded.")
    if not begun:
        return "the recording was ended before its first frame: there is no file"
    return "the recording is being finished"


def _neutral(pipeline: Pipeline) -> str:
    """Take what faces show now as their neutral face; the words to show.

    Raises
    ------
    RefusedError : there is no face
    """
    from fkp_live.commands.window_controls import NEUTRAL, NO_FACE
    from fkp_live.server.controls import RefusedError

    if not pipeline.set_neutral():
        raise RefusedError(409, NO_FACE)
    return NEUTRAL
