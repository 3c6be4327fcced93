"""What the buttons of the page reach, and how their requests come to the stream's thread.

A pipeline, a recorder and the picture shown belong to the thread of the stream. So what a request asks for waits here
until that thread carries it out between two frames.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from fkp_live.choices import SMOOTHING
from fkp_live.errors import FkpError
from fkp_live.pipeline import Pipeline
from fkp_live.types import Image

_MOST_WAITING = 8  # requests that wait for the stream's thread
KINDS = ("record", "snapshot", "mirror", "smoothing", "neutral")


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Controls:
    """What a page may ask of the program beside the pipeline; None: there is no such thing.

    All return words to show. What cannot be done now raises `RefusedError` or an `FkpError`, whose words are shown.

    Attributes
    ----------
    record : begin a recording, or end it
    snapshot : save the painted and the clean picture, both (H, W, 3) uint8 BGR
    neutral : take what faces show now as their neutral face
    recording : how long the recording has lasted, as "0:12"; empty where there is none
    trouble : what is the matter with the source; empty if nothing is
    """

    record: Callable[[], str] | None = None
    snapshot: Callable[[Image, Image], str] | None = None
    neutral: Callable[[], str] | None = None
    recording: Callable[[], str] = _nothing
    trouble: Callable[[], str] = _nothing


class RefusedError(Exception):
    """A request that cannot be carried out.

    Parameters
    ----------
    status : of HTTP
    said : what was wrong, and what was expected
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class Waiting:
    """Requests on their way from the event loop to the stream's thread."""

    def __init__(self) -> None:
        self._works: deque[tuple[Callable[[], str], Future[str]]] = deque()
        self._closed = False

    def ask(self, work: Callable[[], str]) -> Future[str]:
        """Queue what the stream's thread is to do; the future has the words to show.

        Raises
        ------
        RefusedError : too much waits already, or the stream is over
        """
        if self._closed:
            raise RefusedError(409, "The stream is over.")
        if len(self._works) >= _MOST_WAITING:
            raise RefusedError(503, "Too many requests wait for the stream. Try again.")
        future: Future[str] = Future()
        self._works.append((work, future))
        return future

    def obey(self) -> None:
        """Carry out what waits, in the stream's thread. What fails is the answer of who asked, and nothing else."""
        while self._works:
            work, future = self._works.popleft()
            if not future.set_running_or_notify_cancel():
                continue  # nobody waits for it any more
            try:
                future.set_result(work())
            except RefusedError as error:
                future.set_exception(error)
            except FkpError as error:
                future.set_exception(RefusedError(409, str(error)))
            except Exception as error:
                future.set_exception(
                    RefusedError(500, f"It failed: {type(error).__name__}: {' '.join(str(error).split())}")
                )

    def close(self) -> None:
        """Refuse what still waits, and all that comes."""
        self._closed = True
        while self._works:
            _, future = self._works.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(RefusedError(409, "The stream is over."))


def parsed(body: bytes) -> dict[str, Any]:
    """The request that a body holds.

    Raises
    ------
    RefusedError : it is not a JSON object that asks for one of `KINDS`
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise RefusedError(400, 'Expected a JSON object such as {"do": "snapshot"}.')
    kind = asked.get("do")
    if kind not in KINDS:
        raise RefusedError(400, f'"do" is {_short(kind)}, expected one of {", ".join(KINDS)}.')
    if kind == "mirror" and not isinstance(asked.get("on"), bool):
        raise RefusedError(400, f'"on" is {_short(asked.get("on"))}, expected true or false.')
    if kind == "smoothing" and asked.get("level") not in SMOOTHING:
        raise RefusedError(
            400, f'"level" is {_short(asked.get("level"))}, expected one of {", ".join(SMOOTHING)}.'
        )
    return asked


def smooth(pipeline: Pipeline, level: str) -> str:
    """Smooth by this level from the next frame on."""
    if level != pipeline.options.smooth:
        pipeline.set_smoothing(level)
    return f"smoothing {level}"


def _short(value: object) -> str:
    return "missing" if value is None else json.dumps(value)[:40]
