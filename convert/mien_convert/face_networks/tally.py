"""Counts how well the faces of a made sequence were found and told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mien.boxes import iou

from mien_convert.face_networks.scenes import FPS, Truth

Box = tuple[float, float, float, float]  # x, y, width, height, px

# A box is on a face from here on: Haar's own boxes on one face differ by this much.
ON = 0.4  # intersection over union
SEEN = 0.75  # share of a face that must be visible for it to be counted
NEAR = 0.3  # from which a box is not on no face, though not well on this one


@dataclass(frozen=True)
class Found:
    """A box that was reported."""

    box: Box
    id: int = 0  # whom it is said to be; 0: not said


@dataclass(frozen=True)
class Tally:
    """What was counted over a sequence."""

    frames: int
    face_frames: int  # frames in which a face is to be seen, over all faces
    hits: int  # of those, with a box
    false_frames: int  # with at least one box on no face
    false_boxes: int
    switches: int  # times that a face's id was another than when it was last found
    shared_ids: int  # ids that were given to more than one face
    appeared: dict[int, int]  # face: frame from which on it is to be seen
    found: dict[int, int]  # face: frame in which it was first found

    @property
    def recall(self) -> float:
        """Share of the face-frames with a box."""
        return self.hits / max(1, self.face_frames)

    @property
    def false_share(self) -> float:
        """Share of the frames with a box on no face."""
        return self.false_frames / max(1, self.frames)

    @property
    def switches_per_1000(self) -> float:
        """Identity switches in 1,000 face-frames with a box."""
        return 1000 * self.switches / max(1, self.hits)

    def delays(self, faces: Sequence[int]) -> list[float]:
        """Return the seconds until each of these faces was found, infinity where never."""
        return [
            (self.found[face] - self.appeared[face]) / FPS if face in self.found else float("inf")
            for face in faces
        ]


def tally(truths: Sequence[Sequence[Truth]], found: Sequence[Sequence[Found]]) -> Tally:
    """Count a sequence: the faces of each frame, and the boxes reported in it."""
    face_frames = hits = false_frames = false_boxes = switches = 0
    appeared: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    whose: dict[int, set[int]] = {}
    for frame, (faces, boxes) in enumerate(zip(truths, found, strict=True)):
        pairs = assign([face.box for face in faces], [one.box for one in boxes])
        for k, face in enumerate(faces):
            if face.visible < SEEN:
                continue
            face_frames += 1
            appeared.setdefault(face.face, frame)
            if k not in pairs:
                continue
            hits += 1
            first.setdefault(face.face, frame)
            identity = boxes[pairs[k]].id
            if identity:
                switches += last.get(face.face, identity) != identity
                last[face.face] = identity
                whose.setdefault(identity, set()).add(face.face)
        on_faces = set(pairs.values())
        # A box near a face that is hardly to be seen, or near one that has none, is neither right
        # nor false; a second box on a face is false.
        rest = [f.box for k, f in enumerate(faces) if f.visible < SEEN or k not in pairs]
        false = sum(
            j not in on_faces and all(iou(one.box, box) < NEAR for box in rest)
            for j, one in enumerate(boxes)
        )
        false_boxes += false
        false_frames += false > 0
    shared = sum(len(faces_of_it) > 1 for faces_of_it in whose.values())
    return Tally(
        frames=len(truths),
        face_frames=face_frames,
        hits=hits,
        false_frames=false_frames,
        false_boxes=false_boxes,
        switches=switches,
        shared_ids=shared,
        appeared=appeared,
        found=first,
    )


def assign(faces: Sequence[Box], boxes: Sequence[Box]) -> dict[int, int]:
    """Return which box is on which face, each at most once, the best pairs first."""
    pairs = sorted(
        ((iou(face, box), k, j) for k, face in enumerate(faces) for j, box in enumerate(boxes)),
        reverse=True,
    )
    assigned: dict[int, int] = {}
    for value, k, j in pairs:
        if value >= ON and k not in assigned and j not in assigned.values():
            assigned[k] = j
    return assigned
