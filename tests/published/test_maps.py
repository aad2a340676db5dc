"""MPII's, poseval's and AI Challenger's mean average precision against the programs that publish them."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pytest

from posewright.datasets import aic
from posewright.metrics import aic_map, mpii_map
from posewright.metrics.oks.aic_map import seen_oks
from posewright.scene import Person, Scene
from posewright.skeleton import AIC, MPII, Skeleton

WITH_NOSE = Skeleton("mpii_and_nose", (*MPII.keypoints, "nose"), ())


def mpii_scenes(vector, kind, person):
    keypoints = np.where(vector[f"input_{kind}_valid"][..., None], vector[f"input_{kind}_keypoints"], np.nan)
    return [
        Scene("", WITH_NOSE, tuple(person(i, keypoints[i]) for i in range(start, end)))
        for start, end in pairwise(vector[f"input_{kind}_split"])
    ]


@pytest.fixture(scope="module")
def multi_person(reference):
    vector = reference("mpii_map")
    heads, scores = vector["input_gt_headbox"].reshape(-1, 4), vector["input_pred_score"]
    truth = mpii_scenes(vector, "gt", lambda i, xy: Person(xy, head=heads[i]))
    predicted = mpii_scenes(vector, "pred", lambda i, xy: Person(xy, scores=scores[i]))
    return vector, predicted, truth


@pytest.mark.parametrize(("program", "without"), [("mpii", "skipped"), ("poseval", "counted")])
def test_mean_average_precision_is_that_of_mpii_and_of_poseval(multi_person, program, without):
    vector, predicted, truth = multi_person
    names = [WITH_NOSE.keypoints[k] for k in json.loads(str(vector["meta"]))[f"{program}_joints"]]
    score = mpii_map(predicted, truth, without, names)

    found = [*(score[f"AP/{name}"] for name in names), score["mAP"]]
    np.testing.assert_allclose(100 * np.array(found), vector[f"output_ap_{program}"], rtol=1e-13)
    assert score.protocol["keypoints"] == vector[f"output_n_gt_{program}"].sum()
    assert score.protocol["keypoints_counted"] == ", ".join(names)
    if program == "poseval":
        for number in ("precision", "recall"):
            found = [*(score[f"{number}/{name}"] for name in names), score[number]]
            np.testing.assert_allclose(100 * np.array(found), vector[f"output_{number}_poseval"], rtol=1e-13)


def test_the_two_programs_disagree_by_what_they_count(multi_person):
    _, predicted, truth = multi_person
    skipped, counted = (mpii_map(predicted, truth, without) for without in ("skipped", "counted"))
    assert skipped.protocol["scenes_without_predictions"] > 0
    assert skipped["mAP"] > counted["mAP"]
    assert skipped["precision"] == counted["precision"]


@pytest.fixture(scope="module")
def challenge(data_dir):
    return aic.read(data_dir / "aic_eval", "validation")


@pytest.mark.parametrize("name", ["example", "perturbed"])
def test_ai_challengers_map_is_its_evaluators_bit_by_bit(name, challenge, reference, data_dir):
    vector = reference("aic_map")
    file = str(vector[f"input_predictions_{name}"])
    path = data_dir.parent / file if "/" in file else data_dir.parent / "reference" / file
    records = {r["image_id"]: r["keypoint_annotations"] for r in json.loads(gzip.decompress(path.read_bytes()))}
    predicted = [
        Scene("", AIC, tuple(_predicted(row) for row in records.get(scene.id, {}).values()), id=scene.id)
        for scene in challenge
    ]
    score = aic_map(predicted, challenge)
    assert score["mAP"] == vector[f"output_{name}_score"]
    assert score.protocol["counted"] == vector[f"output_{name}_n_max"]
    assert score.protocol["sigmas"] == "AI Challenger's evaluator"

    pairs = {true.id: (guess.people, true.people) for guess, true in zip(predicted, challenge, strict=True)}
    shapes = vector[f"output_{name}_oks_shape"]
    ends = np.cumsum(shapes.prod(1))
    for image, shape, end in zip(vector[f"output_{name}_oks_image"], shapes, ends, strict=True):
        if shape.all():
            expected = vector[f"output_{name}_oks"][end - shape.prod() : end].reshape(shape)
            np.testing.assert_array_equal(seen_oks(*pairs[str(image)], np.array(AIC.sigmas)).T, expected)


def _predicted(row):
    """The evaluator takes a predicted keypoint wherever it is said to be, whatever its v."""
    return Person(np.array(row, np.float64).reshape(14, 3)[:, :2])
