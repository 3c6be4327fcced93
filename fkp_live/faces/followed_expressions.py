"""Expressions of followed faces: each relative to the person's own neutral face, and steady over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fkp_live.faces.expression import LEARNT_SHARE, Answer, ExpressionNetwork, probabilities
from fkp_live.types import EXPRESSIONS, Expression, FloatArray, Picture

# Runs of the network on a face in a second, each in the first frame of its part of a second by the time stamps:
# expressions last longer, and runs cost time.
_RUNS = 5
# Probabilities follow with this time constant, in seconds: longer than the syllables of who talks.
_FOLLOW_SECONDS = 0.6
# A label stays this long, in seconds, and then gives way to one that leads by the first margin; at once by the second.
_LEAST_SECONDS, _LEAD, _CHANGED = 0.5, 0.15, 0.6
# Frames count for the usual face by the probability that they are neutral, and a little all the same: who is never
# neutral to the network looks usual too. The mean takes as long as the second number to be half known, and forgets
# with the third, all in seconds of neutral face.
_LEAST_WEIGHT, _HALF_KNOWN, _FORGET = 0.05, 4.0, 60.0
# No usual face is further from the average than this, in logits: who laughs through a whole film laughs.
_FURTHEST = 1.5


@dataclass(slots=True)
class _State:
    """What is known of a face: of its usual look, and of the last frames."""

    answer: Answer
    time: float
    shares: FloatArray
    label: int
    since: float
    mean: FloatArray = field(default_factory=lambda: np.zeros(len(EXPRESSIONS), np.float32))
    weight: float = 0.0
    given: Answer | None = None


class FollowedExpressions:
    """The expressions of the faces of a stream, by the numbers of their tracks.

    Parameters
    ----------
    network : shared with other streams if you like
    """

    def __init__(self, network: ExpressionNetwork) -> None:
        self._network = network
        self._states: dict[int, _State] = {}

    def __call__(
        self, picture: Picture, numbers: Sequence[int], points: Sequence[FloatArray], time: float
    ) -> list[Expression]:
        """The expressions of the faces in a picture at ``time`` (seconds), by number of the track and points."""
        due = [place for place, number in enumerate(numbers) if self._is_due(number, time)]
        found = self._network(picture, [points[place] for place in due])
        for place, answer in zip(due, found, strict=True):
            self._see(numbers[place], answer, time)
        return [self._shown(self._states[number]) for number in numbers]

    def set_neutral(self, number: int | None = None) -> list[int]:
        """Take what faces show now as their neutral face, from now on; all faces, or one. Returns their numbers."""
        chosen = [n for n in self._states if number is None or n == number]
        for each in chosen:
            state = self._states[each]
            state.given = state.answer
            self._settle(state, self._relative(state, state.answer), state.time)
        return chosen

    def forget(self, number: int) -> None:
        """Drop the state of a track that has ended."""
        self._states.pop(number, None)

    def reset(self) -> None:
        """Drop the state of every track."""
        self._states.clear()

    def _is_due(self, number: int, time: float) -> bool:
        state = self._states.get(number)
        return state is None or _part(time) != _part(state.time)

    def _see(self, number: int, answer: Answer, time: float) -> None:
        state = self._states.get(number)
        if state is None:
            shares = probabilities(answer.logits)
            self._states[number] = _State(answer, time, shares, int(shares.argmax()), time)
            return
        step = min(max(time - state.time, 0.0), 1.0)
        state.time = time
        share = 1.0 - math.exp(-step / _FOLLOW_SECONDS)
        seen = self._relative(state, answer)
        state.shares = state.shares + share * (seen - state.shares)
        # A short mean of answers too, which `set_neutral` takes: one frame may be a blink.
        state.answer = Answer(
            state.answer.logits + share * (answer.logits - state.answer.logits),
            state.answer.placed + share * (answer.placed - state.answer.placed),
        )
        self._learn(state, answer.logits, float(seen[0]), step)
        self._choose(state, time)

    def _relative(self, state: _State, answer: Answer) -> FloatArray:
        """Probabilities of an answer, relative to what is known of the person's neutral face."""
        if state.given is not None:
            return probabilities(self._network.against(answer, state.given))
        off = (state.mean - self._network.neutral).clip(-_FURTHEST, _FURTHEST)
        share = LEARNT_SHARE * state.weight / (state.weight + _HALF_KNOWN)
        return probabilities(np.asarray(answer.logits - share * off, np.float32))

    def _learn(self, state: _State, logits: FloatArray, neutral: float, step: float) -> None:
        gained = step * (_LEAST_WEIGHT + neutral)
        if gained > 0:
            state.weight += gained
            state.mean = state.mean + gained / state.weight * (logits - state.mean)
            state.weight = min(state.weight, _FORGET)

    def _choose(self, state: _State, time: float) -> None:
        best = int(state.shares.argmax())
        lead = float(state.shares[best] - state.shares[state.label])
        rested = time - state.since >= _LEAST_SECONDS
        if lead > _CHANGED or (rested and lead > _LEAD):
            state.label, state.since = best, time

    def _settle(self, state: _State, shares: FloatArray, time: float) -> None:
        state.shares, state.label, state.since = shares, int(shares.argmax()), time

    def _shown(self, state: _State) -> Expression:
        return Expression(state.shares, EXPRESSIONS[state.label], state.answer.logits)


def _part(time: float) -> int:
    """Which part of a second: the same for recorded and live frames, whichever of them were dropped."""
    # A time stamp a trifle before the edge, by rounding, belongs to the next part.
    return math.floor(time * _RUNS + 1e-6)
