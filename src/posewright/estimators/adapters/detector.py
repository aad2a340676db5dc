"""Detectors of `transformers` (DETR, RT-DETR, YOLOS, ...; Apache-2.0), which say where people are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.detections import Detected, ranked
from posewright.estimators.adapters.answer import about
from posewright.estimators.estimator import Boxes, Estimator, Image, View, pixels_of
from posewright.picture import Pixels
from posewright.scene import Person
from posewright.skeleton import Skeleton

PERSON = "person"
"""What people are called among a detector's labels."""


@dataclass(frozen=True, eq=False, repr=False)
class Detecting:
    """Estimate everybody whom a detector finds, ranked as HRNet's protocol does; where boxes are given, at those.

    detect returns the boxes (4,) xyxy px of the people in a picture, with scores in [0, 1].
    """

    estimator: Estimator
    detect: Callable[[Pixels], list[Detected]]
    about: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Detecting({self.estimator!r})"

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of the estimator."""
        return self.estimator.skeleton

    @property
    def view(self) -> View:
        """How the estimator is shown a person."""
        return self.estimator.view

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]:
        """Estimate the people of one picture; arguments and errors are the estimator's."""
        if boxes is not None:
            return self.estimator(image, boxes)
        pixels = pixels_of(image)
        found = self.detect(pixels)
        people = self.estimator(pixels, [one.box for one in found]) if found else []
        return ranked(people, found, self.skeleton)

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate picture after picture."""
        return map(self, images) if boxes is None else self.estimator.many(images, boxes)

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates and what detects, for the protocol that stands beside every number."""
        return self.estimator.protocol() | {f"detector {key}": value for key, value in self.about.items()}


def load(name: str | Path, estimator: Estimator, above: float = 0.5, device: str = "cpu") -> Detecting:
    """Let a detector find the estimator's people: its name on the hub, or a folder that `save_pretrained` wrote.

    above: boxes of a lower score are left out. Raises ImportError where transformers or torch is not installed,
    OSError where there is no such network, ValueError where it has no label for people.
    """
    try:
        import torch  # noqa: F401
        from transformers import AutoImageProcessor, AutoModelForObjectDetection
    except ImportError as error:
        raise ImportError(f'{error.name} is not installed: pip install "posewright[detect]"') from error
    processor = AutoImageProcessor.from_pretrained(str(name))
    model = AutoModelForObjectDetection.from_pretrained(str(name)).to(device).eval()
    said = about("transformers", Path(name) / "model.safetensors") | {"weights": str(name), "score from": above}
    return Detecting(estimator, adapt(model, processor, above), {k: v for k, v in said.items() if k != "scores"})


def adapt(model: Any, processor: Any, above: float = 0.5) -> Callable[[Pixels], list[Detected]]:
    """Return what finds people with an object detection model of transformers and its image processor, best first."""
    labels = [number for number, name in model.config.id2label.items() if str(name).lower() == PERSON]
    if not labels:
        raise ValueError(f"{model.config.name_or_path}: none of its labels is {PERSON!r}, so it finds no people")

    def detect(pixels: Pixels) -> list[Detected]:
        import torch

        inputs = processor(pixels, input_data_format="channels_last", return_tensors="pt").to(model.device)
        with torch.no_grad():
            outputs = model(**inputs)
        (found,) = processor.post_process_object_detection(outputs, threshold=above, target_sizes=[pixels.shape[:2]])
        rows = zip(found["boxes"].tolist(), found["scores"].tolist(), found["labels"].tolist(), strict=True)
        people = [Detected(np.array(box), score) for box, score, label in rows if label in labels]
        kept = [one for one in people if (one.box[2:] > one.box[:2]).all()]
        return sorted(kept, key=lambda one: -one.score)

    return detect
