"""Damage in a video file: counting what was skipped, and noticing that the end is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fkp_live.errors import InputError
from fkp_live.sources.container import CURE_DAMAGED, Container

if TYPE_CHECKING:
    from av.packet import Packet

_EARLY_END = 0.5  # seconds of declared duration that may be missing before a file counts as truncated
# Containers whose header declares the true duration; elsewhere it is an estimate and proves nothing.
_DECLARES_DURATION = {"mov", "mp4", "matroska", "webm"}
_INDEXED = _DECLARES_DURATION | {"avi", "flv"}


class Damage:
    """What was wrong with a file while it was read.

    Attributes
    ----------
    skipped : packets that could not be decoded
    reached : end of the last packet of any track, in seconds on the file's clock
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file is read again from its beginning."""
        self.skipped = 0
        self.reached = 0.0
        self._broken_end = False

    def usable(self, packet: Packet) -> bool:
        """Note a packet; whether to decode it."""
        if packet.pts is not None and packet.time_base is not None:
            self.reached = max(self.reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream is not self._container.stream:
            return False
        if packet.size:
            self._broken_end = packet.is_corrupt
        # Half a frame: decoding it could spoil the good one before it.
        return not (packet.size and packet.is_corrupt and self._container.kinds & _INDEXED)

    def undecodable(self) -> None:
        """Note that the last packet could not be decoded. Players go on, and so does a source."""
        self.skipped += 1
        self._broken_end = True

    def check_end(self) -> None:
        """Compare what was read with what the header declares: the demuxer of a truncated file often just ends.

        Raises
        ------
        InputError : the file is truncated
        """
        file = self._container
        if not self.reached or file.live:
            return
        declared = 0.0
        if file.kinds & _DECLARES_DURATION and file.duration is not None:
            declared = file.origin + file.duration
        if declared - self.reached > _EARLY_END:
            raise InputError(
                f"{file.name} ends early: it declares {declared:.2f} s, its data stops at {self.reached:.2f} s.",
                CURE_DAMAGED,
            )
        if self._broken_end and file.kinds & _INDEXED:
            raise InputError(
                f"{file.name} ends in the middle of a frame, at {self.reached:.2f} s.", CURE_DAMAGED
            )

    def note(self) -> str:
        """What to report in the end; usually empty."""
        return (
            f"{self.skipped} damaged packets of {self._container.name} were skipped" if self.skipped else ""
        )
