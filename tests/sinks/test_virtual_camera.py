"""The virtual camera, with a module that stands for pyvirtualcam: no machine of the tests has the device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from written import info, numbered_picture, result_of

from fkp_live.errors import OutputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sinks import check_target, open_sender

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


class Camera:
    """Keeps the pictures that it is sent."""

    made: Camera | None = None

    def __init__(self, width: int, height: int, fps: float, *, fmt: str, device: str | None) -> None:
        if device == "/dev/none":
            raise RuntimeError("'v4l2loopback' backend: no such device\n'obs' backend: not here")
        self.size, self.fps, self.fmt = (width, height), fps, fmt
        self.device = device or "first one"
        self.frames: list[Any] = []
        self.closed = False
        Camera.made = self

    def send(self, frame: Any) -> None:
        assert frame.shape[1::-1] == self.size
        assert frame.flags.c_contiguous
        self.frames.append(frame)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def pyvirtualcam(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("pyvirtualcam")
    module.Camera, module.PixelFormat = Camera, SimpleNamespace(BGR="BGR")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    Camera.made = None


def test_it_gets_the_painted_picture() -> None:
    said: list[str] = []
    with open_sender("camera:///dev/video4", info(fps=30.0), report=said.append) as sender:
        assert sender.wants_picture
        for index in range(2):
            sender.write(result_of(index), numbered_picture(index))
    camera = Camera.made
    assert camera is not None
    assert (camera.size, camera.fps, camera.fmt, camera.device) == ((160, 96), 30.0, "BGR", "/dev/video4")
    assert [np.array_equal(f, numbered_picture(i).bgr()) for i, f in enumerate(camera.frames)] == [True, True]
    assert camera.closed
    assert sender.delivery.sent == 2
    assert len(said) == 1
    assert "GPL" in said[0]


def test_other_sizes_are_scaled_and_unknown_rates_are_usual() -> None:
    with open_sender("camera://auto", info(161, 97, fps=None)) as sender:
        sender.write(result_of(0), BgrPicture(np.zeros((97, 161, 3), np.uint8)))
    camera = Camera.made
    assert camera is not None
    assert (camera.size, camera.fps, camera.device) == ((162, 98), 30.0, "first one")
    assert len(camera.frames) == 1


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(OutputError, match="no such device; 'obs' backend: not here") as caught:
        open_sender("camera:///dev/none", info())
    assert caught.value.exit_code == 6
    assert "modprobe v4l2loopback" in caught.value.hint


@pytest.mark.parametrize(
    ("module", "target", "extra"),
    [
        ("pyvirtualcam", "camera://auto", "camera"),
        ("pylsl", "lsl://x", "lsl"),
        ("pythonosc", "vmc://[::1]", "vmc"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, target: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OutputError, match=f"needs the package {module}, which is not installed") as caught:
        check_target(target)
    assert caught.value.exit_code == 6
    assert caught.value.hint == f"Install it: pip install 'fkp-live[{extra}]'"


def test_extras_are_not_imported_by_those_who_do_not_ask(tmp_path: Path) -> None:
    words = ["--demo", "--max-frames", "2", "--headless", "--quiet", "--csv", str(tmp_path / "a.csv")]
    code = (
        "import sys; from fkp_live.commands.cli import main; import fkp_live.sinks\n"
        f"assert main({[*words, '--send', 'udp://127.0.0.1:9']}) == 0\n"
        "assert not {'pyvirtualcam', 'pylsl', 'pythonosc'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
