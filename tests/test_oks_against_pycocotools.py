"""OKS average precision from files to numbers, beside pycocotools, on problems that hypothesis makes up."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posewright.columns import Columns
from posewright.datasets import coco
from posewright.metrics import oks_ap
from posewright.metrics.oks.compared import matches
from posewright.metrics.oks.groups import gather
from posewright.metrics.oks.matching import precision_recall, summary
from posewright.metrics.oks.similarity import gather_predictions, gather_truths

WIDTH = 128
"""Coordinates are whole px below this, or quarters, so that distances, areas and scores are often exactly equal."""
AREAS = (0.0, 1023.0, 1024.0, 1024.5, 9215.75, 9216.0, 9217.0, 12000.75, 4e9, 2e10)
"""Areas of people: on both sides of the ranges' borders and on them, and larger than any picture."""
SIDES = (32.0, 96.0, 31.9, 96.1, 45.3, 0.7)
"""Sides of boxes at fractional places: exactly on the borders of the ranges, and beside them."""


@st.composite
def problems(draw, count=None, crowds=None, labels=None, people=5, results=24):
    """Draw a file of annotations and a list of results, with ties, crowds and areas on the borders."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = count or draw(st.sampled_from([1, 2, 7, 8, 9, 17, 133]))
    crowds = draw(st.sampled_from([0.0, 0.2, 0.4])) if crowds is None else crowds
    labels = draw(st.sampled_from([0.3, 0.7, 1.0])) if labels is None else labels
    sizes = draw(st.lists(st.tuples(st.integers(0, people), st.integers(0, results)), min_size=1, max_size=4))
    counted = rng.random(count) < draw(st.sampled_from([0.5, 1.0]))
    counted[rng.integers(count)] = True
    boxed = draw(st.sampled_from(["none", "all", "none first"]))
    told = draw(st.sampled_from(["keypoints", "anything"]))
    has_area = draw(st.booleans())
    annotations, found = [], []
    images = rng.permutation(50)[: len(sizes)].tolist()
    for image, (many, guesses) in zip(images, sizes, strict=True):
        xy = rng.integers(1, WIDTH, (many, count, 2)) + rng.integers(0, 4, (many, count, 2)) / 4 * rng.integers(0, 2)
        annotations += [_annotation(rng, image, one, labels, crowds, counted) for one in xy]
        found += [_result(rng, image, xy) for _ in range(guesses)]
    rng.shuffle(annotations)
    rng.shuffle(found)
    _box(rng, found, boxed)
    for number, annotation in enumerate(annotations, 1):
        annotation["id"] = number
        if told == "anything" and rng.random() < 0.3:
            annotation["num_keypoints"] = int(rng.integers(0, 2))
        if not has_area:
            del annotation["area"]
    names = [f"keypoint_{k}" for k in range(count)]
    file = {
        "images": [{"id": image, "file_name": f"{image}.jpg", "width": WIDTH, "height": WIDTH} for image in images],
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": []}],
        "annotations": annotations,
    }
    counted_by = [name for name, counts in zip(names, counted, strict=True) if counts]
    return file, found, rng.choice([0.025, 0.05, 0.107], count), counted_by if told == "keypoints" else None


def _annotation(rng, image, xy, labels, crowds, counted):
    visible = np.where(rng.random(len(xy)) < labels, rng.integers(1, 3, len(xy)), 0)
    return {
        "image_id": image, "category_id": 1, "iscrowd": int(rng.random() < crowds), "area": float(rng.choice(AREAS)),
        "bbox": _bbox(rng),
        "num_keypoints": int(((visible > 0) & counted).sum()),
        "keypoints": np.concatenate([xy * (visible[:, None] > 0), visible[:, None]], axis=1).ravel().tolist(),
    }  # fmt: skip


def _bbox(rng):
    whole = [*rng.integers(0, WIDTH, 2).tolist(), *rng.integers(1, WIDTH, 2).tolist()]
    fractional = [*(rng.random(2) * WIDTH).tolist(), *rng.choice(SIDES, 2).tolist()]
    return whole if rng.random() < 0.5 else fractional


def _box(rng, results, boxed):
    for place, result in enumerate(results):
        if boxed == "all" or (boxed == "none first" and place and rng.random() < 0.5):
            result["bbox"] = _bbox(rng)


def _result(rng, image, people):
    count = people.shape[1]
    near = people[rng.integers(len(people))] if len(people) and rng.random() < 0.8 else None
    xy = rng.integers(0, WIDTH, (count, 2)) if near is None else near
    xy = xy + rng.integers(-3, 4, (count, 2)) * rng.integers(0, 3)
    score = rng.integers(0, 5) / 4 if rng.random() < 0.5 else rng.random()
    keypoints = np.concatenate([xy, rng.integers(1, 9, (count, 1)) / 4], axis=1).ravel().tolist()
    return {"image_id": image, "category_id": 1, "keypoints": keypoints, "score": float(score)}


def assert_equal(folder, problem, evaluated):
    """Write the problem's files, read and score them with both, and compare every number."""
    file, results, sigmas, counted_by = problem
    (folder / "annotations.json").write_text(json.dumps(file))
    (folder / "results.json").write_text(json.dumps(results))
    truth = coco.read(folder, "")
    predicted = coco.read_results(folder / "results.json", truth)
    assert isinstance(predicted, Columns)
    precision, recall, numbers = evaluated(file, results, sigmas)
    found = oks_ap(predicted, truth, sigmas, counted_by=counted_by)
    np.testing.assert_array_equal(list(found.values()), numbers)

    order = np.argsort([scene.id for scene in truth])
    truths = gather_truths([truth[i] for i in order], truth[0].skeleton, counted_by=counted_by)
    predictions = gather_predictions([predicted[i] for i in order], len(sigmas))
    found = precision_recall(matches(truths, predictions, sigmas, len(truth)))
    np.testing.assert_array_equal(found[0], precision)
    np.testing.assert_array_equal(found[1], recall)


def examples(count):
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def kinds_of(file, results, matched, numbers):
    """Say what is in a problem that a wrong evaluator would get wrong."""
    keypoints = len(file["categories"][0]["keypoints"])
    told = {
        "some found": 0.05 < numbers["AP"] < 0.95 and 0.05 < numbers["AR"] < 1,
        f"{keypoints} keypoints": 0 < numbers["AP"] < 1,
        "medium and large apart": -1 < numbers["APM"] != numbers["APL"] > -1,
        "nobody is counted": bool(results) and numbers["AP"] == -1,
        "equal scores": len({result["score"] for result in results}) < len(results) / 2,
        "more than 20 in a picture": len(matched.score) < len(results),
        "the ignored are matched": (matched.ignored & (matched.person >= 0))[0].any(),
        "outside of the range": (matched.ignored & (matched.person < 0)).any(),
        "the file counts otherwise": any(
            (one["num_keypoints"] > 0) != any(v > 0 for v in one["keypoints"][2::3]) for one in file["annotations"]
        ),
        "some boxes": len({"bbox" in result for result in results}) == 2,
        "no areas": any("area" not in annotation for annotation in file["annotations"]),
        "crowds": any(annotation["iscrowd"] for annotation in file["annotations"]),
    }
    return {kind for kind, so in told.items() if so}


def test_the_problems_are_of_every_kind(tmp_path):
    seen = Counter()

    @settings(examples(300), derandomize=True)
    @given(problem=problems())
    def look(problem):
        file, results, sigmas, counted_by = problem
        (tmp_path / "annotations.json").write_text(json.dumps(file))
        (tmp_path / "results.json").write_text(json.dumps(results))
        truth = coco.read(tmp_path, "")
        predicted = coco.read_results(tmp_path / "results.json", truth)
        matched = gather(predicted, truth, sigmas, counted_by=counted_by).matches()
        seen.update(kinds_of(file, results, matched, summary(matched)))

    look()
    expected = {"some found", "medium and large apart", "nobody is counted", "equal scores", "crowds",
                "more than 20 in a picture", "the ignored are matched", "outside of the range", "some boxes",
                "the file counts otherwise", "no areas"}  # fmt: skip
    assert expected | {f"{count} keypoints" for count in (1, 17, 133)} <= seen.keys()
    assert seen["some found"] > 100


@examples(200)
@given(problem=problems())
def test_any_problem(tmp_path, evaluated, problem):
    assert_equal(tmp_path, problem, evaluated)


EXTREMES = {
    "no results": {"results": 0},
    "nobody there": {"people": 0},
    "nothing at all": {"people": 0, "results": 0},
    "all crowds": {"crowds": 1.0, "labels": 0.7},
    "nobody labelled": {"labels": 0.0},
    "one keypoint": {"count": 1, "labels": 0.7},
    "133 keypoints": {"count": 133, "labels": 0.7},
}


@pytest.mark.parametrize("name", EXTREMES)
@examples(15)
@given(data=st.data())
def test_extreme_problems(tmp_path, evaluated, name, data):
    assert_equal(tmp_path, data.draw(problems(**EXTREMES[name])), evaluated)
