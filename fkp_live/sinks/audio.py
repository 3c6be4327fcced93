"""The sound of a file, copied packet for packet into the video that is being written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from fkp_live.clock import CLOCK_JUMP
from fkp_live.sinks.containers import VIDEO_FORMATS
from fkp_live.sinks.pcm import PcmDecoder, add_pcm
from fkp_live.sinks.trial import TrialMuxer
from fkp_live.sinks.video_clock import LONGEST_STEP

if TYPE_CHECKING:
    from av.audio.layout import AudioLayout
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

AddTrack = Callable[["OutputContainer"], "AudioStream"]
Prepare = Callable[["Packet[Any]"], "list[Packet[Any]]"]

_RUN_IN = 0.1  # seconds that a decoder may need before 0 until it is right
_TIMEOUTS = 10.0, 5.0  # seconds to open and to read, network only
_MOST_PACKETS, _MOST_BYTES = 2000, 32 << 20  # that are read ahead in search of the first packet of each track


class Sound:
    """Copies the sound packets of a file into an output, never far ahead of the pictures.

    Tracks and packets are tried first, see `TrialMuxer`. A track that does not fit is left out with a note, or, for
    Matroska, decoded to PCM; a track in which a packet does not fit ends there.

    Parameters
    ----------
    path : file or URL that is read a second time
    name : of the source, for notes
    output : container to which a stream is added for each of the file's sound tracks

    Attributes
    ----------
    note : what the user should know, such as a track that was left out; usually empty
    """

    def __init__(self, path: str, name: str, output: OutputContainer) -> None:
        import av

        self._name, self._output = name, output
        remote = "://" in path
        self._input = av.open(
            path if remote else f"file:{path}",
            "r",
            timeout=_TIMEOUTS if remote else None,
            metadata_errors="replace",  # titles are in any encoding
        )
        self._notes: list[str] = []
        self._streams: dict[int, AudioStream] = {}  # of the output, by the input's stream number
        self._trials: dict[int, TrialMuxer] = {}
        self._prepare: dict[int, Prepare] = {}  # what is done to a packet before it is written
        self._packets: Iterator[Packet[Any]] = iter(())
        self._open_tracks()
        self._origin, self._cut = 0.0, False
        self._next: Packet[Any] | None = None
        self._picture_time = -math.inf
        self._last_dts: dict[int, int] = {}
        self._decoded_at: dict[int, float] = {}

    @property
    def note(self) -> str:
        """What the user should know; usually empty."""
        return "; ".join(dict.fromkeys(self._notes))

    def _open_tracks(self) -> None:
        """Add a stream for each track that the output can hold, and begin to read."""
        known = [s for s in self._input.streams.audio if s.codec_context is not None]
        if len(known) < len(self._input.streams.audio):
            self._notes.append(f"sound of {self._name} was left out: FFmpeg does not know its codec")
        if not known:
            return
        # Pictures are read past as well: they show whether the last one written was the source's last.
        pictures = _pictures_of(self._input)
        first, self._packets = _read_ahead(
            self._input.demux((*known, *pictures)), {stream.index for stream in known}
        )
        for stream in known:
            self._add(stream, first.get(stream.index))

    def _add(self, stream: AudioStream, first: Packet[Any] | None) -> None:
        """Add a stream for a track, as it is or else decoded, or leave it out with a note."""
        container, index = self._output.format.name, stream.index
        sound = f"the sound of {self._name} ({stream.codec_context.name})"
        decodable = stream.rate > 0 and stream.channels > 0
        add: AddTrack = partial(_add_like, stream)
        if _fits(stream, first, add, container):
            if stream.codec_context.name == "aac":
                self._prepare[index] = _without_adts(stream)
        elif container == "matroska" and decodable:
            add = partial(add_pcm, stream)
            self._prepare[index] = PcmDecoder(stream)
            self._notes.append(f"{sound} was decoded and written as PCM")
        else:
            suffix = next(suffix for suffix, name in VIDEO_FORMATS.items() if name == container)
            cure = "; .mkv can hold it" if container != "matroska" and decodable else ""
            self._notes.append(f"{sound} does not fit into {suffix} and was left out{cure}")
            return
        self._trials[index] = TrialMuxer(container, add)
        self._streams[index] = add(self._output)

    def begin(self, origin: float, *, cut: bool) -> None:
        """Say where the output begins, before the first call of `copy_until`.

        Parameters
        ----------
        origin : seconds of the input that are 0 of the output
        cut : what sounds before is left out, because the pictures before it are
        """
        self._origin, self._cut = origin, cut

    def copy_until(self, end: float) -> None:
        """Copy what sounds before ``end``, in seconds of the input."""
        while (packet := self._peek()) is not None and _seconds(packet) < end:
            self._next = None
            self._copy(packet)

    def finish(self, last: float, duration: float) -> None:
        """Copy all that is left if ``last`` is the time of the last picture, else to that picture's end."""
        self.copy_until(last + duration)
        slack, held = duration / 2, []
        while self._picture_time <= last + slack and (packet := self._peek()) is not None:
            held.append(packet)
            self._next = None
        if self._picture_time <= last + slack:
            for packet in held:
                self._copy(packet)

    def close(self) -> None:
        """Release the input file; the output is the caller's."""
        self._input.close()

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
                if packet.stream.type == "video":
                    if self._goes_on(packet) and not packet.is_discard:
                        self._picture_time = max(self._picture_time, _seconds(packet))
                elif packet.stream.index in self._streams and self._goes_on(packet):
                    self._next = packet
        except FFmpegError as exc:
            self._stop(f"the sound was copied only in part: {exc.strerror}")
        except IndexError:
            # PyAV, behind the last packet of a file in whose middle a stream appeared.
            self._packets = iter(())
        return self._next

    def _goes_on(self, packet: Packet[Any]) -> bool:
        """Whether a packet is on the clock of those before it. If not, the sound ends here."""
        at, index = _decoding(packet), packet.stream.index
        before = self._decoded_at.get(index, at)
        self._decoded_at[index] = at
        if before - at > CLOCK_JUMP:
            self._stop("the sound ends where the clock of the file jumped back")
            return False
        if index not in self._streams:
            return True
        latest = max(before, self._origin) + LONGEST_STEP
        if at > latest or _seconds(packet) > latest:
            self._stop("the sound ends where the clock of the file jumps forward")
            return False
        return True

    def _stop(self, note: str) -> None:
        self._notes.append(note)
        self._packets = iter(())

    def _copy(self, packet: Packet[Any]) -> None:
        from av.error import FFmpegError

        index, hidden = packet.stream.index, packet.is_discard
        try:
            prepared = self._prepare[index](packet) if index in self._prepare else [packet]
        except FFmpegError:
            return  # damaged: no player could play it
        for ready in prepared:
            if index in self._streams:
                self._write(ready, index, hidden=hidden)

    def _write(self, packet: Packet[Any], index: int, *, hidden: bool) -> None:
        from av.error import FFmpegError

        target, base = self._streams[index], packet.time_base
        shift = round(self._origin / base)
        pts, dts = _stamp(packet) - shift, (_stamp(packet) if packet.dts is None else packet.dts) - shift
        if self._cut and pts < 0:
            return
        if hidden and self._output.format.name == "matroska" and pts * base < -_RUN_IN:
            return  # hidden by an edit list, which this container has not
        if dts <= self._last_dts.get(target.index, dts - 1):
            return  # no container takes time running backwards
        self._last_dts[target.index] = dts
        packet.pts, packet.dts, packet.time_base = pts, dts, base
        try:
            self._trials[index].mux(packet)
        except (FFmpegError, ValueError):
            del self._streams[index]
            self._notes.append(
                f"the sound of {self._name} is damaged at {float(pts * base):.1f} s and ends there"
            )
            return
        packet.stream = target
        self._output.mux(packet)


def _pictures_of(source: InputContainer) -> list[Any]:
    """The picture track that is read, if there is one: the default one, else the first."""
    from av.stream import Disposition

    tracks = [s for s in source.streams.video if not s.disposition & Disposition.attached_pic]
    return sorted(tracks, key=lambda s: not s.disposition & Disposition.default)[:1]


def _read_ahead(
    packets: Iterator[Packet[Any]], tracks: set[int]
) -> tuple[dict[int, Packet[Any]], Iterator[Packet[Any]]]:
    """The first packet of each of ``tracks``, as far as it comes soon, and all packets from the first on."""
    from av.error import FFmpegError

    read: list[Packet[Any]] = []
    first: dict[int, Packet[Any]] = {}

    def failing(error: Exception) -> Iterator[Packet[Any]]:
        raise error
        yield

    rest, size = packets, 0
    try:
        while len(first) < len(tracks) and len(read) < _MOST_PACKETS and size < _MOST_BYTES:
            packet = next(packets, None)
            if packet is None:
                break
            read.append(packet)
            size += packet.size
            if packet.size and packet.stream.index in tracks:
                first.setdefault(packet.stream.index, packet)
    except (FFmpegError, IndexError) as exc:
        rest = failing(exc)
    return first, chain(read, rest)


def _fits(stream: AudioStream, first: Packet[Any] | None, add: AddTrack, container: str) -> bool:
    """Whether a container takes a track: tried with its header and its first packet.

    For MP4 and QuickTime there must be a packet: their header holds what is known from packets only (AC-3).
    """
    from av.error import FFmpegError
    from av.packet import Packet

    if first is None and container != "matroska":
        return False
    try:
        trial = TrialMuxer(container, add, whole=True)
        if first is not None:
            sample: Packet[Any] = Packet(bytes(first))
            sample.pts, sample.dts, sample.time_base = 0, 0, first.time_base
            for ready in _without_adts(stream)(sample) if stream.codec_context.name == "aac" else [sample]:
                trial.mux(ready)
        trial.close()
    except (FFmpegError, ValueError):
        return False
    return True


def _add_like(stream: AudioStream, output: OutputContainer) -> AudioStream:
    """A stream of the output for packets of ``stream``. ValueError where the container has no place for them."""
    speakers = _speakers(stream, output.format.name)
    added = output.add_stream_from_template(stream)
    if speakers is not None:
        added.codec_context.layout = speakers
    if stream.language:
        added.metadata["language"] = stream.language
    added.disposition = stream.disposition
    return added


def _speakers(stream: AudioStream, container: str) -> AudioLayout | None:
    """The usual layout for the number of channels, for a track that names none (PCM in AVI and Matroska).

    MP4 and QuickTime need one.
    """
    from av.audio.layout import AudioLayout

    if container == "matroska" or stream.layout.name != f"{stream.channels} channels":
        return None
    return AudioLayout(f"{stream.channels}c")


def _without_adts(stream: AudioStream) -> Prepare:
    """Removes the headers that AAC has in broadcasts, which a fragmented MP4 does not do by itself."""
    from av.bitstream import BitStreamFilterContext

    adts = BitStreamFilterContext("aac_adtstoasc", stream)

    def prepare(packet: Packet[Any]) -> list[Packet[Any]]:
        pts, dts, base = packet.pts, packet.dts, packet.time_base  # the filter empties the packet
        bare = adts.filter(packet)
        for part in bare:
            part.pts, part.dts, part.time_base = pts, dts, base
        return bare

    return prepare


def _stamp(packet: Packet[Any]) -> int:
    stamp = packet.dts if packet.pts is None else packet.pts
    return 0 if stamp is None else stamp


def _decoding(packet: Packet[Any]) -> float:
    return float((_stamp(packet) if packet.dts is None else packet.dts) * packet.time_base)


def _seconds(packet: Packet[Any]) -> float:
    return float(_stamp(packet) * packet.time_base)
