"""The newest frame from the stream's thread to whoever waits in an event loop, and its forms."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fkp_live.images.picture import BgrPicture
from fkp_live.server.newest import Newest, Shown
from fkp_live.server.pictures import Encoder, page_size
from fkp_live.types import Frame, FrameResult

PICTURE = BgrPicture(np.zeros((8, 8, 3), np.uint8))


def result(index: int) -> FrameResult:
    return FrameResult.of(Frame(PICTURE, index, index / 30, 0.0), [])


def publish(newest: Newest, *indices: int) -> None:
    for index in indices:
        newest.publish(result(index), PICTURE)


@pytest.fixture
def newest() -> Newest:
    return Newest(lambda result: f"line {result.index}")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def test_a_late_reader_gets_the_newest_and_then_waits_for_the_next(newest: Newest) -> None:
    async def look() -> list[int]:
        newest.attach(asyncio.get_running_loop())
        publish(newest, 0, 1, 2)
        seen = [await newest.after(0)]
        waiting = asyncio.create_task(newest.after(3))
        await asyncio.sleep(0)
        assert not waiting.done()
        threading.Thread(target=publish, args=(newest, 3)).start()
        seen.append(await waiting)
        return [shown.result.index for shown in seen if shown is not None]

    assert asyncio.run(look()) == [2, 3]


def test_all_who_wait_learn_of_the_end_after_the_last_frame(newest: Newest) -> None:
    async def look() -> tuple[Shown | None, object, bool]:
        newest.attach(asyncio.get_running_loop())
        waiting = asyncio.create_task(newest.after(0))
        over = asyncio.create_task(newest.over.wait())
        await asyncio.sleep(0)
        publish(newest, 0)
        newest.end()
        shown = await waiting
        return shown, await newest.after(1), await over

    shown, after, over = asyncio.run(look())
    assert shown is not None
    assert after is None
    assert over


def test_lines_come_one_by_one_and_a_reader_who_is_too_late_goes_on_with_the_newest(newest: Newest) -> None:
    async def read() -> list[str]:
        newest.attach(asyncio.get_running_loop())
        publish(newest, *range(5))
        lines, number = [], 0
        for _ in range(5):
            line = await newest.line_after(number)
            assert line is not None
            number = line.number
            lines.append(line.text)
        publish(newest, *range(5, 105))
        late = await newest.line_after(number)
        assert late is not None
        newest.end()
        assert await newest.line_after(late.number) is None
        return [*lines, late.text]

    assert asyncio.run(read()) == [*(f"line {index}" for index in range(5)), "line 104"]


def test_viewers_who_leave_are_forgotten(newest: Newest) -> None:
    async def leave() -> int:
        newest.attach(asyncio.get_running_loop())
        for _ in range(10):
            waiting = asyncio.create_task(newest.after(0))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        return len(newest._waiting)

    assert asyncio.run(leave()) == 0


def test_a_frame_is_encoded_once_for_all_and_only_if_somebody_asks(
    newest: Newest, pool: ThreadPoolExecutor
) -> None:
    encoded: list[int] = []

    def form(shown: Shown) -> bytes:
        encoded.append(shown.result.index)
        return str(shown.result.index).encode()

    async def look() -> list[list[bytes]]:
        newest.attach(asyncio.get_running_loop())
        encoder = Encoder(newest, form, pool)
        publish(newest, *range(7))
        assert encoded == []
        rounds = []
        for index in (7, 8):
            asked = [encoder.after(newest.shown.number if newest.shown else 0) for _ in range(10)]
            tasks = [asyncio.create_task(each) for each in asked]
            await asyncio.sleep(0)
            tasks.pop().cancel()  # who leaves takes nothing from the others
            publish(newest, index)
            rounds.append([found.data for found in await asyncio.gather(*tasks) if found is not None])
        return rounds

    assert asyncio.run(look()) == [[b"7"] * 9, [b"8"] * 9]
    assert encoded == [7, 8]


def test_a_picture_that_cannot_be_encoded_fails_for_who_asked(
    newest: Newest, pool: ThreadPoolExecutor
) -> None:
    def form(shown: Shown) -> bytes:
        if shown.result.index == 0:
            raise ValueError("too large")
        return b"good"

    async def look() -> bytes:
        newest.attach(asyncio.get_running_loop())
        encoder = Encoder(newest, form, pool)
        publish(newest, 0)
        with pytest.raises(ValueError, match="too large"):
            await encoder.after(0)
        publish(newest, 1)
        found = await encoder.after(0)
        return found.data if found else b""

    assert asyncio.run(look()) == b"good"


def test_pages_get_pictures_that_fit_a_page() -> None:
    assert page_size((640, 480)) == (640, 480)
    assert page_size((1920, 1080)) == (1280, 720)
    assert page_size((1080, 1920)) == (720, 1280)
    assert page_size((100_000, 3)) == (1280, 1)
