"""Ask real networks under attack about real photographs: the studies that docs/claims.md tells of.

    python benchmarks/claims.py --data SHARED --weights WEIGHTS --out studies/

SHARED holds coco_mini/ and lspet/, WEIGHTS the networks of others. Of COCO-mini one person a picture is asked about,
who has most labelled keypoints, at least 8: so every person is a sample of their own. Of LSP-extended's test split the
first so many. Interrupted, the same command goes on; at the end it prints the tables, of all studies that are whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from posewright import datasets, load, robustness
from posewright.estimators.estimator import Estimator
from posewright.metrics.trust.confidence import holm
from posewright.robustness import Attack, Effect, read_study, standard_attacks
from posewright.robustness.answers.ask import read_answers
from posewright.robustness.answers.truth import kept
from posewright.robustness.numbers.compare import compare
from posewright.robustness.numbers.effect import Pair, differences, effects
from posewright.robustness.numbers.measure import Measured, clean, measured, reached
from posewright.robustness.numbers.natural import natural
from posewright.robustness.numbers.ranks import area
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton

LEAST = 8
"""Labelled keypoints of a person who is asked about."""
FILLS = ("blackout", "meanout", "blur")
RADII = (3, 6, 9, 12, 15, 18)
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


# What the answers say


def read(folder: Path) -> Measured:
    """Measure the kept answers of a study anew, by the custom of its data."""
    people = kept(folder).people
    answers = {file.stem: read_answers(file)[0] for file in sorted((folder / "answers").glob("[!.]*.npz"))}
    return measured(people, answers, "torso" if folder.name.endswith("-lspet") else "similarity")


def gain(m: Measured, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) what an attack changes in correct keypoints, and whose: asked about, of people it reaches."""
    after = m.kinds[name].right.astype(float) - m.kinds["clean"].right
    return after, m.asked & reached(m.answers[name])


def total(m: Measured, names: Sequence[str], keep: Sequence[bool] | None = None) -> Pair:
    """Add up attacks to part (S, 1) and whole (S, 1), of some keypoints where they are given."""
    part, whole = np.zeros((m.scenes, 1)), np.zeros((m.scenes, 1))
    for name in names:
        change, there = gain(m, name)
        rows = m.shares(change, there if keep is None else there & np.array(keep))
        part += rows[0][:, None]
        whole += rows[1][:, None]
    return part, whole


def across_sides(m: Measured, names: Sequence[str]) -> Pair:
    """Add up what attacks on keypoints of one side change in those of the other."""
    part, whole = np.zeros((m.scenes, 1)), np.zeros((m.scenes, 1))
    for side, other in (("left", "right"), ("right", "left")):
        keep = [name.startswith(f"{other}_") for name in m.skeleton.keypoints]
        rows = total(m, [name for name in names if name.startswith(f"keypoints-{side}_")], keep)
        part, whole = part + rows[0], whole + rows[1]
    return part, whole


def said(effect: Effect) -> str:
    """Write a change in points with its interval."""
    if effect.value != effect.value:
        return "-"
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * v for v in effect[:3])).replace("-", "\N{MINUS SIGN}")


def claims(m: Measured, draws: int) -> dict[str, str]:
    """Return what one study says of each claim."""
    names = [name for name in m.answers if name != "clean"]
    key = {fill: [n for n in names if n.startswith("keypoints-") and f"-{fill}-" in n] for fill in FILLS}
    parts = {
        fill: [n for n in names if n.startswith("parts-") and n.endswith(f"-{fill}")] for fill in ("blackout", "blur")
    }
    one = {n: total(m, [n]) for n in key["blackout"]}
    told = dict(
        zip(one, effects(*map(np.hstack, zip(*one.values(), strict=True)), draws, 0, ["all"] * len(one)), strict=True)
    )
    worst = min(told, key=lambda n: told[n].value if told[n].value == told[n].value else 0.0)
    most = told[worst]._replace(low=told[worst].low_all, high=told[worst].high_all)
    clear = holm([effect.p for effect in told.values()])[list(told).index(worst)] < 0.05
    found = {
        "people, pictures": f"{int(m.asked.any(1).sum())}, {m.scenes}",
        "right, clean": "{:.1f} % ({:.1f} to {:.1f})".format(*(100 * v for v in clean(m, draws)["all"][:3])),
        "worst keypoint, black": f"{worst.split('-')[1]} {said(most)}{'' if clear else ', not clear'}",
        "parts less keypoints, black": said(
            differences(total(m, parts["blackout"]), total(m, key["blackout"]), draws)[0]
        ),
        "blur less black, keypoints": said(differences(total(m, key["blur"]), total(m, key["blackout"]), draws)[0]),
        "blur less black, parts": said(differences(total(m, parts["blur"]), total(m, parts["blackout"]), draws)[0]),
        "the other side, black": said(effects(*across_sides(m, key["blackout"]), draws)[0]),
    }
    for fill in FILLS:
        nose = f"keypoints-nose-{fill}-6"
        found[f"nose, {fill}"] = said(effects(*total(m, [nose]), draws)[0]) if nose in names else "-"
    if "keypoints-left_eye-blackout-6" in names:
        eye = [name == "left_eye" for name in m.skeleton.keypoints]
        pairs = [total(m, [f"keypoints-{name}-blackout-6"], eye) for name in ("nose", "left_eye")]
        found["left eye: nose hidden less itself hidden"] = said(differences(*pairs, draws)[0])
    for radius in RADII:
        if f"radii-any-blackout-{radius}" in names:
            found[f"disc of {radius} px, black"] = said(effects(*total(m, [f"radii-any-blackout-{radius}"]), draws)[0])
    black = [*key["blackout"], *parts["blackout"]]
    sure = (m.kinds["clean"].right & m.asked).sum(1) >= 0.5 * m.asked.sum(1)
    asked = sum(int((sure & reached(m.answers[n])[:, 0] & m.asked.any(1)).sum()) for n in black)
    fate = np.concatenate([m.fate[n] for n in black])
    lost = [int((fate >= least).sum()) for least in (1, 3)] + [int((fate == 2).sum())]
    found["lost whole, black (to another, to nobody)"] = f"{lost[0]} of {asked} ({lost[2]}, {lost[1]})"
    for label, group in (
        ("clean", []),
        ("covered by black parts", parts["blackout"]),
        ("by black discs", key["blackout"]),
    ):
        found[f"AUROC of scores, {label}"] = auroc(m, group, draws)
    return found


def auroc(m: Measured, names: Sequence[str], draws: int) -> str:
    """Say how often a right keypoint's score is above a wrong one's, of covered keypoints; of all without an attack."""
    pieces = [(m.asked & m.answers[n].covered, n) for n in names] or [(m.asked, "clean")]
    effect = area(m, pieces, draws)
    return "-" if effect.value != effect.value else "{:.2f} ({:.2f} to {:.2f})".format(*effect[:3])


def hidden(folder: Path, m: Measured, draws: int) -> dict[str, str]:
    """Return what hidden keypoints cost without any attack, and whether black discs foretell it."""
    found = natural(m, kept(folder).people, read_study(folder).attacks, draws)
    less = said(found["natural"]["hidden_less_seen"]) if found else "-"
    rows = {"hidden less seen, clean": less, "Pearson's r with black discs": "-"}
    if "natural-blackout" in found:
        rows["Pearson's r with black discs"] = "{:+.2f} ({:+.2f} to {:+.2f})".format(
            *found["natural-blackout"]["pearson_r"][:3]
        )
    return rows


def concordance(studies: Sequence[Measured], draws: int) -> str:
    """Return Kendall's tau over networks between the share correct in clean pictures and what black attacks change.

    Both are of the keypoints and attacks that all networks share, or their order would be that of their keypoints.
    Its interval is of the pictures, which are drawn for all networks alike; of other networks it says nothing.
    """
    rng = np.random.default_rng(0)
    counts = rng.multinomial(studies[0].scenes, np.full(studies[0].scenes, 1 / studies[0].scenes), draws)
    weights = np.vstack([np.ones((1, studies[0].scenes)), counts])
    known = set.intersection(*(set(m.skeleton.keypoints) for m in studies))
    names = [n for n in studies[0].answers if "-blackout" in n and not n.startswith("radii-")]
    names = [n for n in names if all(n in m.answers for m in studies)]
    ranked = []
    for m in studies:
        keep = [name in known for name in m.skeleton.keypoints]
        part, whole = m.shares(m.kinds["clean"].right.astype(float), m.asked & np.array(keep))
        lost, asked = total(m, names, keep)
        ranked.append((weights @ part / (weights @ whole), (weights @ lost / (weights @ asked))[:, 0]))
    clean, change = np.array(ranked).swapaxes(0, 1)
    one, other = np.triu_indices(len(studies), 1)
    taus = (np.sign(clean[one] - clean[other]) * np.sign(change[one] - change[other])).mean(0)
    return "{:+.2f} ({:+.2f} to {:+.2f})".format(taus[0], *np.percentile(taus[1:], [2.5, 97.5]))


def draw(out: Path, file: Path, draws: int) -> None:
    """Draw what black discs cost by their radius, a line a network, a panel a data set."""
    figure = Figure((10, 4), layout="constrained")
    for place, (which, title) in enumerate((("coco", "COCO-mini"), ("lspet", "LSP-extended"))):
        axes = figure.add_subplot(1, 2, place + 1)
        for number, name in enumerate(NETWORKS):
            if (out / f"{name}-{which}" / "study.json").exists():
                m = read(out / f"{name}-{which}")
                each = [effects(*total(m, [f"radii-any-blackout-{r}"]), draws)[0] for r in RADII]
                value, low, high = (100 * np.array([one[i] for one in each]) for i in range(3))
                axes.errorbar(
                    np.array(RADII) + (number - 3.5) / 6,
                    value,
                    [value - low, high - value],
                    marker="o",
                    capsize=2,
                    color=f"C{number}",
                    label=name,
                )
        axes.axhline(0, color="0.6", linewidth=0.8)
        axes.set(title=title, xlabel="radius of the disc, px of a crop 192 wide", xticks=RADII)
    figure.axes[0].set_ylabel("change in correct keypoints, points")
    figure.axes[0].legend(frameon=False, fontsize="small")
    figure.savefig(file, dpi=100)


def tables(out: Path, draws: int) -> list[str]:
    """Return a table for each data set, networks in columns, and the comparison of the two MoveNets."""
    lines = []
    for which in ("coco", "lspet"):
        folders = [out / f"{name}-{which}" for name in NETWORKS if (out / f"{name}-{which}" / "study.json").exists()]
        if not folders:
            continue
        columns = {}
        for folder in folders:
            m = read(folder)
            columns[folder.name.removesuffix(f"-{which}")] = claims(m, draws) | hidden(folder, m, draws)
        rows = list(dict.fromkeys(row for column in columns.values() for row in column))
        lines += [f"| {which} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        lines += [f"| {row} | {' | '.join(c.get(row, '-') for c in columns.values())} |" for row in rows]
        lines += [f"Kendall's tau of clean and attacked, {which}: {concordance([read(f) for f in folders], draws)}", ""]
    for which in ("coco", "lspet"):
        pair = [out / f"{name}-{which}" for name in ("thunder", "lightning")]
        if all((folder / "study.json").exists() for folder in pair):
            (found,) = compare(pair, draws)
            lines += [f"thunder less lightning, {which}, {row}: {said(found.differences[row]['all'])}"
                      for row in ("clean", *found.groups)]  # fmt: skip
    return lines


def main() -> None:
    """Run the studies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--most", type=int, nargs=2, default=(60, 40), metavar=("COCO", "LSPET"))
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--figure", type=Path, help="where what discs cost by their radius is drawn")
    given = parser.parse_args()
    run(given.data, given.weights, given.out, given.networks, tuple(given.most), given.draws)
    for line in tables(given.out, given.draws):
        print(line)
    if given.figure is not None:
        draw(given.out, given.figure, given.draws)


if __name__ == "__main__":
    main()
