"""The constants that the page's engine shares with Python, as the text of a JavaScript module.

``fkp_live/server/static/engine/constants.js`` is this text: written by ``python -m tests.browser.write``, held by
`tests/browser/test_node.py`. A constant of Python that the page needs is named here, and nowhere copied by hand.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fkp_live import clock, measured, recorded, topology
from fkp_live.choices import PipelineOptions
from fkp_live.faces import (
    blendshapes,
    detector,
    detector_views,
    expression,
    eyes,
    followed_expressions,
    followed_eyes,
    followed_measures,
    front_view,
    head_pose,
    hidden_points,
    measures,
    openness,
    smoothing,
    tracker,
)
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.faces.tracker_options import TrackerOptions
from fkp_live.images import low_light, warping
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session
from fkp_live.types import EXPRESSIONS

MODULE = Path(__file__).parents[2] / "fkp_live/server/static/engine/constants.js"
NETWORKS = ("fkp68", "fkp68-int8", "fkp68-tiny")
_HEAD = (
    "// Written by `python -m tests.browser.write` from the constants of the Python package. Do not edit.\n"
)


def text() -> str:
    """The module."""
    lines = [f"export const {_camel(name)} = {_json(value)};\n" for name, value in _constants().items()]
    return _HEAD + "\n" + "\n".join(lines)


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def _plain(value: Any) -> Any:
    """Lists, numbers and objects with camelCase keys."""
    if isinstance(value, dict):
        return {_camel(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray):
        # The shortest text of a float32 is not that of the float64 of the same value, which JavaScript would read.
        return value.astype(np.float64).tolist() if value.dtype.kind == "f" else value.tolist()
    return value


def _camel(name: str) -> str:
    """snake_case and SNAKE_CASE as camelCase; names of models and of ARKit's shapes as they are."""
    if "_" not in name:
        return name.lower() if name.isupper() else name
    first, *others = name.lower().strip("_").split("_")
    return first + "".join(other.capitalize() for other in others)


def _named(module: Any, *names: str) -> dict[str, Any]:
    """Constants of a module by their names."""
    return {name.strip("_"): getattr(module, name) for name in names}


def _constants() -> dict[str, Any]:
    return {
        "models": _models(),
        "detector": {
            **_named(detector, "STRIDES", "SCORE", "MULTIPLE", "WORK_SIZE", "FACE_SIDE", "USUAL_FACE"),
            **_named(detector, "USUAL_SIZE", "MAX_ENLARGEMENT", "LINEAR_REDUCTION", "WIDTH_RATIO"),
            **_named(detector, "HEIGHT_RATIO", "CENTRE_DROP"),
            "overlap": (detector.YuNet.__init__.__kwdefaults__ or {})["overlap"],
        },
        "views": _named(
            detector_views,
            *("FINE_SIZE", "LARGEST", "TILE_SIZE", "TILE_OVERLAP", "TILE_REDUCTION", "_SLACK"),
        ),
        "warp": _named(warping, "_SHRINK_BELOW"),
        "low_light": {
            **_named(low_light, "DARK", "BRIGHT", "WHITE", "LEAST", "_GRID", "_EVERY", "_SHARE", "_JUMP"),
            # As OpenCV rounds the weights of cv2.GaussianBlur: of seven pixels where the deviation is 1.
            "kernel": np.rint(cv2.getGaussianKernel(7, low_light.BLUR).ravel() * 256).astype(int),
        },
        "tracker": {
            **asdict(TrackerOptions()),
            "impossible": tracker._IMPOSSIBLE,
            "turned": tracker._TURNED,
            "clock_jump": clock.CLOCK_JUMP,
            "detect_every": PipelineOptions.detect_every,
        },
        "eyes": {name: topology.REGIONS[name] for name in ("left_eye", "right_eye")},
        "smoothing": {
            "radius": smoothing._RADIUS,
            **_named(smoothing, "LONGEST_STEP", "LEAST_STEP"),
            "levels": {
                level: [asdict(options) for options in smoothing._LEVELS[level]]
                for level in ("light", "medium", "strong")
            },
            "usual": PipelineOptions.smooth,
        },
        "pose": _pose(),
        "hidden": {
            **_named(hidden_points, "FROM", "HIDDEN_FROM", "FULL"),
            "log_odds": hidden_points._table()[0],
            "slopes": hidden_points._table()[1],
            "mirror": topology.MIRROR,
        },
        "openness": {
            "pairs": openness._PAIRS,
            **_named(
                openness, "BLINK_BELOW", "SHUT_FROM", "_WIDER_SECONDS", "_NARROWER_SECONDS", "_FRONTAL_YAW"
            ),
            "by_points": asdict(openness._BY_POINTS),
            "looked_at": asdict(openness._LOOKED_AT),
        },
        "followed_eyes": _named(followed_eyes, "_EVERY", "_MOVED", "_NARROW", "_FORGOTTEN"),
        "eye_corners": _named(eyes, "_LEAST_WIDTH", "_CORNERS"),
        "measures": _measures(),
        "shapes": _shapes(),
        "expressions": {
            "names": EXPRESSIONS,
            **_named(expression, "GIVEN_SHARE", "LEARNT_SHARE", "DIFFERENCE_SHARE", "_SAME", "_OTHER"),
            "still": expression._STILL,
            "outer_corners": (topology.LEFT_EYE_OUTER, topology.RIGHT_EYE_OUTER),
            **_named(followed_expressions, "_RUNS", "_FOLLOW_SECONDS", "_LEAST_SECONDS", "_LEAD", "_CHANGED"),
            **_named(followed_expressions, "_LEAST_WEIGHT", "_HALF_KNOWN", "_FORGET", "_FURTHEST"),
        },
        "recorded": _named(recorded, "PIXEL_DECIMALS", "SHARE_DECIMALS", "ANGLE_DECIMALS", "TIME_DECIMALS"),
    }


def _models() -> dict[str, Any]:
    """What the ONNX metadata says, by the name of the file: a page cannot read it without parsing protobuf."""
    found: dict[str, Any] = {}
    for name in (*NETWORKS, "yunet", "fkp-expression", "fkp-eyes"):
        session = open_session(models_dir() / f"{name}.onnx", "cpu", 1)
        metadata = session.metadata
        facts: dict[str, Any] = {"input": metadata["input"]["name"]}
        if name == "yunet":
            facts |= {part: metadata["output"][part] for part in ("score", "box")}
        elif name == "fkp-eyes":
            facts |= {"width": metadata["input"]["width"], "height": metadata["input"]["height"]}
            facts |= {"eye": metadata["crop"]["eye"], **metadata["output"]}
        elif name == "fkp-expression":
            facts |= {"size": metadata["input"]["size"], "points": metadata["points"]["name"]}
            facts |= {"logits": metadata["output"]["logits"], "template": metadata["crop"]["template"]}
            facts |= {"neutral": metadata["neutral"], **metadata["difference"]}
        else:
            facts |= {"size": metadata["input"]["size"], "margin": metadata["crop"]["margin"]}
            facts |= {part: metadata["output"][part] for part in ("points", "confidence")}
            facts |= {"knows_turned": LandmarkNetwork(session).knows_turned}
        found[name] = facts
    return found


def _pose() -> dict[str, Any]:
    shipped = head_pose.shipped_map()
    return {
        "mean": shipped.mean.view(np.float64),
        "components": shipped.components,
        "weights": shipped.weights,
        "spread": shipped.spread,
        **_named(head_pose, "MULTIPLIED", "_LEAST_SD", "_MOST_SD", "_PROFILE"),
    }


def _measures() -> dict[str, Any]:
    """The parts and measures of a face; sums of coordinates as their few entries that are not 0."""
    weights, places, shifts = measures._weights()
    sums, squares, middle = front_view._still()
    return {
        "names": measured.MEASURES,
        "average": measures.AVERAGE,
        "least": measures.LEAST,
        "most": measures.MOST,
        "front": {
            "sums": _entries(sums),
            "squares": squares,
            "middle": middle,
            "least_seen": front_view._LEAST_SEEN,
        },
        "rows": len(weights),
        "weights": _entries(weights),
        "places": places,
        "shifts": shifts,
        "ratios": measures._RATIOS,
        "lids": list(measures._LIDS.items()),
        "sums": _entries(measures._measures()),
        "corners_out": [side["corner_out"] for side in (measures.RIGHT, measures.LEFT)],
        **_named(followed_measures, "_EVERY", "_KEPT", "_PRIOR", "_MORE", "_RECENT", "_FRONTAL_YAW"),
    }


def _entries(matrix: np.ndarray) -> list[list[float]]:
    """Row, column and value of every entry that is not 0."""
    return [[int(row), int(column), float(matrix[row, column])] for row, column in np.argwhere(matrix)]


def _shapes() -> dict[str, Any]:
    weights, apart, begin = blendshapes._shapes()
    return {
        "names": measured.ARKIT,
        "weights": _entries(weights),
        "apart": apart,
        "begin": begin,
        "lips_apart": measures.SINGLE["lips_apart"],
        **_named(blendshapes, "_EYES", "_LIDS", "_MOUTH_SIDES"),
    }
