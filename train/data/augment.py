"""Augmentation: one labelled face becomes one training crop, disturbed as detectors, cameras and codecs do it.

The crop itself is `fkp_live.geometry`, the code of the live loop.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.geometry import CropSpec, Matrix, apply, box_of, compose, crop_matrix, rotation
from fkp_live.images.warping import warp
from fkp_live.topology import LABELS_RIGHT, MIRROR, NOSE_TIP
from train.data.faces import box_of_labelled
from train.options import AugmentOptions

Points = NDArray[np.float32]
# uint8; OpenCV's stubs promise less.
Image = NDArray[Any]
Rng = np.random.Generator

# Degrees to which faces are tilted. The detector often misses faces beyond 45, and later crops have level eyes.
_TILT = 40.0
# What a cover lies over, and how often: eyes, mouth, the jaw's right side, its left side, its middle.
_COVERED_PARTS = (slice(36, 48), slice(48, 68), slice(2, 8), slice(9, 15), slice(6, 11))
_COVERED_OFTEN = (0.3, 0.4, 0.1, 0.1, 0.1)

# Drawing fresh normal numbers for every crop would cost more than all the rest of the augmentation.
_NOISE = np.random.default_rng(0).standard_normal(1 << 20, np.float32)


def detector_jitter(
    box: NDArray[np.float32], rng: Rng, shift: float = 0.04, scale: float = 0.05
) -> NDArray[np.float32]:
    """A box (4,) as a detector would give it: centre moved by ``shift`` of its sides (standard deviation), size by
    ``scale`` (standard deviation of the logarithm)."""
    centre, sides = (box[:2] + box[2:]) / 2.0, box[2:] - box[:2]
    centre = centre + rng.normal(0.0, shift, 2) * sides
    half = sides * np.exp(rng.normal(0.0, scale)) / 2.0
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def training_matrix(points: Points, spec: CropSpec, rng: Rng, options: AugmentOptions) -> Matrix:
    """A random affine from image to crop: turn, shear and stretch the picture, then crop a jittered box."""
    stretch = np.exp(rng.normal(0.0, options.stretch) / 2.0)
    shear = rng.normal(0.0, options.shear)
    distort = np.array([[stretch, shear, 0.0], [0.0, 1.0 / stretch, 0.0]])
    angle = rng.normal(0.0, options.rotation)
    if options.tilt and rng.random() < options.tilt:
        angle = rng.uniform(-_TILT, _TILT)
    turn = compose(distort, rotation(np.deg2rad(angle)))
    error = 2.0 if rng.random() < options.far else 1.0
    box = box_of_labelled(apply(turn, points))
    box = detector_jitter(box, rng, error * options.shift, error * options.scale)
    return compose(crop_matrix(box, spec), turn)


def mirror(
    crop: Image, points: Points, spec: CropSpec, labels_right: float = LABELS_RIGHT
) -> tuple[Image, Points]:
    """The crop and its points mirrored, in the labels' convention."""
    mirrored = points[MIRROR].copy()
    mirrored[:, 0] = crop.shape[1] - 1 - mirrored[:, 0] + 2.0 * labels_right * spec.face_side
    return np.ascontiguousarray(crop[:, ::-1]), mirrored


def training_crop(
    image: Image,
    points: Points,
    spec: CropSpec,
    rng: Rng,
    options: AugmentOptions,
    occluder: Image | None = None,
    weights: NDArray[np.float32] | None = None,
) -> tuple[Image, Points, NDArray[np.float32]]:
    """A disturbed crop, where its points are in it, and their weights.

    Parameters
    ----------
    image, points : (H, W, 3) uint8 BGR and (68, 2) in its pixels, NaN where a point has no label
    occluder : another picture, from which patches are cut to cover the face
    weights : (68,) of the points in the loss, by default 1

    Returns
    -------
    (S, S, 3) uint8 BGR, (68, 2) float32 in crop pixels, (68,) float32
    """
    weights = np.ones(len(points), np.float32) if weights is None else weights
    matrix = training_matrix(points, spec, rng, options)
    crop, moved = warp(image, matrix, spec.size), apply(matrix, points)
    if rng.random() < options.mirror:
        crop, moved = mirror(crop, moved, spec, options.labels_right)
        weights = weights[MIRROR]
    if rng.random() < options.occlusion:
        crop = _occlude(crop, rng, occluder)
    if options.cover and rng.random() < options.cover:
        crop = cover(crop, moved, rng, occluder)
    return disturb(crop, rng, options), moved, weights


def disturb(crop: Image, rng: Rng, options: AugmentOptions) -> Image:
    """Light, blur, noise and codec: disturbances that move no point."""
    if options.shadow and rng.random() < options.shadow:
        crop = _shadow(crop, rng)
    if options.dark and rng.random() < options.dark:
        crop = _dark(crop, rng)
    if rng.random() < options.light:
        crop = _light(crop, rng)
    if rng.random() < options.grey:
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        crop = cv2.merge([grey, grey, grey])
    if rng.random() < options.low_resolution:
        crop = _low_resolution(crop, rng)
    if rng.random() < options.blur:
        crop = _blur(crop, rng)
    if rng.random() < options.noise:
        crop = _noise(crop, rng)
    if rng.random() < options.jpeg:
        _, coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert decoded is not None
        crop = decoded
    return crop


def background_crop(
    image: Image, points: Points, spec: CropSpec, rng: Rng, options: AugmentOptions, *, crowded: bool = False
) -> Image:
    """A crop that holds no face: beside the face, a small part of it enlarged, or the face cut up and shuffled.

    ``crowded``: other faces are on the picture, so nothing beside this one is taken.
    """
    height, width = image.shape[:2]
    points = points[np.isfinite(points[:, 0])]
    x0, y0, x1, y1 = box_of(points)
    side = max(x1 - x0, y1 - y0)
    kind = rng.uniform(0.6, 1.0) if crowded else rng.random()
    if kind < 0.6:
        # A square of any scale, most of it beside the box.
        angle, size = rng.uniform(0, 2 * np.pi), side * np.exp(rng.uniform(-1.2, 0.3))
        away = (side + size) / 2.0 * rng.uniform(0.8, 1.3)
        cx = np.clip((x0 + x1) / 2 + away * np.cos(angle), 0, width)
        cy = np.clip((y0 + y1) / 2 + away * np.sin(angle), 0, height)
        if max(abs(cx - (x0 + x1) / 2), abs(cy - (y0 + y1) / 2)) < 0.75 * (side + size) / 2:
            size = side * 0.2
    elif kind < 0.8:
        size = side * rng.uniform(0.12, 0.3)
        cx, cy = points[rng.integers(0, min(17, len(points)))]
    else:
        return disturb(
            _shuffled(warp(image, crop_matrix((x0, y0, x1, y1), spec), spec.size), rng), rng, options
        )
    box = np.array([cx - size / 2, cy - size / 2, cx + size / 2, cy + size / 2])
    return disturb(warp(image, crop_matrix(box, spec), spec.size), rng, options)


def _shuffled(crop: Image, rng: Rng) -> Image:
    n = int(rng.integers(3, 6))
    tile = crop.shape[0] // n
    tiles = [crop[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile] for r in range(n) for c in range(n)]
    order = rng.permutation(n * n)
    rows = [np.concatenate([tiles[order[r * n + c]] for c in range(n)], 1) for r in range(n)]
    return cv2.resize(np.concatenate(rows, 0), crop.shape[1::-1])


def _light(crop: Image, rng: Rng) -> Image:
    """Gamma, gain, offset and colour cast through one table, sometimes a gradient across the face."""
    ramp = np.arange(256, dtype=np.float32) / 255.0
    gamma = np.exp(rng.normal(0.0, 0.35))
    gain = np.exp(rng.normal(0.0, 0.2, 3) * 0.4 + rng.normal(0.0, 0.22))
    offset = rng.normal(0.0, 0.06)
    table = ((ramp[:, None] ** gamma - 0.5) * gain + 0.5 + offset) * 255.0
    crop = cv2.LUT(crop, np.clip(table, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.3:
        size = crop.shape[0]
        line = np.linspace(-1, 1, size, dtype=np.float32)
        direction, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6)
        field = 1.0 + strength * (np.cos(direction) * line[None] + np.sin(direction) * line[:, None])
        crop = cv2.multiply(crop, cv2.merge([field] * 3).astype(np.float32), dtype=cv2.CV_8U)
    return crop


def _shadow(crop: Image, rng: Rng) -> Image:
    """One side of a line through the face is two to eight times as dark."""
    size = crop.shape[0]
    line = np.linspace(-1, 1, size, dtype=np.float32)
    direction, edge, soft = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35), rng.uniform(0.02, 0.4)
    across = np.cos(direction) * line[None] + np.sin(direction) * line[:, None] - edge
    lit = 1.0 / (1.0 + np.exp(-np.clip(across / soft, -30.0, 30.0) * 4.0))
    least = rng.uniform(0.12, 0.5)
    field = least + (1.0 - least) * lit
    return cv2.multiply(crop, cv2.merge([field] * 3).astype(np.float32), dtype=cv2.CV_8U)


def _dark(crop: Image, rng: Rng) -> Image:
    """A picture taken in little light: few grey levels, and noise that does not shrink with them."""
    gain = np.exp(rng.uniform(np.log(0.08), np.log(0.5)))
    crop = cv2.convertScaleAbs(crop, alpha=gain)
    start = int(rng.integers(0, len(_NOISE) - crop.size))
    noise = _NOISE[start : start + crop.size].reshape(crop.shape)
    crop = cv2.add(crop, noise * np.float32(rng.uniform(0.0, 4.0)), dtype=cv2.CV_8U)
    if rng.random() < 0.5:  # a camera raises its gain, and the noise with it
        crop = cv2.convertScaleAbs(crop, alpha=rng.uniform(1.0, 0.8 / gain))
    return crop


def cover(crop: Image, points: Points, rng: Rng, other: Image | None = None) -> Image:
    """The crop with eyes, mouth or a part of the jaw covered, as by a bar, a hand, a cup or a microphone.

    Parameters
    ----------
    crop, points : (S, S, 3) uint8 and (68, 2) in its pixels, NaN where a point has no label
    other : a picture, from which the texture may be cut
    """
    chosen = points[_COVERED_PARTS[rng.choice(5, p=_COVERED_OFTEN)]]
    chosen = chosen[np.isfinite(chosen[:, 0])]
    if not len(chosen):
        return crop
    size = crop.shape[0]
    x, y = chosen.mean(0) + rng.normal(0.0, 0.04 * size, 2)
    half = np.maximum(np.ptp(chosen, axis=0) / 2.0, 0.06 * size) * np.exp(rng.normal(0.0, 0.25, 2))
    texture = _texture(crop, points[NOSE_TIP], rng, other).astype(np.float32)
    mask = np.zeros((size, size), np.float32)
    angle, middle = float(rng.normal(0.0, 25.0)), (float(x), float(y))
    axes = (float(2.0 * half[0]), float(2.0 * half[1]))
    if rng.random() < 0.5:
        cv2.ellipse(mask, (middle, axes, angle), 1.0, -1)
    else:
        cv2.fillConvexPoly(mask, cv2.boxPoints((middle, axes, angle)).astype(np.int32), 1.0)
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.5))[..., None]
    return np.asarray(crop + (texture - crop) * soft, np.uint8)


def _texture(crop: Image, nose: Points, rng: Rng, other: Image | None) -> Image:
    """Of a cover, as large as the crop: a part of another picture, or black, skin at the nose or any colour, shaded."""
    size = crop.shape[0]
    if other is not None and rng.random() < 0.5 and min(other.shape[:2]) > 24:
        side = int(rng.integers(12, min(other.shape[:2]) - 1))
        u, v = (int(rng.integers(0, extent - side)) for extent in (other.shape[1], other.shape[0]))
        return cv2.resize(other[v : v + side, u : u + side], (size, size))
    kind = rng.random()
    x, y = np.clip(nose, 0, size - 1) if np.isfinite(nose).all() else np.full(2, size / 2)
    texture = np.empty_like(crop)
    if kind < 0.35:
        texture[:] = rng.integers(0, 40, 3)
    elif kind < 0.6:
        texture[:] = crop[int(y), int(x)]
    else:
        texture[:] = rng.integers(0, 256, 3)
    left, right = rng.uniform(0.6, 1.3, 2)
    fade = np.linspace(left, right, size, dtype=np.float32)
    return cv2.multiply(texture, np.broadcast_to(fade[None, :, None], crop.shape).copy(), dtype=cv2.CV_8U)


def _low_resolution(crop: Image, rng: Rng) -> Image:
    size = crop.shape[0]
    small = int(size * rng.uniform(0.2, 0.75))
    down = (cv2.INTER_AREA, cv2.INTER_LINEAR)[rng.integers(2)]
    up = (
        (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[rng.integers(3)]
        if small > size / 2
        else cv2.INTER_LINEAR
    )
    # Area and bilinear resizing both keep pixel centres aligned, so the points stay where they are.
    return cv2.resize(cv2.resize(crop, (small, small), interpolation=down), (size, size), interpolation=up)


def _blur(crop: Image, rng: Rng) -> Image:
    if rng.random() < 0.6:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 2.0))
    length = int(rng.integers(1, 5)) * 2 + 1
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, *_through_centre(length, rng.uniform(0, np.pi)), 1.0, 1, cv2.LINE_AA)
    return cv2.filter2D(crop, -1, kernel / kernel.sum())


def _through_centre(length: int, angle: float) -> tuple[tuple[int, int], tuple[int, int]]:
    centre = length // 2
    dx, dy = round(centre * np.cos(angle)), round(centre * np.sin(angle))
    return (centre - dx, centre - dy), (centre + dx, centre + dy)


def _noise(crop: Image, rng: Rng) -> Image:
    start = int(rng.integers(0, len(_NOISE) - crop.size))
    noise = _NOISE[start : start + crop.size].reshape(crop.shape)
    return cv2.add(crop, noise * np.float32(rng.uniform(2.0, 14.0)), dtype=cv2.CV_8U)


def _occlude(crop: Image, rng: Rng, occluder: Image | None) -> Image:
    """Up to three patches of a plain colour, of noise or of another picture."""
    crop, size = crop.copy(), crop.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        w, h = (rng.uniform(0.08, 0.42, 2) * size).astype(int)
        x, y = rng.integers(-w // 2, size - w // 2), rng.integers(-h // 2, size - h // 2)
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, size), min(y + h, size)
        shape = (bottom - top, right - left, 3)
        if min(shape) <= 0:
            continue
        kind = rng.random()
        if kind < 0.5 and occluder is not None and min(occluder.shape[:2]) > max(shape[:2]):
            u = int(rng.integers(0, occluder.shape[1] - shape[1]))
            v = int(rng.integers(0, occluder.shape[0] - shape[0]))
            patch = occluder[v : v + shape[0], u : u + shape[1]]
        elif kind < 0.85:
            patch = np.broadcast_to(rng.integers(0, 256, 3, np.uint8), shape)
        else:
            patch = rng.integers(0, 256, shape, np.uint8)
        if rng.random() < 0.5:
            mask = np.zeros(shape[:2], np.uint8)
            cv2.ellipse(
                mask, (shape[1] // 2, shape[0] // 2), (shape[1] // 2, shape[0] // 2), 0, 0, 360, 1, -1
            )
            patch = np.where(mask[..., None] > 0, patch, crop[top:bottom, left:right])
        crop[top:bottom, left:right] = patch
    return crop
