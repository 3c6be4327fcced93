"""curves.png of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from train.plotting import pyplot

# What the history holds besides the terms of the loss and the figures of the validation sets.
_OTHERS = ("epoch", "seconds", "loss")


def plot_curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Terms of the loss, before their weights, and validation NME over the epochs."""
    plt = pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for axis, chosen, title in (
        (
            left,
            lambda key: key not in _OTHERS and not key.endswith(("_nme", "_fr10")),
            "terms of the training loss",
        ),
        (right, lambda key: key.endswith("_nme"), "NME, % of eye distance"),
    ):
        keys = [key for key in dict.fromkeys(k for row in history for k in row) if chosen(key)]
        for key in keys:
            rows = [row for row in history if key in row]
            axis.plot([row["epoch"] for row in rows], [row[key] for row in rows], label=key)
        axis.set_yscale("log")
        axis.set_xlabel("epoch")
        axis.set_title(title)
        axis.grid(alpha=0.3, which="both")
        if keys:
            axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
