"""Make the clip behind ``fkp-live --demo``: a portrait that pans, zooms, rolls and changes in brightness.

    python -m benchmarks.make_demo_clip [OUTPUT]

The picture is scikit-image's ``astronaut``: NASA's portrait of Eileen Collins, in the public domain. Every
frame is a crop of it, so there is no border to see; the motion is smooth and closes on itself.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from benchmarks.script import result_file

TARGET = Path(__file__).parents[1] / "fkp_live" / "assets" / "demo.mp4"
WIDTH, HEIGHT, RATE, SECONDS = 640, 480, 30, 6
FACE = np.array([222.0, 128.0])  # between the eyes and the mouth, pixels of the photo


def motion(phase: float) -> np.ndarray:
    """The (2, 3) affine from pixels of the photo to pixels of the clip at ``phase`` in [0, 1) of the motion."""
    turn = 2 * np.pi * phase
    zoom = 1.84 + 0.20 * np.cos(turn)
    roll = np.deg2rad(5.0) * np.sin(turn)
    shown = np.array([WIDTH * 0.5 + 65 * np.sin(turn), HEIGHT * 0.49 + 16 * np.sin(2 * turn)])
    c, s = zoom * np.cos(roll), zoom * np.sin(roll)
    linear = np.array([[c, -s], [s, c]])
    return np.column_stack([linear, shown - linear @ FACE])


def view(image: np.ndarray, phase: float) -> np.ndarray:
    """The (480, 640, 3) picture at ``phase`` in [0, 1) of the motion."""
    # The photo ends a little above the hair: reflected there, the plain background goes on.
    warped = cv2.warpAffine(
        image, motion(phase), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    light = 0.93 + 0.09 * np.sin(2 * np.pi * phase + 1.0)
    return np.clip(warped.astype(np.float32) * light, 0, 255).astype(np.uint8)


def main(target: Path) -> None:
    """Write the clip."""
    import av
    from skimage import data

    image = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    with av.open(str(target), "w", container_options={"movflags": "faststart"}) as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "23", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for index in range(RATE * SECONDS):
            frame = av.VideoFrame.from_ndarray(view(image, index / (RATE * SECONDS)), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    print(f"{target}: {RATE * SECONDS} frames, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "target", type=result_file, nargs="?", default=TARGET, help="default: the one in the package"
    )
    main(parser.parse_args().target)
