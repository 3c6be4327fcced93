"""ONNX files as they are written: without traces of this machine, with metadata, and checked against torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from fkp_live.errors import ExitCode, FkpError
from fkp_live.inference.metadata import METADATA_PREFIX

FAULT = "Nothing was written; this is a fault of the exporter or of its versions of torch and onnx."


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


def write_metadata(graph: onnx.ModelProto, meta: dict[str, Any]) -> None:
    """Store each value as JSON under ``fkp.<key>``."""
    for key, value in meta.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = f"{METADATA_PREFIX}{key}", json.dumps(value, ensure_ascii=False)
