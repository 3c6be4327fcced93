"""The options of a training, a section of a recipe each. `train.recipe` reads them from a TOML file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from fkp_live.geometry import CropSpec
from fkp_live.topology import LABELS_RIGHT

# How far the Udacity labels are to the right of and below 300-W's convention, in pixels of their images.
# Measured by `python -m train offset`; train/EXPERIMENTS.md has the figures.
UDACITY_OFFSET = (0.9, 0.8)
# Distance of the outer eye corners of a frontal face, and the least that the bounded one takes, in sides of the box:
# in turned heads the corners nearly coincide.
USUAL_EYE_DISTANCE = 0.62
LEAST_EYE_DISTANCE = USUAL_EYE_DISTANCE / 1.8
# Trunks of the landmark network: the residual one, and that of `train.network.lite`.
PLAIN, LITE = "plain", "efficientnet-lite0"


@dataclass(frozen=True, slots=True)
class DataOptions:
    """``[data]``: which faces are shown.

    Attributes
    ----------
    sets : names of `train.data.splits.splits` to train on
    csv : further CSV files, folders of .pts files or COCO files, relative to the data folder or absolute
    validation : such files whose error is watched, instead of wild val and the unseen persons
    share : chance of a face of each set to be drawn, relative to the others, by set name (default 1)
    weight : weight of a face of each set in the loss, by set name (default 1)
    guessed : names of sets with pseudo-labels, which a network gave: they teach the points, not the confidence, because
        a network agrees with a network more than with people
    udacity_offset : (x, y) in pixels taken off the Udacity labels before the sets are mixed
    covered : weight of a point that was covered when it was labelled
    brows : weight of the points of the brows, by set name (default 1): less where the set's convention differs there
    without_habit : whether the labels of the hard faces are moved to 300-W's convention, see `train.data.habit`
    """

    sets: tuple[str, ...] = ("udacity_train", "wild_train")
    csv: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    share: dict[str, float] = field(default_factory=dict)
    weight: dict[str, float] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    udacity_offset: tuple[float, float] = UDACITY_OFFSET
    covered: float = 0.5
    brows: dict[str, float] = field(default_factory=dict)
    without_habit: bool = False


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """``[model]``: shape of the network.

    Attributes
    ----------
    size, margin : the crop, see `CropSpec`
    channels : of the stem (stride 2) and the stages at strides 4, 8, 16
    blocks : residual blocks of the stages at strides 4, 8, 16
    decoder : channels of the decoder at strides 8 and 4
    trunk : `PLAIN`, or `LITE`, which has channels and blocks of its own and a stage at stride 32
    """

    size: int = 112
    margin: float = 0.125
    channels: tuple[int, int, int, int] = (16, 24, 64, 128)
    blocks: tuple[int, int, int] = (1, 1, 1)
    decoder: tuple[int, int] = (64, 32)
    trunk: str = PLAIN

    @property
    def crop_spec(self) -> CropSpec:
        """The crop that the network is fed."""
        return CropSpec(self.size, self.margin)


@dataclass(frozen=True, slots=True)
class AugmentOptions:
    """``[augment]``: how strongly a face is disturbed.

    Attributes
    ----------
    rotation : standard deviation of the rotation in degrees
    shift, scale : standard deviations of the detector's error, in box sides and of the logarithm of the size
    far : share of faces whose shift and scale errors are doubled
    stretch : standard deviation of the logarithm of the aspect ratio
    shear : standard deviation in radians
    mirror, light, grey, low_resolution, blur, noise, jpeg, occlusion : probability of each
    labels_right : see `topology.LABELS_RIGHT`
    tilt : share of faces that are rotated by any angle up to 40 degrees instead
    turn : share of faces that are turned in 3D, see `train.data.turning`
    cover : share of faces whose eyes, mouth or one side of the lower face are covered
    shadow : probability of a shadow over one side
    dark : probability of little light
    """

    rotation: float = 18.0
    shift: float = 0.045
    scale: float = 0.06
    far: float = 0.15
    stretch: float = 0.05
    shear: float = 0.04
    mirror: float = 0.5
    light: float = 0.8
    grey: float = 0.12
    low_resolution: float = 0.25
    blur: float = 0.2
    noise: float = 0.3
    jpeg: float = 0.2
    occlusion: float = 0.45
    labels_right: float = LABELS_RIGHT
    tilt: float = 0.0
    turn: float = 0.0
    cover: float = 0.0
    shadow: float = 0.0
    dark: float = 0.0


@dataclass(frozen=True, slots=True)
class LossOptions:
    """``[loss]``: weights and shapes of the terms, see `train.fit.loss`.

    Attributes
    ----------
    kind : distance of the points: l1 or l2 (Euclidean, as in the NME)
    maps : weight of the cross-entropy between the probability maps and a Gaussian at the true point
    sigma : of that Gaussian, in cells of the map
    confidence : weight of the cross-entropy of the confidence
    stillness : weight of the distance between the points of a crop and those of the same face in the next frame of a
        camera: a fraction of a pixel away, with noise of its own
    stillness_share : share of the batch that the stillness term sees; less costs less time
    per_eye_distance : whether the error of a face is measured in eye distances (as in the NME) instead of box sides
    lids : weight of the error of the vectors from each point of a lower lid to the point of the upper lid above it
    """

    kind: str = "l1"
    maps: float = 3.0
    sigma: float = 1.0
    confidence: float = 0.1
    stillness: float = 0.0
    stillness_share: float = 1.0
    per_eye_distance: bool = True
    lids: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """``[training]``: the schedule.

    Attributes
    ----------
    epochs, batch, lr, weight_decay, clip, seed : as usual; AdamW, one cycle with ``warmup`` as a share of the run
    ema : decay of the averaged weights, which are the ones that ship
    backgrounds : share of crops that hold no face and teach the confidence
    bf16 : convolutions in bfloat16 where the processor gains by it
    pose_balance : see `train.data.sampling.face_weights`
    hard_balance : how much oftener hard faces are drawn, for each point of `train.data.sampling.hardness`
    epoch_faces : faces in an epoch (0: as many as there are)
    workers : processes that make crops
    evaluate_every : epochs
    """

    epochs: int = 100
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    clip: float = 5.0
    warmup: float = 0.08
    ema: float = 0.999
    seed: int = 0
    bf16: bool = True
    backgrounds: float = 0.06
    pose_balance: float = 0.5
    hard_balance: float = 0.0
    epoch_faces: int = 0
    workers: int = 1
    evaluate_every: int = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """All sections of a recipe."""

    name: str = "unnamed"
    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, as checkpoints and model cards store them."""
        return asdict(self)
