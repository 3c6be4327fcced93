"""The eye network: four small convolutions on a grey patch; openness, and the logit of being shut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from train.eyes.data import SIZE
from train.network.checkpoint import read_content

# Of pixels 0..255: patches get a deviation of 1; flat ones stay flat.
_EPS = 25.0


class EyeNet(nn.Module):
    """Patches (N, 1, 24, 32) 0..255 -> openness (N,) and logits of being shut (N,).

    Parameters
    ----------
    width : channels of the first convolution; the others have two, three and four times as many
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second, third, last = (width * times for times in (1, 2, 3, 4))
        self.body = nn.Sequential(
            *_convolution(1, first, 2),
            *_convolution(first, second, 2),
            *_convolution(second, third, 1),
            *_convolution(third, last, 2),
            *_convolution(last, second, 1, kernel=1),
        )
        self.drop = nn.Dropout(0.2)
        self.hidden = nn.Linear(second * (SIZE[0] // 8) * (SIZE[1] // 8), third)
        self.head = nn.Linear(third, 2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        found = self.body(evened(image)).flatten(1)
        openness, shut = self.head(functional.relu(self.hidden(self.drop(found)))).unbind(1)
        return openness, shut


def _convolution(given: int, channels: int, stride: int, kernel: int = 3) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(given, channels, kernel, stride, kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(channels), nn.ReLU()


def evened(image: Tensor) -> Tensor:
    """Patches with mean 0 and deviation 1 each: light and contrast do not count."""
    return functional.layer_norm(image, image.shape[1:], eps=_EPS)


def network_of(content: dict[str, Any]) -> EyeNet:
    """The network of a checkpoint's content, in eval mode, with its averaged weights."""
    net = EyeNet(content["recipe"]["width"])
    net.load_state_dict(content["ema"])
    return net.eval()


def read_eye_checkpoint(path: Path, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Content of a checkpoint of `python -m train eyes`; raises as `train.network.checkpoint.read_content`."""
    return read_content(path, "eyes", ("recipe", "ema", *needs))
