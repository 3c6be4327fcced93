"""The faces of one picture: python examples/one_picture.py PICTURE [OUT]."""

import cv2

from fkp_live import FaceLandmarker, draw
from fkp_live.console import run_main
from fkp_live.errors import InputError


def main(path: str, out: str | None = None) -> None:
    """Print the faces, largest first, and save the painted picture if ``out`` is given."""
    image = cv2.imread(path)  # (H, W, 3) uint8, BGR
    if image is None:
        raise InputError(f"{path} cannot be read as a picture.", "Check its name.")
    faces = FaceLandmarker(provider="cpu")(image)
    for face in faces:
        x, y = face.points[30]  # the tip of the nose, in the iBUG order of the 68 points
        print(f"score {face.score:.2f}, nose at {x:.1f}, {y:.1f}, confidence {face.confidence.mean():.2f}")
    if out is not None:
        cv2.imwrite(out, draw(image, faces))  # paints into image


if __name__ == "__main__":
    run_main(main, __doc__)
