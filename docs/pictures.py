"""Makes the pictures of the documentation: ``python docs/pictures.py [NAME…]``, all of them by default.

The picture of the window (window.jpg) needs a screen and has a command of its own, see docs/window.md. The picture of
the report needs Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fkp_live import FaceLandmarker  # noqa: E402
from fkp_live.sources import open_source  # noqa: E402
from fkp_live.topology import CONTOURS  # noqa: E402
from fkp_live.types import Image  # noqa: E402

# Where the numbers of the points stand that do not have them above: right of the bridge, below lids and lips.
PLACES = (
    ({27, 28, 29, 30}, (7, 5)),
    ({48}, (-24, 5)),
    ({54}, (8, 5)),
    ({31, 32, 33, 34, 35, *range(55, 60), 60, 61, 62, 63, 64}, (-8, 17)),
)
DEMO = HERE.parent / "fkp_live" / "assets" / "demo.mp4"


def run(*words: str | Path) -> None:
    """Run ``fkp-live`` of this checkout."""
    command = [sys.executable, "-m", "fkp_live", *map(str, words), "--quiet"]
    subprocess.run(command, check=True, cwd=HERE.parent, stdout=subprocess.DEVNULL)


def write(name: str, picture: Image) -> None:
    """A JPEG in docs/."""
    cv2.imwrite(str(HERE / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(HERE / name)


def cut_out(image: Image, width: int, height: int) -> Image:
    """The largest face with what is around it, at the size of the film, so that points can be seen."""
    x0, y0, x1, y1 = FaceLandmarker("cpu")(image)[0].box
    left = int(np.clip((x0 + x1 - width) / 2, 0, image.shape[1] - width))
    top = int(np.clip((y0 + y1 - height) / 2, 0, image.shape[0] - height))
    return image[top : top + height, left : left + width]


def demo(folder: Path) -> None:
    """demo.jpg: the face in three frames of the annotated clip."""
    run("--demo", "--headless", "--no-hud", "--out", folder / "demo.mp4")
    with open_source(folder / "demo.mp4") as source:
        frames = [frame.image for frame in source if frame.index in (20, 90, 160)]
    write("demo.jpg", np.hstack([cut_out(frame, 420, 420) for frame in frames]))


def moving(folder: Path) -> None:
    """demo.webp: the annotated clip, smaller and at ten pictures a second, for the README."""
    from PIL import Image as Pillow  # matplotlib brings it

    words = ("--expression", "--layers", "points,contours,boxes,ids,pose", "--no-hud")
    run("--demo", "--headless", *words, "--out", folder / "demo.mp4")
    with open_source(folder / "demo.mp4") as source:
        shown = [
            Pillow.fromarray(cv2.resize(frame.image, (480, 360), interpolation=cv2.INTER_AREA)[..., ::-1])
            for frame in source
            if frame.index % 3 == 0
        ]
    shown[0].save(
        HERE / "demo.webp", save_all=True, append_images=shown[1:], duration=100, loop=0, quality=60, method=4
    )
    print(HERE / "demo.webp")


def points(_: Path) -> None:
    """points.jpg: the 68 points with their numbers."""
    with open_source(DEMO) as source:
        image = next(iter(source)).image
    x0, y0, x1, y1 = FaceLandmarker("cpu")(image)[0].box
    side = 1.25 * max(x1 - x0, y1 - y0)
    scale = 900 / side
    corner = np.array([(x0 + x1 - side) / 2, (y0 + y1 - side) / 2], np.float32)
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]], np.float32)
    shown = cv2.warpAffine(image, matrix, (900, 900), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    shown = cv2.addWeighted(shown, 0.45, np.full_like(shown, 255), 0.55, 0)
    at = np.rint((FaceLandmarker("cpu")(image)[0].points - corner) * scale).astype(int)
    for _name, numbers, closed in CONTOURS:
        cv2.polylines(shown, [at[list(numbers)]], closed, (190, 150, 60), 1, cv2.LINE_AA)
    for number, (x, y) in enumerate(at.tolist()):
        cv2.circle(shown, (x, y), 3, (60, 30, 180), -1, cv2.LINE_AA)
        dx, dy = next((shift for numbers, shift in PLACES if number in numbers), (-8, -8))
        place = (x + dx, y + dy)
        cv2.putText(shown, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    write("points.jpg", shown)


def plot_timeline(folder: Path) -> None:
    """plot_timeline.jpg: what ``fkp-live plot`` draws of the clip."""
    run("--demo", "--headless", "--jsonl", folder / "demo.jsonl")
    run("plot", folder / "demo.jsonl", "--out", folder / "timeline.png")
    drawn = cv2.imread(str(folder / "timeline.png"))
    assert drawn is not None
    height = round(drawn.shape[0] * 900 / drawn.shape[1])
    write("plot_timeline.jpg", cv2.resize(drawn, (900, height), interpolation=cv2.INTER_AREA))


def training_labels(folder: Path) -> None:
    """training_labels.jpg: faces cut out of the clip, with their labels."""
    run("--demo", "--headless", "--smooth", "off", "--jsonl", folder / "demo.jsonl")
    run("convert", folder / "demo.jsonl", folder / "labels", "--video", DEMO, "--every", "0.1", "--crop")
    view = [sys.executable, "-m", "train", "view", folder / "labels", "--out", folder / "sheet.png"]
    subprocess.run(view, check=True, cwd=HERE.parent, capture_output=True)
    sheet = cv2.imread(str(folder / "sheet.png"))
    assert sheet is not None
    write(
        "training_labels.jpg",
        cv2.resize(sheet[: len(sheet) // 2], None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA),
    )


def report(folder: Path) -> None:
    """report.jpg: what ``fkp-live report`` makes of the clip, in a browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("report.jpg needs chromium or google-chrome on the PATH")
    shutil.copy(DEMO, folder / "demo.mp4")
    run(folder / "demo.mp4", "--headless", "--jsonl", folder / "demo.jsonl")
    run("report", folder / "demo.jsonl", "--out", folder / "demo.html")
    page, shot = (folder / "demo.html").as_uri(), folder / "report.png"
    words = [
        "--headless",
        "--no-sandbox",
        "--hide-scrollbars",
        "--window-size=1400,1000",
        f"--screenshot={shot}",
    ]
    # Until the film has loaded.
    words.append("--virtual-time-budget=5000")
    subprocess.run([browser, *words, page], check=True, capture_output=True)
    shown = cv2.imread(str(shot))
    assert shown is not None
    write("report.jpg", cv2.resize(shown, (1000, 714), interpolation=cv2.INTER_AREA))


PICTURES: dict[str, Callable[[Path], None]] = {
    make.__name__: make for make in (demo, moving, points, plot_timeline, report, training_labels)
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory() as made:
            PICTURES[name](Path(made))
