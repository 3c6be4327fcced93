"""Advice beside a training: too few faces for random weights, and what an error means."""

from __future__ import annotations

from fkp_live.geometry import CropSpec

# With fewer faces than this, a training from random weights learns hardly more than the mean face: 200 gave an NME of
# 50.9 %, and 4.7 % after 14 s from the shipped network.
ENOUGH_FACES = 1000
# NME in per cent: a good network on photographs, and the end of what still looks like a face.
GOOD, NO_FACE = 4.0, 15.0


def few_faces(count: int, crop: CropSpec) -> str:
    """A warning for a training of ``count`` faces from random weights; empty where they are enough."""
    if count >= ENOUGH_FACES:
        return ""
    # Networks may grow from a smaller one, but not shrink.
    shipped = "fkp68" if crop.size >= 112 else "fkp68-tiny"
    return (
        f"Warning: {count:,} training faces and random weights. Below {ENOUGH_FACES:,} faces a network learns hardly "
        f"more than the mean face. Begin with a shipped network: train/recipes/{shipped}.toml "
        f"--init models/{shipped}.onnx"
    )


def meaning(errors: dict[str, float]) -> str:
    """What the NMEs of validation sets, in per cent by name, mean; empty where there are none."""
    if not errors:
        return ""
    scale = (
        f"NME: mean distance of a point from its label, in % of the distance of the outer eye corners. "
        f"About {GOOD:g} is good; over {NO_FACE:g} is not a face."
    )
    lost = [name for name, error in errors.items() if error > NO_FACE]
    return scale + (f" Not a face yet: {', '.join(lost)}." if lost else "")
