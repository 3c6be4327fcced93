"""Golden scenes: the pictures, and what detector and networks return for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike
from skimage import data

from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.engine import Engine
from fkp_live.faces.detector import YuNet
from fkp_live.images.picture import BgrPicture
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.sources import open_source
from fkp_live.types import FloatArray, Frame, Image

RECORD = Path(__file__).with_name("golden.json")
NETWORKS = ("fkp68", "fkp68-large", "fkp68-medium", "fkp68-medium-int8", "fkp68-int8", "fkp68-tiny")
# The face is near, far and tilted in these.
DEMO_FRAMES = (0, 50, 100)
Boxes = dict[str, FloatArray]
Points = dict[str, FloatArray]


def astronaut() -> Image:
    """(512, 512, 3) BGR portrait of one person looking into the camera, the face about 90 px wide."""
    return np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)


def demo_frames() -> list[Frame]:
    """The demo clip up to the last of `DEMO_FRAMES`: 640x480, the face about 170 px wide."""
    with open_source(demo_clip(), max_frames=max(DEMO_FRAMES) + 1) as source:
        return list(source)


def detect(picture: Image, frames: list[Frame], detector: YuNet) -> Boxes:
    """Landmark boxes (1, 4) of each scene, as the detector alone places them."""
    boxes = {"astronaut": [face.box for face in detector(picture)]}
    for number in DEMO_FRAMES:
        boxes[f"demo {number}"] = [face.box for face in detector(frames[number].picture)]
    return {name: np.stack(found) for name, found in boxes.items()}


def look(picture: Image, frames: list[Frame], engine: Engine, points: Mapping[str, ArrayLike]) -> Points:
    """Openness and probability of shut of both eyes (2, 2) of each scene, at given points of single pictures."""
    pictures = {"astronaut": BgrPicture(picture)} | {f"demo {n}": frames[n].picture for n in DEMO_FRAMES}
    return {
        name: engine.eyes(each, [np.asarray(points[name], np.float32)])[0] for name, each in pictures.items()
    }


def locate(picture: Image, frames: list[Frame], engine: Engine) -> Points:
    """Points (68, 2) of each scene: of single pictures, and of the tracked and smoothed clip."""
    landmarker = FaceLandmarker(engine=engine)
    points = {"astronaut": landmarker(picture)[0].points}
    for number in DEMO_FRAMES:
        points[f"demo {number}"] = landmarker(frames[number].picture)[0].points
    pipeline = Pipeline(PipelineOptions(smooth="medium", detect_every=15), engine=engine)
    for frame in frames:
        (face,) = pipeline.process(frame).faces
        if frame.index in DEMO_FRAMES:
            points[f"tracked {frame.index}"] = face.points
    return points
