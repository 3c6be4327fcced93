"""An opened video file or stream: its picture track, its packets, and what its header declares."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fkp_live.errors import InputError
from fkp_live.sources.picture_header import check_pixels
from fkp_live.sources.playlists import check_not_a_playlist, limits

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

OPEN_TIMEOUT, READ_TIMEOUT = 10.0, 5.0  # seconds, network only
CURE_DAMAGED = "Copy or download the file again; what was read before that point is valid."
_TEXT_FORMATS = {"tty", "adf", "bin", "idf", "xbin"}  # ffmpeg draws text files as films of a terminal
# Brands of HEIF files, which hold pictures and not films (ISO/IEC 23008-12, annex B).
_STILL_BRANDS = {"avif", "heic", "heix", "heim", "heis", "mif1", "mif2"}
_MOST_PADDING = 1 << 16  # pixels, of a small picture
_UNKNOWN_BASE = Fraction(1, 90_000)


class Container:
    """A video file, or a stream, opened with FFmpeg.

    Parameters
    ----------
    where : path or URL
    name : for messages
    max_pixels : of a picture; the decoder skips larger ones on the way
    remote : ``where`` is a URL
    tiles : take the tiles of a picture for tracks, to put them together; otherwise such a picture is refused
    threads : decode in several threads

    Attributes
    ----------
    kinds : FFmpeg's names of the format
    stream : the track whose pictures are decoded: the first that is flagged as the default, else the first
    live : a stream without an end
    path : of a local file, None of a URL
    origin : seconds on the file's clock at which a player begins
    duration : seconds from there to the end, as the header declares it or FFmpeg estimates it; None where unknown
    declared_end : seconds on the file's clock at which the file ends at the earliest, 0 where unknown
    note : what to report in the end; usually empty
    rate : average pictures per second, None where unknown

    Raises
    ------
    InputError : it cannot be opened, or holds no pictures, or too large ones
    """

    def __init__(
        self,
        where: str,
        name: str,
        max_pixels: int,
        *,
        remote: bool,
        tiles: bool = False,
        threads: bool = True,
    ) -> None:
        self.name = name
        self.note = ""
        self._where, self._remote, self._max_pixels, self._tiles = where, remote, max_pixels, tiles
        self._threads = threads
        self._open()
        self.path = None if remote else where
        self.origin = max(self._container.start_time or 0, 0) / 1e6
        self.duration, self.declared_end = self._length()
        self.rate = self.stream.average_rate or self.stream.guessed_rate

    def _open(self) -> None:
        self._container = _open_container(self._where, self.name, self._remote, self._max_pixels)
        self.kinds = set(self._container.format.name.split(","))
        try:
            self.stream = self._picture_stream()
            size = self.stream.codec_context.width, self.stream.codec_context.height
            check_pixels(self.name, size, self._max_pixels)
            self.stream.codec_context.options = _decoder_limit(self._max_pixels)
        except BaseException:
            self._container.close()
            raise
        by_http = self._where.startswith("http")
        # Senders of FLV declare a duration of 0.
        self.live = self._remote and not (by_http and self._container.duration)
        # Frame threads are faster; but each of them holds a frame back, which delays a live picture.
        self.stream.thread_type = "SLICE" if self.live else "AUTO"
        if not (self._threads or self.live):
            self.stream.thread_count = 1

    def _picture_stream(self) -> VideoStream:
        from av.stream import Disposition

        if self.kinds & _TEXT_FORMATS:
            raise InputError(f"{self.name} is not a video but text.", "Give a video file.")
        decodable = [s for s in self._container.streams.video if s.codec_context is not None]
        tiles = [s for s in decodable if s.disposition & Disposition.dependent]
        if tiles and self._tiles:
            return tiles[0]
        if tiles and self._container.metadata.get("major_brand") in _STILL_BRANDS:
            raise InputError(
                f"{self.name} is stored in {len(tiles)} tiles, which cannot be put together here.",
                "Save it as JPEG or PNG.",
            )
        others = Disposition.attached_pic | Disposition.dependent  # covers, enhancement layers
        tracks = [s for s in decodable if not s.disposition & others]
        if tracks:
            chosen = next((s for s in tracks if s.disposition & Disposition.default), tracks[0])
            if len(tracks) > 1:
                self.note = (
                    f"{self.name} has {len(tracks)} picture tracks; only number {chosen.index} was read"
                )
            return chosen
        what = "only sound" if self._container.streams.audio else "no picture"
        raise InputError(
            f"{self.name} holds {what}, but a video is needed.", "Give a file with a video track."
        )

    def _length(self) -> tuple[float | None, float]:
        """Duration, and the earliest time on the file's clock that may be its end."""
        if self._container.duration is None:
            return None, 0.0
        declared = self._container.duration / 1e6
        if "matroska" not in self.kinds:
            return declared, self.origin + declared
        # What Matroska declares is the time of the end, written by FFmpeg, or the length, written by mkvmerge.
        writer = next((v for k, v in self._container.metadata.items() if k.lower() == "encoder"), "")
        by_ffmpeg = writer.startswith("Lavf") and declared > self.origin
        return declared - self.origin if by_ffmpeg else declared, declared

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

    def tiles(self) -> Iterator[tuple[VideoFrame, int]]:
        """The pictures of all tracks, each with the number of its track in the file. FFmpegError if one fails."""
        tracks = [s for s in self._container.streams.video if s.codec_context is not None]
        for track in tracks:
            track.codec_context.options = _decoder_limit(self._max_pixels)
        for packet in self._container.demux(*tracks):
            pictures: list[Any] = packet.decode()
            for picture in pictures:
                yield picture, packet.stream.id

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


def _decoder_limit(max_pixels: int) -> dict[str, str]:
    """A decoder's option against pictures that are larger than the header declares; it counts padding as well."""
    return {"max_pixels": str(2 * max_pixels + _MOST_PADDING)}


def _open_container(where: str, name: str, remote: bool, max_pixels: int) -> InputContainer:
    import av
    from av.error import FFmpegError

    # The limit is for decoders that look into the tracks.
    options = limits(where, remote=remote) | _decoder_limit(max_pixels)
    timeout: tuple[float, float] | None = None
    if remote:
        # Not "fflags nobuffer": it drops what was read while probing, even of a file on a server.
        options |= {"analyzeduration": "1000000", "rtsp_transport": "tcp"}
        timeout = (OPEN_TIMEOUT, READ_TIMEOUT)
    else:
        check_not_a_playlist(where, name)
    try:
        # The prefix, because ffmpeg would take a file named "a:b.mp4" for a URL of protocol "a".
        return av.open(
            where if remote else f"file:{where}",
            "r",
            options=options,
            timeout=timeout,
            metadata_errors="replace",
        )
    except FFmpegError as exc:
        reason = reason_of(exc, OPEN_TIMEOUT)
        if remote:
            hint = "Check the address, and that the sender runs."
            # Without its cause, whose text holds the whole URL, secrets included.
            raise InputError(f"{name} cannot be opened: {reason}.", hint) from None
        hint = "Play it in a video player to see whether it is whole; convert it with ffmpeg if that works."
        raise InputError(f"{name} is not a video that can be read: {reason}.", hint) from exc


def reason_of(error: FFmpegError, timeout: float) -> str:
    """Why FFmpeg failed, in words; ``timeout`` in seconds is what it waited at most."""
    from av.error import ExitError

    if isinstance(error, ExitError):
        return f"nothing came for {timeout:.0f} s"
    return error.strerror or type(error).__name__
