"""Pictures without a face: scikit-image's photographs, drawings and textures made here, and icons of the desktop.

What a search that looks harder finds in them is a false face. All that is made here follows from its number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.types import Image

SIDE = 320
# Of scikit-image's pictures those that show nobody; its cat is among them.
_PHOTOGRAPHS = (
    *("brick", "cell", "chelsea", "clock_motion", "coffee", "coins", "color", "grass", "gravel", "horse"),
    *("hubble_deep_field", "ihc", "logo", "microaneurysms", "moon", "motorcycle_left", "motorcycle_right"),
    *("page", "phantom", "retina", "rocket", "text"),
)
_ICONS = Path("/usr/share/icons/Adwaita/48x48/legacy")
# Icons that show a face or a person.
_SHOW_FACES = ("face", "avatar", "user", "emot", "people", "contact", "person", "computer-fail")

_Random = np.random.Generator


def photographs() -> Iterator[tuple[str, Image]]:
    """scikit-image's pictures, each whole, its four quarters, and these turned by 90, 180 and 270 degrees."""
    try:
        import skimage
    except ImportError:
        return
    folder = Path(skimage.__file__).parent / "data"
    for name in _PHOTOGRAPHS:
        for path in sorted(folder.glob(f"{name}.*")):
            image = cv2.imread(str(path))
            if image is None:
                continue
            yield name, np.asarray(image, np.uint8)
            height, width = image.shape[0] // 2, image.shape[1] // 2
            for number, (y, x) in enumerate(((0, 0), (0, width), (height, 0), (height, width))):
                part = np.rot90(image[y : y + height, x : x + width], number)
                yield f"{name} {number}", np.ascontiguousarray(part, np.uint8)


def icons() -> Iterator[tuple[str, Image]]:
    """Icons of GNOME's Adwaita on grey, enlarged; nothing where they are not installed."""
    for path in sorted(_ICONS.glob("*.png")) if _ICONS.is_dir() else ():
        if any(word in path.stem for word in _SHOW_FACES):
            continue
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.ndim != 3 or image.shape[2] != 4:
            continue
        share = image[..., 3:] / 255.0
        on_grey = np.asarray(image[..., :3] * share + 128 * (1 - share), np.uint8)
        yield (
            path.stem,
            np.asarray(cv2.resize(on_grey, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8),
        )


def made(count: int) -> Iterator[tuple[str, Image]]:
    """Textures and drawings, in turn of each kind."""
    for number in range(count):
        name, make = _KINDS[number % len(_KINDS)]
        yield f"{name} {number}", make(np.random.default_rng(number))


def _colour(random: _Random) -> tuple[int, int, int]:
    blue, green, red = random.integers(0, 256, 3).tolist()
    return blue, green, red


def _canvas(random: _Random) -> Image:
    return np.full((SIDE, SIDE, 3), _colour(random), np.uint8)


def _clouds(random: _Random) -> Image:
    """Noise whose power falls with frequency, as that of photographs does; each colour for itself in part."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1.0
    falling = frequency ** -random.uniform(0.6, 2.0)
    planes: list[NDArray[np.float64]] = []
    for _ in range(4):
        plane = np.fft.ifft2(np.fft.fft2(random.normal(size=(SIDE, SIDE))) * falling).real
        planes.append((plane - plane.mean()) / plane.std())
    tint = random.uniform(0, 0.6)
    colours = np.stack([(1 - tint) * planes[3] + tint * plane for plane in planes[:3]], -1)
    return np.asarray(np.clip(random.uniform(60, 190) + random.uniform(20, 70) * colours, 0, 255), np.uint8)


def _ellipses(random: _Random) -> Image:
    image = _canvas(random)
    for _ in range(int(random.integers(5, 60))):
        x, y = random.integers(0, SIDE, 2).tolist()
        a, b = random.integers(3, 70, 2).tolist()
        thick = -1 if random.random() < 0.6 else int(random.integers(1, 6))
        cv2.ellipse(
            image, (x, y), (a, b), random.uniform(0, 180), 0, 360, _colour(random), thick, cv2.LINE_AA
        )
    return image


def _polygons(random: _Random) -> Image:
    image = _canvas(random)
    for _ in range(int(random.integers(4, 40))):
        centre = random.uniform(0, SIDE, 2)
        corners = centre + random.normal(0, random.uniform(8, 60), (int(random.integers(3, 8)), 2))
        cv2.fillPoly(image, [corners.astype(np.int32)], _colour(random), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.3, 3.0)), np.uint8)


def _waves(random: _Random) -> Image:
    """Stripes, rings and grids: sums of sines, some of them bent."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    total = np.zeros((SIDE, SIDE))
    for _ in range(int(random.integers(1, 5))):
        angle, rate = random.uniform(0, np.pi), random.uniform(4, 120)
        along = np.hypot(x - random.random(), y - random.random()) if random.random() < 0.4 else 0.0
        total += np.sin(rate * (x * np.cos(angle) + y * np.sin(angle) + along))
    first, second = (np.array(_colour(random), float) for _ in range(2))
    share = (1 + np.tanh(random.uniform(0.5, 4) * total))[..., None] / 2
    return np.asarray(first * share + second * (1 - share), np.uint8)


def _text(random: _Random) -> Image:
    image = _canvas(random)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;()-%&"
    scale, y = random.uniform(0.4, 2.5), 0
    colour = _colour(random)
    while y < SIDE:
        y += int(30 * scale)
        line = "".join(random.choice(list(letters), 40).tolist())
        cv2.putText(image, line, (4, y), int(random.integers(0, 8)), scale, colour, 2, cv2.LINE_AA)
    return image


def _cells(random: _Random) -> Image:
    """Patches around scattered seeds, shaded, with dark borders: stones, leaves, tiles."""
    y, x = np.mgrid[:SIDE, :SIDE]
    seeds = random.uniform(0, SIDE, (int(random.integers(10, 90)), 2))
    distance = np.hypot(x[..., None] - seeds[:, 0], y[..., None] - seeds[:, 1])
    nearest = np.partition(distance, 1, -1)
    colours = np.clip(np.array(_colour(random)) + random.normal(0, 40, (len(seeds), 3)), 0, 255)
    edge = np.clip((nearest[..., 1] - nearest[..., 0]) / random.uniform(2, 30), 0, 1)[..., None]
    noise = random.normal(0, random.uniform(0, 12), (SIDE, SIDE, 1))
    return np.asarray(np.clip(colours[distance.argmin(-1)] * edge + noise, 0, 255), np.uint8)


_KINDS: tuple[tuple[str, Callable[[_Random], Image]], ...] = (
    ("clouds", _clouds),
    ("ellipses", _ellipses),
    ("polygons", _polygons),
    ("waves", _waves),
    ("text", _text),
    ("cells", _cells),
)
