"""What is refused when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp_live.errors import InputError
from fkp_live.sources import open_source

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def bad_input(kind: str, folder: Path, make_clip: MakeClip) -> str | int:
    path = folder / "in.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "random bytes":
        path.write_bytes(np.random.default_rng(0).bytes(100_000))
    elif kind == "text":
        path.write_text("no video at all\n" * 100)
    elif kind == "text named .txt":
        path = folder / "in.txt"
        path.write_text("no video at all\n" * 100)
    elif kind == "only sound":
        return str(sound_only(folder / "in.m4a"))
    elif kind == "truncated, index lost":
        path.write_bytes(make_clip(folder / "whole.mp4", 60).read_bytes()[:-3000])
    elif kind == "folder without pictures":
        (folder / "readme.txt").write_text("x")
        return str(folder)
    elif kind == "pattern without match":
        return str(folder / "*.png")
    elif kind == "damaged picture":
        path = folder / "in.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\nno")
    elif kind == "no camera":
        return 97
    elif kind == "nobody listens":
        return "http://user:secret@127.0.0.1:9/live"
    return str(path)


def sound_only(path: Path) -> Path:
    import av

    with av.open(str(path), "w", format="ipod") as output:
        stream: Any = output.add_stream("aac", rate=48000)
        for i in range(20):
            silence = np.zeros((1, 2048), np.int16)
            frame: Any = av.AudioFrame.from_ndarray(silence, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 48000, i * 1024
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "There is no file"),
        ("empty", "is empty"),
        ("random bytes", "not a video"),
        ("text", "not a video"),
        ("text named .txt", "not a video but text"),
        ("only sound", "only sound"),
        ("truncated, index lost", "not a video"),
        ("folder without pictures", "no picture in the folder"),
        ("pattern without match", "no picture in the pattern"),
        ("damaged picture", "not a picture"),
        ("no camera", "Camera 97 cannot be opened"),
        ("nobody listens", "Connection refused"),
    ],
)
def test_refused(
    kind: str, message: str, make_clip: MakeClip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_source(bad_input(kind, tmp_path, make_clip))
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert "secret" not in str(caught.value)
    assert capfd.readouterr().err == ""  # nothing from the libraries beside our own message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"spec": None}, "source is None, expected the number of a camera, a path or a URL"),
        ({"spec": b"in.mp4"}, "source is b'in.mp4'"),
        ({"spec": True}, "source is True"),
        ({"size": "640x480"}, r"size is '640x480', expected width and height in pixels: \(640, 480\)"),
        ({"size": (640,)}, r"size is \(640,\)"),
        ({"size": 640}, "size is 640,"),
        ({"fps": "30"}, "fps is '30', expected a number, or None"),
        ({"retry": "1"}, "retry is '1', expected a number, or None"),
        ({"start": "1"}, "start is '1', expected a number of seconds, or None"),
        ({"max_frames": 1.5}, "max_frames is 1.5, expected a whole number, or None"),
    ],
)
def test_arguments_of_another_kind_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        open_source(**{"spec": 97, **given})
