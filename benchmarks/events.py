"""How often events are right, on clips that were watched, and what finding them costs.

    python -m benchmarks.events --data FOLDER

FOLDER/videos holds the clips. `events_truth.csv` beside this script says what a person saw in them, frame by frame in
enlarged pictures of the eyes and of the head: first and last frame of each event, and the place of the face (its nose,
in pixels) at one frame. Rows that do not count (``no``) are of events that one may see differently: what is found there
is neither right nor wrong. Blinks were counted where the eyes are at least 15 pixels wide and the head is turned by at
most 25 degrees, which is where they are looked for.

A found event is right if a true one of its kind and face overlaps it, widened by 0.2 seconds (a second for faces that
come and go); each true one makes one found one right. Slow blinks count as blinks.

No clip has a yawn, a nod, a shake of the head or a minute with shut eyes. So frames of the clips are also played in
another order and at another pace, see `PLAYED`: real pictures, but movements that nobody made.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.script import run
from fkp_live.arguments import file_path
from fkp_live.choices import PipelineOptions
from fkp_live.errors import InputError
from fkp_live.faces.events import EventFinder
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source
from fkp_live.types import Event, Frame, FrameResult

TRUTH = Path(__file__).with_name("events_truth.csv")
# Found kinds, by the kind of truth that they are compared with. What lasts is compared once it has ended.
KINDS = {
    **{"blink": "blink", "slow_blink": "blink", "eyes_shut_end": "eyes_shut", "yawn_end": "yawn"},
    **{"smile_end": "smile", "look_away_end": "look_away", "nod": "nod", "shake": "shake"},
    **{"appear": "appear", "vanish": "vanish", "perclos_end": "perclos"},
}
_SLACK, _SLACK_OF_PRESENCE = 0.2, 1.0
_RATE = 25.0


def _there_and_back(first: int, last: int, step: int, times: int) -> list[int]:
    there = [*range(first, last, step)]
    return [*[first] * 25, *[*there, *reversed(there)] * times, *[first] * 25]


# Clip, the frames to play in this order at 25 a second, and the event that is to be found exactly once.
PLAYED: dict[str, tuple[str, list[int]]] = {
    "yawn": ("webcam_long.mp4", [*range(300, 352), *[352] * 75, *range(352, 400)]),
    "nod": ("webcam_long.mp4", _there_and_back(578, 614, 4, 3)),
    "shake": ("webcam_long.mp4", _there_and_back(502, 530, 3, 3)),
    "eyes_shut": ("talking_head.mp4", [*range(180, 223), *[223] * 75, *range(226, 260)]),
    "perclos": ("talking_head.mp4", ([*[200] * 50, *[223] * 20] * 16)),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An event that was seen: its kind, the place of the face at one frame, and its first and last frame."""

    kind: str
    frame: int
    place: tuple[float, float]
    first: int
    last: int
    counts: bool


def truth() -> dict[str, list[Seen]]:
    """What was seen, by clip."""
    found = defaultdict(list)
    with TRUTH.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            frame, first, last = (int(row[name]) for name in ("at_frame", "first", "last"))
            place = float(row["x"]), float(row["y"])
            found[row["clip"]].append(Seen(row["event"], frame, place, first, last, row["counts"] == "yes"))
    return found


def results_of(
    frames: Sequence[Frame] | Iterator[Frame], *, expression: bool, model: str | None
) -> tuple[list[FrameResult], float]:
    """The results of a stream, and the seconds of processor time that the pipeline took."""
    pipeline = Pipeline(PipelineOptions(provider="cpu", expression=expression, model=model))
    results: list[FrameResult] = []
    seconds = 0.0
    for frame in frames:
        begin = time.thread_time()
        results.append(pipeline.process(frame))
        seconds += time.thread_time() - begin
    return results, seconds


def events_of(results: Sequence[FrameResult]) -> tuple[list[Event], float]:
    """Their events, and the seconds of processor time that finding them took."""
    finder = EventFinder()
    begin = time.thread_time()
    events = [event for result in results for event in finder(result)] + finder.finish()
    return events, time.thread_time() - begin


def without_expression(results: Sequence[FrameResult]) -> list[FrameResult]:
    """The same results as of a pipeline without expressions."""
    return [replace(r, faces=tuple(replace(face, expression=None) for face in r.faces)) for r in results]


def face_at(results: Sequence[FrameResult], seen: Seen) -> int | None:
    """Number of the face at the place of a true event, at the frame next to it in which one is there."""
    x, y = seen.place
    for index in sorted(range(len(results)), key=lambda index: abs(index - seen.frame))[:30]:
        for face in results[index].faces:
            x0, y0, x1, y1 = face.box.tolist()
            if x0 <= x <= x1 and y0 <= y <= y1:
                return face.id
    return None


def compare(
    kind: str, results: Sequence[FrameResult], events: Sequence[Event], seen: Sequence[Seen]
) -> list[int]:
    """Right, wrong and missed events of a kind in one clip."""
    slack = _SLACK_OF_PRESENCE if kind in ("appear", "vanish") else _SLACK
    open_ = [(one, face_at(results, one)) for one in seen if one.kind == kind]
    right = wrong = 0
    for event in events:
        if KINDS.get(event.name) != kind:
            continue
        # Of a face that comes or goes, the moment; of all else, the span.
        start = event.end if kind == "vanish" else event.start
        end = event.start if kind == "appear" else event.end
        hits = [
            pair
            for pair in open_
            if pair[1] == event.face_id
            and start <= results[min(pair[0].last, len(results) - 1)].time + slack
            and end >= results[pair[0].first].time - slack
        ]
        if counted := [pair for pair in hits if pair[0].counts]:
            right += 1
            open_.remove(counted[0])
        elif not hits:
            wrong += 1
    return [right, wrong, sum(one.counts for one, _ in open_)]


def played(folder: Path, model: str | None) -> Iterator[str]:
    """A row for each of `PLAYED`."""
    for kind, (clip, order) in PLAYED.items():
        with open_source(folder / clip, max_frames=max(order) + 1) as source:
            pictures = {frame.index: frame for frame in source if frame.index in set(order)}
        frames = [replace(pictures[n], index=place, time=place / _RATE) for place, n in enumerate(order)]
        names = [event.name for event in events_of(results_of(frames, expression=False, model=model)[0])[0]]
        wanted = kind if kind in ("nod", "shake") else f"{kind}_end"
        others = sorted(set(names) - {wanted, kind, "appear"})
        yield f"| {kind} | {clip} | {names.count(wanted)} | {', '.join(others) or '-'} |"


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--data", type=file_path, metavar="FOLDER", required=True, help="holds videos/")
    parser.add_argument(
        "--model", default="fkp68", help="a shipped network or an .onnx file (default: %(default)s)"
    )
    options = parser.parse_args()
    folder = options.data / "videos"
    if not folder.is_dir():
        raise InputError(f"There is no {folder}.", "Give the folder of the test data with --data.")
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    spent = found_in = 0.0
    frames = faces = 0
    for clip, seen in truth().items():
        with open_source(folder / clip) as source:
            results, seconds = results_of(source, expression=True, model=options.model)
        plain = without_expression(results)
        events, cost = events_of(plain)
        spent, found_in = spent + seconds, found_in + cost
        frames, faces = frames + len(results), faces + sum(len(result.faces) for result in results)
        rows = {kind: (kind, events) for kind in dict.fromkeys(KINDS.values())}
        rows |= {"smile, with expressions": ("smile", events_of(results)[0])}
        for name, (kind, own) in rows.items():
            counts[name] = [
                a + b for a, b in zip(counts[name], compare(kind, results, own, seen), strict=True)
            ]
    print(f"{len(truth())} clips, {frames} frames, {faces} faces\n")
    print("| event | seen | found | right | precision | recall |\n|---|---|---|---|---|---|")
    for name, (right, wrong, missed) in counts.items():
        precision = f"{right / (right + wrong):.2f}" if right + wrong else "-"
        recall = f"{right / (right + missed):.2f}" if right + missed else "-"
        print(f"| {name} | {right + missed} | {right + wrong} | {right} | {precision} | {recall} |")
    print("\n| played | frames of | found | what else was found |\n|---|---|---|---|")
    print("\n".join(played(folder, options.model)))
    print(
        f"\nfinding events: {1e6 * found_in / faces:.0f} us a face, "
        f"{100 * found_in / spent:.1f} % of the pipeline's time with expressions"
    )


if __name__ == "__main__":
    run(main)
