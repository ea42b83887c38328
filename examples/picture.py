"""Faces of one picture, with all probabilities.

python examples/picture.py portrait.jpg
"""

import sys

import mien

reader = mien.Reader()
for number, face in enumerate(reader.read(sys.argv[1]), 1):
    left, top, width, height = face.box
    print(f"face {number} at ({left}, {top}), {width}x{height} px")
    print(f"  {face.emotion}, confidence {face.confidence:.0%}")
    for label, probability in face.probabilities.items():
        print(f"  {label:<9} {'#' * round(40 * probability)}")
