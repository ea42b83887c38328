"""Draws the README's moving picture: the demo clip as `mien run` labels it.

python scripts/figures/animate_demo.py        # writes docs/images/demo.webp
"""

from __future__ import annotations

from pathlib import Path

import cv2
import mien
import numpy as np
from mien.outputs.annotate import annotate
from PIL import Image

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "edge" / "mien" / "demo" / "clip.mp4"
TARGET = ROOT / "docs" / "images" / "demo.webp"
SIZE = (480, 360)  # px
EVERY = 3  # of the clip's 25 frames a second


def main() -> None:
    """Write the picture."""
    pictures = []
    for result in mien.Reader().stream(str(CLIP), color=True):
        if result.frame % EVERY or result.image is None:
            continue
        labelled = annotate(result.image, result.faces)
        small = cv2.resize(labelled, SIZE, interpolation=cv2.INTER_AREA)
        pictures.append(Image.fromarray(np.asarray(small[..., ::-1], np.uint8)))
    first, *rest = pictures
    first.save(
        *(TARGET, "WEBP"),
        save_all=True,
        append_images=rest,
        duration=40 * EVERY,
        loop=0,
        quality=60,
        method=6,
    )
    print(f"{TARGET}: {len(pictures)} frames, {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
