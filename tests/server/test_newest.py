"""The newest frame from the stream's thread to whoever waits in an event loop, and its forms."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np
import pytest

from fkp_live.images.picture import BgrPicture
from fkp_live.server.forms import Form, Made, Maker
from fkp_live.server.newest import Newest, Shown
from fkp_live.server.pictures import page_size
from fkp_live.types import Frame, FrameResult

T = TypeVar("T")
PICTURE = BgrPicture(np.zeros((8, 8, 3), np.uint8))


def result(index: int) -> FrameResult:
    return FrameResult.of(Frame(PICTURE, index, index / 30, 0.0), [])


def publish(newest: Newest, *indices: int) -> None:
    for index in indices:
        newest.publish(result(index), PICTURE)


def named(shown: Shown) -> bytes:
    return str(shown.result.index).encode()


@pytest.fixture
def newest() -> Newest:
    return Newest(lambda result: f"line {result.index}")


def looked(newest: Newest, look: Callable[[], Awaitable[T]], *forms: Form) -> T:
    """What `look` returns beside a `Maker`."""

    async def beside() -> T:
        maker = Maker(newest, forms)
        maker.start(asyncio.get_running_loop())
        try:
            return await asyncio.wait_for(look(), 20)
        finally:
            maker.close()

    return asyncio.run(beside())


async def waiting(work: Awaitable[T]) -> asyncio.Task[T]:
    """The task of what waits for a frame, which it does already."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    assert not task.done()
    return task


def test_a_late_viewer_gets_the_newest_and_then_waits_for_the_next(newest: Newest) -> None:
    form = Form(newest, named)

    async def look() -> list[bytes]:
        publish(newest, 0, 1, 2)
        seen = [await form.after(0)]
        task = await waiting(form.after(3))
        threading.Thread(target=publish, args=(newest, 3)).start()
        seen.append(await task)
        return [made.data for made in seen if made is not None]

    assert looked(newest, look, form) == [b"2", b"3"]


def test_all_who_wait_learn_of_the_end_after_the_last_frame(newest: Newest) -> None:
    form = Form(newest, named)

    async def look() -> tuple[Made | None, Made | None, object]:
        first = await waiting(form.after(0))
        over = await waiting(newest.over.wait())
        publish(newest, 0)
        newest.end()
        return await first, await form.after(1), await over

    assert looked(newest, look, form) == (Made(1, b"0"), None, True)


def test_who_waits_when_nothing_comes_any_more_learns_it(newest: Newest) -> None:
    form = Form(newest, named)

    async def look() -> list[object]:
        publish(newest, 0)
        tasks = [await waiting(form.after(1)), await waiting(newest.line_after(1))]
        newest.end()
        return [*await asyncio.gather(*tasks), await form.after(0)]

    assert looked(newest, look, form) == [None, None, Made(1, b"0")]


def test_frames_that_come_fast_are_not_all_made_but_the_last_one_is(newest: Newest) -> None:
    form = Form(newest, named)
    made: list[int] = []

    async def look() -> None:
        publish(newest, 0)
        number = 0
        while number < 200:
            found = await form.after(number)
            assert found is not None
            number = found.number
            made.append(number)
            for index in range(number, min(number + 20, 200)):
                publish(newest, index)
                await asyncio.sleep(0)

    looked(newest, look, form)
    assert made[-1] == 200
    assert len(made) < 100
    assert made == sorted(set(made))


def test_lines_come_one_by_one_and_a_reader_who_is_too_late_goes_on_with_the_newest(newest: Newest) -> None:
    async def read() -> list[str]:
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

    assert looked(newest, read) == [*(f"line {index}" for index in range(5)), "line 104"]


def test_viewers_who_leave_are_forgotten(newest: Newest) -> None:
    form = Form(newest, named)

    async def leave() -> bool:
        for _ in range(10):
            for task in (await waiting(form.after(0)), await waiting(newest.line_after(0))):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        publish(newest, 0)
        return newest.read or form.lacks(newest.shown)

    assert not looked(newest, leave, form)


def test_a_frame_is_made_once_for_all_and_only_if_somebody_asks(newest: Newest) -> None:
    made: list[int] = []

    def form(shown: Shown) -> bytes:
        made.append(shown.result.index)
        return named(shown)

    once = Form(newest, form)

    async def look() -> list[list[bytes]]:
        publish(newest, *range(7))
        assert made == []
        rounds = []
        for index in (7, 8):
            tasks = [await waiting(once.after(index)) for _ in range(10)]
            tasks.pop().cancel()  # who leaves takes nothing from the others
            publish(newest, index)
            rounds.append([found.data for found in await asyncio.gather(*tasks) if found is not None])
        return rounds

    assert looked(newest, look, once) == [[b"7"] * 9, [b"8"] * 9]
    assert made == [7, 8]


def test_a_picture_that_cannot_be_made_fails_for_who_asked(newest: Newest) -> None:
    def form(shown: Shown) -> bytes:
        if shown.result.index == 0:
            raise ValueError("too large")
        return b"good"

    failing = Form(newest, form)

    async def look() -> bytes:
        publish(newest, 0)
        with pytest.raises(ValueError, match="too large"):
            await failing.after(0)
        publish(newest, 1)
        found = await failing.after(0)
        return found.data if found else b""

    assert looked(newest, look, failing) == b"good"


def test_pages_get_pictures_that_fit_a_page() -> None:
    assert page_size((640, 480)) == (640, 480)
    assert page_size((1920, 1080)) == (1280, 720)
    assert page_size((1080, 1920)) == (720, 1280)
    assert page_size((100_000, 3)) == (1280, 1)
