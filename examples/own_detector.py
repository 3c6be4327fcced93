"""Another face detector in front of the landmark network: python examples/own_detector.py PICTURE.

Any callable will do that takes a picture and returns `FaceBox`es. Here it is OpenCV's Haar cascade of 2001.
"""

from pathlib import Path

import cv2
import numpy as np

from fkp_live import Engine, FaceLandmarker
from fkp_live.console import run_main
from fkp_live.errors import InputError
from fkp_live.types import FaceBox, Picture

CASCADE = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
frontal_faces = cv2.CascadeClassifier(str(CASCADE))


def haar(picture: Picture) -> list[FaceBox]:
    """Boxes tight around the 68 points, as the landmark network expects them."""
    squares = frontal_faces.detectMultiScale(picture.luma, minNeighbors=8)
    # A cascade's square reaches from the forehead to below the chin; the points begin at the brows.
    boxes = [(x + 0.1 * w, y + 0.2 * h, x + 0.9 * w, y + h) for x, y, w, h in squares]
    return [FaceBox(np.array(box, np.float32), score=1.0) for box in boxes]


def main(path: str) -> None:
    """Print the faces of a picture."""
    image = cv2.imread(path)
    if image is None:
        raise InputError(f"{path} cannot be read as a picture.", "Check its name.")
    for face in FaceLandmarker(engine=Engine(provider="cpu", detector=haar))(image):
        print(f"box {face.box.round().tolist()}, mean confidence {face.confidence.mean():.2f}")


if __name__ == "__main__":
    run_main(main, __doc__)
