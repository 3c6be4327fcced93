"""Cameras listed, chosen by name, and asked for a size and a rate; none of them is real."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import pytest
from conftest import numbered

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import Camera, camera, list_cameras, open_source, v4l2
from fkp_live.sources import cameras as listing
from fkp_live.sources.cameras import find_camera
from fkp_live.sources.modes import Mode, needs_mjpg

pytestmark = pytest.mark.usefixtures("no_thread_left")
U32 = ctypes.c_uint32


# The structures of the kernel's header, written down a second time.
class Capability(ctypes.Structure):
    _fields_ = (
        ("driver", ctypes.c_char * 16),
        ("card", ctypes.c_char * 32),
        ("bus_info", ctypes.c_char * 32),
        ("version", U32),
        ("capabilities", U32),
        ("device_caps", U32),
        ("reserved", U32 * 3),
    )


class Format(ctypes.Structure):
    _fields_ = (
        ("index", U32),
        ("type", U32),
        ("flags", U32),
        ("description", ctypes.c_char * 32),
        ("pixelformat", ctypes.c_char * 4),
        ("mbus_code", U32),
        ("reserved", U32 * 3),
    )


class Size(ctypes.Structure):
    _fields_ = (
        ("index", U32),
        ("pixelformat", ctypes.c_char * 4),
        ("type", U32),
        ("values", U32 * 6),
        ("reserved", U32 * 2),
    )


class Interval(ctypes.Structure):
    _fields_ = (
        ("index", U32),
        ("pixelformat", ctypes.c_char * 4),
        ("width", U32),
        ("height", U32),
        ("type", U32),
        ("values", U32 * 6),
        ("reserved", U32 * 2),
    )


def request(number: int, structure: type[ctypes.Structure], writes: bool) -> int:
    """_IOR or _IOWR of the kernel's header."""
    return (2 | writes) << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


REQUESTS = {
    request(0, Capability, False): Capability,
    request(2, Format, True): Format,
    request(74, Size, True): Size,
    request(75, Interval, True): Interval,
}
CAPTURE, MULTIPLANAR, OUTPUT, DEVICE_CAPS = 1, 1 << 12, 2, 1 << 31


@dataclass
class Device:
    """A node: capabilities, and by coding sizes with their rates (None: any size up to this one)."""

    capabilities: int = CAPTURE | DEVICE_CAPS
    own: int = CAPTURE
    codings: dict[str, dict[tuple[int, int], list[float] | None]] = field(default_factory=dict)
    asked: int = 0

    def answer(self, about: Any) -> None:
        """Fill the structure in, or refuse as a driver does."""
        self.asked += 1
        if isinstance(about, Capability):
            about.capabilities, about.device_caps = self.capabilities, self.own
            return
        if isinstance(about, Format):
            assert about.type == (9 if self.own & MULTIPLANAR else 1)
            about.pixelformat = self._at([*self.codings], about.index).encode()
            return
        sizes = self.codings[about.pixelformat.decode()]
        if isinstance(about, Size):
            width, height = self._at([*sizes], about.index)
            about.type = 3 if sizes[(width, height)] is None else 1
            about.values = (16, width, 16, 16, height, 16) if about.type == 3 else (width, height)
        else:
            rates = sizes[(about.width, about.height)]
            if rates is None:
                raise OSError(errno.EINVAL, "no rates")
            about.type, rate = 1, self._at(rates, about.index)
            about.values = (1001, round(rate * 1001))

    def _at(self, items: list[Any], index: int) -> Any:
        if index >= len(items):
            raise OSError(errno.EINVAL, "no more")
        return items[index]


WEBCAM = Device(
    codings={
        "YUYV": {(640, 480): [30.0, 15.0], (1280, 720): [10.0, 5.0]},
        "MJPG": {(640, 480): [30.0], (1280, 720): [60.0, 30.0], (1920, 1080): [29.97]},
        "H264": {(1280, 720): [90.0]},
    }
)
MachineOf = Callable[[dict[int, tuple[str | None, Device]]], None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineOf:
    """Makes a machine with these cameras: by number the name and the device."""
    system, nodes = tmp_path / "sys", tmp_path / "dev"
    devices: dict[int, Device] = {}

    def ioctl(descriptor: int, number: int, buffer: bytearray) -> int:
        node = os.readlink(f"/proc/self/fd/{descriptor}") if sys.platform.startswith("linux") else ""
        about: Any = REQUESTS[number].from_buffer(buffer)
        devices[int(Path(node).name.removeprefix("video"))].answer(about)
        return 0

    def make(cameras: dict[int, tuple[str | None, Device]]) -> None:
        for number, (name, device) in cameras.items():
            devices[number] = device
            (system / f"video{number}").mkdir(parents=True)
            if name is not None:
                (system / f"video{number}" / "name").write_text(name + "\n")
            nodes.mkdir(exist_ok=True)
            (nodes / f"video{number}").touch()

    monkeypatch.setattr(v4l2, "SYSTEM", system)
    monkeypatch.setattr(v4l2, "DEVICES", nodes)
    monkeypatch.setattr(v4l2, "_system_ioctl", lambda: ioctl)
    monkeypatch.setattr(sys, "platform", "linux")
    return make


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@on_linux
def test_a_camera_is_listed_with_its_name_sizes_and_rates(machine: MachineOf) -> None:
    machine({2: ("HD  Webcam:\tHD", WEBCAM)})
    (found,) = list_cameras()
    assert (found.number, found.name, found.problem) == (2, "HD Webcam: HD", "")
    assert found.modes == (
        Mode("YUYV", 640, 480, 30.0),
        Mode("YUYV", 1280, 720, 10.0),
        Mode("MJPG", 640, 480, 30.0),
        Mode("MJPG", 1280, 720, 60.0),
        Mode("MJPG", 1920, 1080, pytest.approx(29.97, rel=1e-3)),
        Mode("H264", 1280, 720, 90.0),
    )
    assert Camera(2, "HD", found.modes[:5]).line() == (
        "2\tHD\t1920x1080 at 29.97 fps, 1280x720 at 60 fps, 640x480 at 30 fps"
    )


@on_linux
def test_only_nodes_that_give_pictures_are_listed_in_order(machine: MachineOf) -> None:
    machine(
        {
            10: ("ten", Device()),
            2: ("two", Device(own=MULTIPLANAR, codings={"NV12": {(320, 240): [30.0]}})),
            0: ("an encoder", Device(own=OUTPUT)),
            1: ("metadata of a camera", Device(capabilities=CAPTURE | DEVICE_CAPS, own=1 << 23)),
            3: (None, Device(capabilities=CAPTURE, own=0)),
        }
    )
    assert [(camera.number, camera.name) for camera in list_cameras()] == [(2, "two"), (3, None), (10, "ten")]
    assert list_cameras()[0].modes == (Mode("NV12", 320, 240, 30.0),)
    assert list_cameras()[1].line() == "3\tname not known\tsizes not known"


@on_linux
def test_sizes_in_steps_are_named_by_the_largest(machine: MachineOf) -> None:
    machine({0: ("loopback", Device(codings={"YUYV": {(8192, 4096): None}}))})
    assert list_cameras()[0].sizes() == ["8192x4096"]


@on_linux
def test_a_driver_that_never_ends_its_list_is_bounded(machine: MachineOf) -> None:
    class Endless(Device):
        def answer(self, about: Any) -> None:
            self.asked += 1
            if isinstance(about, Capability):
                about.capabilities = CAPTURE
            elif isinstance(about, Format):
                about.pixelformat = b"YUYV"
            elif isinstance(about, Size):
                about.type, about.values = 1, (160, 120)
            else:
                about.type, about.values = 1, (0, 0)

    device = Endless()
    machine({0: ("endless", device)})
    (found,) = list_cameras()
    assert found.sizes() == ["160x120"]
    assert device.asked < 300_000


@on_linux
def test_a_camera_that_cannot_be_opened_is_listed_with_the_reason(machine: MachineOf, tmp_path: Path) -> None:
    machine({0: ("private", Device())})
    (tmp_path / "dev" / "video0").unlink()
    (found,) = list_cameras()
    assert found.name == "private"
    assert "cannot be opened: No such file" in found.problem


@on_linux
def test_a_camera_that_goes_while_it_is_asked(machine: MachineOf) -> None:
    class Gone(Device):
        def answer(self, about: Any) -> None:
            raise OSError(errno.ENODEV, "No such device")

    machine({0: ("gone", Gone()), 1: ("there", Device())})
    assert [camera.problem for camera in list_cameras()] == ["it cannot be asked: No such device", ""]


@on_linux
def test_a_machine_without_cameras(machine: MachineOf) -> None:
    machine({})
    assert list_cameras() == []
    with pytest.raises(InputError, match="no camera"):
        find_camera("brio")


def test_elsewhere_numbers_are_tried_and_names_are_not_guessed(
    make_clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, real = str(make_clip(tmp_path / "a.avi", 3, codec="mjpeg")), cv2.VideoCapture
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(listing.cv2, "VideoCapture", lambda n: real(clip) if n == 1 else real())
    assert [found.line() for found in list_cameras()] == ["1\tname not known\t160x96"]
    with pytest.raises(InputError, match="names are not known here"):
        find_camera("brio")


# ----- by name


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Camera(0, "Integrated Camera"), Camera(2, "Logitech BRIO"), Camera(4, "BRIO"), Camera(6)]
    monkeypatch.setattr(listing, "list_cameras", lambda: found)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("text", "number"), [("integrated", 0), ("LOGI", 2), (" logitech  brio ", 2), ("brio", 4), ("Camera", 0)]
)
def test_a_part_of_a_name_chooses(text: str, number: int) -> None:
    assert find_camera(text).number == number


@pytest.mark.usefixtures("three")
def test_several_of_a_name_are_a_question_and_none_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"2 cameras are named 'bri': 2 \(Logitech BRIO\), 4 \(BRIO\)"):
        find_camera("bri")
    with pytest.raises(InputError, match="no camera 'sony'") as caught:
        find_camera("sony")
    assert caught.value.hint == (
        "Cameras here: 0 (Integrated Camera), 2 (Logitech BRIO), 4 (BRIO), 6 (name not known)."
    )


# ----- size and rate


MODES = (
    Mode("YUYV", 640, 480, 30),
    Mode("YUYV", 1280, 720, 10),
    Mode("MJPG", 640, 480, 30),
    Mode("MJPG", 1280, 720, 60),
    Mode("H264", 1280, 720, 90),
    Mode("NV12", 320, 240, None),
)


@pytest.mark.parametrize(
    ("size", "fps", "needed"),
    [
        ((640, 480), 30, False),
        ((640, 480), None, False),
        ((640, 480), 60, False),  # not faster that way either
        ((1280, 720), 10, False),
        ((1280, 720), 30, True),
        ((1280, 720), None, True),
        ((1280, 720), 90, True),
        ((320, 240), 30, False),
        ((1920, 1080), 30, True),  # not listed: by what USB carries
        ((320, 180), 30, False),
    ],
)
def test_mjpg_is_needed_where_it_gives_the_rate(
    size: tuple[int, int], fps: float | None, needed: bool
) -> None:
    assert needs_mjpg(MODES, size, fps) is needed


class Fake:
    """A camera that keeps what it is asked, delivers ``size`` and reports ``fps``."""

    def __init__(self, size: tuple[int, int] = (160, 96), fps: float = 30.0) -> None:
        self.asked: list[tuple[int, float]] = []
        self._size, self._fps = size, fps
        self.read_first: int | None = None

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: self._fps}.get(what, float(self._size[what == cv2.CAP_PROP_FRAME_HEIGHT]))

    def set(self, what: int, value: float) -> bool:
        assert self.read_first is None, "asked after the first picture"
        self.asked.append((what, value))
        return True

    def read(self) -> tuple[bool, Any]:
        self.read_first = 1
        return True, numbered(1, *self._size)

    def release(self) -> None:
        pass


def opened(monkeypatch: pytest.MonkeyPatch, fake: Fake, **asked: Any) -> str:
    """The note of a source on this camera, right after it was opened."""
    monkeypatch.setattr(sys, "platform", "elsewhere")
    monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: fake)
    with open_source(0, **asked) as source:
        return source.note


MJPG = (cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*"MJPG")))
WIDTH, HEIGHT, FPS = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS


def test_the_coding_is_asked_for_first_then_size_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake((1280, 720), 60.0)
    assert opened(monkeypatch, fake, size=(1280, 720), fps=60) == ""
    assert fake.asked[1:] == [MJPG, (WIDTH, 1280), (HEIGHT, 720), (FPS, 60)]
    fake = Fake((1280, 720))
    assert opened(monkeypatch, fake) == ""
    assert [what for what, _ in fake.asked] == [cv2.CAP_PROP_BUFFERSIZE]
    fake = Fake((640, 480))
    opened(monkeypatch, fake, fps=30)
    assert fake.asked[1:] == [(WIDTH, 640), (HEIGHT, 480), (FPS, 30)]


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        ({"size": (160, 96), "fps": 30}, ""),
        ({"size": (1280, 720)}, "camera 0 delivers 160x96 at 30 fps; asked for: 1280x720"),
        ({"fps": 60}, "camera 0 delivers 160x96 at 30 fps; asked for: 60 fps"),
        ({"size": (160, 96), "fps": 60}, "camera 0 delivers 160x96 at 30 fps; asked for: 160x96 at 60 fps"),
        ({"fps": 29.97}, ""),
    ],
)
def test_what_came_is_noted_where_it_is_not_what_was_asked(
    monkeypatch: pytest.MonkeyPatch, asked: Any, note: str
) -> None:
    assert opened(monkeypatch, Fake(), **asked) == note


def test_a_rate_that_is_not_reported_is_measured() -> None:
    rate = camera._Rate()
    for i in range(40):
        assert rate.measured is None
        rate.tick(i / 10)
        if i >= 29:
            break
    rate.tick(3.0)
    assert rate.measured == pytest.approx(10)
    info = camera.SourceInfo("camera 0", 160, 96, live=True)
    assert camera._difference(info, None, 30, rate).startswith("camera 0 delivers 160x96 at 10 fps")
    assert camera._difference(info, None, 30, camera._Rate()) == ""


def test_a_camera_is_opened_by_its_name(monkeypatch: pytest.MonkeyPatch, three: None) -> None:
    numbers: list[int] = []
    monkeypatch.setattr(sys, "platform", "elsewhere")
    monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: numbers.append(number) or Fake())
    with open_source("camera://logitech") as source:
        assert source.info.name == "camera 2 (Logitech BRIO)"
    with open_source("Camera://4") as source:
        assert source.info.name == "camera 4"
    assert numbers == [2, 4]
    with pytest.raises(InputError, match="names no camera"):
        open_source("camera://")


def test_a_named_camera_that_comes_back_under_another_number_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Pulled(Fake):
        """A camera that is pulled out after three pictures."""

        def read(self) -> tuple[bool, Any]:
            self.read_first = (self.read_first or 0) + 1
            return self.read_first < 4, numbered(1)

    numbers: list[int] = []
    lists = iter([[Camera(2, "BRIO")], [Camera(0, "another")], [Camera(0, "another"), Camera(3, "BRIO")]])
    monkeypatch.setattr(listing, "list_cameras", lambda: next(lists, []))
    monkeypatch.setattr(sys, "platform", "elsewhere")
    monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: numbers.append(number) or Pulled())
    with (
        open_source("camera://brio", retry=1.2) as source,
        pytest.raises(InputError, match="no camera 'brio'"),
    ):
        list(source)
    assert numbers == [2, 3]
