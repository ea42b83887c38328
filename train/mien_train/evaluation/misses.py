"""Contact sheet of missed faces: each with its surroundings, its box and the file's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from mien.atomic import write_file
from mien.image import load_image

from mien_train.evaluation.stills import StillResult
from mien_train.evaluation.tracking import Clip, ClipResult

TILE, COLUMNS, MAX_TILES = 160, 8, 64  # px; tiles in a row and in all
AROUND = 3.0  # sides of the missed face that a tile shows

Gray = npt.NDArray[np.uint8]


def missed_in_clips(clips: Sequence[Clip], results: Sequence[ClipResult]) -> list[Gray]:
    """Return a tile of each missed face, at its first missed frame."""
    tiles = []
    for clip, result in zip(clips, results, strict=True):
        wanted: dict[int, list[int]] = {}
        seen = set()
        for frame, row in result.misses:
            name = clip.truth[frame].ids[row]
            if name not in seen:
                seen.add(name)
                wanted.setdefault(frame, []).append(row)
        if not wanted:
            continue
        for index, image in enumerate(clip.frames()):
            for row in wanted.get(index, []):
                box = clip.truth[index].boxes[row]
                tiles.append(_tile(image.gray, box, f"{clip.path.stem} {index + 1}"))
    return tiles


def missed_in_stills(results: Sequence[StillResult]) -> list[Gray]:
    """Return a tile of each missed face."""
    tiles = []
    for result in results:
        rows = np.flatnonzero(result.counts & ~result.hit)
        if len(rows):
            gray = load_image(result.still.path).gray
            tiles += [_tile(gray, result.still.boxes[row], result.still.path.stem) for row in rows]
    return tiles


def save_sheet(path: Path, tiles: Sequence[Gray]) -> None:
    """Write the tiles, evenly chosen where there are too many, as one PNG; raises UserError."""
    step = max(1, -(-len(tiles) // MAX_TILES))
    chosen = list(tiles[::step]) or [np.full((TILE, TILE), 255, np.uint8)]
    chosen += [np.full((TILE, TILE), 255, np.uint8)] * (-len(chosen) % COLUMNS)
    rows = [np.hstack(chosen[k : k + COLUMNS]) for k in range(0, len(chosen), COLUMNS)]
    encoded = cv2.imencode(".png", np.vstack(rows))[1]
    write_file(path, encoded.tobytes(), "--misses")


def _tile(gray: Gray, box: npt.NDArray[np.float64], name: str) -> Gray:
    side = AROUND * float(np.sqrt(box[2] * box[3]))
    scale = TILE / side
    left, top = box[:2] + box[2:] / 2 - side / 2
    matrix = np.array(((scale, 0.0, -left * scale), (0.0, scale, -top * scale)))
    tile = cv2.warpAffine(gray, matrix, (TILE, TILE), borderMode=cv2.BORDER_CONSTANT)
    corner = (box[:2] - (left, top)) * scale
    end = corner + box[2:] * scale
    first, last = (tuple(int(v) for v in point) for point in (corner, end))
    cv2.rectangle(tile, first, last, 255, 1)
    for color, width in ((0, 3), (255, 1)):
        cv2.putText(tile, name[-24:], (3, TILE - 5), cv2.FONT_HERSHEY_PLAIN, 0.7, color, width)
    return np.asarray(tile, np.uint8)
