"""ONNX files as they are written: traced by torch, without traces of this machine, with metadata, and checked."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fkp_live.errors import ExitCode, FkpError
from fkp_live.inference.metadata import METADATA_PREFIX
from fkp_live.inference.session import open_session

CHECKED_BATCHES = (1, 8)
# Ending of the names of weights that are stored in 16 bits.
HALF = ".half"
# Weights of fewer numbers than this stay as they are: the first and last layers and the places of the maps, on which
# the points depend most.
_LARGE = 8192
FAULT = "Nothing was written; this is a fault of the exporter or of its versions of torch and onnx."


def graph_of(net: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> onnx.ModelProto:
    """The network's ONNX graph, for any batch size.

    Parameters
    ----------
    inputs : an example of each by name, batch first
    outputs : their names

    Raises
    ------
    FkpError
        torch cannot export it.
    """
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                net.eval(),
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=tuple({0: batch} for _ in inputs),
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            first_line = str(error).strip().splitlines()[0]
            raise FkpError(f"torch cannot export the network: {first_line}", FAULT) from error
    assert program is not None
    return program.model_proto


@torch.no_grad()
def largest_difference(
    net: nn.Module, path: Path, inputs: Callable[[np.random.Generator, int], dict[str, NDArray[np.float32]]]
) -> float:
    """Largest difference between the outputs of torch and of the file, over the checked batch sizes.

    Parameters
    ----------
    inputs : makes those of a batch size, by name
    """
    session, rng, worst = open_session(path, "cpu"), np.random.default_rng(0), 0.0
    for batch in CHECKED_BATCHES:
        given = inputs(rng, batch)
        expected = net.eval()(*map(torch.from_numpy, given.values()))
        expected = expected if isinstance(expected, tuple) else (expected,)
        for one, other in zip(session.run(given), expected, strict=True):
            worst = max(worst, float(np.abs(one - other.numpy()).max()))
    return worst


def git_commit() -> str:
    """Commit of the checkout, with a plus sign where files have changed since; "unknown" without git."""

    def git(*arguments: str) -> str:
        command, here = ["git", *arguments], Path(__file__).parent
        try:
            return subprocess.run(
                command, cwd=here, capture_output=True, text=True, check=False
            ).stdout.strip()
        except OSError:  # git is not installed
            return ""

    commit = git("rev-parse", "--short=12", "HEAD")
    return (commit or "unknown") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_line(path: Path) -> str:
    """The line of a model card that identifies the file."""
    return f"- file: {path.name}, {path.stat().st_size:,} bytes, SHA-256 {sha256_of(path)}"


def checked_line(limit: str) -> str:
    """The line of a model card that says how the file was checked."""
    batches = " and ".join(map(str, CHECKED_BATCHES))
    return f"- checked: onnxruntime against torch at batch sizes {batches}, limit {limit}\n"


def write_checked(
    graph: onnx.ModelProto,
    path: Path,
    meta: dict[str, Any],
    difference: Callable[[], float],
    *,
    limit: float,
    what: str,
    unit: str = "",
) -> float:
    """Write a graph with its metadata and check it; returns its largest difference from torch.

    Parameters
    ----------
    difference : measures the written file
    limit : the largest difference allowed
    what, unit : of the outputs compared, for messages

    Raises
    ------
    FkpError
        The difference is above the limit; no file is left.
    OSError
        The file cannot be written.
    """
    strip_local_traces(graph)
    write_metadata(graph, meta)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
    found = difference()
    # NaN is not an allowed difference.
    if not found <= limit:
        path.unlink()
        raise FkpError(
            f"the exported network's {what} differ from torch's by {found:.4f}{unit}, at most {limit} expected",
            FAULT,
            ExitCode.FAILURE,
        )
    return found


def strip_local_traces(graph: onnx.ModelProto) -> None:
    """Remove what the exporter records of this machine: source paths and stack traces."""
    del graph.metadata_props[:]
    graph.doc_string = ""
    graph.graph.doc_string = ""
    del graph.graph.metadata_props[:]
    groups = (
        graph.graph.node,
        graph.graph.value_info,
        graph.graph.input,
        graph.graph.output,
        graph.graph.initializer,
    )
    for item in (item for group in groups for item in group):
        item.doc_string = ""
        del item.metadata_props[:]


def halve_weights(graph: onnx.ModelProto, large: int = _LARGE) -> None:
    """Store large weights in 16 bits, widened to 32 when the file is opened: half the size, and nothing else.

    The runtime widens them once (constant folding), so that the network is as fast as before.
    """
    inside = graph.graph
    for place, tensor in enumerate(inside.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < large:
            continue
        half, name = onnx.numpy_helper.to_array(tensor).astype(np.float16), tensor.name
        inside.initializer[place].CopyFrom(onnx.numpy_helper.from_array(half, f"{name}{HALF}"))
        cast = onnx.helper.make_node("Cast", [f"{name}{HALF}"], [name], to=onnx.TensorProto.FLOAT)
        inside.node.insert(0, cast)


def write_metadata(graph: onnx.ModelProto, meta: dict[str, Any]) -> None:
    """Store each value as JSON under ``fkp.<key>``."""
    for key, value in meta.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = f"{METADATA_PREFIX}{key}", json.dumps(value, ensure_ascii=False)
