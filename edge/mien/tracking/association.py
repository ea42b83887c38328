"""Association: which detection belongs to which track, by overlap, the surest pairs first.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022: good
detections choose among all tracks, weak ones only keep tracks alive that have found none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mien.boxes import iou_matrix
from mien.detection.base import Detection
from mien.tracking.track import Track


def associate(
    tracks: Sequence[Track],
    detections: Sequence[Detection],
    min_iou: float,
    is_same: Callable[[Track, Detection], bool],
) -> tuple[list[tuple[Track, Detection]], list[Track], list[Detection]]:
    """Return matched pairs, unmatched tracks and unmatched detections.

    Greedy by IoU, from `min_iou` on; `is_same` has the last word on each pair.
    """
    if not tracks or not detections:
        return [], list(tracks), list(detections)
    overlap = iou_matrix(
        np.array([track.box for track in tracks]), np.array([found.box for found in detections])
    )
    pairs: list[tuple[Track, Detection]] = []
    rows, columns = set(range(len(tracks))), set(range(len(detections)))
    order = np.argsort(-overlap, axis=None, kind="stable")
    for flat in order[: int(np.count_nonzero(overlap >= min_iou))]:
        row, column = divmod(int(flat), len(detections))
        if row in rows and column in columns and is_same(tracks[row], detections[column]):
            pairs.append((tracks[row], detections[column]))
            rows.remove(row)
            columns.remove(column)
    return pairs, [tracks[row] for row in sorted(rows)], [detections[c] for c in sorted(columns)]
