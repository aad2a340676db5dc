"""What occlusion in training is worth after a short second lesson of the small network `default`, clean and attacked.

    for seed in 0 1 2; do for name in none huang_keypoint_aware pytel_several_keypoints_0.2 pytel_part_mix_0.5; do
        posewright train benchmarks/augmented_runs.py:short --data LSPET --out RUNS/$name-$seed --seed $seed \\
            --occlusion $name --start default --machine.precision bf16
    done; done
    python benchmarks/augmented_runs.py RUNS --data LSPET [--people N]

The lesson begins with what `default` has learnt without occlusion and takes four epochs of every fourth training
picture, some 10,000 crops: the third schedule of Huang et al. 2020 (first without, then with), made very short. So it
tells what such a lesson changes, not what training with occlusion from the start would come to. Networks are compared
on the first people of the test split, annotated boxes, no flip: PCK@0.2 clean, under a black disc on one keypoint (of
the keypoints that it does not cover as well as those that it does), and under black rectangles of parts. Intervals are
of differences to the lesson without occlusion, 2,000 draws of pictures and of seeds at once. Three seeds are few.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright import datasets, load, robustness
from posewright.recipes import recipe_named
from posewright.recipes.compact import read
from posewright.recipes.recipe import Phase
from posewright.robustness import standard_attacks
from posewright.robustness.answers.ask import read_answers
from posewright.robustness.answers.truth import kept
from posewright.robustness.numbers.measure import measured, reached
from posewright.scene import Floats, Scene

EVERY, DRAWS = 4, 2000
PLAIN = "none"


def fourth(folder: Path, split: str) -> list[Scene]:
    """Read every fourth picture of what `default` learns from and is judged on."""
    return read(folder, split)[::EVERY]


short = replace(
    recipe_named("default"), name="short", read=fourth, phases=(Phase(4, 2e-4, to=1e-5, warmup=30),)
)  # fmt: skip


def asked(folder: Path, scenes: list[Scene], out: Path) -> dict[str, Floats]:
    """Return correct and asked keypoints (2, S) of every scene, clean and under each kind of attack."""
    network = load(str(folder / "last.pt"), recipe=f"{__file__}:short", single=True)
    listed = [a for kind in ("keypoints", "parts")
              for a in standard_attacks(robustness.skeleton_of(network), [kind], ["blackout"])]  # fmt: skip
    robustness.study(network, scenes, listed, out=out, draws=100, name=folder.name)
    answers = {file.stem: read_answers(file)[0] for file in sorted((out / "answers").glob("[!.]*.npz"))}
    m = measured(kept(out).people, answers, "torso")
    found = {}
    for kind in ("clean", "keypoints", "parts"):
        names = [name for name in m.answers if name.split("-")[0] == kind]
        rows = [m.shares(m.kinds[n].right.astype(float), m.asked & reached(m.answers[n])) if kind != "clean"
                else m.shares(m.kinds[n].right.astype(float), m.asked) for n in names]  # fmt: skip
        found[kind] = np.sum(rows, axis=0)
    return found


def main() -> None:
    """Ask every run, and print its numbers and those of each occlusion less the plain lesson."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--people", type=int, default=200)
    given = parser.parse_args()
    scenes = datasets.read(f"lsp:{given.data}", "test")[: given.people]
    runs: dict[str, list[dict[str, Floats]]] = {}
    for folder in sorted(given.runs.glob("*-[0-9]")):
        found = asked(folder, scenes, given.runs / "studies" / folder.name)
        runs.setdefault(folder.name[:-2], []).append(found)
        print(
            folder.name, {kind: round(part.sum() / whole.sum(), 4) for kind, (part, whole) in found.items()}, flush=True
        )
    rng = np.random.default_rng(0)
    for name in [name for name in runs if name != PLAIN]:
        for kind in ("clean", "keypoints", "parts"):
            pair = np.array([[run[kind] for run in runs[one][: len(runs[name])]] for one in (name, PLAIN)])
            print(name, kind, "{:+.2f} [{:+.2f}, {:+.2f}] points".format(*difference(pair, rng)))


def difference(pair: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return in points how much more is correct in the first of pair (2, seeds, 2, S), and its interval."""
    _, seeds, _, scenes = pair.shape

    def gain(some: Floats) -> float:
        part, whole = some.sum((1, 3)).T
        return float(100 * np.subtract(*(part / whole)))

    drawn = [
        gain(pair[:, rng.integers(seeds, size=seeds)][..., rng.integers(scenes, size=scenes)]) for _ in range(DRAWS)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return gain(pair), float(low), float(high)


if __name__ == "__main__":
    main()
