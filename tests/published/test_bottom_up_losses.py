"""Losses of networks that look at whole pictures, and their gradients, against the authors' own."""

import numpy as np
import pytest
import torch

from posewright.fields import Boxes, Everybody, Heatmaps, Limbs, Tagged, TaggedTwice, Tags
from posewright.losses.boxes import focal, scores_and_boxes, smooth_l1
from posewright.losses.everybody import cross_entropy_of_cells, keypoints_and_silhouettes
from posewright.losses.limbs import focal_squares
from posewright.losses.tags import associative_embedding, bell, higher_hrnet, hinge, pull_and_push, squares


def tensor(vector, name):
    return torch.from_numpy(vector[f"input_{name}"].astype(np.float32))


@pytest.fixture
def tags(reference):
    """The vector of tag losses, and where its people's keypoints lie: (B, P, K), -1 where they are absent.

    The originals' lists hold y w + x + h w k of those that are there, at the front of each row.
    """
    vector = reference("ae_loss")
    listed = vector["input_joints"]
    places = np.full(listed.shape[:3], -1)
    picture, person, row = np.nonzero(listed[..., 1])
    keypoint, place = np.divmod(listed[picture, person, row, 0], 16 * 16)
    places[picture, person, keypoint] = place
    return vector, torch.from_numpy(places)


def as_maps(tags):
    """(B, K h w, T) of the originals to (B, T, K, h, w)."""
    return tags.reshape(len(tags), 17, 16, 16, -1).permute(0, 4, 1, 2, 3)


@pytest.mark.parametrize(("output", "given", "nearness"), [
    ("exp", "tags", bell), ("max", "tags", hinge), ("ae_1d", "tags", bell), ("ae_2d", "tags_2d", bell),
])  # fmt: skip
def test_people_are_pulled_together_and_pushed_apart_as_by_the_authors(tags, output, given, nearness):
    vector, places = tags
    read = tensor(vector, given).requires_grad_()
    pull, push = pull_and_push(as_maps(read), places, nearness)
    np.testing.assert_allclose(pull.detach(), vector[f"output_{output}_pull"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(push.detach(), vector[f"output_{output}_push"], rtol=1e-6, atol=1e-8)
    (push.sum() + 2 * pull.sum()).backward()
    np.testing.assert_allclose(read.grad, vector[f"output_{output}_grad"], rtol=0, atol=1e-7)


def test_heatmaps_are_held_to_the_truth_as_by_the_authors(tags):
    vector, places = tags
    found, truth, mask = (tensor(vector, name) for name in ("pred", "gt", "mask"))
    for output in ("heatmap", "ae_heatmap", "multi_heatmap_0"):
        np.testing.assert_allclose(squares(found, truth, mask[:, None]), vector[f"output_{output}"], rtol=1e-6)
    stage = Tags(found, as_maps(tensor(vector, "tags")))
    wanted = (vector["output_ae_heatmap"] + (vector["output_ae_1d_pull"] + vector["output_ae_1d_push"]) / 1000).mean()
    total = associative_embedding([stage, stage], Tagged(truth, mask[:, None], places))
    assert float(total) == pytest.approx(2 * wanted, rel=1e-6)


def test_both_resolutions_are_weighed_as_by_higher_hrnets_authors(tags):
    vector, places = tags
    maps = [tensor(vector, name) for name in ("pred", "gt", "mask", "pred_2", "gt_2", "mask_2")]
    found, truth, mask, fine, finer, finer_mask = maps
    stages = [
        Tags(found, as_maps(tensor(vector, "tags"))),
        Heatmaps(fine),
        Tags(fine, torch.full((5, 1, 17, 32, 32), torch.nan)),
    ]
    total = higher_hrnet(stages, TaggedTwice(truth, mask[:, None], places, finer, finer_mask[:, None]))
    parts = ("heatmap_0", "heatmap_1", "push_0", "pull_0")
    assert float(total) == pytest.approx(sum(vector[f"output_multi_{part}"].mean() for part in parts), rel=1e-6)


@pytest.fixture
def anchored(reference):
    """RetinaNet's vector, and its target: which anchors are people's, left open, or neither, and their corrections."""
    vector = reference("focal_loss")
    anchors = anchors_of(*vector["input_size"]).astype(np.float32)
    count = vector["input_classification"].shape[:2]
    truth, weights, deltas = np.zeros(count), np.zeros(count), np.zeros((*count, 4))
    for picture, listed in enumerate(vector["input_annotations"]):
        people = listed[listed[:, 4] != -1, :4]
        if len(people):
            truth[picture], weights[picture], deltas[picture] = matched(anchors, people)
    target = Boxes(*(torch.from_numpy(one.astype(np.float32)) for one in (truth, deltas, weights)))
    return vector, target


def anchors_of(height, width):
    """Nine boxes a cell at strides 8 to 128, (N, 4) xyxy."""
    found = []
    for stride in (8, 16, 32, 64, 128):
        y, x = (np.mgrid[: -(-height // stride), : -(-width // stride)] + 0.5) * stride
        for ratio in (0.5, 1, 2):
            for scale in (1, 2 ** (1 / 3), 2 ** (2 / 3)):
                w = 4 * stride * scale / np.sqrt(ratio)
                found.append(
                    (stride, ratio, scale, np.stack([x - w / 2, y - w * ratio / 2, x + w / 2, y + w * ratio / 2], -1))
                )
    levels = [
        np.stack([box for step, *_, box in found if step == stride], 2).reshape(-1, 4)
        for stride in (8, 16, 32, 64, 128)
    ]
    return np.concatenate(levels)


def matched(anchors, people):
    """Say of each anchor whether it is a person's, whether it counts, and what corrects it."""
    low, high = np.maximum(anchors[:, None, :2], people[:, :2]), np.minimum(anchors[:, None, 2:], people[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), -1)
    areas, theirs = (np.prod(box[:, 2:] - box[:, :2], -1) for box in (anchors, people))
    overlap = shared / (areas[:, None] + theirs - shared)
    best = overlap.max(1)
    box = people[overlap.argmax(1)]
    size, anchor_size = box[:, 2:] - box[:, :2], anchors[:, 2:] - anchors[:, :2]
    way = (box[:, :2] + size / 2 - anchors[:, :2] - anchor_size / 2) / anchor_size
    deltas = np.concatenate([way / 0.1, np.log(np.maximum(size, 1) / anchor_size) / 0.2], 1)
    return best >= 0.5, (best >= 0.5) | (best < 0.4), deltas


def test_anchors_are_charged_as_by_the_authors(anchored):
    vector, target = anchored
    scores, deltas = (tensor(vector, name).requires_grad_() for name in ("classification", "regression"))
    wrong = focal(scores[..., 0], target.scores, target.weights)
    off = smooth_l1(deltas, target.deltas, target.scores)
    wanted = np.stack([vector[f"output_image{number}"] for number in range(4)])
    np.testing.assert_allclose(torch.stack([wrong, off], 1).detach(), wanted, rtol=1e-5)
    total = scores_and_boxes([Boxes(scores[..., 0], deltas)], target)
    wanted = vector["output_classification"] + vector["output_regression"]
    np.testing.assert_allclose(total.detach(), wanted[0], rtol=1e-5)
    total.backward()
    for found, name in ((scores, "classification"), (deltas, "regression")):
        expected = vector[f"output_grad_{name}"]
        np.testing.assert_allclose(found.grad, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_pictures_without_people_may_be_charged_as_in_the_newer_code(anchored):
    vector, target = anchored
    empty = target.weights.sum(-1) == 0
    weights = torch.where(empty[:, None], torch.ones(()), target.weights)
    wrong = focal(tensor(vector, "classification")[..., 0], target.scores, weights)
    np.testing.assert_allclose(wrong, [vector[f"output_later_image{number}"][0] for number in range(4)], rtol=1e-5)
    assert int(empty.sum()) == 1


def test_limbs_and_keypoints_are_charged_as_by_simple_poses_authors(reference):
    vector = reference("simplepose_loss")
    found = {(stack, scale): tensor(vector, f"pred_stack{stack}_scale{scale}").requires_grad_()
             for stack in range(2) for scale in (4, 3, 2, 1, 0)}  # fmt: skip
    truth = split(tensor(vector, "target"))._replace(mask=tensor(vector, "mask"))
    total = focal_squares([split(maps) for maps in found.values()], truth)
    assert float(total.detach()) == pytest.approx(float(vector["output_loss"]), rel=1e-6)
    total.backward()
    for (stack, scale), maps in found.items():
        expected = vector[f"output_grad_stack{stack}_scale{scale}"]
        gradient = maps.grad.numpy().ravel()[::37] if scale < 2 else maps.grad
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def split(maps):
    """SimplePose's 30 limbs, then its keypoints and what stands beside them."""
    return Limbs(maps[:, 30:], maps[:, :30])


def test_keypoints_are_charged_as_by_the_communitys_multiposenet(reference):
    """Its levels' last map, which the target lacks, is not learnt."""
    vector = reference("multiposenet_targets")
    levels = [Heatmaps(tensor(vector, f"pred_{number}")) for number in range(4)]
    answer = Everybody(tensor(vector, "pred_4"), None, None, None)
    target = Everybody(tensor(vector, "gt"), None, None, None, mask=tensor(vector, "weight"))
    each = [float(keypoints_and_silhouettes([stage], target)) for stage in (*levels, answer)]
    np.testing.assert_allclose(each, vector["output_keypoint_loss"][1:], rtol=1e-6)
    total = keypoints_and_silhouettes([*levels, answer], target)
    assert float(total) == pytest.approx(float(vector["output_keypoint_loss"][0]), rel=1e-6)


def test_cells_are_charged_as_by_prns_authors(reference):
    vector = reference("multiposenet_targets")
    found, truth = (tensor(vector, f"prn_{name}").permute(0, 3, 1, 2) for name in ("output", "label"))
    total = cross_entropy_of_cells([Heatmaps(found)], Heatmaps(truth, torch.ones(truth.shape[:2])))
    assert float(total) == pytest.approx(float(vector["output_prn_loss"]), rel=1e-6)
