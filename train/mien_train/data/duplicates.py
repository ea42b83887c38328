"""Finds images that stand in FER-2013 more than once: byte-identical, and nearly identical.

Nearly identical are copies of one photograph that were cropped a little differently, stamped with a
watermark, or scaled, brightened or encoded again.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from mien_train.data.fer2013 import SIDE, Dataset

# Correlation of the band-passed pixels from which two images count as one photograph. Judged by eye
# on FER-2013: of 40 pairs between 0.80 and 0.82 five were two different people, of 20 between 0.82
# and 0.84 one, between 0.84 and 0.86 none.
NEAR = 0.84
# Standard deviation in gray levels under which an image shows nothing.
BLANK = 2.0
# The search by descriptor is coarse; it must let all through that the pixels could confirm.
_CANDIDATE = 0.7
_SHIFT = 3  # pixels by which two crops of one photograph may differ, in x and y
_DIMENSIONS = 64


def identical_groups(dataset: Dataset) -> list[NDArray[np.int64]]:
    """Groups of at least two byte-identical images: indices int64, ascending, by first member."""
    members: dict[str, list[int]] = {}
    for index, digest in enumerate(dataset.sha256):
        members.setdefault(digest, []).append(index)
    return [np.array(group, np.int64) for group in members.values() if len(group) > 1]


def near_duplicate_groups(dataset: Dataset) -> list[NDArray[np.int64]]:
    """Groups of at least two images of one photograph, identical or nearly, as `identical_groups`.

    Likeness is passed on: a and c are in one group where both are like b.
    """
    members: dict[str, list[int]] = {}
    for index, digest in enumerate(dataset.sha256):
        members.setdefault(digest, []).append(index)
    # One of each group of identical copies stands for all of them.
    distinct = list(members.values())
    pairs = near_pairs(dataset.images[[group[0] for group in distinct]])
    size = len(distinct)
    graph = coo_array((np.ones(len(pairs)), pairs.T), (size, size))
    groups: dict[int, list[int]] = {}
    for number, group in zip(connected_components(graph)[1], distinct, strict=True):
        groups.setdefault(int(number), []).extend(group)
    return [np.array(sorted(group), np.int64) for group in groups.values() if len(group) > 1]


def has_twin(dataset: Dataset, others: Dataset) -> NDArray[np.bool_]:
    """Which images of `dataset` stand byte for byte in `others`, bool [n]."""
    known = set(others.sha256)
    return np.array([digest in known for digest in dataset.sha256], bool)


def has_near_twin(dataset: Dataset, others: Dataset) -> NDArray[np.bool_]:
    """Which images of `dataset` stand byte for byte or nearly in `others`, bool [n]."""
    found = has_twin(dataset, others)
    if len(dataset) and len(others):
        found[near_pairs(dataset.images, others.images)[:, 0]] = True
    return found


def near_pairs(
    images: NDArray[np.uint8], others: NDArray[np.uint8] | None = None
) -> NDArray[np.int64]:
    """Pairs of nearly identical images.

    Args:
        images: uint8 [n, 48, 48].
        others: uint8 [m, 48, 48]; without them the images are compared with each other.

    Returns:
        int64 [k, 2]: index into images and index into others (into images and greater than the
        first where there are no others).

    The average face is subtracted and local contrast normalised, or all frontal faces would
    resemble each other; PCA descriptors of the central window of the one, against nine shifts of
    the other, give candidates; correlation of pixels, maximised over shifts, confirms them.
    """
    count = len(images)
    together = images if others is None else np.concatenate([images, others])
    band = _band_pass(together)
    center = _describe(band, 0, 0)
    sample = center[:: max(1, len(center) // 8000)]
    basis = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :_DIMENSIONS]
    query = _unit((center if others is None else center[:count]) @ basis)
    first = 0 if others is None else count
    candidates: list[NDArray[np.int64]] = []
    shifts = [(dy, dx) for dy in (-2, 0, 2) for dx in (-2, 0, 2)]
    for dy, dx in tqdm(shifts, desc="near-identical", disable=None, leave=False):
        keys = _unit(_describe(band[first:], dy, dx) @ basis)
        for start in range(0, len(query), 1024):
            # Pairs below the diagonal need no look: the opposite shift finds them above it.
            offset = start if others is None else 0
            likeness = query[start : start + 1024] @ keys[offset:].T
            # flatnonzero is several times faster than nonzero on a matrix.
            i, j = np.divmod(np.flatnonzero(likeness > _CANDIDATE), likeness.shape[1])
            pairs = np.stack([i + start, j + offset], axis=1)
            candidates.append(pairs if others is not None else pairs[pairs[:, 1] > pairs[:, 0]])
    pairs = np.unique(np.concatenate(candidates), axis=0).astype(np.int64)
    chunks = [pairs[start : start + 2000] for start in range(0, len(pairs), 2000)]
    confirmed = [
        chunk[_correlation(band[chunk[:, 0]], band[first + chunk[:, 1]]) > NEAR]
        for chunk in tqdm(chunks, desc="verifying", disable=None, leave=False)
    ]
    return np.concatenate([np.empty((0, 2), np.int64), *confirmed])


def _band_pass(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Local contrast, float32 [n, 48, 48], without the average face."""
    band = np.empty(images.shape, np.float32)
    for start in range(0, len(images), 256):
        # One picture of 256 channels: a call per image would cost more than its work.
        stack = images[start : start + 256].transpose(1, 2, 0).astype(np.float32)
        smooth = cv2.GaussianBlur(np.ascontiguousarray(stack), (7, 7), 1.0)
        detail = (smooth - cv2.blur(smooth, (15, 15)).reshape(smooth.shape)).reshape(stack.shape)
        energy = cv2.blur(detail * detail, (21, 21)).reshape(stack.shape)
        # 5 gray levels: what is fainter is noise and not to be enlarged.
        band[start : start + 256] = (detail / np.sqrt(energy + 25)).transpose(2, 0, 1)
    # Of a handful of images the average would be the images themselves.
    if len(band) >= 100:
        band -= band.mean(axis=0)
    # Without this two blank images would resemble each other in lacking the average face.
    band[images.std(axis=(1, 2)) < BLANK] = 0
    return band


def _describe(band: NDArray[np.float32], dy: int, dx: int) -> NDArray[np.float32]:
    """The central 42x42 window, moved, as 14x14 cells of unit norm, float32 [n, 196]."""
    low, high = _SHIFT, SIDE - _SHIFT
    window = band[:, low + dy : high + dy, low + dx : high + dx]
    side = (high - low) // 3
    cells = window.reshape(-1, side, 3, side, 3).mean(axis=(2, 4)).reshape(len(band), -1)
    return _unit(cells - cells.mean(axis=1, keepdims=True))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    # A blank image has no norm; it stays zero and is like nothing.
    return np.asarray(rows / np.maximum(norm, 1e-6), np.float32)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest correlation of a's central window with b's windows moved by up to 3 pixels, [n]."""
    side = SIDE - 2 * _SHIFT
    center = a[:, _SHIFT:-_SHIFT, _SHIFT:-_SHIFT].reshape(len(a), -1)
    center = _unit(center - center.mean(axis=1, keepdims=True))
    best = np.full(len(a), -1.0, np.float32)
    for y in range(2 * _SHIFT + 1):
        for x in range(2 * _SHIFT + 1):
            window = b[:, y : y + side, x : x + side].reshape(len(b), -1)
            spread = (window**2).sum(axis=1) - window.sum(axis=1) ** 2 / window.shape[1]
            product = (center * window).sum(axis=1) / np.sqrt(np.maximum(spread, 1e-6))
            best = np.maximum(best, product)
    return best
