"""Average precision and recall of a face detector on photographs with truth, by size of the face.

The detector is any function from a gray picture to boxes and scores, so that the trained network,
the int8 file on the device's code and a reference are measured by the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mien.boxes import iou_matrix

from mien_train.detector.dataset import Photograph, Progress

MATCH_IOU = 0.5
FALSE_PER_PICTURE = 0.03  # where recall is read
# Face sizes (root of the area) if the picture's longest side is brought to REFERENCE_SIDE pixels.
REFERENCE_SIDE = 640
SIZES = {"14-24": (14, 24), "24-48": (24, 48), "48-96": (48, 96), "96+": (96, np.inf)}
COUNTED = 24.0  # the total counts faces from this size

Detect = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def evaluate(
    detect: Detect,
    photographs: Sequence[Photograph],
    progress: Progress = lambda items: items,
) -> dict[str, float]:
    """Average precision and recall of ``detect``.

    ``detect`` takes a gray picture, uint8 [h, w], and returns boxes ``[n, 4]`` (left, top, width,
    height in its pixels) and scores ``[n]``. Low scores are welcome: the average needs them.

    Returns ``ap`` and ``recall`` (at FALSE_PER_PICTURE) of faces from COUNTED on, the same by size
    as ``ap 24-48`` and so on, and ``threshold``, the score that recall was read at.
    """
    found = [(photograph, *detect(photograph.image)) for photograph in progress(photographs)]
    ranges = {"": (COUNTED, np.inf)} | {f" {name}": span for name, span in SIZES.items()}
    false_scores = np.sort(np.concatenate([_false_scores(*entry) for entry in found]))[::-1]
    allowed = int(FALSE_PER_PICTURE * len(photographs))
    threshold = float(false_scores[allowed]) if len(false_scores) > allowed else 0.0
    result = {"threshold": threshold}
    for name, span in ranges.items():
        entries = [_match(*entry, span) for entry in found]
        scores = np.concatenate([entry[0] for entry in entries])
        hits = np.concatenate([entry[1] for entry in entries])
        total = sum(entry[2] for entry in entries)
        result[f"faces{name}"] = total
        result[f"ap{name}"] = average_precision(scores, hits, total)
        result[f"recall{name}"] = float((hits & (scores > threshold)).sum() / max(1, total))
    return result


def average_precision(scores: np.ndarray, hits: np.ndarray, total: int) -> float:
    """Area under the precision-recall curve; precision made to fall, as in PASCAL VOC 2010."""
    if not total:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hit = np.cumsum(hits[order])
    precision = hit / np.arange(1, len(hit) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * hits[order]).sum() / total)


def letterbox(image: np.ndarray, height: int, width: int) -> tuple[np.ndarray, float]:
    """``image`` at the top left of a black ``height`` x ``width`` picture, and its scale."""
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (
        min(width, max(1, round(image.shape[1] * scale))),
        min(height, max(1, round(image.shape[0] * scale))),
    )
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width), "uint8")
    canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=method)
    return canvas, scale


def _match(
    photograph: Photograph, boxes: np.ndarray, scores: np.ndarray, span: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores and hits of the detections that count for faces of ``span``, and these faces."""
    faces = photograph.faces
    sizes = np.sqrt(faces[:, 2] * faces[:, 3]) * REFERENCE_SIDE / max(photograph.image.shape)
    wanted = (sizes >= span[0]) & (sizes < span[1])
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order].reshape(-1, 4), scores[order]
    overlap = iou_matrix(boxes, faces)
    hits, counts = np.zeros(len(boxes), bool), np.ones(len(boxes), bool)
    taken = np.zeros(len(faces), bool)
    for index in range(len(boxes)):
        row = np.where(taken, 0.0, overlap[index])
        if len(row) and row.max() >= MATCH_IOU:
            face = int(row.argmax())
            taken[face] = True
            hits[index] = counts[index] = wanted[face]
            counts[index] = wanted[face]
        elif _excused(boxes[index], photograph):
            counts[index] = False
        else:
            size = np.sqrt(np.prod(boxes[index, 2:])) * REFERENCE_SIDE / max(photograph.image.shape)
            counts[index] = span[0] <= size < span[1]
    return scores[counts], hits[counts], int(wanted.sum())


def _excused(box: np.ndarray, photograph: Photograph) -> bool:
    """Whether ``box`` lies on an ignored region: with its middle, or with half of its area."""
    if not len(photograph.ignored):
        return False
    low, high = photograph.ignored[:, :2], photograph.ignored[:, :2] + photograph.ignored[:, 2:]
    middle = box[:2] + box[2:] / 2
    inside = np.all((middle >= low) & (middle <= high), axis=1).any()
    return bool(inside or (iou_matrix(box[None], photograph.ignored) >= MATCH_IOU).any())


def _false_scores(photograph: Photograph, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores of the boxes that are on no face: what a user sees as a false alarm."""
    if not len(boxes):
        return np.zeros(0)
    regions = np.concatenate([photograph.faces, photograph.ignored])
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    low, high = regions[:, :2], regions[:, :2] + regions[:, 2:]
    inside = np.all((middle[:, None] >= low) & (middle[:, None] <= high), axis=2).any(axis=1)
    touching = (iou_matrix(boxes, regions) >= 0.2).any(axis=1)
    return np.asarray(scores[~inside & ~touching])
