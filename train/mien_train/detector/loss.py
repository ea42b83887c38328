"""Loss of the detector: quality focal loss, EIoU and smooth L1.

The score of a positive cell is to be the IoU of the box that the cell gives (Li et al.,
"Generalized Focal Loss", 2020); boxes learn by EIoU (Zhang et al., 2021) as YuNet's do.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from mien_train.detector import targets

FOCUS = 2.0  # exponent of the quality focal loss
BOX_WEIGHT = 2.0
LANDMARK_WEIGHT = 2.0
LANDMARK_BEND = 0.1  # of a face's size: from here on an error counts linearly


def detection_loss(truth: Any, output: Any) -> Any:
    """Loss of a batch, a scalar.

    ``truth`` is ``[n, cells, COLUMNS]`` of `targets.assign`, ``output`` ``[n, cells, 15]``: score,
    box and landmarks. Sums over cells, divided by the number of positive ones.
    """
    positive = truth[..., targets.POSITIVE]
    score, box, marks = output[..., 0], output[..., 1:5], output[..., 5:15]
    iou, eiou = _iou(box, truth[..., targets.BOX])
    number = ops.maximum(ops.sum(positive), 1.0)

    quality = ops.stop_gradient(positive * ops.maximum(iou, 0.0))
    distance = ops.abs(quality - ops.sigmoid(score))
    entropy = ops.maximum(score, 0.0) - score * quality + ops.softplus(-ops.abs(score))
    score_loss = ops.sum(truth[..., targets.COUNTS] * distance**FOCUS * entropy)

    box_loss = ops.sum(positive * eiou)

    size = ops.exp(ops.mean(truth[..., 5:7], axis=-1, keepdims=True))  # in strides
    error = ops.abs(marks - truth[..., targets.LANDMARKS]) / size
    bent = ops.where(
        error < LANDMARK_BEND, error**2 / (2 * LANDMARK_BEND), error - LANDMARK_BEND / 2
    )
    mark_loss = ops.sum(positive * truth[..., targets.MARKED] * ops.mean(bent, axis=-1))
    return (score_loss + BOX_WEIGHT * box_loss + LANDMARK_WEIGHT * mark_loss) / number


def _iou(a: Any, b: Any) -> tuple[Any, Any]:
    """IoU and EIoU loss of encoded boxes ``[..., 4]``."""
    # Early in training a size could overflow.
    a_size, b_size = ops.exp(ops.clip(a[..., 2:], -4.0, 4.0)), ops.exp(b[..., 2:])
    a_low, a_high = a[..., :2] - a_size / 2, a[..., :2] + a_size / 2
    b_low, b_high = b[..., :2] - b_size / 2, b[..., :2] + b_size / 2
    both = ops.prod(ops.maximum(ops.minimum(a_high, b_high) - ops.maximum(a_low, b_low), 0.0), -1)
    union = ops.prod(a_size, -1) + ops.prod(b_size, -1) - both
    iou = both / (union + 1e-7)
    hull = ops.maximum(a_high, b_high) - ops.minimum(a_low, b_low)
    hull2 = hull**2
    center = ops.sum((a[..., :2] - b[..., :2]) ** 2, -1) / (ops.sum(hull2, -1) + 1e-7)
    sides = ops.sum((a_size - b_size) ** 2 / (hull2 + 1e-7), -1)
    return iou, 1.0 - iou + center + sides
