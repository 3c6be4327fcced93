"""An opened video file or stream: its picture track, its packets, and what its header declares."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

# cv2 before av, always: the other way round cv2.imshow hangs for ever on Linux. av is imported in functions only.
import cv2  # noqa: F401

from fkp_live.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.packet import Packet
    from av.video.stream import VideoStream

OPEN_TIMEOUT, READ_TIMEOUT = 10.0, 5.0  # seconds, network only
CURE_DAMAGED = "Copy or download the file again; what was read before that point is valid."
_TEXT_FORMATS = {"tty", "adf", "bin", "idf", "xbin"}  # ffmpeg draws text files as films of a terminal
_UNKNOWN_BASE = Fraction(1, 90_000)


class Container:
    """A video file, or a stream, opened with FFmpeg.

    Parameters
    ----------
    where : path or URL
    name : for messages
    remote : ``where`` is a URL

    Attributes
    ----------
    kinds : FFmpeg's names of the format
    stream : the track whose pictures are decoded
    live : a stream without an end
    duration : seconds that the header declares, None where unknown
    origin : seconds on the file's clock at which a player begins
    rate : average pictures per second, None where unknown

    Raises
    ------
    InputError : it cannot be opened, or holds no pictures
    """

    def __init__(self, where: str, name: str, *, remote: bool) -> None:
        self.name = name
        self._where, self._remote = where, remote
        self._open()
        duration = self._container.duration
        self.duration = None if duration is None else duration / 1e6
        self.origin = max(self._container.start_time or 0, 0) / 1e6
        self.rate = self.stream.average_rate or self.stream.guessed_rate

    def _open(self) -> None:
        self._container = _open_container(self._where, self.name, self._remote)
        self.kinds = set(self._container.format.name.split(","))
        try:
            self.stream = self._picture_stream()
        except BaseException:
            self._container.close()
            raise
        by_http = self._where.startswith("http")
        # Senders of FLV declare a duration of 0.
        self.live = self._remote and not (by_http and self._container.duration)
        # Frame threads are faster; but each of them holds a frame back, which delays a live picture.
        self.stream.thread_type = "SLICE" if self.live else "AUTO"

    def _picture_stream(self) -> VideoStream:
        from av.stream import Disposition

        if self.kinds & _TEXT_FORMATS:
            raise InputError(f"{self.name} is not a video but text.", "Give a video file.")
        for stream in self._container.streams.video:
            if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
                return stream
        what = "only sound" if self._container.streams.audio else "no picture"
        raise InputError(
            f"{self.name} holds {what}, but a video is needed.", "Give a file with a video track."
        )

    @property
    def time_base(self) -> Fraction:
        """Seconds of one unit of the track's timestamps."""
        return self.stream.time_base or _UNKNOWN_BASE

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound track."""
        return bool(self._container.streams.audio)

    @property
    def size(self) -> int:
        """Bytes; 0 or less where unknown."""
        return self._container.size

    def packets(self) -> Iterator[Packet]:
        """All packets from where it stands, then empty ones, which make decoders return what they hold back."""
        from av.packet import Packet

        try:
            yield from self._container.demux()
        except IndexError:
            # PyAV fails on a stream that appeared on the way, but not before everything is read.
            flush = Packet()
            flush.stream = self.stream
            yield flush

    def seek(self, seconds: float) -> None:
        """Go to the key frame before ``seconds`` on the file's clock. FFmpegError or OSError if it cannot."""
        self._container.seek(int(seconds / self.time_base), stream=self.stream)

    def seek_byte(self, position: int) -> None:
        """Go to a place in the file. FFmpegError or OSError if it cannot."""
        self._container.seek(position, unsupported_byte_offset=True)

    def reopen(self) -> None:
        """Begin again: after a seek that failed, some files give nothing any more."""
        self.close()
        self._open()

    def close(self) -> None:
        """Release the file or connection."""
        self._container.close()


def _open_container(where: str, name: str, remote: bool) -> InputContainer:
    import av
    from av.error import FFmpegError

    options: dict[str, str] = {}
    timeout: tuple[float, float] | None = None
    if remote:
        # Not "fflags nobuffer": it drops what was read while probing, even of a file on a server.
        options = {"analyzeduration": "1000000", "rtsp_transport": "tcp"}
        timeout = (OPEN_TIMEOUT, READ_TIMEOUT)
    try:
        # The prefix, because ffmpeg would take a file named "a:b.mp4" for a URL of protocol "a".
        return av.open(where if remote else f"file:{where}", "r", options=options, timeout=timeout)
    except FFmpegError as exc:
        reason = reason_of(exc, OPEN_TIMEOUT)
        if remote:
            hint = "Check the address, and that the sender runs."
            raise InputError(f"{name} cannot be opened: {reason}.", hint) from exc
        hint = "Play it in a video player to see whether it is whole; convert it with ffmpeg if that works."
        raise InputError(f"{name} is not a video that can be read: {reason}.", hint) from exc


def reason_of(error: FFmpegError, timeout: float) -> str:
    """Why FFmpeg failed, in words; ``timeout`` in seconds is what it waited at most."""
    from av.error import ExitError

    if isinstance(error, ExitError):
        return f"nothing came for {timeout:.0f} s"
    return error.strerror or type(error).__name__
