"""The thread that sends for several senders."""

from __future__ import annotations

import threading

import pytest
from conftest import until

from fkp_live.sinks.post import Post

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


class Counted:
    """Counts how often the thread worked for it, until it is told that nothing comes any more."""

    def __init__(self) -> None:
        self.done = False
        self.threads: list[int] = []
        self.worked = threading.Event()

    def work(self) -> bool:
        self.threads.append(threading.get_ident())
        self.worked.set()
        return not self.done


def rung(post: Post, *ones: Counted) -> None:
    """Ring, and wait until the thread has worked for each."""
    for one in ones:
        one.worked.clear()
    post.ring()
    for one in ones:
        assert one.worked.wait(30)


def test_one_thread_works_for_all_and_ends_with_the_last() -> None:
    post, ones = Post("test post"), [Counted() for _ in range(3)]
    for one in ones:
        post.serve(one)
    rung(post, *ones)
    assert len({thread for one in ones for thread in one.threads}) == 1

    ones[1].done = True
    rung(post, *ones)
    seen = len(ones[1].threads)
    rung(post, ones[0], ones[2])
    assert len(ones[1].threads) == seen, "who has ended is left alone"

    ones[0].done = ones[2].done = True
    rung(post, ones[0], ones[2])
    until(lambda: not any(thread.name == "test post" for thread in threading.enumerate()))

    again = Counted()
    post.serve(again)  # a new thread
    again.done = True
    rung(post, again)


def test_who_is_in_a_hurry_waits_for_no_moment() -> None:
    post, one = Post("test post", 3600.0), Counted()
    post.serve(one)
    post.ring()
    post.hurry()
    assert one.worked.wait(30)
    one.worked.clear()
    one.done = True
    post.hurry()  # also without a bell before it
    assert one.worked.wait(30)
