"""A shipped float network in 8-bit integers: calibrated on training crops, compared with the float one.

Between the first and the last convolution everything is quantised: weights to QInt8 per output channel, activations
to QUInt8. What stays in float: the normalisation of the pixels and the first convolution (three input channels give
integer kernels nothing to gain), the heads, the soft-argmax (a fraction of a pixel needs it) and the confidence.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fkp_live.inference.runtime import runtime_version  # before onnxruntime: it switches the telemetry off

# isort: split
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.card import figures_section, headline
from export.ship import SHIPPED, evaluated_sets, measure, staging_folder, write_sums
from export.written import sha256_of, strip_local_traces, write_metadata
from fkp_live.errors import ModelError, UsageError
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.geometry import CropSpec, box_of, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.inference.models import STREAM_MODEL_INT8, resolve_model
from fkp_live.inference.session import Session, open_session
from fkp_live.sinks.files import check_output
from train.data.augment import detector_jitter
from train.data.faces import FaceSet
from train.data.splits import splits
from train.evaluate.evaluation import evaluate, finite

CALIBRATION_SETS = ("wild_train", "udacity_train")
QUANTISED_OPERATORS = ("Conv", "Relu", "Add", "Resize")
# It ships if it loses less NME than this, in per cent of the float network's, and is at least MIN_GAIN times as fast.
MAX_LOSS, MIN_GAIN = 2.0, 1.4
# Without VNNI, onnxruntime's x86 kernels add two products of 8 bits in 16, which overflows silently; weights of
# 7 bits cannot, so the file gives the same points on every CPU. In the first layer, full range cost 6 % of NME.
REDUCE_RANGE = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """The float network and its quantised form, in this order, on this machine.

    Attributes
    ----------
    nme : on wild_val, given a face box as inexact as a detector's, in % of the distance of the outer eye corners
    milliseconds : median for one crop on one thread
    """

    nme: tuple[float, float]
    milliseconds: tuple[float, float]

    @property
    def loss(self) -> float:
        """NME lost, in per cent of the float network's."""
        return 100.0 * (self.nme[1] / self.nme[0] - 1.0)

    @property
    def gain(self) -> float:
        """How many times as fast as the float network."""
        return self.milliseconds[0] / self.milliseconds[1]

    def report(self) -> str:
        """Both figures against their bars, a line each."""
        accurate, fast = self.loss < MAX_LOSS, self.gain >= MIN_GAIN
        return "\n".join(
            [
                f"NME on wild_val, box with jitter: float {self.nme[0]:.3f}, int8 {self.nme[1]:.3f}, "
                f"loss {self.loss:+.2f} %: {_verdict(accurate)} the bar (< {MAX_LOSS:g} %)",
                f"one crop, one thread, {platform.machine()}: float {self.milliseconds[0]:.3f} ms, "
                f"int8 {self.milliseconds[1]:.3f} ms, gain {self.gain:.2f}: {_verdict(fast)} the bar (>= {MIN_GAIN:g})",
            ]
        )


def _verdict(kept: bool) -> str:
    return "keeps" if kept else "MISSES"


def quantise(
    model: Path, data: Path, out: Path, *, faces: int, rounds: int, seed: int, card: bool, overwrite: bool
) -> Comparison:
    """Write the quantised form of ``model`` to ``out`` and compare the two.

    Parameters
    ----------
    model : float ONNX file or name of a shipped network
    data : folder with udacity/ and wild/
    faces : how many training faces calibrate, in equal parts from `CALIBRATION_SETS`
    rounds : how many times each network is timed
    seed : of the choice of faces and of their jitter
    card : whether model card, figures and SHA256SUMS are written beside it, too

    Raises
    ------
    ModelError
        The model is missing, is not a landmark network or is quantised already.
    OutputError
        ``out`` exists and ``overwrite`` was not given, is the model itself, does not end in .onnx or cannot be written.
    UsageError
        Too few faces.
    """
    if faces < len(CALIBRATION_SETS):
        raise UsageError(f"--faces {faces}: expected at least {len(CALIBRATION_SETS)} faces, one of each set")
    original = open_session(resolve_model(model), "cpu")
    check_output(out, overwrite=overwrite, inputs=[original.path], suffixes=(".onnx",))
    for suffix in SHIPPED if card else ():
        check_output(out.with_suffix(suffix), overwrite=overwrite)
    network = LandmarkNetwork(original)
    if "quantisation" in original.metadata:
        raise ModelError(f"{original.path} is quantised already", "Give the float network that it came from.")
    sets = splits(data)
    crops = calibration_crops([sets[name] for name in CALIBRATION_SETS], network.spec, faces, seed)
    graph = quantised_graph(original.path, crops)
    meta = metadata(original, len(crops), seed)
    with staging_folder(out.parent) as staging:
        made = staging / out.name
        save(graph, meta, made)
        # Evaluated as it ships: the file just written, through the product's code. Then the figures go into it.
        figures = [_figures(path, sets["wild_val"]) for path in (original.path, made)]
        save(graph, {**meta, "figures": headline(figures[1])}, made)
        times = milliseconds([original, open_session(made, "cpu")], rounds)
        before, after = (one["wild_val"]["ways"]["jitter"]["raw"]["nme"] for one in figures)
        comparison = Comparison((before, after), (times[0], times[1]))
        if card:
            write_card(made, evaluated_sets(data), comparison)
            write_sums(out.parent, staging)
    return comparison


_CARD = """\
# {name}

{of} in 8-bit integers: the same points from the same crops in less time, on CPUs with dot products of 8-bit integers.
{streams}

- file: {file}, {size:,} bytes, SHA-256 {sha256}
- of: {of}, SHA-256 {of_sha256}; data, hold-outs, limits and licence are those of [its card]({of}.md)
- {method}
- float: {float}
- calibration: {calibration}
- by: `python -m export quantise {of} --data DIR --out models/{file} --card --overwrite`, {by}

{comparison}

## Figures

"""


def write_card(model: Path, sets: Mapping[str, FaceSet], comparison: Comparison) -> None:
    """Model card and figures beside a quantised file."""
    session = open_session(model, "cpu")
    meta, facts = session.metadata, dict(session.metadata["quantisation"])
    figures = measure(model, sets)
    content = {
        "name": meta["name"],
        "sha256": session.sha256,
        "training": meta["training"],
        "quantisation": facts,
    }
    model.with_suffix(".json").write_text(json.dumps({**content, "figures": figures}, indent=1) + "\n")
    streams = (
        "There streams take it where no network is named"
        if meta["name"] == STREAM_MODEL_INT8
        else f"`--model {meta['name']}` chooses it"
    )
    facts |= {"of_sha256": facts.pop("sha256"), "size": model.stat().st_size, "sha256": sha256_of(model)}
    lines = "\n".join(f"- {line}" for line in comparison.report().splitlines())
    text = _CARD.format(
        **facts,
        streams=f"{streams} (`--model {facts['of']}` for the float one).",
        name=meta["name"],
        file=model.name,
        comparison=lines,
    )
    model.with_suffix(".md").write_text(text + figures_section(model.stem, figures, meta["training"]))


def calibration_crops(sets: Sequence[FaceSet], spec: CropSpec, faces: int, seed: int) -> NDArray[np.float32]:
    """Crops (N, 3, S, S) float32 BGR 0..255 of ``faces`` random faces, in equal parts from each set.

    The boxes have a detector's jitter: the ranges must hold for what the network is fed live. A set with fewer faces
    gives all that it has.
    """
    rng = np.random.default_rng(seed)
    crops = []
    for some in sets:
        for index in rng.choice(len(some), min(faces // len(sets), len(some)), replace=False):
            matrix = crop_matrix(detector_jitter(box_of(some.points[index]), rng), spec)
            crops.append(warp(some.image(index), matrix, spec.size).transpose(2, 0, 1))
    return np.stack(crops).astype(np.float32)


class _Crops(CalibrationDataReader):
    """Feeds crops (N, 3, S, S) to the calibration, one at a time."""

    def __init__(self, crops: NDArray[np.float32]) -> None:
        self._left: Iterator[NDArray[np.float32]] = iter(crops[:, None])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        crop = next(self._left, None)
        return None if crop is None else {"image": crop}


def quantised_graph(model: Path, crops: NDArray[np.float32]) -> onnx.ModelProto:
    """The network with QuantizeLinear and DequantizeLinear in place, the ranges taken over ``crops``.

    Ranges are plain minima and maxima: percentiles and entropy gave the same NME within 0.1 %.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = Path(folder) / "prepared.onnx", Path(folder) / "quantised.onnx"
        # Symbolic shape inference gives up on this graph; the plain kind is sufficient.
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(quantised),
            _Crops(crops),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=inner_nodes(onnx.load(str(prepared))),
            per_channel=True,
            reduce_range=REDUCE_RANGE,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False},
        )
        graph = onnx.load(str(quantised))
    strip_local_traces(graph)
    return graph


def inner_nodes(graph: onnx.ModelProto) -> list[str]:
    """Names of the nodes to quantise: between the first convolution and the last, which is the heads'.

    Raises
    ------
    ModelError
        The graph has no convolution between two others.
    """
    nodes = graph.graph.node
    convolutions = [place for place, node in enumerate(nodes) if node.op_type == "Conv"]
    if len(convolutions) < 3:
        raise ModelError(
            f"The network has {len(convolutions)} convolutions, expected at least 3.",
            "The first and the last stay in float; nothing is left to quantise.",
        )
    inside = nodes[convolutions[0] + 1 : convolutions[-1]]
    return [node.name for node in inside if node.op_type in QUANTISED_OPERATORS]


def metadata(original: Session, faces: int, seed: int) -> dict[str, Any]:
    """Metadata of the quantised file, still without figures: the float one's, and how it was quantised."""
    meta = dict(original.metadata)
    meta["quantisation"] = {
        "of": meta["name"],
        "sha256": original.sha256,
        "method": "static QDQ; activations QUInt8; weights QInt8, per channel"
        + (", 7 bits" if REDUCE_RANGE else ""),
        "float": "pixel normalisation, first convolution, heads, soft-argmax, confidence",
        "calibration": f"minima and maxima over {faces} crops of {', '.join(CALIBRATION_SETS)}, seed {seed}",
        "by": f"onnxruntime {runtime_version()}",
    }
    return {**meta, "name": f"{meta['name']}-int8", "figures": {}}


def save(graph: onnx.ModelProto, meta: dict[str, Any], path: Path) -> None:
    """Write the graph with its metadata, and make sure that the product opens it."""
    del graph.metadata_props[:]
    write_metadata(graph, meta)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
    LandmarkNetwork(open_session(path, "cpu"))


def _figures(model: Path, faces: FaceSet) -> dict[str, Any]:
    network = LandmarkNetwork(open_session(model, "cpu"))
    return finite({faces.name: evaluate(network, faces, None, seed=0).figures()})


# A thread's own time excludes other processes; on Windows it has steps of 15 ms.
_clock = time.thread_time if os.name == "posix" else time.perf_counter


def milliseconds(sessions: Sequence[Session], rounds: int) -> list[float]:
    """Median time of each for one crop, run in turn, so that a slow moment of the machine affects all alike."""
    size = sessions[0].metadata["input"]["size"]
    crop = {"image": np.random.default_rng(0).uniform(0, 255, (1, 3, size, size)).astype(np.float32)}
    warm_up = rounds // 10
    times = np.empty((warm_up + rounds, len(sessions)))
    for row in times:
        for place, session in enumerate(sessions):
            started = _clock()
            session.run(crop)
            row[place] = 1e3 * (_clock() - started)
    return [float(median) for median in np.median(times[warm_up:], axis=0)]
