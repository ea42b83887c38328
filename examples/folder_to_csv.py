"""A folder of pictures to a CSV table with one row per face, ready for pandas.

python examples/folder_to_csv.py photos faces.csv
python -c 'import pandas; print(pandas.read_csv("faces.csv").groupby("emotion").size())'
"""

import csv
import sys
from pathlib import Path

import mien

folder, target = Path(sys.argv[1]), Path(sys.argv[2])
reader = mien.Reader()
with target.open("w", newline="", encoding="utf-8") as file:
    table = csv.writer(file)
    table.writerow(["file", "left", "top", "width", "height", "emotion", *reader.labels])
    for picture in sorted(folder.iterdir()):
        try:
            faces = reader.read(picture)
        except mien.UserError as error:
            print(error, file=sys.stderr)
            continue
        for face in faces:
            table.writerow([picture.name, *face.box, face.emotion, *face.probabilities.values()])
