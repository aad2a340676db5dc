"""Metrics against the numbers of the evaluators that published ones come from."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from posewright.metrics import oks_ap, pck, pckh
from posewright.metrics.distance.distances import distances
from posewright.metrics.oks.compared import matches
from posewright.metrics.oks.matching import precision_recall, summary
from posewright.metrics.oks.similarity import Predictions, Truths, gather_predictions, gather_truths, oks
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, CROWDPOSE, LSP, MPII, Skeleton

VECTORS = Path(__file__).parent / "vectors"


def read_json(path):
    if not path.exists():
        pytest.skip(f"{path.name} not found: set POSEWRIGHT_DATA to the data folder beside the reference vectors")
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


def true_person(annotation):
    triples = np.array(annotation["keypoints"], np.float64).reshape(-1, 3)
    visible = triples[:, 2].astype(np.uint8)
    x, y, width, height = annotation["bbox"]
    return Person(
        np.where(visible[:, None] > 0, triples[:, :2], np.nan),
        visible,
        box=np.array([x, y, x + width, y + height], np.float64),
        area=annotation.get("area"),
        crowd=bool(annotation["iscrowd"]),
    )


def predicted_person(result):
    return Person(np.array(result["keypoints"], np.float64).reshape(-1, 3)[:, :2], score=result["score"])


def scenes_of(skeleton, images, records, person):
    people = {image["id"]: [] for image in images}
    for record in records:
        people[record["image_id"]].append(person(record))
    return [Scene("", skeleton, tuple(found), id=identity) for identity, found in people.items()]


def assert_same_arrays(found, vector):
    """The vector's axes: thresholds, recalls, one category, area ranges, one limit of predictions."""
    precision, recall = precision_recall(found)
    np.testing.assert_array_equal(precision, vector["output_precision"][:, :, 0, :, 0])
    np.testing.assert_array_equal(recall, vector["output_recall"][:, 0, :, 0])
    np.testing.assert_array_equal(list(summary(found).values()), vector["output_stats"])


PUBLISHED = {
    "coco_mini": (COCO, "coco_mini/person_keypoints.json", {}),
    "crowdpose": (CROWDPOSE, "crowdpose_val.json.gz", {"box_area": 0.53, "counted_by": CROWDPOSE.keypoints[:12]}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_average_precision_is_pycocotools_bit_by_bit(name, reference, data_dir):
    skeleton, annotations, rules = PUBLISHED[name]
    vector = reference(f"coco_ap_{name}")
    file = read_json(data_dir / annotations)
    results = read_json(data_dir.parent / "reference" / str(vector["input_detections"]))
    truth = scenes_of(skeleton, file["images"], file["annotations"], true_person)
    predicted = scenes_of(skeleton, file["images"], results, predicted_person)

    score = oks_ap(predicted, truth, **rules)
    np.testing.assert_array_equal(list(score.values()), vector["output_stats"])
    assert list(score) == json.loads(str(vector["meta"]))["stat_names"]
    assert score.protocol["sigmas"] == skeleton.sigmas_source

    truth.sort(key=lambda scene: scene.id)
    predicted.sort(key=lambda scene: scene.id)
    truths, predictions = gather_truths(truth, skeleton, **rules), gather_predictions(predicted, len(skeleton))
    assert_same_arrays(matches(truths, predictions, np.array(skeleton.sigmas), len(truth)), vector)


def test_ties_crowds_borders_and_contradictions_are_resolved_as_pycocotools_does(reference):
    vector = reference("coco_ap_edge")
    people = read_json(VECTORS / str(vector["input_annotations"]))["annotations"]
    results = read_json(VECTORS / str(vector["input_detections"]))
    images = sorted({record["image_id"] for record in people + results})
    people = sorted(people, key=lambda record: record["image_id"])
    triples = np.array([a["keypoints"] for a in people], np.float64).reshape(len(people), 17, 3)
    boxes = np.array([a["bbox"] for a in people], np.float64)
    crowd = np.array([a["iscrowd"] for a in people], bool)
    truths = Truths(
        np.searchsorted(images, [a["image_id"] for a in people]),
        triples[..., :2],
        triples[..., 2] > 0,
        np.array([a["area"] for a in people], np.float64),
        np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        crowd,
        crowd | np.array([a["num_keypoints"] == 0 for a in people]),
        crowd,
    )
    xy = np.array([r["keypoints"] for r in results], np.float64).reshape(len(results), 17, 3)[..., :2]
    extent = xy.max(1) - xy.min(1)
    predictions = Predictions(
        np.searchsorted(images, [r["image_id"] for r in results]),
        xy,
        np.array([r["score"] for r in results], np.float64),
        extent[:, 0] * extent[:, 1],
    )
    found = matches(truths, predictions, vector["input_sigmas"], len(images))
    assert_same_arrays(found, vector)
    assert_same_matches(found, people, results, vector)


def assert_same_matches(found, people, results, vector):
    """Every prediction that is kept takes the same person at every threshold, and is ignored alike."""
    by_score = sorted(range(len(results)), key=lambda i: (results[i]["image_id"], -results[i]["score"]))
    rank = {}
    for i in by_score:
        rank.setdefault(results[i]["image_id"], []).append(i + 1)
    kept = [identity for image in sorted(rank) for identity in rank[image][:20]]
    place = {identity: i for i, identity in enumerate(kept)}
    columns = [place[int(identity)] for identity in vector["output_match_dt_id"]]
    assert sorted(columns) == list(range(len(kept)))
    names = np.array([a["id"] for a in people] + [0])
    np.testing.assert_array_equal(names[found.person[0][:, columns]], vector["output_match_gt_id"])
    np.testing.assert_array_equal(found.ignored[0][:, columns], vector["output_match_ignore"] > 0)


@pytest.mark.parametrize("name", ["coco_mini", "crowdpose"])
def test_similarity_is_pycocotools_bit_by_bit(name, reference):
    vector = reference(f"oks_matrix_{name}")
    people, results = vector["input_gt_split"], vector["input_dt_split"]
    corner = vector["input_gt_bbox"][:, :2]
    boxes = np.concatenate([corner, corner + vector["input_gt_bbox"][:, 2:]], axis=1)
    labelled = vector["input_gt_keypoints"][..., 2] > 0
    for i, start in enumerate(vector["output_oks_split"][:-1]):
        p, d = slice(people[i], people[i + 1]), slice(results[i], results[i + 1])
        found = oks(
            vector["input_gt_keypoints"][p, :, :2],
            labelled[p],
            vector["input_gt_area"][p],
            boxes[p],
            vector["input_dt_keypoints"][d, :, :2],
            vector["input_sigmas"],
        )
        expected = vector["output_oks"][start : start + found.size].reshape(found.shape)
        known = labelled[p].any(1)
        np.testing.assert_array_equal(found[:, known], expected[:, known])
        # without a label the box counts, and xyxy rounds its sides once more than xywh does
        np.testing.assert_allclose(found[:, ~known], expected[:, ~known], rtol=1e-12, atol=1e-15)


def alone(skeleton, keypoints, **fields):
    return [
        Scene("", skeleton, (Person(xy.astype(np.float64), **{k: v[i] for k, v in fields.items()}),))
        for i, xy in enumerate(keypoints)
    ]


@pytest.mark.parametrize("name", ["lsp_pc", "flic_oc"])
def test_pck_is_that_of_the_lsp_and_flic_evaluation(name, reference):
    vector = reference("pck_lsp")
    names = tuple(json.loads(str(vector["meta"]))["sets"][name]["joints"])
    skeleton = LSP if names == LSP.keypoints else Skeleton("flic_oc", names, ())
    xy = vector[f"input_{name}_gt"]
    truth, predicted = alone(skeleton, xy), alone(skeleton, vector[f"input_{name}_pred"])
    for row, threshold in enumerate(0.01 * np.arange(21)):
        score = pck(predicted, truth, threshold)
        key = f"PCK@{threshold:g}"
        per_cent = [100 * score[f"{key}/{k}"] for k in names] + [100 * score[key]]
        np.testing.assert_allclose(per_cent, vector[f"output_{name}_pck"][row], rtol=1e-14)
    torso = np.linalg.norm(xy[:, skeleton.index("left_shoulder")] - xy[:, skeleton.index("right_hip")], axis=1)
    away = distances(vector[f"input_{name}_pred"], xy, torso)
    np.testing.assert_allclose(away, vector[f"output_{name}_distance"], rtol=1e-12)


OFFICIAL_ORDER = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9]
PARTS = ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"]


@pytest.mark.parametrize("name", ["tompson", "hg_s1_b1", "hg_s2_b1"])
def test_pckh_is_that_of_mpii_and_hrnet_and_bearpaw(name, reference, data_dir):
    vector = reference("pckh_mpii")
    with np.load(data_dir / "mpii" / "detections.npz") as file:
        annotated = file["jnt_missing"][..., None] == 0
        truth = alone(MPII, np.where(annotated, file["gt"], np.nan), head=file["headboxes"].reshape(-1, 4))
        found = file["pred_tompson"]
    if name != "tompson":
        with np.load(data_dir / "mpii" / "predictions.npz") as file:
            found = file[name]
    predicted = alone(MPII, found)

    for row in range(0, 51, 10):
        key, score = f"PCKh@{row / 100:g}", pckh(predicted, truth, 0.01 * row)
        per_cent = [100 * score[f"{key}/{MPII.keypoints[k]}"] for k in OFFICIAL_ORDER]
        np.testing.assert_allclose(per_cent, vector[f"output_{name}_official_curve"][row, :14], rtol=1e-14)
        np.testing.assert_allclose(100 * score[key], vector[f"output_{name}_official_curve"][row, -1], rtol=1e-14)

    score, each = pckh(predicted, truth), vector[f"output_{name}_pckh05_joints"]
    np.testing.assert_allclose([100 * score[f"PCKh@0.5/{k}"] for k in MPII.keypoints], each, rtol=1e-13)
    mean = 100 * score["PCKh@0.5/mean_of_keypoints"]
    np.testing.assert_allclose(mean, vector[f"output_{name}_pckh05_table"][-1], rtol=1e-13)

    sides = [("head_top", "head_top"), *((f"left_{part}", f"right_{part}") for part in PARTS)]
    table = [50 * sum(score[f"PCKh@0.5/{k}"] for k in pair) for pair in sides]
    nearest = pckh(predicted, truth, 0.11)["PCKh@0.11"]
    expected = vector[f"output_{name}_hrnet_table"]
    np.testing.assert_allclose([*table, 100 * score["PCKh@0.5"], 100 * nearest], expected, rtol=1e-13)
