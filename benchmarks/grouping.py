"""Time of grouping keypoints into people, beside each method's rule written down plainly.

    python benchmarks/grouping.py

Twenty people stand in a picture; heatmaps, tags and fields are drawn from them with noise. All run in one process on
one thread, one after the other in turn, so that what disturbs one disturbs all; the median of the rounds' CPU time
counts, and both must find the same people. The plain rules do as the original codes do: whole maps are enlarged and
filtered, and pairs, people and boxes are gone through in Python.
"""

import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path
from time import perf_counter, thread_time

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.optimize import linear_sum_assignment

from posewright.codecs.bottom_up.affinity_fields import limb_places
from posewright.codecs.bottom_up.affinity_parsing import Connections, Peaks, assemble
from posewright.codecs.bottom_up.anchors import anchors, decode_boxes, encode_boxes, found_boxes
from posewright.codecs.bottom_up.higher_hrnet import HigherHRNet
from posewright.codecs.bottom_up.openpose import OpenPose, evaluation_order, free_limbs
from posewright.codecs.bottom_up.residual_grouping import GRID, blurred
from posewright.codecs.bottom_up.subset_partition import solve
from posewright.codecs.bottom_up.tag_grouping import Rules, order_of
from posewright.estimators.runtimes.residual import load
from posewright.fields import Limbs, Tags
from posewright.geometry.boxes import box_nms, overlap
from posewright.models.prn import prn_released
from posewright.scene import Person
from posewright.skeleton import COCO
from posewright.train.export.residual import export_prn

ROUNDS, PEOPLE = 9, 20
BODY = np.array([(0, -42), (5, -46), (-5, -46), (10, -44), (-10, -44), (16, -26), (-16, -26), (26, -8), (-26, -8),
                 (30, 10), (-30, 10), (12, 6), (-12, 6), (14, 26), (-14, 26), (15, 46), (-15, 46)]) / 100  # fmt: skip


def people_in(size: tuple[int, int], rng: np.random.Generator, missing: int = 0) -> list[Person]:
    """Stand twenty people in rows of five, `missing` of their keypoints left out."""
    step = np.array([size[0] / 5, size[1] / 4])
    found = []
    for number in range(PEOPLE):
        middle = (np.array([number % 5, number // 5]) + 0.5) * step
        found.append(middle + 0.9 * step[1] * BODY + rng.uniform(-2, 2, BODY.shape))
    xy = np.array(found)
    flat = xy.reshape(-1, 2)
    flat[rng.choice(len(flat), missing, replace=False)] = np.nan
    return [Person(one) for one in xy]


def plain_tags(maps: np.ndarray, tags: np.ndarray) -> list[np.ndarray]:
    """HigherHRNet's published rule: maxima of whole maps, assignment, a search of the whole map for every keypoint."""
    kept = np.where(np.stack([maximum_filter(one, 5) for one in maps]) == maps, maps, 0)
    groups: list[list] = []
    _h, w = maps.shape[1:]
    for k in order_of(COCO):
        places = np.argsort(-kept[k].ravel(), kind="stable")[:30]
        rows = [(p % w, p // w, kept[k].flat[p], tags[:, k].reshape(len(tags), -1)[:, p]) for p in places]
        rows = [row for row in rows if row[2] > 0.1]
        if not rows:
            continue
        away = np.array(
            [[np.linalg.norm(row[3].astype(float) - np.mean(group[1], 0)) for group in groups] for row in rows]
        )
        chosen = {}
        if groups:
            chosen = dict(
                zip(*linear_sum_assignment(np.round(away) * 100 - np.array([[float(r[2])] for r in rows])), strict=True)
            )
        for i, row in enumerate(rows):
            group = groups[chosen[i]] if i in chosen and away[i, chosen[i]] < 1 else None
            if group is None:
                group = [{}, []]
                groups.append(group)
            group[0][k] = row
            group[1].append(row[3])
    return [_refined(group[0], maps, tags) for group in groups]


def _refined(members: dict, maps: np.ndarray, tags: np.ndarray) -> np.ndarray:
    mean = np.mean([row[3] for row in members.values()], 0)
    person = np.full((len(maps), 2), np.nan)
    for k, one in enumerate(maps):
        away = np.sqrt(((tags[:, k] - mean[:, None, None]) ** 2).sum(0))
        y, x = np.unravel_index((one - np.round(away)).argmax(), one.shape)
        if k in members:
            x, y = members[k][:2]
        elif one[y, x] <= 0:
            continue
        h, w = one.shape
        right = one[y, min(x + 1, w - 1)] > one[y, max(x - 1, 0)]
        below = one[min(y + 1, h - 1), x] > one[max(y - 1, 0), x]
        person[k] = x + (0.75 if right else 0.25), y + (0.75 if below else 0.25)
    return person


def plain_fields(codec: OpenPose, maps: np.ndarray, limbs: np.ndarray) -> list[Person]:
    """OpenPose's rule: enlarge all maps and fields, filter, and go through the pairs in Python."""
    large = [cv2.resize(one, codec.size, interpolation=cv2.INTER_CUBIC) for one in maps]
    wide = [cv2.resize(one, codec.size, interpolation=cv2.INTER_CUBIC) for one in limbs]
    peaks = []
    for one in large:
        smooth = gaussian_filter(one, 3)
        around = np.pad(smooth, 1)
        top = (smooth >= around[1:-1, :-2]) & (smooth >= around[1:-1, 2:]) & (smooth >= around[:-2, 1:-1])
        y, x = np.nonzero(top & (smooth >= around[2:, 1:-1]) & (smooth > 0.1))
        peaks.append(Peaks(x, y, one[y, x].astype(np.float64)))
    order, ends = evaluation_order(codec.drawn), limb_places(codec.drawn)
    found = [_connected(*(peaks[k] for k in ends[i]), wide[2 * i], wide[2 * i + 1], codec.size[1]) for i in order]
    grouped = assemble(peaks, [ends[limb] for limb in order], found, free_limbs(codec.drawn))
    return codec.told(peaks, grouped)


def _connected(first: Peaks, second: Peaks, across: np.ndarray, down: np.ndarray, height: float) -> Connections:
    pairs = []
    for i in range(len(first.x)):
        for j in range(len(second.x)):
            way = np.array([second.x[j] - first.x[i], second.y[j] - first.y[i]], float)
            length = max(0.001, np.hypot(*way))
            x = np.round(np.linspace(first.x[i], second.x[j], 10)).astype(int)
            y = np.round(np.linspace(first.y[i], second.y[j], 10)).astype(int)
            along = (across[y, x] * way[0] + down[y, x] * way[1]) / length
            score = along.mean() + min(0.5 * height / length - 1, 0)
            if (along > 0.05).sum() > 8 and score > 0:
                pairs.append((score, i, j))
    accepted: list[tuple[float, int, int]] = []
    for pair in sorted(pairs, key=lambda pair: -pair[0]):
        if all(pair[1] != one[1] and pair[2] != one[2] for one in accepted):
            accepted.append(pair)
    score, i, j = np.array(accepted).reshape(-1, 3).T
    return Connections(i.astype(int), j.astype(int), score)


def plain_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Go through boxes in Python."""
    order, kept = list(np.argsort(-scores, kind="stable")), []
    while order:
        best = order.pop(0)
        kept.append(int(best))
        left = []
        for other in order:
            a, b = boxes[best], boxes[other]
            inner = max(min(a[2], b[2]) - max(a[0], b[0]) + 1, 0) * max(min(a[3], b[3]) - max(a[1], b[1]) + 1, 0)
            areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
            if inner / (sum(areas) - inner) < threshold:
                left.append(other)
        order = left
    return kept


def milliseconds(contenders: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median CPU time of each contender, measured in turn after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            start = thread_time()
            contender()
            if turn:
                times[name].append(1000 * (thread_time() - start))
    return {name: float(np.median(found)) for name, found in times.items()}


def same_people(found: list[Person], others: list[np.ndarray]) -> bool:
    """Whether two lists hold the same keypoints, in any order."""
    ours = sorted(np.nan_to_num(one.keypoints, nan=-1).round(6).tolist() for one in found)
    theirs = sorted(np.nan_to_num(one, nan=-1).round(6).tolist() for one in others)
    return ours == theirs


def tell(work: str, times: dict[str, float], same: bool) -> None:
    plain = times.get("plain", float("nan"))
    print(f"{work:44} ours {times['ours']:8.2f} ms   plain {plain:8.1f} ms   {plain / times['ours']:6.1f} x   "
          f"{'the same' if same else 'NOT THE SAME'}")  # fmt: skip


def tags(rng: np.random.Generator) -> None:
    codec = HigherHRNet(COCO, size=(512, 512), rules=Rules(published=True))
    for missing in (0, 110):
        fields = codec.perfect(codec.encode([people_in(codec.size, rng, missing)]))
        maps = fields.maps + rng.uniform(0, 0.05, fields.maps.shape).astype(np.float32)
        both = np.concatenate([fields.tags, fields.tags], 1)
        noisy = Tags(maps, both + rng.normal(0, 0.1, both.shape).astype(np.float32))
        ours = codec.decode(noisy)[0]
        plain = [2 * one for one in plain_tags(noisy.maps[0], noisy.tags[0])]
        contenders = {
            "ours": lambda n=noisy: codec.decode(n),
            "plain": lambda n=noisy: plain_tags(n.maps[0], n.tags[0]),
        }
        tell(
            f"tags, 17x256x256, {len(ours)} people, {missing} absent",
            milliseconds(contenders),
            same_people(ours, plain),
        )


def fields(rng: np.random.Generator) -> None:
    codec = OpenPose(COCO, size=(640, 480))
    drawn = codec.encode([people_in(codec.size, rng, 20)])
    noisy = Limbs(*(array + rng.normal(0, 0.02, array.shape).astype(np.float32) for array in drawn[:2]))
    ours, plain = codec.decode(noisy)[0], plain_fields(codec, noisy.maps[0, :-1], noisy.limbs[0])
    contenders = {
        "ours": lambda: codec.decode(noisy),
        "plain": lambda: plain_fields(codec, noisy.maps[0, :-1], noisy.limbs[0]),
    }
    same = same_people(ours, [one.keypoints for one in plain])
    tell(f"affinity fields, 640x480, {len(ours)} people", milliseconds(contenders), same)


def boxes(rng: np.random.Generator) -> None:
    size = (576, 384)
    middles, extents = rng.uniform(60, 320, (PEOPLE, 2)), rng.uniform(40, 150, (PEOPLE, 2))
    who = rng.integers(0, PEOPLE, 2000)
    middle, half = middles[who] + rng.normal(0, 6, (2000, 2)), extents[who] * rng.uniform(0.4, 0.6, (2000, 2))
    found = np.concatenate([middle - half, middle + half], 1).astype(np.float32)
    scores = rng.random(2000).astype(np.float32)
    same = plain_nms(found, scores, 0.3) == box_nms(found, scores, 0.3, pixel=1).tolist()
    contenders = {"ours": lambda: box_nms(found, scores, 0.3, pixel=1), "plain": lambda: plain_nms(found, scores, 0.3)}
    tell("suppression of 2,000 boxes", milliseconds(contenders), same)
    count = len(anchors(size))
    people = np.concatenate([middles - extents / 2, middles + extents / 2], 1)
    shared = overlap(anchors(size), people)
    nearest = np.argsort(-shared.max(1), kind="stable")[:2000]
    said, deltas = np.full(count, 0.01, np.float32), np.zeros((count, 4), np.float32)
    said[nearest] = rng.permutation(np.linspace(0.06, 0.99, len(nearest)))
    deltas[nearest] = encode_boxes(anchors(size)[nearest].astype(float), people[shared[nearest].argmax(1)])
    deltas[nearest] += rng.normal(0, 0.3, (len(nearest), 4))

    def plainly() -> np.ndarray:
        decoded = decode_boxes(anchors(size), deltas, size)
        likely = np.flatnonzero(said > 0.05)
        return likely[plain_nms(decoded[likely], said[likely], 0.3)]

    ours = found_boxes(said, deltas, size, most=count)[1]
    contenders = {"ours": lambda: found_boxes(said, deltas, size, most=count), "plain": plainly}
    tell(f"RetinaNet at 384x576, {count} anchors", milliseconds(contenders, 3), (said[plainly()] == ours).all())


def residual(rng: np.random.Generator) -> None:
    """PRN of 1024 nodes, as released, by chance: a box a call in torch, and twenty in one call by ONNX Runtime."""
    torch.set_num_threads(1)
    network = prn_released(17).eval()
    marks = np.full((PEOPLE, 17, GRID[1], GRID[0]), -1)
    for box in marks.reshape(PEOPLE, -1):
        box[rng.choice(box.size, 25, replace=False)] = 0
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for name, int8 in (("fp32", False), ("int8", True)):
            file = Path(folder) / f"{name}.onnx"
            drift = export_prn(network, COCO.keypoints, file, int8)
            respond = load(file, 17, 1).respond
            wanted = np.concatenate([network(torch.from_numpy(blurred(one[None])))[-1].maps for one in marks])
            same = np.abs(respond(marks) - wanted).max() <= max(2 * drift, 1e-5) * wanted.max()
            contenders = {
                "ours": lambda r=respond: r(marks),
                "plain": lambda: [network(torch.from_numpy(blurred(one[None]))) for one in marks],
            }
            times = {key: value / PEOPLE for key, value in milliseconds(contenders, 5).items()}
            tell(f"pose residual network, a person of {PEOPLE}, {name}", times, same)


def programme(rng: np.random.Generator) -> None:
    people, labels, count = 6, 14, 100
    spare = count - people * labels
    who = np.append(np.repeat(np.arange(people), labels), rng.integers(0, people, spare))
    part = np.append(np.tile(np.arange(labels), people), rng.integers(0, labels, spare))
    unary = np.zeros((count, labels))
    unary[np.arange(count), part] = rng.normal(0.7, 0.2, count).clip(0.21, 0.98)
    together, alike = who[:, None] == who, part[:, None] == part
    for noise in (1.0, 1.5, 2.0):
        likely = 1 / (1 + np.exp(-np.where(together, 2.0, -2.0) - rng.normal(0, noise, (count, count))))
        likely = np.where(alike, np.where(together, 0.9, 0.01), likely)
        pairwise = np.zeros((count, count, labels, labels))
        pairwise[np.arange(count)[:, None], np.arange(count), part[:, None], part] = likely
        start = perf_counter()
        found = solve(unary, pairwise, limit_s=10)
        took = perf_counter() - start
        told = "proven optimal" if found.proven else f"gap {100 * (found.cost - found.bound) / -found.cost:.1f} %"
        print(f"programme, 100 candidates, noise {noise} in logits     ours {took:8.2f} s    {told}")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    for part in (tags, fields, boxes, residual, programme):
        part(np.random.default_rng(0))
