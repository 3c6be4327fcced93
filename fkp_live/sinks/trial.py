"""A muxer that is tried out: it checks packets of one track as a container's muxer does, and writes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fkp_live.sinks.containers import MUXER_OPTIONS

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.stream import Stream

# In fragments, of which only the last one is held in memory. The first packet of each is checked less strictly.
_FRAGMENTS = {"movflags": "delay_moov", "frag_duration": "5000000"}
_ENDLESS: dict[str, dict[str, str]] = {"mp4": _FRAGMENTS, "mov": _FRAGMENTS, "matroska": {}}


class TrialMuxer:
    """Finds out which packets of a track a container refuses, before they can spoil a file with other tracks in it.

    A real muxer holds packets back to interleave them, and MP4 writes its header late, so there an error comes when it
    is too late to leave the track out.

    Parameters
    ----------
    container : FFmpeg's name of the container
    add : adds the track to an output
    whole : keep what is written, so that it can be read again when it is closed; else it is dropped

    Raises
    ------
    FFmpegError, ValueError : the container does not take such a track
    """

    def __init__(
        self, container: str, add: Callable[[OutputContainer], Stream], *, whole: bool = False
    ) -> None:
        import av

        self._container = container
        self._file = io.BytesIO() if whole else None
        options = MUXER_OPTIONS[container] if whole else _ENDLESS[container]
        self._output = av.open(self._file or _Nowhere(), "w", format=container, container_options=options)
        self._stream = add(self._output)
        self._output.start_encoding()

    def mux(self, packet: Packet[Any]) -> None:
        """Check one packet, which comes out as it was. FFmpegError or ValueError: the container refuses it."""
        # The packet itself, because a copy would lack its side data (an AAC header).
        stamps = packet.pts, packet.dts, packet.time_base
        try:
            packet.stream = self._stream
            self._output.mux(packet)
        finally:
            packet.pts, packet.dts, packet.time_base = stamps

    def close(self) -> None:
        """Check the end of the file, and the file if it was kept. FFmpegError or ValueError: it is not right."""
        import av

        self._output.close()
        if self._file is not None:
            self._file.seek(0)
            with av.open(self._file, "r", format=self._container, metadata_errors="replace") as written:
                if not written.streams.audio:
                    raise ValueError("the track is not there")


class _Nowhere:
    """A file that forgets what is written to it. It can be sought in, which AAC in Matroska depends on."""

    def __init__(self) -> None:
        self._position = self._size = 0

    def write(self, data: bytes) -> int:
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position
