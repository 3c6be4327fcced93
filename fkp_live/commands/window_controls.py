"""What the keys of the window reach in a run: recorder, smoothing, the state of the source."""

from __future__ import annotations

from fkp_live.choices import SMOOTHING
from fkp_live.commands.viewer import Controls, Recording
from fkp_live.errors import InputError
from fkp_live.pipeline import Pipeline
from fkp_live.sources import Source
from fkp_live.sources.opening import is_camera

NEUTRAL, NO_FACE = "this is your neutral face", "there is no face now"


def controls(source: Source, pipeline: Pipeline, recorder: Recording) -> Controls:
    """The controls of a run."""
    return Controls(
        recorder,
        smooth=lambda steps: smooth(pipeline, steps),
        neutral=lambda: neutral(pipeline),
        # A source that can lose its device says so in `state`.
        status=lambda: getattr(source, "state", ""),
    )


def smooth(pipeline: Pipeline, steps: int) -> str:
    """Smooth more (1) or less (-1), as far as levels go; the words to show."""
    place = SMOOTHING.index(pipeline.options.smooth) + steps
    level = SMOOTHING[min(max(place, 0), len(SMOOTHING) - 1)]
    if level != pipeline.options.smooth:
        pipeline.set_smoothing(level)
    return f"smoothing {level}"


def neutral(pipeline: Pipeline) -> str:
    """Take what faces show now as their neutral face; the words to show."""
    return NEUTRAL if pipeline.set_neutral() else NO_FACE


def mirrored_at_first(source: int | str | None, *, mirror: bool) -> bool:
    """Whether the window begins mirrored: for a camera, unless all of it is mirrored already by ``--mirror``."""
    if source is None or mirror:
        return False
    try:
        return is_camera(source)
    except InputError:
        return False  # opening it says what is wrong
