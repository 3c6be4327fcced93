"""What is measured on a face beside openness: the names of the measures, and the numbers of one face by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The measures of a face, in order. More of what the name says gives a larger number. "Left" and "right" are the
# person's own. Formulas: `faces.measures`; each number in words: docs/measures.md.
MEASURES: tuple[str, ...] = (
    *("ear_left", "ear_right", "mar", "mouth_width", "smile_left", "smile_right"),
    *("brow_raise_left", "brow_raise_right", "frown", "lip_press", "jaw_drop", "mouth_pucker"),
)
# The shapes of ARKit that 68 points can show, see `faces.blendshapes`.
ARKIT: tuple[str, ...] = (
    *("EyeBlinkLeft", "EyeSquintLeft", "EyeWideLeft", "EyeBlinkRight", "EyeSquintRight", "EyeWideRight"),
    *("JawRight", "JawLeft", "JawOpen", "MouthPucker", "MouthRight", "MouthLeft"),
    *("MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight"),
    *("MouthStretchLeft", "MouthStretchRight", "MouthLowerDownLeft", "MouthLowerDownRight"),
    *("MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft", "BrowDownRight", "BrowInnerUp"),
    *("BrowOuterUpLeft", "BrowOuterUpRight"),
)
# The columns that tables have of them: the measures, the same relative to the person's usual, the shapes.
COLUMNS: tuple[str, ...] = (
    *MEASURES,
    *(f"{name}_rel" for name in MEASURES),
    *(f"arkit_{name}" for name in ARKIT),
)

_RELATIVE, _ARKIT = len(MEASURES), 2 * len(MEASURES)


class ShapeMeasures:
    """The numbers of one face in one frame, in the order of `COLUMNS`.

    They are computed when they are first asked for: most who read points and pose need none of them.

    Parameters
    ----------
    compute : gives the numbers (51,)
    """

    __slots__ = ("_compute", "_numbers")

    def __init__(self, compute: Callable[[], ArrayLike]) -> None:
        self._compute: Callable[[], ArrayLike] | None = compute
        self._numbers: NDArray[np.float64] | None = None

    @classmethod
    def known(cls, numbers: ArrayLike) -> ShapeMeasures:
        """Numbers (51,) that are there already, as those of a recording."""
        made = cls.__new__(cls)
        made._compute, made._numbers = None, np.asarray(numbers, np.float64)
        return made

    def rounded(self, decimals: int) -> ShapeMeasures:
        """The same, rounded."""
        # + 0.0 turns the -0.0 of a rounded number into 0.0
        return ShapeMeasures.known(self.numbers.round(decimals) + 0.0)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """(51,) float64, NaN where there is none."""
        # Two threads at once compute the same.
        if self._numbers is None and (compute := self._compute) is not None:
            self._numbers = np.asarray(compute(), np.float64)
            self._compute = None  # and with it the points
        assert self._numbers is not None
        return self._numbers

    @property
    def values(self) -> dict[str, float]:
        """Each of `MEASURES`."""
        return _named(MEASURES, self.numbers[:_RELATIVE])

    @property
    def relative(self) -> dict[str, float]:
        """Each of `MEASURES`, less what is usual for the person."""
        return _named(MEASURES, self.numbers[_RELATIVE:_ARKIT])

    @property
    def arkit(self) -> dict[str, float]:
        """Each of `ARKIT`, in [0, 1]."""
        return _named(ARKIT, self.numbers[_ARKIT:])


def _named(names: Sequence[str], numbers: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, numbers.tolist(), strict=True))
