"""Sound decoded to PCM, for codecs whose packets FFmpeg's Matroska muxer does not take from PyAV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet


class PcmDecoder:
    """Turns the packets of one track into packets of 16-bit PCM with the same timestamps.

    Parameters
    ----------
    stream : the track that the packets are from
    """

    def __init__(self, stream: AudioStream) -> None:
        from av.audio.resampler import AudioResampler

        self._stream = stream
        self._resampler = AudioResampler("s16", stream.layout, stream.rate)

    def __call__(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """PCM of what can be decoded, a packet for each packet: none while the decoder holds it back.

        Raises
        ------
        FFmpegError : the packet is damaged
        """
        from av.packet import Packet

        decoded = self._stream.decode(packet)
        if not decoded:
            return []
        frames = [part for frame in decoded for part in self._resampler.resample(frame)]
        sound: Packet[Any] = Packet(b"".join(frame.to_ndarray().tobytes() for frame in frames))
        # The decoder's time and not the packet's: some give the sound of a packet with the next one only.
        first = decoded[0]
        sound.pts = sound.dts = packet.pts if first.pts is None else first.pts
        sound.time_base = first.time_base or packet.time_base
        return [sound]


def add_pcm(stream: AudioStream, output: OutputContainer) -> AudioStream:
    """A stream of the output for what `PcmDecoder` makes of ``stream``."""
    added: AudioStream = output.add_stream("pcm_s16le", rate=stream.rate)
    added.layout = stream.layout
    return added
