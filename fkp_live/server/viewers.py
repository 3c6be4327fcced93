"""Seats for viewers: counted, and no more than there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fkp_live.server.controls import RefusedError


class Seats:
    """Counts who looks, in one event loop.

    Parameters
    ----------
    most : viewers at a time

    Attributes
    ----------
    taken : viewers now
    served : viewers so far
    """

    def __init__(self, most: int) -> None:
        self.taken = self.served = 0
        self._most = most

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Be a viewer in the ``with`` block.

        Raises
        ------
        RefusedError : all seats are taken
        """
        if self.taken >= self._most:
            raise RefusedError(
                503,
                f"{self._most} viewers look already. Close one, or start fkp-live with a larger --viewers.",
            )
        self.taken += 1
        self.served += 1
        try:
            yield
        finally:
            self.taken -= 1
