"""`python -m train view`: a contact sheet of faces and their labels, to be checked by eye."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.arguments import whole_number
from fkp_live.errors import ExitCode, InputError, UsageError
from fkp_live.geometry import CropSpec
from train.data.augment import training_crop
from train.data.faces import FaceSet
from train.data.reading import read_faces
from train.data.sheets import GREEN, captioned, contact_sheet, face_tile, paint_points, write_png
from train.options import AugmentOptions, ModelOptions
from train.recipe import read_recipe, shown

Image = NDArray[np.uint8]

# Of a sheet: 600 MB in memory, more than any viewer likes to open.
MOST_PIXELS = 200_000_000
_MOST = 1_000_000  # of faces, versions, columns, and pixels of a side


@dataclass(frozen=True, slots=True)
class Labelled:
    """One face of one data set: its number in the set (row of the CSV, from 0) and the set."""

    faces: FaceSet
    index: int

    @property
    def caption(self) -> str:
        """Number and file name, as the sheet shows them."""
        return f"{self.index} {self.faces.names[self.index]}"


def choose(sets: list[FaceSet], count: int, seed: int, names: str | None = None) -> list[Labelled]:
    """``count`` random faces of all sets (all of them if there are fewer), in the order of their files.

    Raises
    ------
    InputError
        No file name matches the regular expression ``names``.
    UsageError
        ``names`` is not a regular expression.
    """
    try:
        pattern = re.compile(names or "")
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"--names {shown(names)} is not a regular expression: {error}",
            "A dot stands for any character; to find one write \\.",
        ) from error
    everything = [
        Labelled(faces, index)
        for faces in sets
        for index, name in enumerate(faces.names)
        if pattern.search(name)
    ]
    if not everything:
        raise InputError(f"no file name contains '{names}'", "--names takes a regular expression.")
    chosen = np.random.default_rng(seed).permutation(len(everything))[:count]
    return [everything[index] for index in sorted(chosen.tolist())]


def label_sheet(chosen: list[Labelled], tile: int, columns: int) -> Image:
    """A sheet of faces as they are, with their points."""
    tiles = []
    for face in chosen:
        points = face.faces.points[face.index]
        painted = face_tile(face.faces.image(face.index), [(points, GREEN)], tile)
        tiles.append(captioned(painted, face.caption))
    return contact_sheet(tiles, columns)


def augmented_sheet(
    chosen: list[Labelled], versions: int, spec: CropSpec, options: AugmentOptions, tile: int, seed: int
) -> Image:
    """A sheet with a row for each face: the face, then ``versions`` of its training crops with their points."""
    tiles: list[Image] = []
    for row, face in enumerate(chosen):
        points, image = face.faces.points[face.index], face.faces.image(face.index)
        other = chosen[row - 1]
        occluder = other.faces.image(other.index)
        tiles.append(captioned(face_tile(image, [(points, GREEN)], tile), face.caption))
        for version in range(versions):
            rng = np.random.default_rng((seed, row, version))
            crop, moved, _ = training_crop(image, points, spec, rng, options, occluder)
            tiles.append(captioned(_enlarged(crop, moved, tile), f"version {version + 1}"))
    return contact_sheet(tiles, versions + 1)


def _enlarged(crop: Image, points: NDArray[np.float32], tile: int) -> Image:
    """A crop shown larger, pixels left visible, its points painted where they then lie."""
    factor = tile / crop.shape[0]
    shown = np.asarray(cv2.resize(crop, (tile, tile), interpolation=cv2.INTER_NEAREST), np.uint8)
    paint_points(shown, (points + 0.5) * factor - 0.5, GREEN, contours=False)
    return shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train view`."""
    parser.add_argument(
        "csv", type=Path, nargs="+", help="labelled faces: CSV files, folders of .pts files, COCO .json files"
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="points without a label have empty cells (the sets of hard faces)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of the images, where they do not lie beside the file",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="PNG file to write (an existing one is replaced)",
    )
    parser.add_argument(
        "--count",
        type=whole_number(1, _MOST),
        default=24,
        metavar="N",
        help="faces to show (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="which faces are drawn (default: %(default)s)",
    )
    parser.add_argument(
        "--names", metavar="REGEX", help="only files whose name contains this regular expression"
    )
    parser.add_argument(
        "--tile",
        type=whole_number(32, _MOST),
        default=200,
        metavar="N",
        help="side of a face in pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--columns",
        type=whole_number(1, _MOST),
        default=6,
        metavar="N",
        help="faces in a row (default: %(default)s)",
    )
    parser.add_argument(
        "--augmented",
        type=whole_number(1, _MOST),
        nargs="?",
        const=6,
        metavar="N",
        help="show N training crops of each face, as the network sees them (default: %(const)s)",
    )
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE", help="with --augmented: crop and augmentation of this recipe"
    )


def _check(args: argparse.Namespace) -> Iterator[str]:
    if args.recipe and not args.augmented:
        yield "--recipe goes with --augmented"
    if args.images and len(args.csv) > 1:
        yield "--images goes with one CSV file"


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train view`."""
    for wrong in _check(args):
        raise UsageError(wrong, "See python -m train view --help.")
    sets = [read_faces(csv, args.images, partial=args.partial) for csv in args.csv]
    chosen = choose(sets, args.count, args.seed, args.names)
    pixels = len(chosen) * (1 + (args.augmented or 0)) * args.tile**2
    if pixels > MOST_PIXELS:
        raise UsageError(
            f"the sheet would have {pixels / 1e6:,.0f} million pixels, at most {MOST_PIXELS / 1e6:,.0f} can be had",
            "Take a smaller --tile or fewer faces (--count).",
        )
    if args.augmented:
        spec, options = ModelOptions().crop_spec, AugmentOptions()
        if args.recipe:
            recipe = read_recipe(args.recipe)
            spec, options = recipe.model.crop_spec, recipe.augment
        sheet = augmented_sheet(chosen, args.augmented, spec, options, args.tile, args.seed)
    else:
        sheet = label_sheet(chosen, args.tile, args.columns)
    write_png(sheet, args.out)
    print(f"{args.out}: {len(chosen)} of {sum(map(len, sets))} faces")
    return ExitCode.OK
