"""What every sender promises: no frame waits for it, and none of its failures ends a run."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from written import face, result_of

from fkp_live.sinks import sender as senders
from fkp_live.sinks.sender import Sender
from fkp_live.sinks.slots import Lead, Slots
from fkp_live.stats import Delivery
from fkp_live.types import Face, FrameResult, Picture

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


class Scripted(Sender):
    """A sender that does as ``act`` does with each result; `released` is set at its end."""

    def __init__(self, act: Callable[[FrameResult], bool], report: Callable[[str], object] | None) -> None:
        self._act = act
        self.released = threading.Event()
        super().__init__("test://", report)

    def _send(self, result: FrameResult, picture: Picture | None) -> bool:
        return self._act(result)

    def _release(self) -> None:
        self.released.set()


def test_results_go_out_in_order_and_are_counted() -> None:
    seen: list[int] = []
    with Scripted(lambda result: not seen.append(result.index), None) as sender:
        for index in range(3):
            sender.write(result_of(index))
    assert seen == [0, 1, 2]
    assert sender.delivery == Delivery(sent=3)
    assert sender.note == ""
    assert sender.released.is_set()
    with pytest.raises(ValueError, match="closed"):
        sender.write(result_of(3))
    sender.close()


def test_a_slow_receiver_costs_no_frame_and_gets_the_newest() -> None:
    busy, go, seen = threading.Event(), threading.Event(), []

    def slow(result: FrameResult) -> bool:
        busy.set()
        go.wait()
        seen.append(result.index)
        return True

    sender = Scripted(slow, None)
    sender.write(result_of(0))
    assert busy.wait(30)
    for index in range(1, 50):
        sender.write(result_of(index))  # never waits: nobody lets the receiver go on until all are written
    go.set()
    sender.close()
    assert seen[0] == 0
    assert seen[-1] == 49
    assert len(seen) < 10
    assert sender.delivery == Delivery(sent=len(seen), dropped=50 - len(seen))


def test_a_failure_is_reported_once_and_the_run_goes_on() -> None:
    said: list[str] = []

    def failing(result: FrameResult) -> bool:
        if result.index % 2:
            raise OSError(101, "Network is unreachable")
        return True

    with Scripted(failing, said.append) as sender:
        for index in range(4):
            sender.write(result_of(index))
    assert said == ["test://: Network is unreachable. The run goes on; failures are counted."]
    assert sender.delivery == Delivery(sent=2, failed=2)
    assert sender.note == ""  # reported already


def test_without_anybody_to_report_to_the_failure_is_in_the_note() -> None:
    def broken(result: FrameResult) -> bool:
        raise RuntimeError("the library\nburst")

    with Scripted(broken, None) as sender:
        sender.write(result_of(0))
    assert sender.note == "test://: the library burst. The run goes on; failures are counted."


def test_what_has_nothing_to_send_is_not_counted() -> None:
    with Scripted(lambda result: False, None) as sender:
        sender.write(result_of(0))
    assert sender.delivery == Delivery()


def test_a_receiver_that_hangs_is_left_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "_LAST_SECONDS", 0.05)
    said: list[str] = []
    busy, go = threading.Event(), threading.Event()
    sender = Scripted(lambda result: busy.set() or go.wait(), said.append)  # type: ignore[func-returns-value]
    sender.write(result_of(0))
    assert busy.wait(30)
    sender.close()
    assert said == ["test://: the receiver takes nothing any more, and was left."]
    go.set()
    assert sender.released.wait(30)


def test_abort_sends_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "_LAST_SECONDS", 0.05)
    busy, go, seen = threading.Event(), threading.Event(), []

    def slow(result: FrameResult) -> bool:
        busy.set()
        go.wait()
        seen.append(result.index)
        return True

    sender = Scripted(slow, None)
    for index in range(3):
        sender.write(result_of(index))
    assert busy.wait(30)
    sender.abort()
    sender.abort()
    go.set()
    assert sender.released.wait(30)
    assert seen == [0]


# slots


def slots_of(slots: Slots, *ids: int | None) -> list[int]:
    return slots(result_of(0, *(face(id=number) for number in ids)))


def test_a_face_keeps_its_slot_while_it_is_seen() -> None:
    slots = Slots()
    assert slots_of(slots, 7) == [0]
    assert slots_of(slots, 9, 7) == [1, 0]  # larger now, but new
    assert slots_of(slots, 9) == [1]
    assert slots_of(slots, 7, 9) == [0, 1]  # found again
    assert slots_of(slots, 9, 12) == [1, 0]  # somebody else takes the free one
    assert slots_of(slots, 7, 9, 12) == [2, 1, 0]
    assert slots_of(slots) == []
    assert slots_of(slots, 30) == [0]  # a single face is always in slot 0, under whatever id


def test_slots_by_place_and_without_ids() -> None:
    assert slots_of(Slots(by_place=True), 3, 1) == [2, 0]
    assert slots_of(Slots(), None, None) == [0, 1]


def test_the_lead_stays_while_it_is_seen() -> None:
    lead = Lead()

    def leading(*ids: int) -> int | None:
        found: Face | None = lead(result_of(0, *(face(id=number) for number in ids)))
        return None if found is None else found.id

    assert leading(4, 2) == 4
    assert leading(2, 4) == 4
    assert leading() is None
    assert leading(2, 4) == 4
    assert leading(2) == 2
    assert leading(4, 2) == 2
