"""Makes edge/mien/demo/ (portraits and clip) from public-domain portraits inside two PyPI packages.

    pip install -c constraints.txt scikit-image matplotlib
    python scripts/make_demo.py --out edge/mien/demo

scikit-image carries NASA's portrait of Eileen Collins, matplotlib the US Navy's of Grace Hopper.
Both are cut out (a polygon drawn by hand, its border found by GrabCut) and moved over a made wall.
The same seed, package versions and OpenCV build give the same pixels; another OpenCV may encode the
files differently. `--check` looks for the faces in the clip with OpenCV's Haar cascade and counts.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480  # px
FPS = 25
SECONDS = 8

# Outlines in pixels of the originals, a few pixels right or wrong: GrabCut finds the border itself.
COLLINS = [
    *[(52, 540), (40, 500), (28, 470), (23, 440), (20, 400), (24, 360), (30, 330), (38, 300)],
    *[(46, 270), (64, 246), (80, 231), (100, 216), (113, 207), (113, 200), (114, 187), (122, 183)],
    *[(126, 168), (138, 155), (160, 150), (182, 148), (182, 138), (176, 131), (170, 118)],
    *[(163, 110), (156, 95), (153, 80), (156, 62), (168, 48), (185, 36), (200, 25), (215, 18)],
    *[(235, 16), (255, 20), (272, 28), (288, 42), (297, 58), (301, 80), (299, 100), (294, 115)],
    *[(285, 125), (277, 134), (268, 138), (266, 150), (262, 165), (257, 174), (268, 178)],
    *[(285, 190), (297, 207), (304, 228), (306, 246), (320, 250), (335, 262), (345, 275)],
    *[(353, 295), (358, 315), (361, 335), (363, 348), (375, 346), (395, 344), (420, 346)],
    *[(445, 358), (465, 375), (480, 395), (490, 420), (496, 450), (505, 465), (540, 470)],
    (540, 540),
]
HOPPER = [
    *[(238, 26), (260, 23), (285, 27), (300, 38), (325, 47), (343, 60), (352, 75), (354, 84)],
    *[(362, 87), (368, 95), (372, 115), (372, 140), (368, 170), (374, 183), (376, 198), (371, 215)],
    *[(367, 240), (361, 262), (361, 280), (352, 298), (338, 305), (331, 308), (332, 313)],
    *[(345, 325), (370, 343), (400, 356), (430, 366), (465, 375), (490, 387), (500, 405)],
    *[(508, 430), (512, 450), (512, 640), (12, 640), (15, 560), (18, 500), (27, 440), (38, 415)],
    *[(45, 400), (52, 385), (75, 373), (110, 360), (150, 345), (180, 332), (197, 320), (204, 312)],
    *[(204, 302), (195, 293), (175, 285), (163, 275), (161, 258), (163, 240), (160, 225)],
    *[(155, 205), (154, 195), (153, 180), (151, 150), (152, 130), (153, 105), (162, 90), (174, 84)],
    *[(176, 78), (182, 65), (195, 52), (215, 43), (222, 38)],
]


@dataclass(frozen=True)
class Person:
    """One cut-out and the path it takes: sums of sines whose periods divide the clip's length."""

    cutout: np.ndarray  # float32 [h, w, 4], premultiplied B, G, R, alpha in 0..1
    face: tuple[float, float]  # px in the cut-out: the point that is moved and turned about
    place: tuple[float, float]  # px in the frame: where that point is on average
    sway: tuple[float, float]  # px: amplitude along x and y
    zoom: float  # fraction: amplitude of the scale
    tilt: float  # degrees: amplitude of the rotation
    phase: float  # radians

    def matrix(self, turn: float) -> np.ndarray:
        """The affine map (float64 [2, 3]) at `turn`, the clip's position in radians (0..2 pi)."""
        scale = 1 + self.zoom * math.sin(turn + 2 * self.phase)
        tilt = self.tilt * math.sin(2 * turn + self.phase)
        matrix = cv2.getRotationMatrix2D(self.face, tilt, scale)
        x = self.place[0] + self.sway[0] * math.sin(2 * turn + self.phase + 0.7)
        y = self.place[1] + self.sway[1] * math.sin(3 * turn + self.phase)
        matrix[:, 2] += x - self.face[0], y - self.face[1]
        return matrix


def collins() -> np.ndarray:
    """Eileen Collins, NASA: uint8 [512, 512, 3], B, G, R."""
    import skimage.data

    return np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])


def hopper() -> np.ndarray:
    """Grace Hopper, US Navy: uint8 [600, 512, 3], B, G, R."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    picture = cv2.imread(str(path))
    assert picture is not None, f"{path} is not in this matplotlib"
    return picture


def cut_out(picture: np.ndarray, outline: list[tuple[int, int]], scale: float) -> np.ndarray:
    """The person inside `outline`, scaled: float32 [h, w, 4], premultiplied, alpha in 0..1.

    GrabCut (Rother, Kolmogorov and Blake, 2004) decides within 6 px of the outline.
    """
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.array(outline, np.int32)], 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
    # A border of its own kind: a person whom the picture's edge cuts goes on behind it.
    padded = cv2.copyMakeBorder(inside, 30, 30, 30, 30, cv2.BORDER_REPLICATE)
    surely = cv2.erode(padded, kernel)[30:-30, 30:-30]
    maybe = cv2.dilate(padded, kernel)[30:-30, 30:-30]
    mask = np.full(inside.shape, cv2.GC_BGD, np.uint8)
    mask[maybe > 0] = cv2.GC_PR_BGD
    mask[inside > 0] = cv2.GC_PR_FGD
    mask[surely > 0] = cv2.GC_FGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, mask, None, *models, 4, cv2.GC_INIT_WITH_MASK)
    alpha = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)

    # The clothes go on below the picture's edge, which a turn would otherwise lift into the frame.
    picture = cv2.copyMakeBorder(picture, 0, 60, 0, 0, cv2.BORDER_REFLECT)
    alpha = cv2.copyMakeBorder(alpha, 0, 60, 0, 0, cv2.BORDER_REPLICATE)
    alpha = cv2.GaussianBlur(cv2.erode(alpha, np.ones((2, 2))), (0, 0), 1.0)
    cutout = np.dstack([picture.astype(np.float32) * alpha[..., None], alpha])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(cutout, None, fx=scale, fy=scale, interpolation=method)


def wall(seed: int) -> np.ndarray:
    """A plastered wall in soft light from the left: float32 [480, 640, 3], B, G, R in 0..255."""
    random = np.random.default_rng(seed)
    texture = np.zeros((HEIGHT, WIDTH), np.float32)
    for sigma, strength in ((60.0, 6.0), (12.0, 3.0), (2.0, 2.0), (0.7, 1.2)):
        noise = random.standard_normal((HEIGHT, WIDTH)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        texture += strength * noise / noise.std()
    x = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None]
    light = 1.06 - 0.22 * x - 0.12 * y
    colour = np.array([166, 178, 184], np.float32)
    return np.clip(colour * light[..., None] + texture[..., None], 0, 255)


def people() -> list[Person]:
    """The two, the one behind first."""
    return [
        Person(
            cutout=cut_out(hopper(), HOPPER, 0.66),
            face=(265 * 0.66, 215 * 0.66),
            place=(160, 236),
            sway=(16, 7),
            zoom=0.06,
            tilt=3.5,
            phase=0.0,
        ),
        Person(
            cutout=cut_out(collins(), COLLINS, 1.12),
            face=(225 * 1.12, 118 * 1.12),
            place=(464, 192),
            sway=(26, 12),
            zoom=0.09,
            tilt=4.5,
            phase=2.1,
        ),
    ]


def scene(background: np.ndarray, cast: list[Person], turn: float) -> np.ndarray:
    """One frame: uint8 [480, 640, 3], B, G, R."""
    picture = background.copy()
    for person in cast:
        layer = cv2.warpAffine(
            person.cutout, person.matrix(turn), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC
        )
        alpha = np.clip(layer[..., 3:], 0, 1)
        picture = picture * (1 - alpha) + layer[..., :3]
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def write_clip(path: Path, background: np.ndarray, cast: list[Person]) -> None:
    """Writes the whole clip as MPEG-4 part 2, which every OpenCV wheel can write and read."""
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, FPS, (WIDTH, HEIGHT))
    assert writer.isOpened(), f"this OpenCV cannot write {path}"
    frames = FPS * SECONDS
    for index in range(frames):
        writer.write(scene(background, cast, 2 * math.pi * index / frames))
    writer.release()


def check(path: Path, cast: list[Person]) -> None:
    """Prints how often Haar finds each person in the clip, and boxes that hold nobody's face."""
    cascade = cv2.CascadeClassifier(
        str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml")
    )
    capture = cv2.VideoCapture(str(path))
    frames, found, false, widths = 0, [0] * len(cast), 0, []
    while True:
        good, frame = capture.read()
        if not good:
            break
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        boxes = cascade.detectMultiScale(gray, 1.2, 5, minSize=(60, 60))
        turn = 2 * math.pi * frames / (FPS * SECONDS)
        points = [person.matrix(turn) @ (*person.face, 1) for person in cast]
        hits = [[i for i, p in enumerate(points) if holds(box, p)] for box in boxes]
        for i in range(len(cast)):
            found[i] += [i] in hits
        false += sum(len(hit) != 1 for hit in hits)
        widths += [int(box[2]) for box in boxes]
        frames += 1
    print(f"{path}: {frames} frames, found in {found} of them, {false} false boxes")
    print(f"boxes are {min(widths)} to {max(widths)} px wide")


def holds(box: np.ndarray, point: np.ndarray) -> bool:
    """Whether the box (x, y, w, h) has the point (x, y) in its middle half."""
    x, y, w, h = box
    return bool(abs(point[0] - x - w / 2) < w / 4 and abs(point[1] - y - h / 2) < h / 4)


def main() -> None:
    """Writes or checks the demo material."""
    parser = argparse.ArgumentParser(description="Makes the demo's portraits and clip.")
    parser.add_argument("--out", type=Path, default=Path("edge/mien/demo"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--check", action="store_true", help="only look for faces in the clip")
    arguments = parser.parse_args()
    out: Path = arguments.out
    cast = people()
    if not arguments.check:
        (out / "portraits").mkdir(parents=True, exist_ok=True)
        background = wall(arguments.seed)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
        pictures = {
            "collins": collins()[:480, 40:440],
            "hopper": hopper()[:480],
            "both": scene(background, cast, 0.0),
            "noface": scene(background, [], 0.0),
        }
        for name, picture in pictures.items():
            cv2.imwrite(str(out / "portraits" / f"{name}.jpg"), picture, quality)
        write_clip(out / "clip.mp4", background, cast)
    check(out / "clip.mp4", cast)


if __name__ == "__main__":
    main()
