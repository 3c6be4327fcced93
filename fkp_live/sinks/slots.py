"""Numbers for receivers that know a fixed number of faces, counted from 0: a face keeps its own while it is seen."""

from __future__ import annotations

from fkp_live.types import Face, FrameResult


class Slots:
    """Gives each face a slot.

    A face keeps the slot that it had. A new one takes the lowest slot that no other face of the frame has, the largest
    new face first; so a single face is in slot 0, also after it was lost and found under a new id.

    Parameters
    ----------
    by_place : ids are places from left to right (`PipelineOptions.id_order`): the slot is the place, counted from 0
    """

    def __init__(self, *, by_place: bool = False) -> None:
        self._by_place = by_place
        self._owners: dict[int, int] = {}  # id of the face last seen in each slot

    def __call__(self, result: FrameResult) -> list[int]:
        """The slot of each face of the result."""
        faces = result.faces
        if any(face.id is None for face in faces):
            return list(range(len(faces)))
        ids = [face.id for face in faces if face.id is not None]
        if self._by_place:
            return [number - 1 for number in ids]
        slots = {number: slot for slot, number in self._owners.items() if number in ids}
        taken = set(slots.values())
        for number in ids:
            if number not in slots:
                slots[number] = next(slot for slot in range(len(ids)) if slot not in taken)
                taken.add(slots[number])
                self._owners[slots[number]] = number
        return [slots[number] for number in ids]


class Lead:
    """The one face for receivers that know a single one: the same as long as it is seen, then the largest."""

    def __init__(self) -> None:
        self._id: int | None = None

    def __call__(self, result: FrameResult) -> Face | None:
        """The face to send, None where there is none."""
        if not result.faces:
            return None
        face = next((face for face in result.faces if face.id == self._id), result.faces[0])
        self._id = face.id
        return face
