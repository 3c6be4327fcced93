"""Figures of eyes: openness against the labels, and shut eyes found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.wording import counted
from train.eyes.data import OPEN, SHUT

Array = NDArray[np.float32]
# Share of eyes that are not shut which may be called shut.
FALSE = 0.03


def judged(truth: Array, ways: Mapping[str, tuple[Array, Array]]) -> dict[str, Any]:
    """Counts of eyes, and of each way the figures of its openness (N, 2) and of how open its score (N, 2) says."""
    known = np.isfinite(truth)
    label = truth[known]
    shut, not_shut, opened = label < SHUT, label >= SHUT, label > OPEN
    found = {}
    for way, (openness, score) in ways.items():
        found[way] = {
            **line(label, openness[known]),
            "shut_reads": round(float(np.median(openness[known][shut])), 3) if shut.any() else None,
            "shut_found": recall(score[known], shut, not_shut),
            "shut_found_of_open": recall(score[known], shut, opened),
        }
    return {
        "faces": len(truth),
        "eyes": int(known.sum()),
        "shut": int(shut.sum()),
        "between": int((not_shut & ~opened).sum()),
        "ways": found,
    }


def report(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    rows = [
        "| held-out faces | openness by | slope | intercept | correlation | mean error | shut read | shut found % |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in figures.items():
        title = f"{name}: {counted(found['faces'], 'face')}, {found['shut']} of {found['eyes']} eyes shut"
        for way, row in found["ways"].items():
            share, of_open = row["shut_found"], row["shut_found_of_open"]
            rows.append(
                f"| {title} | {way} | {row['slope']:.2f} | {row['intercept']:.2f} | {row['correlation']:.2f} "
                f"| {row['error']:.3f} | {row['shut_reads']:.2f} | {share:.0f} ({of_open:.0f}) |"
            )
    return "\n".join(rows)


def line(truth: Array, found: Array) -> dict[str, float]:
    """Slope, intercept and correlation of what was found against the truth, and the mean error."""
    slope, intercept = np.polyfit(truth, found, 1)
    return {
        "slope": round(float(slope), 3),
        "intercept": round(float(intercept), 3),
        "correlation": round(float(np.corrcoef(truth, found)[0, 1]), 3),
        "error": round(float(np.abs(found - truth).mean()), 4),
    }


def recall(score: Array, shut: NDArray[np.bool_], others: NDArray[np.bool_]) -> float | None:
    """Per cent of shut eyes whose score is below the limit under which 3 % of the others lie."""
    if not shut.any() or not others.any():
        return None
    limit = np.quantile(score[others], FALSE)
    return round(100.0 * float((score[shut] < limit).mean()), 1)
