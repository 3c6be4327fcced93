"""Trained networks opened for the product's code: an ONNX file, a shipped name or a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fkp_live.engine import Network
from fkp_live.errors import ModelError
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.geometry import CropSpec, Matrix, apply, crop_matrix, invert
from fkp_live.images.picture import as_picture
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session
from fkp_live.types import Image, Landmarks, Picture


class TorchNetwork:
    """A network in training as the product's pipeline knows networks; see `fkp_live.engine.Network`.

    ``bf16``: its convolutions in bfloat16, as it was trained, which is faster where the processor gains by it.
    """

    def __init__(self, model: Any, bf16: bool = False) -> None:
        self.model, self.spec = model, CropSpec(model.crop_spec.size, model.crop_spec.margin)
        self.bf16 = bf16

    def __call__(self, picture: Image | Picture, boxes: ArrayLike) -> Landmarks:
        """Landmarks of the faces in N boxes."""
        return self.run_matrices(picture, [crop_matrix(box, self.spec) for box in np.reshape(boxes, (-1, 4))])

    def run_matrices(self, picture: Image | Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """Landmarks of the faces in the crops given by N affines."""
        import torch

        picture = as_picture(picture)
        crops = np.stack([picture.warp(matrix, self.spec.size) for matrix in matrices])
        with torch.inference_mode():
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                said, context = self.model.features(torch.from_numpy(crops).permute(0, 3, 1, 2).float())
            answer = self.model.read(said.float(), context.float())
        points, confidence = answer.points.numpy(), answer.confidence.sigmoid().numpy()
        return Landmarks(apply(invert(np.stack(matrices)), points), confidence)


def open_network(model: Path) -> tuple[Network, dict[str, Any]]:
    """A network from an ONNX file or shipped name, or from a checkpoint (run by torch); and what it is."""
    if Path(model).suffix == ".pt":
        return TorchNetwork(sound_network(model)), {"model": str(model), "run_by": "torch"}
    session = open_session(resolve_model(model), "cpu")
    name = session.metadata.get("name", session.path.stem)
    identity = {"model": str(model), "name": name, "sha256": session.sha256, "run_by": "onnxruntime, cpu"}
    return LandmarkNetwork(session), identity


def sound_network(checkpoint: Path) -> Any:
    """The network of a checkpoint, see `train.model.load_checkpoint`.

    Raises
    ------
    ModelError
        The file is no checkpoint, or its weights are not all numbers: training diverged.
    """
    from train.model import load_checkpoint

    network = load_checkpoint(checkpoint)
    broken = [name for name, weights in network.state_dict().items() if not weights.isfinite().all()]
    if broken:
        raise ModelError(
            f"{checkpoint} holds weights that are no finite numbers, the first in {broken[0]}",
            "Its training diverged: train again, with a lower learning rate.",
        )
    return network
