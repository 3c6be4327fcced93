"""curves.png of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from train.plotting import pyplot


def plot_curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Loss terms and validation NME over the epochs."""
    plt = pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for axis, chosen, title in (
        (left, lambda key: key in ("points", "maps", "confidence"), "training loss"),
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
