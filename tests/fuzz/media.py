"""Small whole files to damage: videos of many containers and codecs, pictures, models, labels, recipes, reports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # before av: see docs/architecture.md
import numpy as np
from skimage import data

WIDTH, HEIGHT, RATE, PICTURES = 96, 64, 25, 12


@dataclass(frozen=True)
class Video:
    """A video to be made.

    Attributes
    ----------
    name : of the file; its suffix names the container
    codec, sound : encoders; no sound if empty
    pixels : sample format; empty: yuv420p
    container, coding : options of the muxer and of the encoder
    turned : degrees of rotation in the header
    """

    name: str
    codec: str
    sound: str = ""
    pixels: str = ""
    container: Mapping[str, str] = field(default_factory=dict)
    coding: Mapping[str, str] = field(default_factory=dict)
    turned: int = 0


_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
_FAST = {"preset": "ultrafast", "g": "6"}
VIDEOS = (
    Video("plain.mp4", "libx264", "aac", coding=_FAST),
    Video("between.mp4", "libx264", coding={"g": "6", "bf": "3"}),
    Video("fragments.mp4", "libx264", "aac", container=_FRAGMENTS, coding=_FAST),
    Video("front.mp4", "mpeg4", "libmp3lame", container={"movflags": "faststart"}),
    Video("hevc.mp4", "libx265", coding={"preset": "ultrafast", "x265-params": "log-level=none"}),
    Video("av1.mp4", "libsvtav1", coding={"preset": "12"}),
    Video("phone.mov", "libx264", "aac", coding=_FAST, turned=90),
    Video("prores.mov", "prores_ks", "pcm_s16le", "yuv422p10le"),
    Video("camera.mov", "mjpeg", "pcm_s16le", "yuvj420p"),
    Video("png.mov", "png", pixels="rgb24"),
    Video("plain.mkv", "libx264", "flac", coding=_FAST),
    Video("ffv1.mkv", "ffv1", "pcm_s16le"),
    Video("vp9.mkv", "libvpx-vp9", "libopus", coding={"deadline": "realtime", "cpu-used": "8"}),
    Video("vp8.webm", "libvpx", "libopus", coding={"deadline": "realtime", "cpu-used": "8"}),
    Video("vp9.webm", "libvpx-vp9", coding={"deadline": "realtime", "cpu-used": "8"}),
    Video("plain.avi", "mpeg4", "libmp3lame"),
    Video("camera.avi", "mjpeg", "pcm_s16le", "yuvj420p"),
    Video("raw.avi", "rawvideo"),
    Video("huffyuv.avi", "huffyuv", pixels="yuv422p"),
    Video("plain.ts", "libx264", "aac", coding=_FAST),
    Video("old.ts", "mpeg2video", "mp2"),
    Video("plain.mpg", "mpeg2video", "mp2"),
    Video("plain.flv", "flv", "libmp3lame"),
    Video("h264.flv", "libx264", "aac", coding=_FAST),
    Video("plain.gif", "gif", pixels="rgb8"),
    Video("plain.asf", "wmv2", "wmav2"),
    Video("plain.wmv", "msmpeg4", "wmav2"),
    Video("plain.y4m", "rawvideo"),
    Video("plain.mjpeg", "mjpeg", pixels="yuvj420p"),
    Video("plain.ivf", "libvpx", coding={"deadline": "realtime", "cpu-used": "8"}),
    Video("plain.mxf", "mpeg2video"),
    Video("plain.nut", "mpeg4"),
    Video("plain.3gp", "h263", pixels="yuv420p"),
    Video("plain.h264", "libx264", coding=_FAST),
    Video("plain.ogg", "libvpx", "libopus", coding={"deadline": "realtime", "cpu-used": "8"}),
    Video("plain.avif", "libsvtav1", coding={"preset": "12"}),
    Video("plain.apng", "apng", pixels="rgb24"),
)
_FORMATS = {
    ".3gp": "3gp",
    ".apng": "apng",
    ".avif": "avif",
    ".h264": "h264",
    ".mjpeg": "mjpeg",
    ".wmv": "asf",
}
STILLS = (".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm")


def make_all(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Videos and pictures by file name. What an encoder of this FFmpeg cannot make is left out."""
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    videos = {video.name: made for video in VIDEOS if (made := _made(video, folder))}
    return videos, stills()


def stills() -> dict[str, bytes]:
    """One face in each format of pictures, and an animation."""
    face = face_picture(160, 160)
    made = {f"face{suffix}": cv2.imencode(suffix, face)[1].tobytes() for suffix in STILLS}
    made["grey.png"] = cv2.imencode(".png", face[..., 1])[1].tobytes()
    made["deep.png"] = cv2.imencode(".png", face.astype(np.uint16) * 257)[1].tobytes()
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(np.roll(face, 5 * i, 1), cv2.COLOR_BGR2BGRA) for i in range(3)]
    animation.durations = np.array([40, 40, 40])
    done, content = cv2.imencodeanimation(".webp", animation)
    if done:
        made["moving.webp"] = content.tobytes()
    return made


def face_picture(width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(height, width, 3) uint8 BGR: one face, which fills most of the picture."""
    portrait = cv2.cvtColor(data.astronaut()[:256, 96:352], cv2.COLOR_RGB2BGR)
    return np.asarray(cv2.resize(portrait, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _made(video: Video, folder: Path) -> bytes:
    import av

    path = folder / video.name
    try:
        _write(video, path)
        return path.read_bytes()
    except (av.FFmpegError, av.codec.codec.UnknownCodecError, ValueError):
        return b""
    finally:
        path.unlink(missing_ok=True)


def _write(video: Video, path: Path) -> None:
    import av

    face = face_picture(64, 64)
    kind = _FORMATS.get(path.suffix)
    with av.open(str(path), "w", format=kind, container_options=dict(video.container)) as output:
        stream: Any = output.add_stream(video.codec, rate=RATE, options=dict(video.coding))
        stream.width, stream.height = (176, 144) if video.codec == "h263" else (WIDTH, HEIGHT)
        stream.pix_fmt = video.pixels or "yuv420p"
        if video.turned:
            stream.set_display_rotation(video.turned)
        sound: Any = output.add_stream(video.sound, rate=48000) if video.sound else None
        if sound is not None and not video.sound.startswith(("pcm", "flac")):
            sound.bit_rate = 96_000
        for index in range(PICTURES):
            picture = np.full((stream.height, stream.width, 3), 90, np.uint8)
            picture[:64, index : index + 64] = face
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            _write_tone(output, sound)


def _write_tone(output: Any, stream: Any) -> None:
    import av

    samples = 48000 * PICTURES // RATE
    tone = (np.sin(np.arange(samples) * 2 * np.pi * 440 / 48000) * 8000).astype(np.int16)
    frame: Any = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    # The encoder takes pieces of its own size.
    fifo = av.AudioFifo()
    fifo.write(frame)
    while piece := fifo.read(960, partial=True):
        output.mux(stream.encode(piece))
    output.mux(stream.encode(None))
