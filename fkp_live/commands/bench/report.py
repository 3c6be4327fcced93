"""What ``fkp-live bench`` found, for people and for machines, and against what it found before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fkp_live.errors import InputError
from fkp_live.sinks.files import write_text

SCHEMA = "fkp-bench/1"
Report = Mapping[str, Any]

# Figures of a result that are compared: words, keys, and whether more is better.
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
_COMPARED_STABILITY: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("jitter %", ("jitter_percent",), False),
    ("jitter, raw %", ("jitter_raw_percent",), False),
)
# What a fair comparison has in common.
_SAME = (
    ("host", ("host", "processor")),
    ("processors", ("host", "cpus")),
    ("Python", ("versions", "python")),
    ("onnxruntime", ("versions", "onnxruntime")),
    ("threads", ("settings", "threads")),
)


def table(report: Report) -> str:
    """The report for people; a dash is what was not measured."""
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
    for figures in report["stability"]:
        yield ""
        lags = ", ".join(f"{_number(ms, 2)} ms at {hertz} Hz" for hertz, ms in figures["lag_ms"].items())
        yield f"a face of 150 px before a noisy camera, on {figures['provider']['running']}"
        yield (
            f"jitter at rest {_number(figures['jitter_percent'], 3)} % of the eye distance "
            f"({_number(figures['jitter_raw_percent'], 3)} unsmoothed); lag that smoothing adds {lags}"
        )


def _result(result: Mapping[str, Any]) -> Iterator[str]:
    source, provider, fps = result["source"], result["provider"], result["fps"]
    yield (
        f"{result['case']}, {source['width']}x{source['height']}, on {provider['running']} "
        f"(asked: {provider['asked']}), {result['model']['name']} {result['model']['sha256'][:12]}"
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
    """Ratios of the new figures to the old ones, where both have them, and what is not alike."""
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
            yield "not alike: the model is another one"
        yield from _ratios(_COMPARED, before, row)
    steady_before = {row["provider"]["running"]: row for row in old["stability"]}
    for row in new["stability"]:
        if (before := steady_before.get(row["provider"]["running"])) is not None:
            yield from _ratios(_COMPARED_STABILITY, before, row)
    if not pairs:
        held = ", ".join(f"{case} on {running}" for case, running in before_by_case) or "nothing"
        yield f"nothing to compare: the old file holds {held}"


def _ratios(
    figures: tuple[tuple[str, tuple[str, ...], bool], ...], old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[str]:
    for what, keys, more_is_better in figures:
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
    """A report that ``--json`` wrote.

    Raises
    ------
    InputError
        If it cannot be read, or is anything else, or of another version of this format.
    """
    hint = "Expected was a file that 'fkp-live bench --json' of this version wrote; write it anew."
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", hint) from None
    except ValueError:
        raise InputError(f"{path} is not JSON.", hint) from None
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema != SCHEMA:
        found = "no schema" if schema is None else f"the schema {schema!r}"
        raise InputError(f"{path} has {found}, expected was {SCHEMA}.", hint)
    missing = {"created", "host", "versions", "settings", "results", "stability"} - set(report)
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}.", hint)
    if not _is_whole(report):
        raise InputError(f"{path} has results that are not ours, or no longer whole.", hint)
    return dict(report)


def _is_whole(report: Report) -> bool:
    """Whether all that a comparison reads is there and of its kind."""
    for part, words, figures in (
        ("results", (("case",), ("provider", "running"), ("model", "sha256")), _COMPARED),
        ("stability", (("provider", "running"),), _COMPARED_STABILITY),
    ):
        rows = report[part]
        if not isinstance(rows, list):
            return False
        for row in rows:
            numbers = [_at(row, keys) for _, keys, _ in figures]
            if not all(isinstance(_at(row, keys), str) for keys in words):
                return False
            if not all(number is None or isinstance(number, int | float) for number in numbers):
                return False
    return True


def write_report(path: Path, report: Report, *, overwrite: bool) -> None:
    """Write the report as JSON.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_text(path, json.dumps(report, indent=1, allow_nan=False) + "\n", overwrite=overwrite)
