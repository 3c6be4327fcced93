"""`python -m train features IMAGE --model CHECKPOINT`: filters, maps and saliency of a trained network.

Three PNG files: the filters of the first convolution, the maps of chosen layers for the face in the picture, and the
saliency of chosen points (K. Simonyan et al., "Deep Inside Convolutional Networks", 2014: the gradient of an output
with respect to the input, here of a point's position). Works on any module that takes crops (N, 3, S, S) in 0..255.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fkp_live.errors import ExitCode, InputError, UsageError
from fkp_live.faces.detector import YuNet
from fkp_live.geometry import CropSpec, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session
from fkp_live.topology import N_POINTS
from train.arguments import finite_number
from train.data.pictures import read_image
from train.data.sheets import GREEN, MAGENTA, captioned, contact_sheet, paint_points, write_png
from train.network.opening import sound_network

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d]:
    """Name and module of the first convolution."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module
    raise UsageError(
        "the model has no convolution, so there are no filters to show",
        "Give a checkpoint of `python -m train fit`.",
    )


def layer_names(model: nn.Module) -> list[str]:
    """Names of all convolutions, in the order in which the model holds them."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]


def filter_sheet(weight: Tensor, tile: int = 72, columns: int = 8) -> Image:
    """Filters (C, 1 or 3, h, w) as pictures, in the network's BGR; each one stretched about mid grey."""
    tiles = []
    for filter_ in weight.detach().float().numpy():
        picture = 127.5 + 127.5 * filter_ / max(float(np.abs(filter_).max()), 1e-9)
        if len(picture) == 1:
            picture = np.repeat(picture, 3, 0)
        large = cv2.resize(picture.transpose(1, 2, 0), (tile, tile), interpolation=cv2.INTER_NEAREST)
        tiles.append(
            cv2.copyMakeBorder(large.astype(np.uint8), 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(32, 32, 32))
        )
    return contact_sheet(tiles, columns)


def feature_maps(model: nn.Module, crop: Image, layers: Sequence[str]) -> dict[str, Floats]:
    """Outputs of the named layers for one crop: name -> (C, h, w).

    Raises
    ------
    UsageError
        A name is not a layer of the model, or its output is not a map.
    """
    modules = dict(model.named_modules())
    found: dict[str, Floats] = {}
    hooks = []
    for name in layers:
        if not name or name not in modules:
            raise UsageError(
                f"the model has no layer '{name}'", f"Convolutions: {', '.join(layer_names(model))}."
            )

        def keep(_: nn.Module, __: object, output: Tensor, name: str = name) -> None:
            # Copied: an in-place ReLU behind the layer would change what was kept.
            found[name] = output.detach()[0].float().clone().numpy()

        hooks.append(modules[name].register_forward_hook(keep))
    try:
        with torch.no_grad():
            model(_as_input(crop))
    finally:
        for hook in hooks:
            hook.remove()
    for name in layers:
        if name not in found or found[name].ndim != 3:
            raise UsageError(
                f"layer '{name}' gives no maps", f"Convolutions: {', '.join(layer_names(model))}."
            )
    return found


def map_sheet(maps: Floats, tile: int = 96, columns: int = 8, most: int = 32) -> Image:
    """The maps of a layer (C, h, w) that vary most, as heat maps, in the order of their channels."""
    chosen = np.sort(np.argsort(-maps.std((1, 2)), kind="stable")[:most])
    return contact_sheet([captioned(_heat(maps[k], tile), f"channel {k}") for k in chosen.tolist()], columns)


def saliency(model: nn.Module, crop: Image, point: int) -> Floats:
    """How much each pixel of a crop (S, S, 3) moves a point: (S, S), the length of the gradient.

    In crop pixels per grey level, the root of the squares over both coordinates and the three colours.
    """
    pixels = _as_input(crop).requires_grad_(True)
    place = model(pixels)[0][0, point]
    squares = torch.zeros(crop.shape[:2])
    for coordinate in place:
        (gradient,) = torch.autograd.grad(coordinate, pixels, retain_graph=True)
        squares += gradient[0].square().sum(0)
    return squares.sqrt().numpy()


def saliency_sheet(model: nn.Module, crop: Image, points: Sequence[int], tile: int = 256) -> Image:
    """The crop with its 68 points, then the saliency of each chosen point over it, the point magenta."""
    with torch.no_grad():
        places = model(_as_input(crop))[0][0].numpy()
    factor = tile / crop.shape[0]
    shown = (places + 0.5) * factor - 0.5
    large = np.asarray(cv2.resize(crop, (tile, tile), interpolation=cv2.INTER_LINEAR), np.uint8)
    first = large.copy()
    paint_points(first, shown, GREEN)
    tiles = [captioned(first, "68 points")]
    for point in points:
        strength = np.asarray(cv2.GaussianBlur(saliency(model, crop, point), (0, 0), 1.0), np.float32)
        overlay = np.asarray(cv2.addWeighted(large, 0.45, _heat(strength, tile), 0.55, 0.0), np.uint8)
        x, y = (round(float(v)) for v in shown[point])
        cv2.drawMarker(overlay, (x, y), MAGENTA, cv2.MARKER_CROSS, 13, 2, cv2.LINE_AA)
        tiles.append(captioned(overlay, f"point {point}"))
    return contact_sheet(tiles, 4)


def _as_input(crop: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))[None].float()


def _heat(values: Floats, tile: int) -> Image:
    low, high = float(values.min()), float(values.max())
    grey = ((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
    large = cv2.resize(grey, (tile, tile), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.applyColorMap(large, cv2.COLORMAP_VIRIDIS), np.uint8)


def face_crop(image: Image, spec: CropSpec, box: Sequence[float] | None) -> Image:
    """The crop (S, S, 3) of the given box, or of the largest face that the product's detector detects.

    Raises
    ------
    InputError
        No face was detected.
    """
    if box is None:
        detections = YuNet(open_session(resolve_model("yunet"), "cpu"))(image)
        if not detections:
            raise InputError("no face was detected in the picture", "Give its box: --box X0 Y0 X1 Y1.")
        box = max((face.box for face in detections), key=lambda b: (b[2] - b[0]) * (b[3] - b[1])).tolist()
    return warp(image, crop_matrix(box, spec), spec.size)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train features`."""
    parser.add_argument("image", type=Path, help="picture with a face")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="checkpoint (.pt) of `python -m train fit`"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("features"), metavar="DIR", help="folder (default: %(default)s)"
    )
    parser.add_argument(
        "--box", type=finite_number, nargs=4, metavar=("X0", "Y0", "X1", "Y1"), help="face, tight around it"
    )
    parser.add_argument(
        "--layers",
        nargs="+",
        metavar="LAYER",
        help="layers whose maps are shown (default: first, middle, last)",
    )
    parser.add_argument(
        "--points",
        type=int,
        nargs="+",
        default=[8, 30, 36, 45, 48, 62, 19],
        metavar="N",
        help="points (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train features`."""
    for point in args.points:
        if not 0 <= point < N_POINTS:
            raise UsageError(f"--points {point}: there is no such point", f"Points are 0 to {N_POINTS - 1}.")
    if args.box and (args.box[0] >= args.box[2] or args.box[1] >= args.box[3]):
        raise UsageError(f"--box {' '.join(map(str, args.box))} has no area", "Expected X0 Y0 X1 Y1.")
    model = sound_network(args.model)
    crop = face_crop(read_image(args.image), model.crop_spec, args.box)
    name, convolution = first_convolution(model)
    names = layer_names(model)
    layers = args.layers or [names[0], names[len(names) // 2], names[-1]]
    sheets = {f"filters_{name}.png": filter_sheet(convolution.weight)}
    for layer, maps in feature_maps(model, crop, layers).items():
        sheets[f"maps_{layer}.png"] = map_sheet(maps)
    sheets["saliency.png"] = saliency_sheet(model, crop, args.points)
    for file_name, sheet in sheets.items():
        path = args.out / re.sub(r"[^\w.-]", "_", file_name)
        write_png(sheet, path)
        print(path)
    return ExitCode.OK
