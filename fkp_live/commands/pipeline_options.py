"""The options of a pipeline, shared by the commands that run one: faces, and inference."""

from __future__ import annotations

import argparse

from fkp_live.arguments import MOST_THREADS, filled, positive, whole_number
from fkp_live.choices import ID_ORDERS, PROVIDERS, SMOOTHING, PipelineOptions

_DEFAULT = PipelineOptions()


def add_face_options(made: argparse.ArgumentParser) -> None:
    """Which faces are followed, and how."""
    group = made.add_argument_group("faces")
    group.add_argument(
        "--max-faces",
        type=whole_number(1),
        metavar="N",
        help="follow at most N faces; where there are more, the largest (one that is followed stays; default: all)",
    )
    group.add_argument(
        "--min-face",
        type=positive,
        metavar="PX",
        help="smallest face that is found: its longer side in px (default: 40, or 1/24 of the picture's longer side "
        "where that is more: 80 at 1920)",
    )
    group.add_argument(
        "--detect-every",
        type=whole_number(1),
        default=_DEFAULT.detect_every,
        metavar="N",
        help="run the detector at least every N frames; a new face appears then",
    )
    group.add_argument(
        "--smooth",
        choices=SMOOTHING,
        default=_DEFAULT.smooth,
        help="how strongly jitter is smoothed; stronger is steadier but follows later",
    )
    group.add_argument(
        "--id-order",
        choices=ID_ORDERS,
        default=_DEFAULT.id_order,
        help="ids in the order in which faces appear, or by place from left to right for people who sit side by side: "
        "a place keeps its number when it is left; a new one between others shifts those to its right",
    )
    group.add_argument(
        "--expression",
        action=argparse.BooleanOptionalAction,
        default=_DEFAULT.expression,
        help="what each face shows: neutral, happy, surprised, sad, angry, disgusted, afraid (docs/expression.md)",
    )
    group.add_argument(
        "--any-roll",
        action=argparse.BooleanOptionalAction,
        default=_DEFAULT.any_roll,
        help="find faces that lie on their side or are upside down, too; streams look for them while nobody is "
        "followed (docs/hard_faces.md)",
    )


def add_inference_options(made: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Where the networks run, and which. Returns the group, for more of the kind."""
    group = made.add_argument_group("inference")
    group.add_argument(
        "--provider", choices=PROVIDERS, default=_DEFAULT.provider, help="execution provider of onnxruntime"
    )
    group.add_argument(
        "--model",
        type=filled,
        help="name of a shipped landmark network, or an .onnx file (default: fkp68; fkp68-medium-int8 on CPUs "
        "that are made for 8-bit integers; pictures of a batch: fkp68-large)",
    )
    group.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=_DEFAULT.threads,
        metavar="N",
        help="threads of a CPU provider",
    )
    return group
