"""VMC, read by python-osc's own server."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from written import face, info, result_of

from fkp_live.geometry import rotation_of
from fkp_live.sinks import open_sender
from fkp_live.types import Measures, Pose

osc_server = pytest.importorskip("pythonosc.osc_server")
from pythonosc.dispatcher import Dispatcher  # noqa: E402

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]

Got = "queue.Queue[tuple[str, tuple[Any, ...]]]"


@pytest.fixture
def server() -> Iterator[tuple[int, Got]]:
    """Port of python-osc's server, and what it was sent: address and arguments of each message."""
    got: queue.Queue[tuple[str, tuple[Any, ...]]] = queue.Queue()
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: got.put((address, values)))
    with osc_server.BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield listening.server_address[1], got
        listening.shutdown()
        thread.join()


def frame_of(got: Got) -> dict[str, Any]:
    """The messages of a frame, those with a name by it; ``/VMC/Ext/T`` is the last one of each."""
    read: dict[str, Any] = {}
    while "/VMC/Ext/T" not in read:
        address, values = got.get(timeout=30)
        if address in ("/VMC/Ext/Bone/Pos", "/VMC/Ext/Blend/Val"):
            read[values[0]] = values[1:]
        else:
            read[address] = values
    return read


def matrix(x: float, y: float, z: float, w: float) -> np.ndarray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_a_frame_is_head_neck_and_blend_shapes(server: tuple[int, Got]) -> None:
    port, got = server
    pose, measures = Pose(0.3, -0.4, 0.5), Measures(0.1, 0.4, 0.35, False, 0.3)
    with open_sender(f"vmc://127.0.0.1:{port}", info()) as sender:
        sender.write(result_of(0, face(id=1, pose=pose, measures=measures), seconds=2.5))
        sender.write(result_of(1, seconds=3.5))
        full, empty = frame_of(got), frame_of(got)
    assert full["/VMC/Ext/OK"] == (1,)
    assert full["/VMC/Ext/T"] == (2.5,)
    assert full["/VMC/Ext/Blend/Apply"] == ()
    # The person's own sides.
    assert (full["Blink_R"], full["Blink_L"]) == ((1.0,), (0.0,))
    assert (full["EyeBlinkRight"], full["EyeBlinkLeft"]) == ((1.0,), (0.0,))
    assert full["A"][0] == full["JawOpen"][0] == pytest.approx(0.5)
    # Neck and head together are the pose; in Unity's axes its matrix has the same numbers.
    assert full["Neck"][:3] == (0, 0, 0)
    turned = matrix(*full["Neck"][3:]) @ matrix(*full["Head"][3:])
    assert turned == pytest.approx(rotation_of(pose.pitch, pose.yaw, pose.roll), abs=1e-5)
    assert set(empty) == {"/VMC/Ext/OK", "/VMC/Ext/T"}


@pytest.mark.parametrize(
    ("pose", "axis"),
    [
        (Pose(-0.2, 0.0, 0.0), (1, 0, 0)),  # looking down: forward to down, about the axis to the right
        (Pose(0.0, -0.2, 0.0), (0, 1, 0)),  # to the person's own right: forward to the right, about up
        (Pose(0.0, 0.0, 0.2), (0, 0, 1)),  # to the person's own left shoulder: up to the left, about forward
    ],
)
def test_turns_are_unity_s(server: tuple[int, Got], pose: Pose, axis: tuple[int, int, int]) -> None:
    """In left-handed axes: x to the avatar's right, y up, z forward."""
    port, got = server
    with open_sender(f"vmc://127.0.0.1:{port}", info()) as sender:
        sender.write(result_of(0, face(id=1, pose=pose)))
        head = frame_of(got)["Head"]
    assert head[3:6] == pytest.approx(math.sin(0.05) * np.array(axis), abs=1e-6)
    assert head[6] == pytest.approx(math.cos(0.05))


def test_it_stays_with_the_same_face(server: tuple[int, Got]) -> None:
    port, got = server
    wide = Measures(0.3, 0.3, 0.7, False, 0.3)
    shut = Measures(0.3, 0.3, 0.0, False, 0.3)
    with open_sender(f"vmc://127.0.0.1:{port}", info()) as sender:
        sender.write(result_of(0, face(id=1, measures=wide), face(id=2, measures=shut)))
        sender.write(result_of(1, face(id=2, measures=shut), face(id=1, measures=wide)))
        assert [frame_of(got)["A"][0] for _ in range(2)] == [1.0, 1.0]
