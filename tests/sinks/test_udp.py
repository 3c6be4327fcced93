"""JSON datagrams, read back from a socket."""

from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path

import pytest
from receivers import free_port, receiver
from written import face, info, result_of, result_with_face

from fkp_live.errors import OutputError, UsageError
from fkp_live.sinks import JsonlSink, check_target, open_sender
from fkp_live.sinks.post import grouped_datagrams
from fkp_live.sinks.udp import UdpSender
from fkp_live.stats import Delivery

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "[::1]")])
def test_a_datagram_is_the_object_of_a_jsonl_file(
    tmp_path: Path, family: socket.AddressFamily, host: str
) -> None:
    results = [result_with_face(0), result_of(1), result_with_face(2)]
    with JsonlSink(tmp_path / "o.jsonl", {}) as file:
        for result in results:
            file.write(result)
    try:
        made = receiver(family)
        with made as listener, open_sender(f"udp://{host}:{listener.port}", info()) as sender:
            for result in results:
                sender.write(result)
            got = [listener() for _ in results]
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    assert [json.loads(datagram) for datagram in got] == [
        json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()[1:]
    ]
    assert sender.delivery.sent == 3


def test_many_faces_lose_their_raw_points_and_then_the_smallest() -> None:
    said: list[str] = []
    faces = [face(number, id=number, raw=face(number).points) for number in range(60)]
    with (
        receiver() as listener,
        open_sender(f"udp://127.0.0.1:{listener.port}", info(), report=said.append) as sender,
    ):
        for count in (5, 28, 60, 60):
            sender.write(result_of(0, *faces[:count]))
            datagram = listener()
            assert len(datagram) <= 65_507
            read = json.loads(datagram)["faces"]
            assert [part["id"] for part in read] == list(range(len(read)))
            assert ("raw" in read[0]) == (count == 5)
            assert len(read) == count if count < 60 else 28 <= len(read) < 60
    assert len(said) == 1
    assert "28 faces do not fit into a datagram; the points before smoothing were left out" in said[0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports a closed port of loopback at once")
def test_a_dead_receiver_is_reported_once_and_may_come_later() -> None:
    said: list[str] = []
    port = free_port()
    with open_sender(f"udp://127.0.0.1:{port}", info(), report=said.append) as sender:
        for index in range(4):
            sender.write(result_of(index))
    assert said == [f"udp://127.0.0.1:{port}: nobody receives there. The run goes on; failures are counted."]
    # The last one: nobody can know yet.
    assert (sender.delivery.sent, sender.delivery.failed) == (1, 3)


def test_a_target_is_a_text() -> None:
    with pytest.raises(TypeError, match=r"target is 5, expected a text such as 'osf://127\.0\.0\.1'"):
        open_sender(5, info())  # type: ignore[arg-type]


def test_a_host_that_does_not_exist_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(OutputError, match=r"the host no-such-host\.invalid was not found") as caught:
        check_target("udp://no-such-host.invalid:9000")
    assert caught.value.exit_code == 6
    assert "127.0.0.1" in caught.value.hint
    with pytest.raises(OutputError, match="was not found"):
        open_sender(f"udp://{'a' * 300}:9000", info())
    with pytest.raises(UsageError, match="has no host"):
        open_sender("osf://", info())


def test_senders_of_datagrams_share_a_thread_and_fail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        target = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        good, bad = (open_sender(target, info(), report=said.append) for _ in range(2))
        assert isinstance(bad, UdpSender)
        monkeypatch.setattr(bad, "_datagram", lambda result: b"a" * 70_000)
        threads = [thread for thread in threading.enumerate() if thread.name == "fkp-live datagrams"]
        for index in range(3):
            for sender in (bad, good):
                sender.write(result_of(index))
            assert json.loads(receiver.recv(1 << 16))["frame"] == index
        bad.close()
        good.close()
    assert len(threads) == 1
    assert good.delivery == Delivery(sent=3)
    assert bad.delivery == Delivery(failed=3)
    assert len(said) == 1


def test_a_group_goes_out_once_it_has_sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped_datagrams, "_moment", 60.0)
    with (
        receiver() as listener,
        open_sender(f"udp://127.0.0.1:{listener.port}", info(), in_groups=True) as sender,
    ):
        for number in range(16):
            sender.write(result_with_face(number))
        assert [json.loads(listener())["frame"] for _ in range(16)] == list(range(16))


def test_a_group_has_every_result_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped_datagrams, "_moment", 60.0)  # no datagram goes out before the end
    results = [result_with_face(number) for number in range(20)]
    with receiver() as listener:
        targets = [f"udp://127.0.0.1:{listener.port}"] * 2
        first, second = (open_sender(target, info(), in_groups=True) for target in targets)
        for result in results:
            first.write(result)
        first.close()  # does not wait for the group
        got = [json.loads(listener())["frame"] for _ in results]
        second.close()
    assert got == [result.index for result in results]
    assert first.delivery == Delivery(sent=20)
