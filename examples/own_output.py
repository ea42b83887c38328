"""An output of one's own: a picture of every smile, written once per face.

python examples/own_output.py clip.mp4 smiles
"""

import sys
from pathlib import Path

import cv2
import mien

source, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(exist_ok=True)
seen = set()
for result in mien.Reader().stream(source, color=True):
    for face in result.faces:
        if face.emotion == "happy" and face.confidence > 0.9 and face.id not in seen:
            seen.add(face.id)
            x, y, width, height = face.box
            file = folder / f"face{face.id}-at-{result.time:.1f}s.png"
            cv2.imwrite(str(file), result.image[y : y + height, x : x + width])
            print(file)
