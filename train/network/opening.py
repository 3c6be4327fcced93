"""Trained networks opened for the product's code: an ONNX file, a shipped name or a checkpoint.

network, identity = open_network(Path("fkp68"))
network(image, boxes).points  # (N, 68, 2) image pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from fkp_live.engine import Network
from fkp_live.errors import ModelError
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.geometry import CropSpec, Matrix, apply, crop_matrix, invert
from fkp_live.images.picture import as_picture
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session
from fkp_live.types import Image, Landmarks, Picture
from train.network.checkpoint import load_checkpoint


class TorchNetwork:
    """A checkpoint's network with the interface of `fkp_live.engine.Network`.

    ``bf16``: run the convolutions in bfloat16, as in training; see `train.network.model.fast_bf16`.
    """

    def __init__(self, model: Any, bf16: bool = False) -> None:
        self.model, self.spec = model, CropSpec(model.crop_spec.size, model.crop_spec.margin)
        self.bf16 = bf16

    def __call__(self, picture: Image | Picture, boxes: ArrayLike) -> Landmarks:
        """Landmarks of the faces in N boxes."""
        return self.run_matrices(picture, [crop_matrix(box, self.spec) for box in np.reshape(boxes, (-1, 4))])

    def run_matrices(self, picture: Image | Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """Landmarks of the faces in the crops given by N affines."""
        picture = as_picture(picture)
        crops = np.stack([picture.warp(matrix, self.spec.size) for matrix in matrices])
        with torch.inference_mode():
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                maps, context = self.model.features(torch.from_numpy(crops).permute(0, 3, 1, 2).float())
            prediction = self.model.read(maps.float(), context.float())
        points, confidence = prediction.points.numpy(), prediction.confidence.sigmoid().numpy()
        return Landmarks(apply(invert(np.stack(matrices)), points), confidence)


def open_network(model: Path) -> tuple[Network, dict[str, Any]]:
    """A network from an ONNX file or shipped name, or from a checkpoint (run by torch), and its identity."""
    if Path(model).suffix == ".pt":
        return TorchNetwork(sound_network(model)), {"model": str(model), "run_by": "torch"}
    session = open_session(resolve_model(model), "cpu")
    name = session.metadata.get("name", session.path.stem)
    identity = {"model": str(model), "name": name, "sha256": session.sha256, "run_by": "onnxruntime, cpu"}
    return LandmarkNetwork(session), identity


def sound_network(checkpoint: Path) -> Any:
    """The network of a checkpoint, see `train.network.checkpoint.load_checkpoint`.

    Raises
    ------
    ModelError
        The file is not a checkpoint, or its weights are not all finite: training diverged.
    """
    network = load_checkpoint(checkpoint)
    broken = [name for name, weights in network.state_dict().items() if not weights.isfinite().all()]
    if broken:
        raise ModelError(
            f"{checkpoint} holds weights that are not finite, the first in {broken[0]}",
            "Its training diverged: train again, with a lower learning rate.",
        )
    return network
