"""Odd values for every parser and entry point, as plain JSON, by check: strategies of hypothesis."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np

from fkp_live.choices import PROVIDERS, SMOOTHING
from fkp_live.commands.bench.options import parser as bench_parser
from fkp_live.commands.options import parser
from fkp_live.inference.models import models_dir
from fkp_live.recorded import CSV_COLUMNS, SCHEMA

Values = st.SearchStrategy[Any]
ROOT = Path(__file__).parents[2]

_numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(10**400), 1e308, 5e-324, 0.1]),
)
_texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\0", "\x1b[2J", "é" * 300, "a" * 300, "../..", "~", "~nobody/x", "日本", "\ud800"]
    ),
)
_any = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _texts),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _deep(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


# What JSON texts may be like beyond what `json.dumps` writes.
_odd_json = st.sampled_from(
    [
        _deep(100_000),
        "9" * 5000,
        "1e999",
        "-0",
        "NaN",
        '{"a":' * 3000 + "1" + "}" * 3000,
        "\ufeff{}",
        "",
        "null",
    ]
)


@st.composite
def edited(draw: st.DrawFn, texts: list[str]) -> str:
    """One of these texts after some edits: pieces removed, repeated, replaced or inserted."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from((0, 1, 1, 5, 40)))
        piece = draw(
            st.one_of(
                st.text(max_size=6),
                st.sampled_from(
                    [*'[]{}",:=.-\n0', "1e999", "nan", "-inf", "9" * 400, "\x00", "null", "\udcff"]
                ),
                st.just(text[at : at + length] * 2),
            )
        )
        text = text[:at] + piece + text[at + length :]
    return text


@st.composite
def changed(draw: st.DrawFn, whole: Any) -> Any:
    """A JSON value of which one part, at any depth, is removed or replaced by anything."""
    if not isinstance(whole, dict | list) or not whole or draw(st.integers(0, 4)) == 0:
        return draw(_any)
    keys = list(whole) if isinstance(whole, dict) else list(range(len(whole)))
    key = draw(st.sampled_from(keys))
    copy = whole.copy()
    if draw(st.integers(0, 5)) == 0:
        del copy[key]
    else:
        copy[key] = draw(changed(whole[key]))
    return copy


def _options_of(made: Any) -> list[str]:
    return [option for action in made._actions for option in action.option_strings if option != "--help"]


_OPTIONS = [*_options_of(parser()), "--"]
_BENCH_OPTIONS = _options_of(bench_parser())
_SUFFIXES = st.sampled_from([".mp4", ".mov", ".mkv", ".csv", ".jsonl", ".avi", "", ".MP4", ".partial.mp4"])
_words = st.one_of(
    st.sampled_from([*PROVIDERS, *SMOOTHING, "clip.mp4", "0", "-1", "1", "2.5", "nan", "inf"]),
    st.sampled_from(["1e400", "9" * 5000, "x"]),
    st.tuples(st.text(max_size=12), _SUFFIXES).map("".join),
    _texts,
    _numbers.map(lambda n: str(n)[:4000] if abs(n) < 10**400 or n != n else "9" * 401),
)


def _command_lines(options: list[str]) -> Values:
    pairs = st.one_of(
        st.sampled_from(options).map(lambda option: [option]),
        st.tuples(st.sampled_from(options), _words).map(list),
        st.tuples(st.sampled_from(options), _words).map(lambda pair: ["=".join(pair)]),
        _words.map(lambda word: [word]),
    )
    return st.lists(pairs, max_size=6).map(lambda parts: [word for part in parts for word in part])


# Names that can be an argument of a process: no zero byte, and not beyond what a file system takes by far.
_argument = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), max_size=12)


@st.composite
def runs(draw: st.DrawFn) -> list[str]:
    """Command lines that get as far as opening the clip, most of them to the end."""
    words = [
        "--video",
        draw(st.sampled_from(["clip.mp4"] * 9 + ["none.mp4"])),
        "--headless",
        "--provider",
        "cpu",
    ]
    outputs = {"--out": [".mp4", ".mov", ".mkv"], "--csv": [".csv", ""], "--jsonl": [".jsonl", ".json"]}
    for option, suffixes in outputs.items():
        if draw(st.integers(0, 2)):
            stem = draw(
                _argument.filter(lambda name: not name.strip(".").startswith("-") and name.strip(". ~"))
            )
            words += [option, "./" + stem + draw(st.sampled_from(suffixes))]
    further = {
        "--start": ["0", "0.1", "0.44", "0.48", "1", "1e9", "1e-9"],
        "--end": ["0.04", "0.2", "0.48", "1e9", "1e-9"],
        "--max-frames": ["1", "5", "9" * 30],
        "--detect-every": ["1", "15", "9" * 30],
        "--max-faces": ["1", "9" * 30],
        "--min-face": ["0.001", "1", "10", "39.5", "1e9", "1e300"],
        "--smooth": list(SMOOTHING),
        "--layers": ["all", "none", "pose,measures", "points,points"],
        "--threads": ["1", "2"],
        "--model": ["fkp68-tiny", "fkp68", "yunet", "a" * 300, "clip.mp4"],
    }
    for option, values in further.items():
        if draw(st.integers(0, 5)) == 0:
            words += [option, draw(st.sampled_from(values))]
    return words + draw(
        st.lists(st.sampled_from(["--mirror", "--no-hud", "--overwrite", "--quiet"]), max_size=2)
    )


_recipes = [path.read_text("utf-8") for path in sorted((ROOT / "train/recipes").rglob("*.toml"))]
_keys = [
    "name",
    "base",
    "data",
    "model",
    "augment",
    "loss",
    "training",
    "sets",
    "size",
    "channels",
    "epochs",
    "kind",
]
_toml = st.one_of(
    edited(_recipes),
    # So that some are read, whatever the edits of the others: those that name no base.
    st.sampled_from([text for text in _recipes if "base =" not in text]),
    st.tuples(st.sampled_from(_keys), st.one_of(_any, _odd_json)).map(
        lambda p: f"{p[0]} = {json.dumps(p[1])}\n"
    ),
    st.tuples(st.sampled_from(_keys), _odd_json).map(lambda pair: f"{pair[0]} = {pair[1]}\n"),
    st.sampled_from([f"base = '{name}.toml'\n" for name in ("base", "recipe", "no", ".", "a" * 300)]),
    st.sampled_from([f"name = {_deep(2000)}", "[a]\n" * 3, f"[{'a.' * 1500}a]", "x" + " = {y" * 1500]),
)

_URLS = [
    "http://user:secret@host/live", "rtsp://[::1]:554/a?b#c", "file:///tmp/x", "file://localhost/x", "udp://:1234",
    "http://", "://", "a://b@c:d@e", "clip.mp4", "007", "*.png", "[a-", "con:x", "C:\\x", "file:x", "~root/x",
]  # fmt: skip

_TARGETS = [
    "udp://127.0.0.1:9000", "osf://[::1]", "vmc://host:39539", "lsl://a name", "camera:///dev/video4", "osf://", "x://y:1",
]  # fmt: skip

# A face that was checked by hand, moved into a picture of 160x160.
_face = np.loadtxt(ROOT / "tests/photos/points.csv", str, delimiter=",", skiprows=1, ndmin=2)[0, 1:].astype(
    float
)
_face = (_face.reshape(68, 2) - _face.reshape(68, 2).min(0)) * 120 / np.ptp(
    _face.reshape(68, 2), axis=0
).max() + 20
_POINTS = ",".join(f"{v:.1f}" for v in _face.ravel())
_CSVS = [
    "name,"
    + ",".join(map(str, range(136)))
    + "\n"
    + "\n".join(f"{name},{_POINTS}" for name in ("a.png", "b.png")),
    "name," + ",".join(f"{axis}{i}" for i in range(68) for axis in "xy") + f"\na.png,{_POINTS}\n",
]

_model_metadata = {
    "fkp.schema": "fkp-landmarks/1",
    "fkp.name": "x",
    "fkp.points": {"markup": "ibug68", "count": 68},
    "fkp.input": {
        **{"name": "image", "layout": "NCHW", "dtype": "float32", "color": "BGR"},
        **{"mean": [0, 0, 0], "std": [1, 1, 1], "size": 112},
    },
    "fkp.crop": {"kind": "square", "margin": 0.125},
    "fkp.output": {
        "unit": "crop pixels",
        "points": "points",
        "confidence": "confidence",
        "strides": [8, 16, 32],
    },
}
_row = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "mean": 1.5}
_report = {
    **{"schema": "fkp-bench/1", "created": "now", "version": "0.2"},
    "host": {"processor": "p", "cpus": 2, "platform": "x"},
    "versions": {"python": "3.11", "onnxruntime": "1.32"},
    "settings": {"threads": 1, "repeats": 3, "warmup": 20},
    "results": [
        {
            **{
                "case": "demo",
                "provider": {"running": "cpu", "asked": "auto"},
                "model": {"sha256": "ab", "name": "m"},
            },
            **{"fps": {"median": 1.0, "least": 1.0, "most": 1.0}, "stages": {"read": _row, "process": _row}},
            **{"age": _row, "startup_s": 1.0, "peak_memory_mb": 100.0},
        }
    ],
}

_recorded_face = {
    **{"id": 1, "box": [10.0, 10.0, 77.0, 77.0], "score": 0.9},
    **{"points": [[10.0 + i, 77.0 - i] for i in range(68)], "confidence": [0.5] * 68},
    **{"raw": [[10.5 + i, 77.5 - i] for i in range(68)], "pose": {"pitch": 0.1, "yaw": 0.2, "roll": 0.3}},
    "measures": {"right_eye_open": 0.3, "left_eye_open": 0.3, "mouth_open": 0.1, "blink": False},
}
_recorded = [
    {"schema": SCHEMA, "source": {"name": "x", "width": 160, "height": 96, "fps": 25.0, "origin": 0.0}},
    *({"frame": i, "time": i / 25, "detected": True, "faces": [_recorded_face]} for i in range(3)),
]
_recorded_row = ["1", "0.04", "0.9", "1", *["0.1"] * 3, *[f"{i}.25" for i in range(136)]]
_recorded_row += ["0.9", "10", "10", "77", "77", "0.3", "0.3", "0.1", "0", *[f"{i}.5" for i in range(136)]]
_recordings = [
    "".join(json.dumps(line) + "\n" for line in _recorded),
    "".join(",".join(row) + "\n" for row in (CSV_COLUMNS, *([str(i), *_recorded_row] for i in (1, 2, 4)))),
]

_shapes = st.one_of(
    st.lists(st.integers(0, 40), max_size=5),
    st.tuples(st.integers(1, 300), st.integers(1, 300), st.just(3)).map(list),
    st.sampled_from([[1, 20_000, 3], [20_000, 1, 3], [1, 1, 3], [64, 96, 4], [0, 64, 3], [64, 96, 1]]),
)
_kinds = st.sampled_from(
    ["uint8"] * 8 + ["int8", "uint16", "float32", "float64", "bool", "complex64", "U1", "object"]
)


def _arrays(shapes: Values, kinds: Values) -> Values:
    noise = st.fixed_dictionaries(
        {"shape": shapes, "dtype": kinds, "seed": st.integers(0, 9)}
        | {"strided": st.booleans(), "read_only": st.booleans()}
    )
    face = st.tuples(st.integers(40, 300), st.integers(40, 300)).map(
        lambda size: {"shape": list(size), "face": True}
    )
    return st.one_of(noise, face)


_pictures = _arrays(
    st.tuples(st.integers(1, 200), st.integers(1, 200), st.just(3)).map(list), st.just("uint8")
)
_times = st.one_of(st.floats(), st.sampled_from([0.0, 0.04, 0.08, -1.0, 1e9, 1e308, 1e-300, 0.04, 0.04]))
_pipelines = {"smooth": st.sampled_from(SMOOTHING), "detect_every": st.integers(1, 4)}
_seconds = st.one_of(
    st.floats(-1.0, 10.0),
    st.sampled_from([0.0, 0.04, 0.08, 0.0400001, 3600.0, 21_600.5, 1e6, -1e6, 1e12]),
)
_ticks = st.one_of(
    st.integers(-5, 200), st.integers(-(2**40), 2**40), st.sampled_from([0, 1, 1, 2, 3600, 90_000, 2**33])
)
_sides = st.one_of(st.just(32), st.integers(1, 70))
_corners = st.one_of(_numbers, st.floats(-1e4, 1e4), st.integers(0, 160))

_heads = [
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\x02",
    b"GIF89a\1\0\1\0",
    b"\xff\xd8\xff\xe0\0\x04AB\xff\xc0\0\x11\x08",
    b"BM" + bytes(12) + b"\x28\0\0\0\1\0\0\0\1\0\0\0",
    b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10),
    b"P6\n1 1\n255\n",
    b"II*\0\x08\0\0\0\2\0\0\1\3\0\1\0\0\0\5\0",
    b"\0\0\0\x18ftypavif" + bytes(8) + b"ispe\0\0\0\0\0\0\1\0",
    b"\0\0\0\x0cjP  \r\n",
]

STRATEGIES: dict[str, Values] = {
    "spec": st.one_of(_texts, edited(_URLS)),
    "url": st.fixed_dictionaries(
        {
            "scheme": st.sampled_from(["http", "https", "rtsp", "rtmp", "udp", "srt"]),
            "user": st.text("abcXYZ09", min_size=1, max_size=6),
            "password": st.text(
                st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=8, max_size=14
            ),
            "host": st.sampled_from(["host", "10.0.0.1:554", "[::1]:80", "a.example"]),
            "rest": st.sampled_from(["", "/", "/live?x=1", "/a@b", "#c"]),
        }
    ),
    "target": st.one_of(_texts, edited(_TARGETS)),
    "table": st.lists(
        st.text(max_size=12) | edited(["a.png", 'a,"b".png', "a\r\nb.png"]), min_size=1, max_size=5
    ),
    "words": st.one_of(
        _command_lines(_OPTIONS), _command_lines(_BENCH_OPTIONS).map(lambda words: ["bench", *words])
    ),
    "text": st.fixed_dictionaries(
        {
            "text": _texts,
            "encoding": st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252", "cp932", "utf-16"]),
        }
    ),
    "recipe": st.fixed_dictionaries({"recipe": _toml}, optional={"base": _toml}),
    "metadata": st.one_of(
        changed(_model_metadata)
        .filter(lambda value: isinstance(value, dict))
        .map(lambda value: {key: json.dumps(part) for key, part in value.items()}),
        st.tuples(st.sampled_from(list(_model_metadata)), _odd_json).map(
            lambda pair: {key: json.dumps(part) for key, part in _model_metadata.items()} | {pair[0]: pair[1]}
        ),
        st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    ),
    "labels": st.one_of(edited(_CSVS), _texts),
    "report": st.one_of(edited([json.dumps(_report)]), changed(_report).map(json.dumps), _odd_json),
    "recording": st.one_of(
        edited(_recordings),
        changed(_recorded).map(
            lambda lines: (
                "".join(json.dumps(line) + "\n" for line in lines)
                if isinstance(lines, list)
                else json.dumps(lines)
            )
        ),
        _odd_json,
    ),
    "header": st.one_of(
        st.tuples(st.sampled_from(_heads), st.binary(max_size=60)).map(
            lambda p: (p[0] + p[1]).decode("latin-1")
        ),
        st.tuples(st.sampled_from(_heads), st.integers(0, 40), st.binary(max_size=60)).map(
            lambda p: (p[0][: p[1]] + p[2]).decode("latin-1")
        ),
    ),
    "boxes": st.one_of(
        _any,
        st.lists(st.lists(_corners, min_size=4, max_size=4), max_size=4),
        st.lists(_corners, max_size=8),
    ),
    "image": _arrays(_shapes, _kinds),
    "frames": st.fixed_dictionaries(
        {
            "options": st.fixed_dictionaries(_pipelines),
            "frames": st.lists(st.tuples(_times, _pictures).map(list), min_size=2, max_size=6),
        }
    ),
    "sinks": st.fixed_dictionaries(
        {
            "kind": st.sampled_from([".mp4", ".mov", ".mkv", ".csv", ".jsonl"]),
            "base": st.sampled_from([None, 1, 25, 1000, 90_000, 12_800, 1_000_000, 1_000_000_000, 30_000]),
            "fps": st.sampled_from([None, 1e-3, 24.0, 29.97, 1000.0, 1e6]),
            "origin": st.sampled_from([0.0, 1.4, -0.04, 95443.7]),
            "results": st.lists(
                st.tuples(_seconds, _ticks, _sides, _sides).map(list), min_size=1, max_size=8
            ),
        }
    ),
    "options": st.fixed_dictionaries(
        {},
        optional={
            "smooth": st.one_of(st.sampled_from(SMOOTHING), _any),
            "detect_every": st.one_of(st.integers(-1, 5), _any),
            "max_faces": st.one_of(st.integers(-1, 5), _any),
        },
    ),
    "command": runs(),
}
if find_spec("pandas") is None:
    del STRATEGIES["labels"]
# The share of each in the inputs of a session. Those that run networks take a hundred times as long.
SHARES = dict.fromkeys(STRATEGIES, 10.0) | {
    **{
        "image": 1.0,
        "boxes": 3.0,
        "frames": 0.7,
        "sinks": 1.0,
        "options": 1.0,
        "command": 0.3,
        "report": 5.0,
        "recipe": 5.0,
    }
}


def model_files() -> dict[str, bytes]:
    """Networks to damage, the small ones."""
    return {name: (models_dir() / name).read_bytes() for name in ("fkp68-tiny.onnx", "fkp68-int8.onnx")}
