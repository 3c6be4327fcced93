"""What is painted of a frame in a run: once for files and recordings, and for the window in its own look."""

from __future__ import annotations

from collections.abc import Sequence

from fkp_live.commands.progress import HudFigures
from fkp_live.commands.viewer import Viewer
from fkp_live.display.look import Look
from fkp_live.display.overlay import draw_look
from fkp_live.sinks import Sink
from fkp_live.types import Frame, FrameResult, Picture


class Painting:
    """The painter of a run, for `process_stream`.

    Parameters
    ----------
    look : of the pictures that are written
    hud : the HUD of each frame
    sinks : of the run; one may want pictures at times only
    viewer : the window, None without one
    """

    def __init__(self, look: Look, hud: HudFigures, sinks: Sequence[Sink], viewer: Viewer | None) -> None:
        self._look, self._hud, self._sinks, self._viewer = look, hud, sinks, viewer

    @property
    def needed(self) -> bool:
        """Whether anybody takes a picture."""
        return self._viewer is not None or any(sink.wants_picture for sink in self._sinks)

    def __call__(self, frame: Frame, result: FrameResult) -> Picture:
        """The picture for the sinks: painted if one of them wants it, else the clean one, which nobody takes."""
        hud, clean, painted = self._hud(result), frame.picture, None
        if any(sink.wants_picture for sink in self._sinks):
            painted = draw_look(clean.copy(), result.faces, hud, self._look)
        if self._viewer is not None:
            self._viewer.paint(result, clean, hud, painted)
        return clean if painted is None else painted
