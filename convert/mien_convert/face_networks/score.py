"""`python -m mien_convert.face_networks.score fer2013.zip`: scores the tracker on made sequences
with known truth.

FER-2013's training faces move through textured scenes; every frame goes to Mien's tracker and to a
full-frame Haar search with OpenCV's default arguments, which is what the tutorial has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from mien.errors import UserError as EdgeError
from mien.errors import UserError as TrainError
from mien.tracking.track import Track
from mien.tracking.tracker import Tracker
from tqdm import tqdm  # type: ignore[import-untyped]

from mien_convert.face_networks.backdrop import HEIGHT, WIDTH
from mien_convert.face_networks.cast import SHOT, Person
from mien_convert.face_networks.full_haar import FullHaar
from mien_convert.face_networks.people import people, training_faces
from mien_convert.face_networks.scenes import FPS, Truth, sequence
from mien_convert.face_networks.tally import Found, Tally, tally

SOON_S = 0.5  # s within which a new face should be found
CAST = 8  # people a shot needs at most

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


@dataclass(frozen=True)
class Scored:
    """What was counted on one sequence."""

    seed: int
    mien: Tally
    cpu_ms: float  # of the tracker, a frame
    haar: Tally | None  # None where it was not asked for


@app.command()
def score(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="FER-2013: the Kaggle zip, its folder or fer2013.csv."),
    ],
    seed: Annotated[
        list[int], typer.Option(help="Draws faces, ways and scenes; may be given several times.")
    ] = [1],  # noqa: B006  # typer wants a list
    frames: Annotated[int, typer.Option(min=1, help="Of each sequence, 30 a second.")] = 2000,
    haar: Annotated[
        bool, typer.Option(help="Search every frame with OpenCV's default arguments, too.")
    ] = True,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Remember there what that search saw: it takes long."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document only.")] = False,
) -> None:
    """Score the tracker beside the tutorial's search on made sequences of faces."""
    cv2.setNumThreads(1)
    search = FullHaar(cache) if haar else None
    pictures = training_faces(data)
    scored = []
    for number in seed:
        cast = people(pictures, CAST * -(-frames // SHOT), number)
        scored.append(run(cast, frames, number, search))
    if as_json:
        print(json.dumps({"frames": frames, "sequences": [document(one) for one in scored]}))
    else:
        print("\n\n".join(table(one) for one in scored))


def run(
    cast: Sequence[Person], frames: int, seed: int, search: FullHaar | None, progress: bool = True
) -> Scored:
    """Let the tracker, and the full search where one is given, see a sequence; count both."""
    tracker = Tracker()
    truths: list[tuple[Truth, ...]] = []
    tracked: list[list[Found]] = []
    searched: list[list[Found]] = []
    took = 0.0
    made = sequence(cast, frames, seed)
    quiet = None if progress else True  # None: where there is no terminal
    bar = tqdm(made, f"seed {seed}", frames, leave=False, disable=quiet, unit="frame")
    for index, frame in enumerate(bar):
        start = process_time()
        tracks = tracker.update(frame.gray, index / FPS)
        took += process_time() - start
        truths.append(frame.truths)
        tracked.append([found(track) for track in tracks])
        if search:
            searched.append([Found(box) for box in search.boxes(frame.gray)])
    if search:
        search.save()
    return Scored(
        seed=seed,
        mien=tally(truths, tracked),
        cpu_ms=1000 * took / frames,
        haar=tally(truths, searched) if search else None,
    )


def found(track: Track) -> Found:
    """Return a track's box, cut off at the picture's border."""
    x, y, side = track.place
    left, top = max(0.0, x - side / 2), max(0.0, y - side / 2)
    right, bottom = min(float(WIDTH), x + side / 2), min(float(HEIGHT), y + side / 2)
    return Found((left, top, right - left, bottom - top), track.id)


def figures(counted: Tally, faces: Sequence[int]) -> dict[str, Any]:
    """Return the figures of a tally; the delays are those of these faces."""
    delays = counted.delays(faces)
    median, late = (_percentile(delays, share) for share in (50, 95))
    return {
        "recall": round(counted.recall, 4),
        "false_frames": round(counted.false_share, 4),
        "false_boxes": counted.false_boxes,
        "faces_found": len(counted.found),
        "found_within_half_a_second": round(
            sum(delay <= SOON_S for delay in delays) / max(1, len(delays)), 4
        ),
        "delay_s_median": median,
        "delay_s_p95": late,
    }


def document(scored: Scored) -> dict[str, Any]:
    """Return a scored sequence as JSON's types."""
    mien, haar = scored.mien, scored.haar
    # Who no search ever sees cannot be found soon: the delays are of those whom Haar finds at all.
    faces = sorted(haar.found if haar else mien.appeared)
    written: dict[str, Any] = {
        "seed": scored.seed,
        "frames": mien.frames,
        "face_frames": mien.face_frames,
        "faces": len(mien.appeared),
        "delays_of_faces": len(faces),
        "mien": {
            **figures(mien, faces),
            "switches": mien.switches,
            "switches_per_1000": round(mien.switches_per_1000, 3),
            "shared_ids": mien.shared_ids,
            "cpu_ms": round(scored.cpu_ms, 2),
        },
    }
    if haar:
        written["haar"] = figures(haar, faces)
    return written


def table(scored: Scored) -> str:
    """Return a scored sequence as a table for people."""
    written = document(scored)
    mien, haar = written["mien"], written.get("haar", {})
    lines = [
        f"seed {scored.seed}: {written['frames']} frames, {written['faces']} faces in "
        f"{written['face_frames']} face-frames; delays of {written['delays_of_faces']} faces",
        f"{'':28s}{'Mien':>10s}{'Haar':>10s}",
    ]
    for key, value in mien.items():
        other = haar.get(key)
        lines.append(f"{key:28s}{value!s:>10s}{'' if other is None else other!s:>10s}")
    return "\n".join(lines)


def _percentile(delays: Sequence[float], share: float) -> float | None:
    """Return a percentile of the delays in s, None where it is that of a face never found."""
    if not delays:
        return None
    at = float(np.percentile(np.array(delays), share, method="higher"))
    return round(at, 3) if at != float("inf") else None


def main() -> None:
    """Run the command line; a UserError becomes one sentence on stderr and exit code 2."""
    try:
        app()
    except (EdgeError, TrainError) as error:
        print(f"mien-score: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
