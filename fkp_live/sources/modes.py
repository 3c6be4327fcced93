"""What is known of a camera before it is opened, and which of its modes gives what was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MJPG = "MJPG"
_NOT_READ = {"H264", "HEVC", "MPEG", "VP80", "VP90"}  # codings that OpenCV does not ask a camera for
_USUAL_RATE = 30.0
# What USB 2 carries beside other devices, in bytes a second; a pixel takes two where it is not compressed.
_UNCOMPRESSED_MOST = 40e6
_SIZES_NAMED = 12


@dataclass(frozen=True, slots=True)
class Mode:
    """A size of picture that a camera offers.

    Attributes
    ----------
    coding : four letters, such as YUYV (not compressed) or MJPG
    width, height : pixels
    fps : pictures a second at most; None where the system does not say
    """

    coding: str
    width: int
    height: int
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of this machine.

    Attributes
    ----------
    number : that `open_source` takes
    name : None where the system does not say which number has which name
    modes : what it offers, as far as the system says
    problem : why it can probably not be used; usually empty
    """

    number: int
    name: str | None = None
    modes: tuple[Mode, ...] = ()
    problem: str = ""

    def sizes(self) -> list[str]:
        """Each size once, the largest first, with the highest rate of any coding: "1280x720 at 60 fps"."""
        fastest: dict[tuple[int, int], float] = {}
        for mode in self.modes:
            size = (mode.width, mode.height)
            fastest[size] = max(fastest.get(size, 0.0), mode.fps or 0.0)
        ordered = sorted(fastest.items(), key=lambda item: (-item[0][0] * item[0][1], -item[0][0]))
        named = [f"{w}x{h}" + (f" at {fps:.4g} fps" if fps else "") for (w, h), fps in ordered[:_SIZES_NAMED]]
        more = len(ordered) - _SIZES_NAMED
        return [*named, f"and {more} more"] if more > 0 else named

    def line(self) -> str:
        """Number, name, and sizes with rates or what is wrong, with tabs between."""
        about = self.problem or ", ".join(self.sizes()) or "sizes not known"
        return f"{self.number}\t{self.name or 'name not known'}\t{about}"


def needs_mjpg(modes: Iterable[Mode], size: tuple[int, int], fps: float | None) -> bool:
    """Whether a camera reaches ``fps`` (30 by default) at ``size`` only compressed."""
    wanted = (fps or _USUAL_RATE) * 0.99
    fitting = [m for m in modes if (m.width, m.height) == size and m.coding not in _NOT_READ]
    if not fitting:
        return size[0] * size[1] * 2 * wanted > _UNCOMPRESSED_MOST
    plain = max((mode.fps or 0.0 for mode in fitting if mode.coding != MJPG), default=-1.0)
    compressed = max((mode.fps or 0.0 for mode in fitting if mode.coding == MJPG), default=-1.0)
    return plain < wanted and compressed > plain
