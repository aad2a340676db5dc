"""AP by the state of the truth, and CrowdPose's, against COCO's evaluator on filtered truth and CrowdPose's own."""

import gzip
import json

import numpy as np
import pytest

from posewright.datasets import crowdpose
from posewright.metrics.oks.by_state import ap_by_keypoint, ap_by_visibility
from posewright.metrics.oks.crowding import BOX_AREA, crowd_index, crowdpose_ap
from posewright.metrics.oks.groups import NUMBERS, gather, with_keypoints
from posewright.metrics.oks.matching import precision_recall, summary
from posewright.scene import HIDDEN, SEEN, Person, Scene
from posewright.skeleton import COCO, CROWDPOSE

COLUMNS = {"AP": 0, "AP50": 1, "AP75": 2, "AR": 5}
"""Where the numbers that a group is told by stand among COCO's ten."""


def true_people(triples, boxes, areas, crowds):
    visible = triples[..., 2].astype(np.uint8)
    return [
        Person(
            np.where(v[:, None] > 0, xyv[:, :2], np.nan),
            v,
            box=np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]]),
            area=area,
            crowd=bool(crowd),
        )
        for xyv, v, box, area, crowd in zip(triples, visible, boxes, areas, crowds, strict=True)
    ]


def scenes_of(skeleton, images, image_of_person, people):
    inside = {int(image): [] for image in images}
    for image, person in zip(image_of_person, people, strict=True):
        inside[int(image)].append(person)
    return [Scene("", skeleton, tuple(found), id=image) for image, found in inside.items()]


@pytest.fixture(scope="module")
def coco_mini(reference):
    """The vectors, true scenes, predicted ones and attacked ones."""
    vector = reference("ap_by_state_coco_mini")
    fields = (vector[f"input_people_{name}"] for name in ("keypoints", "bbox", "area", "crowd"))
    truth = scenes_of(COCO, vector["input_images"], vector["input_people_image"], true_people(*fields))
    found = [
        scenes_of(
            COCO,
            vector["input_images"],
            vector["input_found_image"],
            [
                Person(xy, score=float(score))
                for xy, score in zip(vector[key], vector["input_found_score"], strict=True)
            ],
        )
        for key in ("input_found_keypoints", "input_found_keypoints_attacked")
    ]
    return vector, truth, *found


@pytest.fixture(scope="module")
def crowdpose_val(data_dir):
    """CrowdPose's validation file, and what reads results of it."""
    with gzip.open(data_dir / "crowdpose_val.json.gz") as file:
        content = json.load(file)
    people = content["annotations"]
    images = [image["id"] for image in content["images"]]
    truth = scenes_of(
        CROWDPOSE,
        images,
        [person["image_id"] for person in people],
        true_people(
            np.array([person["keypoints"] for person in people], np.float64).reshape(-1, 14, 3),
            [person["bbox"] for person in people],
            [None] * len(people),
            [person["iscrowd"] for person in people],
        ),
    )

    def found(name):
        with gzip.open(data_dir.parent / "reference" / name) as file:
            results = json.load(file)
        xy = np.array([result["keypoints"] for result in results], np.float64).reshape(-1, 14, 3)[..., :2]
        guesses = [Person(one, score=result["score"]) for one, result in zip(xy, results, strict=True)]
        return scenes_of(CROWDPOSE, images, [result["image_id"] for result in results], guesses)

    return truth, found


def assert_numbers(score, group, stats):
    assert [score[group.format(name)] for name in NUMBERS] == [stats[COLUMNS[name]] for name in NUMBERS]


def assert_keypoints(score, names, stats, people):
    for k, name in enumerate(names):
        assert_numbers(score, f"{{}}/{name}", stats[k])
        assert score.protocol[f"people/{name}"] == people[k]


def test_seen_and_hidden_keypoints_are_scored_as_coco_scores_filtered_truth(coco_mini):
    vector, truth, predicted, _ = coco_mini
    score = ap_by_visibility(predicted, truth)
    for group in ("vis", "invis"):
        assert_numbers(score, f"{{}}_{group}", vector[f"output_{group}_stats"])
        assert score.protocol[f"people/{group}"] == vector[f"output_{group}_people"]


def test_every_keypoint_is_scored_as_coco_scores_it_alone_and_an_attack_s_loss_is_the_difference(coco_mini):
    vector, truth, predicted, attacked = coco_mini
    before, after = ap_by_keypoint(predicted, truth), ap_by_keypoint(attacked, truth)
    people = vector["output_keypoint_people"]
    assert_keypoints(before, COCO.keypoints, vector["output_keypoint_stats"], people)
    assert_keypoints(after, COCO.keypoints, vector["output_keypoint_stats_attacked"], people)
    lost = np.array([before[f"AP/{name}"] - after[f"AP/{name}"] for name in COCO.keypoints])
    np.testing.assert_array_equal(lost, vector["output_keypoint_loss"])
    assert set(np.argsort(lost)[-2:]) == {1, 2}


@pytest.mark.parametrize("name", ["coco_mini", "crowdpose"])
def test_the_groups_ten_numbers_and_precision_are_coco_s(name, request, reference):
    vector = reference(f"coco_ap_vis_invis_{name}")
    if name == "crowdpose":
        truth, found = request.getfixturevalue("crowdpose_val")
        problem = gather(found(str(vector["input_detections"])), truth, box_area=BOX_AREA)
    else:
        _, truth, predicted, _ = request.getfixturevalue("coco_mini")
        problem = gather(predicted, truth)
    visible = np.array([person.visible for person in problem.people])
    for group, state in (("vis", SEEN), ("invis", HIDDEN)):
        matched = with_keypoints(problem, visible == state).matches()
        precision, recall = precision_recall(matched)
        np.testing.assert_array_equal(precision, vector[f"output_{group}_precision"][:, :, 0, :, 0])
        np.testing.assert_array_equal(recall, vector[f"output_{group}_recall"][:, 0, :, 0])
        assert list(summary(matched).values()) == vector[f"output_{group}_stats"].tolist()
        assert (visible == state).any(1).sum() == vector[f"output_{group}_gt_with_keypoints"]


@pytest.mark.parametrize("name", ["coco_mini", "crowdpose"])
@pytest.mark.parametrize("attack", ["", "_attacked"])
def test_every_keypoint_s_ten_numbers_are_coco_s(name, attack, request, reference):
    vector = reference(f"ap_per_keypoint_{name}")
    if name == "crowdpose":
        truth, found = request.getfixturevalue("crowdpose_val")
        problem = gather(found(str(vector[f"input_detections{attack}"])), truth, box_area=BOX_AREA)
    else:
        _, truth, *found = request.getfixturevalue("coco_mini")
        problem = gather(found[bool(attack)], truth)
    alone = np.eye(len(problem.skeleton), dtype=bool)
    for k, expected in enumerate(vector[f"output_stats{attack}"]):
        assert list(summary(with_keypoints(problem, alone[k]).matches()).values()) == expected.tolist()
        assert problem.truths.labelled[:, k].sum() == vector["output_gt_with_keypoint"][k]


def test_crowdpose_s_numbers_and_levels_are_its_evaluator_s(crowdpose_val, reference, data_dir):
    truth, found = crowdpose_val
    vector = reference("crowdpose_ap")
    predicted = found(str(vector["input_detections"]))
    known = crowdpose.crowd_index(data_dir / "crowdpose_val.json.gz")
    of_file = [known[scene.id] for scene in truth]
    for levels, key in (("code", "output_type_ap_020_080"), ("paper", "output_type_ap_010_080")):
        score = crowdpose_ap(predicted, truth, levels, of_file)
        whole = [score[name] for name in ("AP", "AP50", "AP75", "AR", "AR50", "AR75")]
        assert whole == vector["output_stats"][[0, 1, 2, 5, 6, 7]].tolist()
        apart = [score[f"AP/{name}"] for name in ("easy", "medium", "hard")]
        assert apart == vector[key].tolist()
        assert dict(crowdpose_ap(predicted, truth, levels)) == dict(score)
    of_code = crowdpose_ap(predicted, truth)
    assert [round(of_code[f"AP/{name}"], 4) for name in ("easy", "medium", "hard")] == vector["output_stats"][
        8:
    ].tolist()


def test_every_crowd_index_of_crowdpose_s_file_follows_from_its_annotations(crowdpose_val, data_dir):
    truth, _ = crowdpose_val
    known = crowdpose.crowd_index(data_dir / "crowdpose_val.json.gz")
    found = {scene.id: crowd_index(scene) for scene in truth}
    assert len(found) == 2000
    np.testing.assert_array_equal(np.round(list(found.values()), 2), [known[image] for image in found])
