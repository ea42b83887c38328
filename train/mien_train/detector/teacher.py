"""Pseudo-labels: faces that a stronger detector confirms where the labels are unsure.

Radosavovic et al., "Data Distillation: Towards Omni-Supervised Learning", CVPR 2018: the teacher
sees each photograph at several sizes and mirrored, and what it then finds with a high score counts
as labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from mien.boxes import iou_matrix
from mien.detection.base import Detector
from mien.detection.tiles import detect_still

from mien_train.detector.dataset import NO_LANDMARKS, Photograph, Progress

MATCH_IOU = 0.4  # of a teacher's face and the ignored region that it confirms


def confirm(
    photographs: Sequence[Photograph],
    teacher: Detector,
    progress: Progress = lambda items: items,
) -> list[Photograph]:
    """``photographs`` with the ignored regions that ``teacher`` takes for a face as faces.

    The teacher's `still_score` decides. Its boxes and landmarks are taken over; regions in which
    it finds nothing stay ignored.
    """
    return [
        _confirmed(photograph, teacher) if len(photograph.ignored) else photograph
        for photograph in progress(photographs)
    ]


def _confirmed(photograph: Photograph, teacher: Detector) -> Photograph:
    found = detect_still(teacher, photograph.image)
    boxes = np.array([face.box for face in found], "float32").reshape(-1, 4)
    overlap = iou_matrix(boxes, photograph.ignored)
    known = (iou_matrix(boxes, photograph.faces) >= MATCH_IOU).any(axis=1)
    new = np.flatnonzero((overlap >= MATCH_IOU).any(axis=1) & ~known)
    marks = [NO_LANDMARKS if found[i].landmarks is None else found[i].landmarks for i in new]
    return replace(
        photograph,
        faces=np.concatenate([photograph.faces, boxes[new]]),
        landmarks=np.concatenate(
            [photograph.landmarks, np.array(marks, "float32").reshape(-1, 5, 2)]
        ),
        ignored=photograph.ignored[~(overlap[new] >= MATCH_IOU).any(axis=0)],
    )
