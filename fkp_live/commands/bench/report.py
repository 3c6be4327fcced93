"""The report of ``fkp-live bench``: as a table, as a JSON file, and compared with an older one."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fkp_live.errors import InputError
from fkp_live.sinks.files import write_text

SCHEMA = "fkp-bench/1"
Report = Mapping[str, Any]

# Figures of a result that are compared: label, keys, and whether more is better.
_COMPARED: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("fps", ("fps", "median"), True),
    ("read p50 ms", ("stages", "read", "p50"), False),
    ("process p50 ms", ("stages", "process", "p50"), False),
    ("process p95 ms", ("stages", "process", "p95"), False),
    ("process p99 ms", ("stages", "process", "p99"), False),
    ("detect mean ms", ("stages", "detect", "mean"), False),
    ("landmark p50 ms", ("stages", "landmark", "p50"), False),
    ("track p50 ms", ("stages", "track", "p50"), False),
    ("smooth p50 ms", ("stages", "smooth", "p50"), False),
    ("measure p50 ms", ("stages", "measure", "p50"), False),
    ("frame age p95 ms", ("age", "p95"), False),
    ("start-up s", ("startup_s",), False),
    ("peak memory MB", ("peak_memory_mb",), False),
)
# A fair comparison has these in common.
_SAME = (
    ("host", ("host", "processor")),
    ("processors", ("host", "cpus")),
    ("Python", ("versions", "python")),
    ("onnxruntime", ("versions", "onnxruntime")),
    ("threads", ("settings", "threads")),
)
# The words of a result that a comparison reads.
_WORDS = (("case",), ("provider", "running"), ("model", "sha256"))
_LARGEST_FIGURE = 1e12


def table(report: Report) -> str:
    """The report as text; a dash for a figure that was not measured."""
    return "\n".join(_table(report))


def _table(report: Report) -> Iterator[str]:
    host, versions, settings = report["host"], report["versions"], report["settings"]
    yield f"fkp-live {report['version']}, {host['processor']}, {host['cpus']} processors, {host['platform']}"
    yield ", ".join(f"{name} {version or '-'}" for name, version in versions.items())
    yield (
        f"{settings['threads']} thread(s); medians of {settings['repeats']} trial(s), each in a process "
        f"of its own, after {settings['warmup']} frames of warm-up"
    )
    for result in report["results"]:
        yield ""
        yield from _result(result)


def _result(result: Mapping[str, Any]) -> Iterator[str]:
    source, provider, fps = result["source"], result["provider"], result["fps"]
    yield (
        f"{result['case']}, {source['width']}x{source['height']}, on {provider['running']} "
        f"(requested: {provider['asked']}), {result['model']['name']} {result['model']['sha256'][:12]}"
    )
    yield (
        f"{fps['median']:.1f} fps ({fps['least']:.1f} to {fps['most']:.1f}), "
        f"{_number(result['frames'], 0)} frames with {_number(result['faces'], 2)} faces, "
        f"detector ran on {_number(result['detections'], 0)}"
    )
    yield (
        f"first frame after {_number(result['startup_s'], 2)} s, "
        f"peak memory {_number(result['peak_memory_mb'], 0)} MB, "
        f"frames dropped {_number(result['dropped'], 0)}"
    )
    yield f"{'ms':<12}{'p50':>9}{'p95':>9}{'p99':>9}{'mean':>9}"
    for name, row in [*result["stages"].items(), ("frame age", result["age"])]:
        cells = (None if row is None else row[key] for key in ("p50", "p95", "p99", "mean"))
        yield f"{name:<12}" + "".join(f"{_number(cell, 2):>9}" for cell in cells)


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def comparison(old: Report, new: Report) -> str:
    """Ratios of the new figures to the old ones, where both have them, and the differences of host and versions."""
    return "\n".join(_comparison(old, new))


def _comparison(old: Report, new: Report) -> Iterator[str]:
    yield f"compared with {old['created']} (ratio: new / old)"
    for what, keys in _SAME:
        before, after = _at(old, keys), _at(new, keys)
        if before != after:
            yield f"not alike: {what} was {before}, is {after}"
    pairs = 0
    before_by_case = {(row["case"], row["provider"]["running"]): row for row in old["results"]}
    for row in new["results"]:
        case, running = row["case"], row["provider"]["running"]
        before = before_by_case.get((case, running))
        if before is None:
            yield f"{case} on {running}: not in the old file"
            continue
        pairs += 1
        yield f"{case} on {running}"
        if before["model"]["sha256"] != row["model"]["sha256"]:
            yield "not alike: the model"
        yield from _ratios(before, row)
    if not pairs:
        held = ", ".join(f"{case} on {running}" for case, running in before_by_case) or "nothing"
        yield f"nothing to compare: the old file holds {held}"


def _ratios(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for what, keys, more_is_better in _COMPARED:
        before, after = _at(old, keys), _at(new, keys)
        if not before or after is None:
            continue
        ratio = after / before
        verdict = "" if 0.95 < ratio < 1.05 else "better" if (ratio > 1) == more_is_better else "worse"
        yield f"  {what:<18}{before:>10.3f}{after:>10.3f}{ratio:>8.2f}  {verdict}".rstrip()


def _at(values: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if not isinstance(values, Mapping):
            return None
        values = values.get(key)
    return values


def read_report(path: Path) -> dict[str, Any]:
    """Read a report that ``--json`` wrote.

    Raises
    ------
    InputError
        If it cannot be read, is not a report, or is of another version of this format.
    """
    hint = "Expected a file written by 'fkp-live bench --json' of this version; write it again."
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", hint) from None
    # ValueError: not JSON, not UTF-8, or a number of thousands of digits. RecursionError: nested too deep.
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON that can be read.", hint) from None
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema != SCHEMA:
        found = "no schema" if schema is None else f"the schema {reprlib.repr(schema)}"
        raise InputError(f"{path} has {found}, expected {SCHEMA}.", hint)
    missing = {"created", "host", "versions", "settings", "results"} - set(report)
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}.", hint)
    if not _is_whole(report):
        raise InputError(f"{path} has results that are not of this program, or damaged.", hint)
    return dict(report)


def _is_whole(report: Report) -> bool:
    """Whether every value that `comparison` reads is there and of its kind."""
    labels = [report["created"], *(_at(report, keys) for _, keys in _SAME)]
    rows = report["results"]
    return (
        all(label is None or isinstance(label, str) or _is_figure(label) for label in labels)
        and isinstance(rows, list)
        and all(
            all(isinstance(_at(row, keys), str) for keys in _WORDS)
            and all(
                figure is None or _is_figure(figure)
                for figure in (_at(row, keys) for _, keys, _ in _COMPARED)
            )
            for row in rows
        )
    )


def _is_figure(value: Any) -> bool:
    """Whether this is a number that a trial can have measured: finite, not negative, and printable."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LARGEST_FIGURE


def write_report(path: Path, report: Report, *, overwrite: bool) -> None:
    """Write the report as JSON.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_text(path, json.dumps(report, indent=1, allow_nan=False) + "\n", overwrite=overwrite)
