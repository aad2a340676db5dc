"""Ask real networks under attack about real photographs: the studies that docs/claims.md tells of.

    python benchmarks/claims.py --data SHARED --weights WEIGHTS --out studies/    # goes on

SHARED holds coco_mini/ and lspet/, WEIGHTS the networks of others. Of COCO-mini one person a picture is asked about, who
has most labelled keypoints, at least 8: so every person is a sample of their own. Of LSP-extended's test split the
first so many.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright import datasets, load, robustness
from posewright.estimators.estimator import Estimator
from posewright.robustness import Attack, standard_attacks
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton

LEAST = 8
"""Labelled keypoints of a person who is asked about."""
NETWORKS = {
    "lightning": "movenet:{}/movenet-lightning.onnx",
    "thunder": "movenet:{}/movenet-thunder.onnx",
    "default": "default",
    "multipose": "movenet:{}/movenet-multipose.onnx",
    "blazepose": "blazepose:{}/blazepose-full.onnx",
    "efficientpose_rt": "{}/efficientpose_rt.npz",
    "efficientpose_i": "{}/efficientpose_i.npz",
    "efficientpose_ii": "{}/efficientpose_ii.npz",
}


def estimator(name: str, weights: Path) -> Estimator:
    """Load one of NETWORKS."""
    recipe = f"{name}_mpii" if name.startswith("efficientpose") else None
    return load(NETWORKS[name].format(weights), recipe=recipe)


def coco(folder: Path, most: int) -> list[Scene]:
    """Return pictures in which one person has keypoints; the others' stay away, and their boxes stay."""
    found = []
    for scene in datasets.read(f"coco:{folder / 'coco_mini'}", "val"):
        counts = [0 if person.crowd else int(person.labelled.sum()) for person in scene.people]
        if max(counts, default=0) >= LEAST:
            best = int(np.argmax(counts))
            others = [_bystander(p) for n, p in enumerate(scene.people) if n != best]
            found.append(replace(scene, people=(scene.people[best], *others)))
    return found[:most]


def _bystander(person: Person) -> Person:
    absent, visible = np.full_like(person.keypoints, np.nan), np.zeros(len(person), np.uint8)
    return replace(person, keypoints=absent, visible=visible)


def attacks(skeleton: Skeleton) -> list[Attack]:
    """Return the attacks of the claims."""
    return [
        *standard_attacks(skeleton, ["keypoints"], ["blackout", "meanout", "blur"]),
        *standard_attacks(skeleton, ["parts"], ["blackout", "blur"]),
        *standard_attacks(skeleton, ["radii"], ["blackout"]),
    ]


def run(data: Path, weights: Path, out: Path, names: Sequence[str], most: tuple[int, int], draws: int) -> None:
    """Study each network on both sets, one after the other."""
    sets = {"coco": coco(data, most[0]), "lspet": datasets.read(f"lsp:{data / 'lspet'}", "test")[: most[1]]}
    for name in names:
        asked = estimator(name, weights)
        for which, scenes in sets.items():
            listed = attacks(robustness.skeleton_of(asked) or scenes[0].skeleton)
            said = {"model": name, "data": which}
            robustness.study(asked, scenes, listed, out=out / f"{name}-{which}", draws=draws, protocol=said, name=name)
            print(name, which, "done", flush=True)


def main() -> None:
    """Run the studies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--most", type=int, nargs=2, default=(60, 40), metavar=("COCO", "LSPET"))
    parser.add_argument("--draws", type=int, default=10_000)
    given = parser.parse_args()
    run(given.data, given.weights, given.out, given.networks, tuple(given.most), given.draws)


if __name__ == "__main__":
    main()
