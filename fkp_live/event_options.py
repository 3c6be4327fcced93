"""Names and limits of events. Light, so that every command can import it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from fkp_live.choices import check_number

# What `faces.events` finds, and what it means. What lasts has a beginning and an end.
EVENTS = {
    "appear": "a face is seen for the first time",
    "vanish": "a face was not seen for the time `vanish`",
    "blink": "the eyes shut and opened again",
    "slow_blink": "a blink that took longer than `slow_blink`",
    "eyes_shut": "the eyes have been shut for the time `eyes_shut`",
    "eyes_shut_end": "they opened",
    "perclos": "the eyes were shut for the share `perclos` of the last minute",
    "perclos_end": "the share fell again",
    "yawn": "the mouth has been wide open for the time `yawn_seconds`",
    "yawn_end": "it closed",
    "nod": "the head moved up and down three times or more in a row",
    "shake": "it turned to and fro likewise",
    "smile": "the face has smiled for the time `smile_seconds`",
    "smile_end": "it stopped",
    "look_away": "the head has been turned for the time `look_away_seconds`",
    "look_away_end": "it turned back",
}


@dataclass(frozen=True, slots=True)
class EventOptions:
    """Limits of events. What lasts ends at three quarters of the limit at which it began.

    Attributes
    ----------
    slow_blink : seconds beyond which a blink is a slow one
    blink_depth : share of their openness by which the eyes come down in a blink at least
    eyes_shut : seconds from which on eyes are not blinking but shut
    eye_width : pixels; of a face with narrower eyes, blinks and shut eyes are not looked for
    turned : degrees of yaw or pitch beyond which blinks, shut eyes, yawns and smiles are not looked for
    perclos, perclos_window : share of the time with shut eyes, and the seconds over which it is taken
    yawn, yawn_seconds : openness of the mouth, and for how long
    smile, smile_seconds : probability of the expression "happy", or without expressions the mean of the blend shapes
        MouthSmileLeft and MouthSmileRight, and for how long
    look_away, look_away_seconds : degrees of yaw to either side, and for how long
    nod, shake : degrees of each swing of pitch or yaw
    swing_seconds : the longest that a swing takes
    vanish : seconds for which a face is missing before it has vanished

    Raises
    ------
    ValueError, TypeError : a limit is not a finite number above 0, a share is 1 or more, or ``slow_blink`` is longer
        than ``eyes_shut``
    """

    slow_blink: float = 0.2
    blink_depth: float = 0.35
    eyes_shut: float = 1.0
    eye_width: float = 15.0
    turned: float = 25.0
    perclos: float = 0.15
    perclos_window: float = 60.0
    yawn: float = 0.6
    yawn_seconds: float = 2.0
    smile: float = 0.5
    smile_seconds: float = 0.5
    look_away: float = 30.0
    look_away_seconds: float = 0.5
    nod: float = 7.0
    shake: float = 10.0
    swing_seconds: float = 0.6
    vanish: float = 0.5

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            check_number(one.name, value)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{one.name} is {value}, expected a number above 0")
        for share in ("blink_depth", "perclos", "smile"):
            if getattr(self, share) >= 1:
                raise ValueError(f"{share} is {getattr(self, share)}, expected a share below 1")
        if self.slow_blink > self.eyes_shut:
            raise ValueError(f"slow_blink is {self.slow_blink}, expected at most eyes_shut, {self.eyes_shut}")


def limits() -> dict[str, float]:
    """Name and default of each limit."""
    return {one.name: float(getattr(EventOptions(), one.name)) for one in fields(EventOptions)}


# In place of a name: every event.
ANY = "any"
# Fields of an event that the arguments of a program may hold in braces.
PLACEHOLDERS = ("event", "face", "start", "end", "seconds", "value", "time")


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run at an event.

    Attributes
    ----------
    event : one of `EVENTS`, or `ANY`
    program : path of the program
    arguments : with `PLACEHOLDERS` in braces
    """

    event: str
    program: str
    arguments: tuple[str, ...]
