"""The report: one HTML page that opens from disk and loads nothing but the film that may lie beside it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fkp_live import __version__
from fkp_live.errors import FkpError
from fkp_live.plots.inputs import RecordingFile
from fkp_live.plots.report_film import MOST_ROWS, ReportFilm
from fkp_live.plots.sheet import SmallPicture, contact_sheet
from fkp_live.plots.summary import COLUMNS, EXPRESSION_COLUMNS, Cell, cells
from fkp_live.sources.recordings import Recording

# Bytes for the curves of all films, and numbers of pictures: together with the script a page stays under 3 MB.
_CURVE_BYTES, _MOST_FACE_PICTURES, _MOST_FILM_PICTURES = 1_900_000, 36, 12
# Rows of the table; of more faces those with the most time.
_MOST_TABLE = 500
# Pictures of one face.
_PICTURES_OF_A_FACE = 4


@dataclass(frozen=True, slots=True, eq=False)
class FilmSection:
    """A film as it stands in the page: its HTML, the data of its script, and its rows of the table."""

    html: str
    data: dict[str, Any]
    rows: list[dict[str, Cell]]


def film_section(
    one: RecordingFile,
    recording: Recording,
    page: Path,
    *,
    film: Path | None = None,
    share: int = 1,
    advance: Callable[[int], object] = int,
) -> FilmSection:
    """Read a recording and make its section.

    Parameters
    ----------
    page : where the report will be: the film is linked from there
    film : the film's file, None to look for it
    share : of how many films the report is; they share its size
    advance : called after each frame, with its number of faces

    Raises
    ------
    InputError : the recording is damaged
    """
    seen = ReportFilm(recording, advance=advance)
    film = film or one.find_film(recording)
    name = one.film(recording)
    pictures, note = _pictures(seen, recording, film, share)
    most = max(_MOST_TABLE // share, 1)
    shown = {face.number for face in seen.summary.by_importance[:most]} or {-1}
    rows = [row for row in seen.summary.rows(name, str(one.path)) if row["face_id"] in shown]
    data = {
        **seen.data(_CURVE_BYTES // share),
        **{"name": name, "end": seen.end, "origin": recording.info.origin, "fps": recording.info.fps},
    }
    parts = {
        "name": _text(name),
        "facts": _facts(recording, seen),
        "video": _video(recording, page, film),
        "sheet": _sheet(pictures, note),
        "faces": _faces(seen, most),
    }
    return FilmSection(_filled(_static("film.html"), parts), data, rows)


def page_of(sections: Sequence[FilmSection]) -> str:
    """The whole page."""
    script = "\n".join((_uplot("uPlot.iife.min.js"), _static("report.js")))
    style = "\n".join((_uplot("uPlot.min.css"), _static("report.css")))
    names = [section.data["name"] for section in sections]
    title = names[0] if len(names) == 1 else f"{len(names)} films"
    rows = [row for section in sections for row in section.rows]
    parts = {
        "script_hash": _hash(script),
        "style_hash": _hash(style),
        "title": _text(title),
        "version": _text(__version__),
        "table": _table(rows),
        "films": "\n".join(section.html for section in sections),
        "licence": _text(_uplot("uPlot.LICENSE")),
        "data": _json({"films": [section.data for section in sections]}),
        "script": script,
        "style": style,
    }
    return _filled(_static("report.html"), parts)


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with each ``{{name}}`` replaced, in one pass: what a part holds is never taken for a name."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _static(name: str) -> str:
    return resources.files("fkp_live.plots").joinpath("static", name).read_text(encoding="utf-8")


def _uplot(name: str) -> str:
    return resources.files("fkp_live").joinpath("assets", "uplot", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """For the content security policy: the browser runs this text and no other."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _text(value: object) -> str:
    # Undecodable bytes of a file's name have no form in UTF-8.
    return html.escape(str(value).encode("utf-8", "backslashreplace").decode("utf-8"))


def _json(value: Any) -> str:
    """JSON that ends no script element and begins no comment in it; ASCII alone."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pictures(
    seen: ReportFilm, recording: Recording, film: Path | None, share: int
) -> tuple[list[SmallPicture], str]:
    """The contact sheet, or none and why."""
    if film is None:
        return [], "No pictures: the film was not found beside the recording. --video FILE names it."
    if not seen.summary.frames:
        return [], "The recording holds no frame."
    faces = seen.charted
    each = min(_PICTURES_OF_A_FACE, max(_MOST_FACE_PICTURES // share // max(len(faces), 1), 1))
    moments = [(number, moment) for number in faces for moment in seen.moments[number].best(each)]
    start = float(seen.curves.times[0])
    count = max(_MOST_FILM_PICTURES // share, 2)
    times = [start + (place + 0.5) / count * (seen.end - start) for place in range(count)]
    try:
        return contact_sheet(film, recording, moments, times), ""
    except FkpError as error:
        return [], f"No pictures: {error.message}"


def _facts(recording: Recording, seen: ReportFilm) -> str:
    info, header = recording.info, recording.header
    facts: dict[str, object] = {"recording": recording.path.name, "source": info.name}
    if info.width and info.height:
        facts["picture"] = f"{info.width} x {info.height} pixels"
    if info.fps:
        facts["frames a second"] = f"{info.fps:.4g}"
    facts["frames"] = seen.summary.frames
    facts["seconds"] = f"{seen.summary.seconds:.1f}"
    facts["with a face"] = f"{_percent(seen.summary.with_face_seconds, seen.summary.seconds)}"
    facts["faces"] = len(seen.summary.faces)
    if version := header.get("version"):
        facts["fkp-live"] = version
    model = header.get("model")
    if isinstance(model, dict):
        facts["network"] = f"{model.get('name', '')} (sha256 {str(model.get('sha256', ''))[:12]}…)"
    if provider := header.get("provider"):
        facts["provider"] = provider
    options = header.get("options")
    if isinstance(options, dict):
        facts["options"] = ", ".join(
            f"{key} {value}" for key, value in options.items() if value not in (None, False)
        )
    if seen.curves.joined:
        facts["curves"] = f"mean and range of every {seen.curves.width:.3g} s"
    return "".join(f"<div><dt>{_text(key)}</dt><dd>{_text(value)}</dd></div>" for key, value in facts.items())


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "not known"


def _video(recording: Recording, page: Path, film: Path | None) -> str:
    """The address of the film from the page, and its name. Where it was not found, the place beside the page."""
    name = os.path.basename(recording.info.name.replace("\\", "/")) if film is None else film.name
    # Of a camera or a stream there may be no film; of what has no extension it is not looked for. Where a recording
    # does not name its source, the name is the recording's own.
    if film is None and (not Path(name).suffix or name == recording.path.name):
        return ""
    return f' data-name="{_text(name)}" data-src="{_text(_address(page, film, name))}"'


def _address(page: Path, film: Path | None, name: str) -> str:
    """A relative URL: never one that leads to another machine, whatever the name."""
    relative = name
    if film is not None:
        try:
            relative = os.path.relpath(os.path.abspath(film), os.path.dirname(os.path.abspath(page)))
        except ValueError:  # on another drive of Windows
            relative = film.name
    parts = relative.replace(os.sep, "/").encode("utf-8", "surrogateescape").split(b"/")
    return "/".join((".", *map(quote, parts)))


def _sheet(pictures: Sequence[SmallPicture], note: str) -> str:
    if not pictures:
        return f'<p class="note">{_text(note)}</p>'
    faces = [one for one in pictures if one.face is not None]
    frames = [one for one in pictures if one.face is None]
    groups = ("".join(map(_picture, group)) for group in (faces, frames))
    return "".join(f'<div class="sheet">{group}</div>' for group in groups if group)


def _picture(one: SmallPicture) -> str:
    caption = _text(one.caption)
    return (
        f'<button type="button" data-time="{one.time:.4f}"><img src="{one.uri}" width="{one.width}" '
        f'height="{one.height}" alt="{caption}"><span>{caption}</span></button>'
    )


def _faces(seen: ReportFilm, most: int) -> str:
    """Places for the curves, filled by the script; ``most``: rows of the table."""
    if not seen.charted:
        return '<p class="note">No face was seen in this film.</p>'
    main = seen.charted[0]
    made = [
        f'<details class="face" data-face="{number}"{" open" if number == main else ""}>'
        f"<summary>Face {number}{' (main face)' if number == main else ''}</summary></details>"
        for number in seen.charted
    ]
    every = len(seen.summary.faces)
    if every > len(made):
        made.append(
            f'<p class="note">Of {every} faces those with the most time: curves of {len(made)}, rows above of '
            f"{min(every, MOST_ROWS)}, rows in the table of {min(every, most)}. "
            "fkp-live summary has them all.</p>"
        )
    return "".join(made)


def _table(rows: Sequence[dict[str, Cell]]) -> str:
    """The table; the columns of expressions, which come last, only where a film has some."""
    known = any(row[name] is not None for row in rows for name in EXPRESSION_COLUMNS)
    columns = COLUMNS if known else COLUMNS[: -len(EXPRESSION_COLUMNS)]
    head = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{name.replace("_", "_<wbr>")}</button></th>'
        for name in columns
    )
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells(row)[: len(columns)])}</tr>"
        for row in rows
    )
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
