"""``--send`` through the command: what receivers get, and what is refused before anything is opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from receivers import free_port, read_osf, receiver

from fkp_live.commands.cli import main
from fkp_live.sinks import Sender, open_sender
from fkp_live.targets import Target
from fkp_live.types import SourceInfo

pytestmark = [pytest.mark.usefixtures("here", "no_thread_left"), pytest.mark.timeout(120)]


def test_two_receivers_get_the_face_of_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    with receiver() as plain, receiver() as avatar:
        to = (f"udp://127.0.0.1:{plain.port}", f"osf://127.0.0.1:{avatar.port}")
        words = ["--demo", "--max-frames", "5", "--headless", "--send", to[0], "--send", to[1]]
        assert main(words) == 0
        objects = [json.loads(plain()) for _ in range(5)]
        faces = [read_osf(avatar())[0] for _ in range(5)]
    assert [found["frame"] for found in objects] == list(range(5))
    for found, face in zip(objects, faces, strict=True):
        points = np.array(found["faces"][0]["points"])
        assert face.points[:48] == pytest.approx(points[:48], abs=0.0051)
        assert face.number == 0
        assert face.error < 15
    out = capsys.readouterr().out
    for target in to:
        assert f"{target}: 5 sent, 0 dropped, 0 failed" in out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports a closed port of loopback at once")
def test_a_dead_receiver_costs_no_frame(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = f"udp://127.0.0.1:{free_port()}"
    assert main(["--demo", "--max-frames", "5", "--csv", "a.csv", "--send", target]) == 0
    out, err = capsys.readouterr()
    assert err.count("nobody receives there") == 1
    assert f"{target}: " in out
    assert "failed" in out
    assert len((here / "a.csv").read_text().splitlines()) == 6


def test_a_file_that_is_only_sent_keeps_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    grouped: list[bool] = []

    def opened(target: Target, info: SourceInfo, *, in_groups: bool, **others: Any) -> Sender:
        grouped.append(in_groups)
        return open_sender(target, info, in_groups=in_groups, **others)

    monkeypatch.setattr("fkp_live.commands.outputs.open_sender", opened)
    monkeypatch.setattr("fkp_live.commands.run.Pace.wait", lambda self, time, stopped: waited.append(time))
    words = ["--demo", "--max-frames", "3", "--quiet", "--send", f"udp://127.0.0.1:{free_port()}"]
    assert main([*words, "--headless"]) == 0
    assert waited == pytest.approx([0, 1 / 30, 2 / 30], abs=1e-5)
    waited.clear()
    assert main([*words, "--csv", "a.csv"]) == 0  # as fast as it can be written
    assert waited == []
    assert grouped == [False, True]


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("osf://", 2, "Expected osf://HOST"),
        ("tcp://127.0.0.1:1", 2, "udp://"),
        ("udp://127.0.0.1:99999", 2, "65535"),
        ("udp://no-such-host.invalid:1", 6, "was not found"),
        ("lsl://face", 6, "pip install 'fkp-live[lsl]'"),
        ("vmc://127.0.0.1", 6, "pip install 'fkp-live[vmc]'"),
        ("camera://auto", 6, "pip install 'fkp-live[camera]'"),
    ],
)
def test_a_bad_target_is_refused_before_anything_is_opened(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    target: str,
    code: int,
    said: str,
) -> None:
    for module in ("pylsl", "pythonosc", "pyvirtualcam"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("fkp_live.commands.run.Pipeline", None)  # opened before the source
    assert main(["--demo", "--csv", "a.csv", "--headless", "--send", target]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert list(here.iterdir()) == []
