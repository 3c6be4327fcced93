"""The keys of the window: which does what, and how that is said. Light, so that ``--help`` can show them."""

from __future__ import annotations

from dataclasses import dataclass

from fkp_live.display.look import LAYERS


@dataclass(frozen=True, slots=True)
class Press:
    """What a key asks for.

    Attributes
    ----------
    action : name of it
    value : the layer that is switched, or the steps up (1) or down (-1)
    """

    action: str
    value: str | int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """A key, or several that belong together, for people to read."""

    keys: str
    effect: str


KEYS = (
    Key("q, Esc", "quit"),
    Key("space", "pause; of a camera only the picture"),
    Key("s", "save the picture and the clean frame (PNG)"),
    Key("r", "start or stop recording (MP4 and CSV)"),
    Key("m", "mirror the window"),
    Key("f", "full screen"),
    Key("h", "show or hide these keys"),
    Key("1 2 3 4", "points, contours, boxes, ids"),
    Key("5 6 7", "pose, measures, HUD"),
    Key("[ ]", "less or more smoothing"),
    Key("c", "this is my neutral face"),
    Key("- +", "smaller or larger drawing"),
)
HINT = "h: all keys, q: quit, space: pause, s: save, r: record"

_PRESSES = {
    **{"q": Press("quit"), "\x1b": Press("quit"), " ": Press("pause"), "s": Press("save")},
    **{"r": Press("record"), "m": Press("mirror"), "f": Press("fullscreen"), "h": Press("help")},
    **{str(number): Press("layer", layer) for number, layer in enumerate(LAYERS, 1)},
    **{"[": Press("smooth", -1), "]": Press("smooth", 1), "c": Press("neutral")},
    # Where + and - need no shift key, = and _ are pressed instead.
    **{"+": Press("size", 1), "=": Press("size", 1), "-": Press("size", -1), "_": Press("size", -1)},
}


def press_of(code: int) -> Press | None:
    """What the key of this code (0 to 255, -1 for none) asks for; None if nothing. Capitals are as small letters."""
    return _PRESSES.get(chr(code).lower()) if code >= 0 else None


def keys_table(indent: str = "  ") -> str:
    """The keys as lines of text, for ``--help``."""
    width = max(len(key.keys) for key in KEYS)
    return "\n".join(f"{indent}{key.keys:<{width}}  {key.effect}" for key in KEYS)
