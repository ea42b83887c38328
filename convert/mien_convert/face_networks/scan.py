"""Trains and quantises the network that searches a whole frame for faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from mien.boxes import square_iou
from mien.detection.ssd import ACROSS, DOWN, FINE, SIDES, STRIDES, Scan, cells
from tqdm import tqdm  # type: ignore[import-untyped]

from mien_convert.face_networks.scan_frames import Frame
from mien_convert.quantize import to_int8
from mien_convert.tflite_runner import to_input

BATCH = 16
RATE = 4e-3  # of AdamW, to which it warms up and from which a cosine falls
WARM = 200  # steps
# Blocks of a depthwise and a pointwise convolution, channels and stride, up to each grid.
TRUNK = (
    ((16, 2), (16, 1), (32, 2), (32, 1), (32, 1)),
    ((64, 2), (64, 1), (64, 1)),
    ((96, 2), (96, 1), (96, 1)),
)
REACH = 1.25  # factor by which a grid is asked for faces beyond its own sides as well
LIMITS = (13.0, 36.0, 80.0, 230.0)  # px, of the sides that the grids are for
CENTRE, AROUND = 0.2, 0.42  # sides from a face's centre: cells that are to tell it, and that may
SEEN = 0.6  # share visible from which a face is to be told; with less it may be
GAMMA = 2.0  # focal loss (Lin et al., "Focal Loss for Dense Object Detection", 2017)
PLACES = 2.0  # weight of the places' loss
CALIBRATION = 300

ON, OFF = 0.4, 0.2  # intersection over union from which a place is on a face, and up to which not

Floats = npt.NDArray[np.float32]
CELLS = tuple((-(-DOWN // stride), -(-ACROSS // stride)) for stride in STRIDES)


@dataclass(frozen=True)
class Measured:
    """How a network does on frames with faces it was not trained on."""

    frames: int
    faces: int
    found: dict[float, float]  # log odds: share of the faces that are told with them
    false: dict[float, float]  # and places on no face in a frame


def build() -> Any:
    """Return the Keras network: gray [n, DOWN, ACROSS, 1] in [-1, 1] to [n, cells, 4].

    Of each cell the log odds of a face, then how far its centre is off across and down and the
    logarithm of its side, in the grid's sides and times FINE.
    """
    from keras import Input, Model, layers

    def normed(x: Any) -> Any:
        return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.97)(x))

    def block(x: Any, channels: int, stride: int) -> Any:
        y = normed(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        y = normed(layers.Conv2D(channels, 1, use_bias=False)(y))
        return layers.Add()([x, y]) if stride == 1 else y

    frames = Input((DOWN, ACROSS, 1))
    x = normed(layers.Conv2D(8, 3, 2, "same", use_bias=False)(frames))
    told = []
    for (rows, columns), blocks in zip(CELLS, TRUNK, strict=True):
        for channels, stride in blocks:
            x = block(x, channels, stride)
        y = normed(layers.DepthwiseConv2D(3, 1, "same", use_bias=False)(x))
        y = normed(layers.Conv2D(x.shape[-1], 1, use_bias=False)(y))
        y = layers.Conv2D(4, 1, bias_initializer=_rare())(y)
        told.append(layers.Reshape((rows * columns, 4))(y))
    return Model(frames, layers.Concatenate(axis=1)(told), name="scan")


def _rare() -> Any:
    from keras import initializers

    class Rare(initializers.Initializer):  # type: ignore[misc]
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return np.array([-4.0, 0, 0, 0], np.float32)

    return Rare()


def targets(faces: Floats) -> tuple[Floats, Floats]:
    """Return what each cell is to tell, [cells, 4], and the weights of its odds and of its place.

    Weights are [cells, 2]: a cell that may or may not tell a face has none.
    """
    at, side = cells()
    number = np.searchsorted(SIDES, side)
    wanted = np.zeros((len(at), 4), np.float32)
    weights = np.zeros((len(at), 2), np.float32)
    weights[:, 0] = 1
    stride = np.array(STRIDES, np.float32)[number]
    low, high = np.array(LIMITS[:-1], np.float32)[number], np.array(LIMITS[1:], np.float32)[number]
    for x, y, size, visible in sorted(map(tuple, faces), key=lambda face: -face[2]):
        off = np.maximum(np.abs(at[:, 0] - x), np.abs(at[:, 1] - y))
        mine = (size > low / REACH) & (size < high * REACH)
        near = off < np.maximum(AROUND * size, 0.75 * stride)
        weights[near & (size > low / REACH**3) & (size < high * REACH**3)] = 0
        if visible < SEEN:
            continue
        core = mine & (off < np.maximum(CENTRE * size, 0.5 * stride + 0.5))
        wanted[core, 0] = 1
        wanted[core, 1] = FINE * (x - at[core, 0]) / side[core]
        wanted[core, 2] = FINE * (y - at[core, 1]) / side[core]
        wanted[core, 3] = FINE * np.log(size / side[core])
        weights[core] = 1
    return wanted, weights


def loss(wanted: Any, told: Any) -> Any:
    """Return the mean loss of a batch; `wanted` is [n, cells, 6]: what to tell, and the weights."""
    import tensorflow as tf

    face, counted, placed = wanted[..., 0], wanted[..., 4], wanted[..., 5]
    odds = told[..., 0]
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(face, odds)
    share = tf.sigmoid(odds)
    missing = tf.where(face > 0, 1 - share, share)
    focal = 0.5 * missing**GAMMA * entropy * counted
    positives = tf.reduce_sum(placed) + 1
    off = tf.abs(wanted[..., 1:4] - told[..., 1:4])
    smooth = tf.where(off < 0.5, off * off, off - 0.25)
    return (
        tf.reduce_sum(focal) + PLACES * 0.1 * tf.reduce_sum(tf.reduce_sum(smooth, -1) * placed)
    ) / positives


def train(network: Any, made: Sequence[Frame], epochs: int, seed: int, name: str) -> None:
    """Train a network of `build`; `name` is what the progress bar says."""
    import keras

    steps = epochs * (len(made) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        RATE / 20, steps, warmup_target=RATE, warmup_steps=min(WARM, steps // 4)
    )
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.005, clipnorm=5.0), loss)
    batches = _batches(made, np.random.default_rng([seed, 7]))
    bar = tqdm(range(steps), desc=name, disable=None)
    mean = 0.0
    for step in bar:
        value = float(network.train_on_batch(*next(batches)))
        mean = value if step == 0 else 0.98 * mean + 0.02 * value
        bar.set_postfix(loss=f"{mean:.3f}", refresh=False)


def quantised(network: Any, made: Sequence[Frame]) -> bytes:
    """Return an int8 flatbuffer, uint8 [1, DOWN, ACROSS, 1] to int8 [1, cells, 4]."""
    import keras
    import tensorflow as tf

    one = keras.Input((DOWN, ACROSS, 1), batch_size=1)
    model = keras.Model(one, network(one, training=False))
    float32 = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return to_int8(float32, np.stack([frame.gray for frame in made[:CALIBRATION]]))


def measure(int8: bytes, others: Iterable[Frame], levels: tuple[float, ...]) -> Measured:
    """Measure an int8 network on frames at some levels of its log odds."""
    scan = Scan(int8)
    seen: list[float] = []
    false: list[float] = []
    count = 0
    for frame in others:
        count += 1
        told = scan.view(frame.gray, min(levels))
        faces = [((x, y, side), visible) for x, y, side, visible in frame.faces.tolist()]
        for face, visible in faces:
            if visible >= SEEN and LIMITS[0] < face[2] < LIMITS[-1]:
                seen.append(
                    max(
                        (odds for place, odds in told if square_iou(place, face) > ON),
                        default=-99.0,
                    )
                )
        false += [
            odds for place, odds in told if all(square_iou(place, face) < OFF for face, _ in faces)
        ]
    return Measured(
        frames=count,
        faces=len(seen),
        found={level: float(np.mean(np.array(seen) >= level)) for level in levels},
        false={level: float(np.sum(np.array(false) >= level)) / count for level in levels},
    )


def _batches(made: Sequence[Frame], rng: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
    """Yield inputs and what is wanted, for ever."""
    known = [np.concatenate(targets(frame.faces), 1) for frame in made]
    flips = {}
    while True:
        order = rng.permutation(len(made))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            views, wanted = [], []
            for i in order[start : start + BATCH]:
                gray, want = made[i].gray, known[i]
                if rng.random() < 0.5:
                    if i not in flips:
                        faces = made[i].faces.copy()
                        faces[:, 0] = ACROSS - faces[:, 0]
                        flips[i] = np.concatenate(targets(faces), 1)
                    gray, want = gray[:, ::-1], flips[i]
                views.append(_changed(gray, rng))
                wanted.append(want)
            yield to_input(np.stack(views)), np.stack(wanted)


def _changed(gray: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a picture in another light, and sometimes out of focus or with noise."""
    gamma = float(np.exp(rng.normal(0, 0.25)))
    gain, lift = float(np.exp(rng.normal(-0.1, 0.3))), float(rng.normal(0, 12))
    table = np.clip(255 * gain * (np.arange(256) / 255) ** gamma + lift, 0, 255).astype(np.uint8)
    out = cv2.LUT(np.ascontiguousarray(gray), table)
    kind = rng.random()
    if kind < 0.15:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.5)))
    elif kind < 0.4:  # FER-2013's faces are enlarged here, a camera's are as sharp as all else
        soft = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.7, 2.0)))
        more = float(rng.uniform(0.3, 1.5))
        out = cv2.addWeighted(out, 1 + more, soft, -more, 0)
    if rng.random() < 0.35:
        noise = rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(1, 12))
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    return np.asarray(out, np.uint8)
