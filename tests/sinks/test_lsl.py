"""Lab Streaming Layer, read by pylsl's own inlets over loopback."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from written import face, info, result_of

from fkp_live.choices import PipelineOptions
from fkp_live.sinks import open_sender
from fkp_live.sinks.lsl import LslSender
from fkp_live.types import Face, FrameResult, Measures, Pose

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(120)]

# Nothing leaves this machine.
SETTINGS = "[lab]\nKnownPeers = {127.0.0.1}\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n"


@pytest.fixture(scope="module")
def lsl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """pylsl, set up for loopback: its library reads the settings when it is first used."""
    path = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    path.write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSLAPICFG", str(path))
        try:
            yield importlib.import_module("pylsl")
        except Exception as error:
            pytest.skip(f"pylsl cannot be loaded: {error}")


class Inlet:
    """What a recorder gets of a stream of ``sender``."""

    def __init__(self, lsl: Any, sender: LslSender, name: str) -> None:
        found = lsl.resolve_byprop("name", name, 1, 30.0)
        assert found, f"the stream {name} was not found"
        self._inlet = lsl.StreamInlet(found[0])
        self.info = self._inlet.info(30.0)
        self._inlet.open_stream(30.0)
        # The stream is open here a moment before the outlet keeps its samples for it.
        (outlet,) = (one for one in (*sender._outlets, sender._markers) if one.get_info().name() == name)
        assert outlet.wait_for_consumers(30.0), f"the stream {name} did not see its reader"

    def __call__(self) -> tuple[list[Any], float]:
        """The next sample and its time stamp."""
        sample, stamp = self._inlet.pull_sample(30.0)
        assert sample is not None, "no sample came"
        return sample, stamp

    def close(self) -> None:
        self._inlet.close_stream()


def stamped(index: int, *faces: Face, age: float = 0.0) -> FrameResult:
    """A result whose frame arrived ``age`` seconds ago."""
    return FrameResult(index, index / 25, (160, 96), faces, arrived=time.perf_counter() - age)


@pytest.fixture
def opened(lsl: Any) -> Iterator[Callable[..., LslSender]]:
    """Opens senders: ``opened(name, live=True, **options)``; all are closed afterwards."""
    senders: list[LslSender] = []

    def start(name: str, *, live: bool = True, **options: Any) -> LslSender:
        sender = open_sender(f"lsl://{name}", info(live=live), options=PipelineOptions(**options))
        assert isinstance(sender, LslSender)
        senders.append(sender)
        return sender

    yield start
    for sender in senders:
        sender.close()


def test_samples_have_labels_and_the_time_of_capture(lsl: Any, opened: Callable[..., LslSender]) -> None:
    measures = Measures(0.3, 0.31, 0.1, False, 0.3)
    seen = face(id=4, pose=Pose(0.1, -0.2, 0.3), measures=measures)
    sender = opened("one face")
    inlet = Inlet(lsl, sender, "one face")
    before = lsl.local_clock()
    sender.write(stamped(7, seen, age=2.0))
    sender.write(stamped(8))
    (first, stamp), (second, _) = inlet(), inlet()
    after = lsl.local_clock()
    sender.close()
    inlet.close()
    assert before - 2.1 < stamp < after - 2.0
    assert inlet.info.type() == "FaceLandmarks"
    assert inlet.info.nominal_srate() == 0
    channel = inlet.info.desc().child("channels").child("channel")
    labels, units = [], []
    while not channel.empty():
        labels.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    assert len(labels) == len(first) == inlet.info.channel_count()
    value = dict(zip(labels, first, strict=True))
    assert (value["frame"], value["face_id"], value["blink"]) == (7, 4, 0)
    assert value["confidence"] == pytest.approx(0.75)
    assert [value[f"pose_{angle}"] for angle in ("pitch", "yaw", "roll")] == pytest.approx([0.1, -0.2, 0.3])
    assert value["left_eye_open"] == pytest.approx(0.31)
    assert value["mouth_open"] == pytest.approx(0.1)
    points = np.array([[value[f"x_{number}"], value[f"y_{number}"]] for number in range(68)])
    assert points == pytest.approx(seen.points)
    assert dict(zip(labels, units, strict=True))["x_0"] == "pixels"
    nobody = dict(zip(labels, second, strict=True))
    assert (nobody.pop("frame"), nobody.pop("face_id")) == (8, -1)
    assert all(math.isnan(number) for number in nobody.values())
    assert sender.delivery.sent == 2


def test_a_stream_for_each_face_which_keeps_it(lsl: Any, opened: Callable[..., LslSender]) -> None:
    sender = opened("pair", max_faces=2)
    inlets = [Inlet(lsl, sender, name) for name in ("pair", "pair-1")]
    sender.write(stamped(0, face(id=5), face(id=6)))
    sender.write(stamped(1, face(id=6), face(id=5)))
    sender.write(stamped(2, face(id=6)))
    ids = [[inlet()[0][1] for _ in range(3)] for inlet in inlets]
    sender.close()
    for inlet in inlets:
        inlet.close()
    assert ids == [[5, 5, -1], [6, 6, 6]]


def test_by_place_the_stream_is_the_place(lsl: Any, opened: Callable[..., LslSender]) -> None:
    sender = opened("places", max_faces=2, id_order="left-right")
    inlets = [Inlet(lsl, sender, name) for name in ("places", "places-1")]
    sender.write(stamped(0, face(id=2)))
    ids = [inlet()[0][1] for inlet in inlets]
    sender.close()
    for inlet in inlets:
        inlet.close()
    assert ids == [-1, 2]


def test_more_faces_open_more_streams(lsl: Any, opened: Callable[..., LslSender]) -> None:
    sender = opened("crowd")
    sender.write(stamped(0, face(id=1), face(id=2)))
    inlet = Inlet(lsl, sender, "crowd-1")
    sender.write(stamped(1, face(id=1), face(id=2)))
    assert inlet()[0][:2] == [1, 2]
    sender.close()
    inlet.close()


def test_markers_are_appear_vanish_and_blink(lsl: Any, opened: Callable[..., LslSender]) -> None:
    shut, wide = Measures(0.1, 0.1, 0.1, True, 0.1), Measures(0.3, 0.3, 0.1, False, 0.3)
    sender = opened("marked")
    inlet = Inlet(lsl, sender, "marked-markers")
    for index, faces in enumerate(
        [
            [face(id=1, measures=wide)],
            [face(id=1, measures=shut), face(id=2, measures=wide)],
            [face(id=1, measures=shut), face(id=2, measures=wide)],
            [face(id=2, measures=wide)],
        ]
    ):
        sender.write(stamped(index, *faces))
    events = [inlet()[0][0] for _ in range(4)]
    sender.close()
    inlet.close()
    assert inlet.info.type() == "Markers"
    assert events == ["appear 1", "appear 2", "blink 1", "vanish 1"]


def test_a_file_has_its_own_times(lsl: Any, opened: Callable[..., LslSender]) -> None:
    sender = opened("film", live=False)
    inlet = Inlet(lsl, sender, "film")
    # Read ahead: all arrived at once.
    for index in range(3):
        sender.write(stamped(index))
    stamps = [inlet()[1] for _ in range(3)]
    sender.close()
    inlet.close()
    assert np.diff(stamps) == pytest.approx(1 / 25, abs=1e-6)


def test_the_last_samples_arrive(lsl: Any, opened: Callable[..., LslSender]) -> None:
    sender = opened("last")
    inlet = Inlet(lsl, sender, "last")
    for index in range(4):
        sender.write(result_of(index))
    sender.close()
    frames = [inlet()[0][0] for _ in range(4)]
    inlet.close()
    assert frames == [0, 1, 2, 3]
