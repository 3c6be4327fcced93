"""How results look: which layers are painted, and how large. Light, so that the options can import it."""

from __future__ import annotations

from dataclasses import dataclass, replace

# The parts of a face, and the HUD; in this order the keys 1 to 7 switch them.
FACE_LAYERS = ("points", "contours", "boxes", "ids", "pose", "measures")
LAYERS = (*FACE_LAYERS, "hud")
USUAL_LAYERS = ("points", "contours", "boxes", "ids")
_SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


@dataclass(frozen=True, slots=True)
class Look:
    """How an overlay looks.

    Attributes
    ----------
    layers : names of `LAYERS` that are painted
    scale : of strokes, points and text; 1 is the usual size
    """

    layers: frozenset[str] = frozenset((*USUAL_LAYERS, "hud"))
    scale: float = 1.0

    def switched(self, layer: str) -> Look:
        """With this layer on instead of off, or off instead of on."""
        return replace(self, layers=self.layers ^ {layer})

    def resized(self, steps: int) -> Look:
        """Larger by ``steps``, or smaller where it is negative, as far as sizes go."""
        nearest = min(range(len(_SCALES)), key=lambda place: abs(_SCALES[place] - self.scale))
        return replace(self, scale=_SCALES[min(max(nearest + steps, 0), len(_SCALES) - 1)])
