"""The queue between reader and consumer."""

from __future__ import annotations

import threading

import pytest
from conftest import until

from fkp_live.errors import FkpError
from fkp_live.handoff import Handoff


def test_reading_ahead_is_bounded() -> None:
    handoff: Handoff[int] = Handoff(3)
    put: list[int] = []
    taken = 0

    def produce() -> None:
        for i in range(100):
            if not handoff.put(i):
                break
            # One more than fit: the consumer may have taken one that it has not counted yet.
            assert len(put) <= taken + 3
            put.append(i)

    producer = threading.Thread(target=produce)
    producer.start()
    until(lambda: len(put) == 3)
    for taken in range(1, 11):
        assert handoff.get() == taken - 1
    handoff.cancel()
    producer.join(5)
    assert not producer.is_alive()
    assert len(put) <= 14


def test_only_the_newest_is_kept_without_waiting() -> None:
    handoff: Handoff[int] = Handoff(1, newest_only=True)
    for i in range(5):
        assert handoff.put(i)
    assert handoff.get() == 4
    assert handoff.dropped == 4


@pytest.mark.parametrize("queued", [0, 3])
def test_put_after_finish_is_refused(queued: int) -> None:
    handoff: Handoff[int] = Handoff(3)
    for i in range(queued):
        handoff.put(i)
    handoff.finish()
    with pytest.raises(ValueError, match="finished"):
        handoff.put(3)


def test_finish_frees_a_waiting_producer() -> None:
    handoff: Handoff[int] = Handoff(1)
    handoff.put(0)
    refused: list[ValueError] = []

    def produce() -> None:
        try:
            handoff.put(1)
        except ValueError as error:
            refused.append(error)

    producer = threading.Thread(target=produce)
    producer.start()
    handoff.finish()
    producer.join(5)
    assert refused


def test_cancel_ends_both_sides() -> None:
    handoff: Handoff[int] = Handoff(3)
    handoff.put(1)
    handoff.cancel()
    assert handoff.get() is None
    assert not handoff.put(2)


def test_interrupt_ends_a_waiting_get() -> None:
    handoff: Handoff[int] = Handoff(3)
    consumer = threading.Thread(target=handoff.get)
    consumer.start()
    handoff.interrupt()
    consumer.join(1)
    assert not consumer.is_alive()
    handoff.put(1)
    assert handoff.get() is None


def test_interrupt_ends_a_waiting_put() -> None:
    handoff: Handoff[int] = Handoff(1)
    put: list[bool] = [handoff.put(1)]
    producer = threading.Thread(target=lambda: put.append(handoff.put(2)), daemon=True)
    producer.start()
    handoff.interrupt()
    producer.join(10)
    assert put == [True, False]
    assert handoff.get() is None


def test_interrupt_takes_no_lock() -> None:
    """The thread that a signal interrupts may hold it."""
    handoff: Handoff[int] = Handoff(3)
    with handoff._changed:
        handoff.interrupt()
    assert handoff.interrupted


def test_handoff_error_comes_after_what_was_produced() -> None:
    handoff: Handoff[int] = Handoff(3)
    handoff.put(1)
    handoff.finish(FkpError("broken"))
    assert handoff.get() == 1
    with pytest.raises(FkpError, match="broken"):
        handoff.get()
    assert handoff.get() is None


def test_ready_waits_until_get_would_not() -> None:
    handoff: Handoff[int] = Handoff(2)
    assert not handoff.ready(0.0)
    thread = threading.Thread(target=handoff.put, args=(7,))
    thread.start()
    assert handoff.ready(60.0)
    assert handoff.get() == 7
    thread.join()
    assert not handoff.ready(0.01)
    handoff.finish()
    assert handoff.ready(60.0)
    assert handoff.get() is None


@pytest.mark.parametrize("end", ["cancel", "interrupt"])
def test_ready_ends_with_the_consumer(end: str) -> None:
    handoff: Handoff[int] = Handoff(2)
    getattr(handoff, end)()
    assert handoff.ready(60.0)
    assert handoff.get() is None
