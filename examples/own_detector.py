"""Another face detector in front of the landmark network: python examples/own_detector.py PICTURE.

Any callable will do that takes a picture and returns `FaceBox`es. Here it is OpenCV's Haar cascade of 2001.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from fkp_live import Engine, FaceLandmarker
from fkp_live.types import FaceBox, Picture


class HaarDetector:
    """Frontal faces by the cascade that OpenCV carries."""

    def __init__(self) -> None:
        folder = Path(cv2.__file__).parent / "data"
        self._cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))

    def __call__(self, picture: Picture) -> list[FaceBox]:
        """Boxes tight around the 68 points, as the landmark network expects them."""
        # minNeighbors: how many windows must agree on a face.
        squares = self._cascade.detectMultiScale(picture.luma, minNeighbors=8)
        # A cascade's square reaches from the forehead to below the chin; the points begin at the brows.
        boxes = [(x + 0.1 * w, y + 0.2 * h, x + 0.9 * w, y + h) for x, y, w, h in squares]
        return [FaceBox(np.array(box, np.float32), score=1.0) for box in boxes]


def main(path: str) -> None:
    """Print the faces of a picture."""
    image = cv2.imread(path)
    if image is None:
        sys.exit(f"{path} cannot be read as a picture")
    landmarker = FaceLandmarker(engine=Engine(provider="cpu", detector=HaarDetector()))
    for face in landmarker(image):
        print(f"box {face.box.round().tolist()}, mean confidence {face.confidence.mean():.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
