"""Counts Arm instructions of Mien's pipeline; started by scripts/arm64/count.sh inside the
emulator.

    scripts/arm64/count.sh --cpu cortex-a76 --model mien --frames 240 --faces 1 --size 640x480

Prints million instructions: the network alone, each stage by itself, and the whole pipeline on a
made scene, per frame. The last line is one JSON document. Instructions are no milliseconds: memory
and the width of NEON are not in them. But they do not depend on the machine that counts.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
from collections.abc import Callable
from importlib.metadata import version

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from mien.bench.scenes import Scene
from mien.boxes import face_to_square
from mien.classification.classifier import Classifier
from mien.classification.preprocess import preprocess_face
from mien.detection import open_detector
from mien.pipeline.video import VideoPipeline
from mien.tflite.model_file import load_model

ASK = 2047  # the `which` of getpriority() that scripts/arm64/count_plugin.c answers
LOOP = bytes.fromhex("000400f1e1ffff54c0035fd6")  # subs x0, x0, #1; b.ne .-4; ret


class Counter:
    """Reads the plugin's counter."""

    def __init__(self) -> None:
        self._ask = ctypes.CDLL(None).getpriority
        self._answer = os.open(os.environ["MIEN_COUNT"], os.O_RDONLY)
        self._overhead = 0
        self._overhead = min(self.of(lambda: None) for _ in range(5))

    def of(self, work: Callable[[], object]) -> int:
        """Count the instructions of `work`."""
        before = self._now()
        work()
        return self._now() - before - self._overhead

    def _now(self) -> int:
        self._ask(ASK, 0)
        return int.from_bytes(os.pread(self._answer, 8, 0), "little")


def check(counter: Counter) -> int:
    """Return how far a loop of a known number of instructions is off."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(LOOP)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    loop = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(address)
    loop(1)  # what ctypes prepares once is not counted
    few, many = (counter.of(lambda n=n: loop(n)) for n in (1, 1_000_001))
    return many - few - 2_000_000


def stages(classifier: Classifier) -> dict[str, Callable[[], object]]:
    """Return the stages of a frame of 640x480 with one face."""
    scene, detector = Scene(1, 640, 480), open_detector()
    gray, square = scene.frame(0).gray, face_to_square(scene.boxes(0)[0])
    face = preprocess_face(gray, square, classifier.metadata)
    return {
        "detect": lambda: detector.detect(gray),
        "crop": lambda: preprocess_face(gray, square, classifier.metadata),
        "classify": lambda: classifier.logits(np.stack([face])),
    }


def millions(count: float) -> float:
    """Round to the thousand."""
    return round(count / 1e6, 3)


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Counts Arm instructions of Mien's pipeline.")
    parser.add_argument("--model", default="mien")
    parser.add_argument("--frames", type=int, default=240, help="0 leaves the pipeline out")
    parser.add_argument("--faces", type=int, default=1)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--no-stages", action="store_true")
    parser.add_argument("--list", action="store_true", help="print the count of every frame")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    cv2.setNumThreads(1)
    counter = Counter()
    document: dict[str, object] = {
        "cpu": os.environ["MIEN_ARM_CPU"],
        "model": arguments.model,
        "versions": {name: version(name) for name in ("numpy", "ai-edge-litert")}
        | {"opencv": cv2.__version__},
        "check": check(counter),
    }
    print(f"{document['cpu']}; a loop of 2,000,000 instructions is {document['check']} off")
    model = load_model(arguments.model)
    alone = {}
    for name, resolver in (
        ("xnnpack", OpResolverType.AUTO),
        ("plain", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
    ):
        made = Interpreter(model_content=model.flatbuffer, experimental_op_resolver_type=resolver)
        made.allocate_tensors()
        made.invoke()
        alone[name] = millions(counter.of(made.invoke))
    document["model_minstr"] = alone
    print("model alone, million instructions:", alone)
    classifier = Classifier(model)
    document["xnnpack"] = classifier.xnnpack
    if not arguments.no_stages:
        found = {}
        for name, run in stages(classifier).items():
            run()
            found[name] = millions(counter.of(run))
            print(f"  {name:<14} {found[name]:>9.3f}", flush=True)
        document["stages_minstr"] = found
    if arguments.frames:
        engine = VideoPipeline(model)
        scene = Scene(arguments.faces, width, height)
        counts, faces = [], 0
        for index in range(arguments.frames):
            frame = scene.frame(index)
            results = []
            counts.append(counter.of(lambda f=frame, r=results: r.append(engine.process(f))))
            faces += len(results[0].faces)
            if arguments.list:
                print(f"  frame {index:4d}  {millions(counts[-1]):9.3f}", flush=True)
        ordered = sorted(counts)
        document["pipeline"] = {
            "faces": arguments.faces,
            "size": arguments.size,
            "frames": len(counts),
            "found_per_frame": round(faces / len(counts), 3),
            "mean_minstr": millions(sum(counts) / len(counts)),
            "median_minstr": millions(ordered[len(ordered) // 2]),
            "max_minstr": millions(ordered[-1]),
        }
        print("whole pipeline, per frame:", document["pipeline"])
    print(json.dumps(document))


if __name__ == "__main__":
    main()
