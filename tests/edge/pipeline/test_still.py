from __future__ import annotations

import numpy as np
from made import LABELS, PORTRAITS, band_face
from mien.boxes import Box, face_to_square, square_to_face
from mien.classification.classifier import Classifier
from mien.classification.prediction import decode_prediction
from mien.classification.preprocess import TTA_SHIFTS, tta_crops
from mien.detection.base import Detection
from mien.detection.haar import HaarDetector
from mien.detection.tiles import detect_still
from mien.image import load_image
from mien.pipeline.still import ImagePipeline
from mien.sources.base import Frame
from mien.tflite.model_file import Model


class Fixed:
    """A detector that knows where the faces are, and sees no mirror image."""

    still_score = 0.5

    def __init__(self, *squares: Box) -> None:
        self.found = [Detection(square_to_face(square), 0.9) for square in squares]

    def detect(self, gray: np.ndarray) -> list[Detection]:
        return self.found


def test_every_face_gets_its_own_label(model: Model) -> None:
    """Seven faces in a picture, each box a sixth smaller so that the model's margin restores it."""
    picture = np.zeros((48, 7 * 48), np.uint8)
    for label in range(7):
        picture[:, label * 48 : (label + 1) * 48] = band_face(label)
    boxes = [(label * 48 + 4, 4, 40, 40) for label in range(7)]
    pipeline = ImagePipeline(Fixed(*boxes), Classifier(model), model.metadata)
    result = pipeline.process(Frame(5, 0.25, picture))
    by_place = sorted(result.faces, key=lambda face: face.box)
    assert [face.prediction.emotion for face in by_place] == list(LABELS)
    for face, (x, _, side, _) in zip(by_place, boxes, strict=True):
        assert abs(face.box[0] + face.box[2] / 2 - x - side / 2) <= 1  # in the middle of its square
    assert (result.frame, result.time) == (5, 0.25)
    assert set(result.ms) == {"detect", "classify", "total"}
    assert 0 <= result.ms["classify"] <= result.ms["total"]


def test_no_face_is_no_error(model: Model) -> None:
    pipeline = ImagePipeline(Fixed(), Classifier(model), model.metadata)
    assert pipeline.process(Frame(0, 0.0, np.zeros((9, 9), np.uint8))).faces == ()


def test_real_parts_on_a_real_picture(model: Model) -> None:
    picture = load_image(PORTRAITS / "both.jpg")
    classifier = Classifier(model)
    result = ImagePipeline(HaarDetector(), classifier, model.metadata).process(
        Frame(0, 0.0, picture.gray)
    )
    assert len(result.faces) == 2
    detections = detect_still(HaarDetector(), picture.gray)
    detections.sort(key=lambda one: -one.box[3])
    for face, one in zip(result.faces, detections, strict=True):
        views = tta_crops(picture.gray, face_to_square(one.box), model.metadata)
        assert len(views) == 2 * len(TTA_SHIFTS)
        assert face.prediction == decode_prediction(
            classifier.logits(views).mean(axis=0), model.metadata
        )


def test_a_whole_picture_as_one_face(model: Model) -> None:
    pipeline = ImagePipeline(Fixed(), Classifier(model), model.metadata)
    (face,) = pipeline.read(band_face(3), [None])
    assert face.box == (0, 0, 48, 48)
    assert face.prediction.emotion == "happy"
