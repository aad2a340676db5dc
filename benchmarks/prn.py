"""The thesis's table 2.3 on CrowdPose: how well pose residual networks of several shapes give boxes their keypoints.

    python benchmarks/prn.py train crowdpose_val.json.gz runs/prn       # goes on where it was stopped
    python benchmarks/prn.py table crowdpose_val.json.gz runs/prn

Boxes and keypoints are the annotated ones; keypoints come without whose they are. 1,600 pictures, drawn by chance, are
learnt from, and 400 others are tested on. Numbers are OKS AP as CrowdPose computes it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from posewright import datasets
from posewright.codecs.bottom_up.residual_grouping import Respond, blurred, label, maximum, people_in, prior_of, unary
from posewright.codecs.bottom_up.whole import is_labelled
from posewright.datasets import coco
from posewright.metrics.oks.crowding import crowdpose_ap
from posewright.metrics.score import Score
from posewright.metrics.trust.confidence import compare, intervals
from posewright.models.prn import PRN
from posewright.scene import Scene, boxed
from posewright.train.residual import Course, Shape, examples, loose, train_prn

SHAPES = {
    "50": Shape(50, dropout=0.0, residual=False),
    "50 D": Shape(50, residual=False),
    "512 D": Shape(512, residual=False),
    "2x512 D": Shape(512, 2, residual=False),
    "512 D R": Shape(512),
    "1024 D R": Shape(1024),
    "2048 D R": Shape(2048),
}
SEEDS, TEST = (0, 1, 2), 400
COURSE = Course(epochs=4, batch=64, rate=1e-3)
BEST, DRAWS = "1024 D R", 2000
TOLD = ("AP", "AP/easy", "AP/medium", "AP/hard")


class Split(NamedTuple):
    """Hold the pictures to learn from and those to test on."""

    train: list[Scene]
    test: list[Scene]


def split(file: str) -> Split:
    """Divide the pictures by chance, always alike."""
    scenes = datasets.read(f"crowdpose:{file}" if Path(file).is_dir() else file, "val")
    order = np.random.default_rng(0).permutation(len(scenes)).tolist()
    return Split([scenes[i] for i in order[TEST:]], [scenes[i] for i in order[:TEST]])


def responder(network: PRN) -> Respond:
    """Ask a network about marks."""

    def respond(marks: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network.eval()(torch.from_numpy(blurred(marks)))[-1].maps.numpy()

    return respond


def answered(scenes: list[Scene], respond: Respond) -> list[Scene]:
    """Give everybody's box its keypoints."""
    found = []
    for scene in scenes:
        boxes = np.array([boxed(person) for person in scene.people if is_labelled(person)]).reshape(-1, 4)
        people = people_in(boxes, np.ones(len(boxes)), loose(scene), len(scene.skeleton), respond)
        found.append(replace(scene, people=tuple(people)))
    return found


def trained(folder: Path, name: str) -> PRN:
    """Load a network that `train` left."""
    content = torch.load(folder / "last.pt", weights_only=True)
    network = SHAPES[name].network(len(content["keypoints"]))
    network.load_state_dict(content["network"])
    return network


def train(file: str, out: Path) -> None:
    """Train every shape with every seed, seed by seed; of each what it answers is kept, of the best all."""
    torch.set_num_threads(1)
    scenes = split(file)
    for seed in SEEDS:
        for name, shape in SHAPES.items():
            folder = out / f"{name.replace(' ', '_')}_{seed}"
            last, answers = folder / "last.pt", folder / "answers.json"
            if answers.exists():
                continue

            def tell(line: dict[str, float], name: str = name, seed: int = seed) -> None:
                print(name, seed, line, flush=True)

            train_prn(scenes.train, folder, shape, COURSE, seed, last.exists(), tell)
            found = answered(scenes.test, responder(trained(folder, name)))
            print(name, seed, dict(crowdpose_ap(found, scenes.test)), flush=True)
            coco.write_results(found, answers)
            if name != BEST:
                last.unlink()


def naive(scenes: Split) -> dict[str, list[Scene]]:
    """Answer by the baselines Max and UCR."""
    learnt = examples(scenes.train)
    shape = (len(scenes.train[0].skeleton), 56, 36)
    own = np.zeros((len(learnt), *shape), bool)
    for one, place in zip(own.reshape(len(learnt), -1), learnt, strict=True):
        one[place.own] = True
    rules = {"Max": maximum, "UCR": unary(prior_of(label(own)))}
    return {name: answered(scenes.test, rule) for name, rule in rules.items()}


def table(file: str, out: Path) -> None:
    """Print each shape's mean over seeds, and how far it is from the thesis's best, on the same draws of pictures."""
    scenes = split(file)
    answers = {name: [found] for name, found in naive(scenes).items()}
    for name in SHAPES:
        files = [out / f"{name.replace(' ', '_')}_{seed}" / "answers.json" for seed in SEEDS]
        read = [list(coco.read_results(path, scenes.test)) for path in files if path.exists()]
        answers |= {name: read} if read else {}
    scores = {name: [crowdpose_ap(one, scenes.test) for one in some] for name, some in answers.items()}
    reference = BEST if BEST in scores else max(scores, key=lambda name: mean_score(scores[name])["AP"])
    best = mean_score(scores[reference])
    for name, some in scores.items():
        one = mean_score(some)
        whole = intervals(one, DRAWS)
        away = compare(one, best, DRAWS)
        spread = " ".join(f"{100 * each['AP']:.1f}" for each in some)
        told = " ".join(
            f"{key} {100 * one[key]:.1f} [{100 * whole[key].low:.1f}, {100 * whole[key].high:.1f}]" for key in TOLD
        )
        less = f"{100 * away['AP'].value:+.1f} [{100 * away['AP'].low:+.1f}, {100 * away['AP'].high:+.1f}]"
        print(f"{name:9} {told} | to {reference}: {less} | seeds {spread}", flush=True)


def mean_score(scores: list[Score]) -> Score:
    """Return the mean of scores of the same pictures, which can be drawn anew as one."""

    def again(weights: np.ndarray) -> dict[str, np.ndarray]:
        each = [score.again(weights) for score in scores if score.again is not None]
        return {name: np.mean([one[name] for one in each], axis=0) for name in TOLD}

    return Score({name: float(np.mean([score[name] for score in scores])) for name in TOLD}, scores[0].protocol, again)


if __name__ == "__main__":
    {"train": train, "table": table}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
