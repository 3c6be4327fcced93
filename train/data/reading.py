"""`read_faces`: a data set of any form that can be read, a CSV file, a folder of .pts files or a COCO file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from fkp_live.console import say
from fkp_live.errors import InputError
from fkp_live.wording import counted
from train.data.coco import read_coco
from train.data.faces import FaceSet, read_csv
from train.data.pts import read_pts_folder


def read_faces(path: Path, images: Path | None = None, *, partial: bool = False) -> FaceSet:
    """The faces of a folder of .pts files, of a COCO file (``.json``), or of a CSV file (any other name).

    Parameters
    ----------
    images : folder of the images, where they do not lie beside the file, or in the folder of the .pts files
    partial : whether both cells of a point of a CSV may be empty, see `read_csv`; of COCO they always may

    Raises
    ------
    InputError
        As `read_csv`, `read_pts_folder` and `read_coco`.
    """
    path = Path(path)
    if path.is_dir():
        return read_pts_folder(path, images)
    if path.suffix.lower() == ".json":
        return read_coco(path, images)
    return read_csv(path, images, partial=partial)


def read_complete(path: Path, images: Path | None = None) -> FaceSet:
    """The faces of a data set all of whose points are labelled, to judge a network on; a line says if some are not.

    ``images``: see `read_faces`.

    Raises
    ------
    InputError
        As `read_faces`, or no face has all of its labels.
    """
    faces = read_faces(path, images)
    complete = np.isfinite(faces.points).all((1, 2))
    if not complete.any():
        raise InputError(f"{path} holds no face with all of its labels", "A network is judged on all points.")
    if not complete.all():
        say(
            f"{path}: left out for want of some labels: {counted(int((~complete).sum()), 'face')}.",
            sys.stderr,
        )
    return faces.select(complete)
