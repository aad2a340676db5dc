"""Suppressions against the originals: HRNet's OKS-NMS, AlphaPose's pose NMS, MultiPoseNet's box NMS."""

import numpy as np
import pytest

from posewright.geometry.boxes import box_nms
from posewright.metrics import oks_nms, pose_nms, rescored, soft_oks_nms
from posewright.metrics.oks.oks_nms import similarity_to
from posewright.metrics.oks.pose_nms import COINCIDE_WITHIN, SHARE_OF_BOX, similarity
from posewright.scene import Person
from posewright.skeleton import COCO

SIGMAS = np.array(COCO.sigmas)


@pytest.fixture
def ranked(reference):
    """HRNet's people after rescoring; `id` is the place in the vector."""
    vector = reference("oks_nms")
    triples, area, score = vector["input_keypoints"], vector["input_area"], vector["input_box_score"]
    people = [
        Person(triples[i, :, :2], scores=triples[i, :, 2], score=float(score[i]), area=float(area[i]), id=i)
        for i in range(len(triples))
    ]
    return vector, rescored(people)


def test_rescoring_is_hrnets(ranked):
    vector, people = ranked
    np.testing.assert_allclose([person.score for person in people], vector["output_rescored"], rtol=1e-15)


@pytest.mark.parametrize(("name", "counted_above"), [("output_oks", None), ("output_oks_vis0.2", 0.2)])
def test_similarity_of_two_predictions_is_hrnets_bit_by_bit(ranked, name, counted_above):
    vector, people = ranked
    rows = [similarity_to(person, people, SIGMAS, counted_above) for person in people]
    np.testing.assert_array_equal(rows, vector[name])


@pytest.mark.parametrize("threshold", [0.9, 0.7, 0.5])
def test_who_is_kept_is_hrnets_choice_in_its_order(ranked, threshold):
    vector, people = ranked
    hard, soft = oks_nms(people, SIGMAS, threshold), soft_oks_nms(people, SIGMAS, threshold)
    assert [person.id for person in hard] == vector[f"output_keep_{threshold}"].tolist()
    assert [person.id for person in soft] == vector[f"output_soft_keep_{threshold}"].tolist()


def test_only_keypoints_that_are_sure_in_the_second_count_as_in_hrnet(ranked):
    vector, people = ranked
    kept = oks_nms(people, SIGMAS, 0.7, counted_above=0.2)
    assert [person.id for person in kept] == vector["output_keep_0.7_vis0.2"].tolist()


def test_defaults_are_those_of_hrnets_evaluation(ranked):
    vector, people = ranked
    for form, kept in (("hard", oks_nms(people, SIGMAS)), ("soft", soft_oks_nms(people, SIGMAS))):
        assert [person.id for person in kept] == vector[f"output_evaluate_{form}_keep"].tolist()
        np.testing.assert_allclose(
            [person.score for person in kept], vector[f"output_evaluate_{form}_score"], rtol=1e-15
        )


@pytest.fixture
def crowd(reference):
    vector = reference("alphapose_pose_nms")
    poses, scores, boxes = (
        vector[f"input_{name}"].astype(np.float64) for name in ("pose_preds", "pose_scores", "bboxes")
    )
    return vector, [
        Person(poses[i], scores=scores[i, :, 0], score=float(vector["input_bbox_scores"][i, 0]), box=boxes[i], id=i)
        for i in range(len(poses))
    ]


def test_similarity_of_poses_is_alphaposes(crowd):
    vector, people = crowd
    poses, scores, boxes = (np.array([getattr(p, name) for p in people]) for name in ("keypoints", "scores", "box"))
    reach = np.minimum(SHARE_OF_BOX * (boxes[:, 2:] - boxes[:, :2]).max(1), COINCIDE_WITHIN)
    away = np.linalg.norm(poses[:, None] - poses, axis=-1)
    found = np.array([similarity(away[i], scores[i], scores) for i in range(len(people))])
    np.testing.assert_allclose(found, vector["output_similarity"], rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal((away <= reach[:, None, None]).sum(-1), vector["output_match_count"])


@pytest.mark.parametrize("area", [0, 20000])
def test_merged_people_are_alphaposes(crowd, area):
    vector, people = crowd
    kept = pose_nms(people, area)
    assert [person.id for person in kept] == vector[f"output_area{area}_pick"].tolist()
    for person, pose, scores, box, score in zip(
        kept, *(vector[f"output_area{area}_{name}"] for name in ("pose_preds", "pose_scores", "bboxes", "bbox_scores")),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(person.keypoints, pose, atol=1e-4)
        np.testing.assert_allclose(person.scores, scores, atol=1e-6)
        np.testing.assert_array_equal(person.box, box)
        assert person.score == score


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_boxes_kept_are_multiposenets(reference, threshold):
    vector = reference("nms")
    boxes, scores = vector["input_dets"][:, :4], vector["input_dets"][:, 4]
    expected = vector[f"output_keep_{threshold:g}".replace(".", "")]
    np.testing.assert_array_equal(box_nms(boxes, scores, threshold, pixel=1), expected)
