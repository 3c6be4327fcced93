"""The sound of a file, copied packet for packet into the video that is being written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fkp_live.clock import CLOCK_JUMP

if TYPE_CHECKING:
    from av.audio.layout import AudioLayout
    from av.audio.stream import AudioStream
    from av.bitstream import BitStreamFilterContext
    from av.container import OutputContainer
    from av.packet import Packet


_RUN_IN = 0.1  # seconds that a decoder may need before 0 until it is right


class Sound:
    """Copies the sound packets of a file into an output, never far ahead of the pictures.

    Parameters
    ----------
    path : file or URL that is read a second time
    output : container to which a stream is added for each of the file's sound tracks
    cut : what sounds before 0 of the output is left out, because the pictures before it are

    Attributes
    ----------
    streams : the output's streams, by the file's stream number
    note : what people should know, such as a track that could not be taken along; usually empty
    """

    def __init__(self, path: str, output: OutputContainer, *, cut: bool) -> None:
        import av
        from av.bitstream import BitStreamFilterContext

        self._output = output
        self._cut = cut
        self._input = av.open(path if "://" in path else f"file:{path}", "r")
        self.streams: dict[int, Any] = {}
        self._filters: dict[int, BitStreamFilterContext] = {}
        self.note = ""
        for stream in self._input.streams.audio:
            codec = stream.codec_context.name if stream.codec_context else "unknown"
            try:
                self.streams[stream.index] = _add_like(stream, output)
                if codec == "aac":
                    self._filters[stream.index] = BitStreamFilterContext("aac_adtstoasc", stream)
            except ValueError:
                name = Path(path).name
                self.note = f"the sound of {name} ({codec}) does not fit into this container and was left out"
        # Pictures are read past as well: they tell whether the last one written was the source's last.
        pictures = self._input.streams.video[:1]
        wanted = [s for s in self._input.streams.audio if s.index in self.streams]
        self._packets: Iterator[Packet[Any]] = self._input.demux((*wanted, *pictures)) if wanted else iter(())
        self._next: Packet[Any] | None = None
        self._picture_time = -math.inf
        self._last_dts: dict[int, int] = {}
        self._decoded_at: dict[int, float] = {}

    def _peek(self) -> Packet[Any] | None:
        """The next sound packet; notes the times of the pictures in between."""
        from av.error import FFmpegError

        try:
            while self._next is None:
                packet = next(self._packets, None)
                if packet is None:
                    return None
                if packet.dts is None and packet.pts is None:
                    continue
                if self._decoded_at.get(packet.stream.index, -math.inf) - _decoding(packet) > CLOCK_JUMP:
                    self.note = "the sound ends where the clock of the file jumped back"
                    self._packets = iter(())
                    return None
                self._decoded_at[packet.stream.index] = _decoding(packet)
                if packet.stream.type == "video":
                    if not packet.is_discard:
                        self._picture_time = max(self._picture_time, _seconds(packet))
                    continue
                self._next = packet
        except FFmpegError as exc:
            self.note = f"the sound was copied only in part: {exc.strerror}"
            self._packets = iter(())
        except IndexError:
            # PyAV, behind the last packet of a file in whose middle a stream appeared.
            self._packets = iter(())
        return self._next

    def copy_until(self, end: float, origin: float) -> None:
        """Copy what sounds before ``end``, in seconds of the input; its ``origin`` is 0 of the output."""
        while (packet := self._peek()) is not None and _seconds(packet) < end:
            self._next = None
            self._copy(packet, origin)

    def finish(self, last: float, duration: float, origin: float) -> None:
        """Copy all that is left if ``last`` is the time of the last picture, else to that picture's end."""
        self.copy_until(last + duration, origin)
        slack, held = duration / 2, []
        while self._picture_time <= last + slack and (packet := self._peek()) is not None:
            held.append(packet)
            self._next = None
        if self._picture_time <= last + slack:
            for packet in held:
                self._copy(packet, origin)

    def _copy(self, packet: Packet[Any], origin: float) -> None:
        target = self.streams[packet.stream.index]
        shift = round(origin / packet.time_base)
        pts, dts = _stamp(packet) - shift, (_stamp(packet) if packet.dts is None else packet.dts) - shift
        if self._cut and pts < 0:
            return
        if packet.is_discard and self._output.format.name == "matroska" and pts * packet.time_base < -_RUN_IN:
            return  # hidden by an edit list, which this container has not
        if dts <= self._last_dts.get(target.index, dts - 1):
            return  # no container takes time running backwards
        self._last_dts[target.index] = dts
        base = packet.time_base
        for bare in self._without_adts(packet):
            bare.pts, bare.dts, bare.time_base, bare.stream = pts, dts, base, target
            self._output.mux(bare)

    def _without_adts(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """AAC without the headers that it has in broadcasts, which a fragmented MP4 does not take off by itself."""
        from av.error import FFmpegError

        if packet.stream.index not in self._filters:
            return [packet]
        try:
            return self._filters[packet.stream.index].filter(packet)
        except FFmpegError:
            return []  # damaged, and nobody could play it

    def close(self) -> None:
        self._input.close()


def _add_like(stream: AudioStream, output: OutputContainer) -> AudioStream:
    """A stream of the output for packets of ``stream``. ValueError where the container has no place for them."""
    speakers = _speakers(stream, output.format.name)
    added = output.add_stream_from_template(stream)
    if speakers is not None:
        added.codec_context.layout = speakers
    if stream.language:
        added.metadata["language"] = stream.language
    return added


def _speakers(stream: AudioStream, container: str) -> AudioLayout | None:
    """The usual speakers of so many channels, for a track that names none (PCM in AVI and Matroska).

    MP4 and QuickTime insist on them, but complain only when the file is being finished.
    """
    from av.audio.layout import AudioLayout

    if container == "matroska" or stream.layout.name != f"{stream.channels} channels":
        return None
    return AudioLayout(f"{stream.channels}c")


def _stamp(packet: Packet[Any]) -> int:
    stamp = packet.dts if packet.pts is None else packet.pts
    return 0 if stamp is None else stamp


def _decoding(packet: Packet[Any]) -> float:
    return float((_stamp(packet) if packet.dts is None else packet.dts) * packet.time_base)


def _seconds(packet: Packet[Any]) -> float:
    return float(_stamp(packet) * packet.time_base)
