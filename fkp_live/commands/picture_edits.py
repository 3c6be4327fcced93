"""What a run does to its pictures before anything is painted, shown or written: covers, stickers, black."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from fkp_live.arguments import filled, whole_number
from fkp_live.choices import COVERS
from fkp_live.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fkp_live.look_ahead import Edit, LookAhead
    from fkp_live.stream import Processor
    from fkp_live.types import FaceBox, Frame, FrameResult, Image, Picture

    Detect = Callable[[Picture], Sequence[FaceBox]]


@dataclass(frozen=True, slots=True)
class EditOptions:
    """How the pictures of a run are changed, checked.

    Attributes
    ----------
    background : what covers every face: one of `choices.COVERS`, None for nothing
    only_points : black pictures with nothing but the points
    except_id : ids of the faces that stay uncovered
    sticker : "glasses", or a PNG file to lay on the eyes; None for none
    overlay : whether the overlay and the HUD are painted; None: unless faces are covered or have stickers
    """

    background: str | None = None
    only_points: bool = False
    except_id: tuple[int, ...] = ()
    sticker: str | None = None
    overlay: bool | None = None

    @property
    def any(self) -> bool:
        """Whether pictures are changed at all."""
        return bool(self.background or self.only_points or self.sticker)

    def layers(self, asked: frozenset[str], *, hud: bool) -> frozenset[str]:
        """Which layers are painted, of those that ``--layers`` and ``--hud`` ask for (see `display.look`)."""
        if self.overlay is None and self.only_points:
            return frozenset({"points"})
        shown = not (self.background or self.sticker) if self.overlay is None else self.overlay
        return (asked | {"hud"} if hud else asked) if shown else frozenset()


def add_edit_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `edit_options` takes."""
    group = parser.add_argument_group("privacy and fun")
    hiding = group.add_mutually_exclusive_group()
    hiding.add_argument(
        "--background",
        choices=COVERS,
        help="cover every face with its hair, in the window and in every picture that is written; "
        "no overlay then, unless --overlay. What is promised: docs/privacy_cover.md",
    )
    hiding.add_argument(
        "--only-points", action="store_true", help="black pictures: nothing remains but the points"
    )
    group.add_argument(
        "--except-id",
        type=whole_number(1),
        action="append",
        metavar="N",
        help="with --background: leave the face with this id as it is; may be repeated",
    )
    group.add_argument(
        "--sticker",
        type=filled,
        metavar="FILE",
        help="lay a picture on the eyes of every face: an RGBA PNG, or glasses for those in the package; "
        "no overlay then, unless --overlay",
    )
    group.add_argument(
        "--overlay",
        action=argparse.BooleanOptionalAction,
        help="paint points, contours, boxes, ids and HUD (default: on, but with --background or --sticker off)",
    )


def edit_options(given: dict[str, Any]) -> EditOptions:
    """Take these options out of what argparse gave.

    Raises
    ------
    UsageError
        For a combination that makes no sense.
    """
    taken = {field.name: given.pop(field.name) for field in fields(EditOptions)}
    options = EditOptions(**taken | {"except_id": tuple(dict.fromkeys(taken["except_id"] or ()))})
    if options.except_id and not options.background:
        raise UsageError(
            "--except-id without --background: no face is covered.", "Add --background blur, or omit it."
        )
    if options.only_points and options.overlay is False:
        raise UsageError(
            "--only-points with --no-overlay: every picture would be black.", "Omit one of the two."
        )
    return options


def read_sticker(options: EditOptions) -> Image | None:
    """The sticker that was asked for, read and checked; None for none.

    Raises
    ------
    InputError
        See `display.sticker.load_sticker`.
    """
    if options.sticker is None:
        return None
    from fkp_live.display.sticker import load_sticker

    return load_sticker(options.sticker)


def edited(
    options: EditOptions,
    sticker: Image | None,
    source: Iterable[Frame],
    processor: Processor[FrameResult],
    *,
    live: bool,
    detect: Detect | None,
    every: int,
) -> LookAhead:
    """Source and processor of a run in one, with pictures that are changed before anyone else sees them.

    A file is processed half a second ahead, so that a face is covered before it was first detected; of a live source
    no frame waits.

    Parameters
    ----------
    detect : finds heads that the processor does not follow, to cover them too; None: there is no detector
    every : frames from one detection to the next at most
    """
    from fkp_live.display.cover_tracks import EVERY, HOLD, FaceCover
    from fkp_live.display.covering import Blackout
    from fkp_live.display.sticker import Stickers
    from fkp_live.look_ahead import LookAhead

    edits: list[Edit] = []
    seconds = 0.0
    if options.background is not None:
        every = min(EVERY, every)
        edits.append(FaceCover(options.background, except_ids=options.except_id, detect=detect, every=every))
        seconds = 0.0 if live else HOLD
    if options.only_points:
        edits.append(Blackout())
    if sticker is not None:
        edits.append(Stickers(sticker))
    return LookAhead(source, processor, edits, seconds=seconds)
