"""MultiPoseNet's targets, anchors and boxes, and PRN's input and assignment, against the codes that they are from."""

import numpy as np
import pytest

from posewright.codecs.bottom_up import anchors as retinanet
from posewright.codecs.bottom_up.affinity_fields import OPENPOSE, drawn_keypoints, inside, summed_bells
from posewright.codecs.bottom_up.multiposenet import read_peaks
from posewright.codecs.bottom_up.residual_grouping import LoosePeaks, assign, blurred, drawn_in_box, label, own_cells
from posewright.codecs.bottom_up.whole import Everyone
from posewright.geometry.boxes import box_nms
from posewright.skeleton import COCO


def test_heatmaps(reference):
    vector = reference("multiposenet_targets")
    keypoints = vector["input_keypoints"]
    labelled = keypoints[..., 2] < 2
    h, w = vector["input_crop"].tolist()
    people = Everyone(np.where(labelled[..., None], keypoints[..., :2], 0.0), labelled)
    drawn = drawn_keypoints(people, COCO, OPENPOSE, rounded=True)
    theirs = vector["output_with_neck"]
    np.testing.assert_array_equal(drawn.labelled, theirs[..., 2] < 2)
    np.testing.assert_array_equal(drawn.xy[drawn.labelled], theirs[..., :2][drawn.labelled])
    legal = inside(drawn, (w, h))
    np.testing.assert_array_equal(legal.labelled, vector["output_legal"][..., 2] < 2)
    maps = summed_bells(legal, (w // 4, h // 4), 4)
    np.testing.assert_allclose(np.moveaxis(maps, 0, -1), vector["output_heatmaps"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("factor", [1, 4])
def test_peaks(reference, factor):
    vector = reference("multiposenet_targets")
    maps = np.ascontiguousarray(np.moveaxis(vector["input_heatmaps"].astype(np.float32), -1, 0))
    peaks = read_peaks(maps, factor)
    theirs = vector[f"output_peaks_x{factor}"]
    np.testing.assert_array_equal(peaks.xy, theirs[:, :2])
    np.testing.assert_allclose(peaks.score, theirs[:, 2], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(peaks.kind, theirs[:, 4])


def test_anchors(reference):
    vector = reference("retinanet_anchors")
    for h, w in vector["input_sizes"].tolist():
        boxes, name = retinanet.anchors((w, h)), f"output_{h}x{w}"
        assert len(boxes) == vector[f"{name}_count"]
        np.testing.assert_allclose(
            boxes.ravel()[vector[f"{name}_index"]], vector[f"{name}_sample"], rtol=1e-6, atol=1e-6
        )
    for level in retinanet.LEVELS:
        np.testing.assert_allclose(retinanet.shapes(level), vector[f"output_base_p{level}"], rtol=1e-12)


def test_box_codec(reference):
    vector = reference("box_codec")
    h, w = vector["input_image_size"].tolist()
    boxes, deltas = vector["input_anchors"], vector["input_deltas"]
    np.testing.assert_allclose(retinanet.decode_boxes(boxes, deltas), vector["output_decoded"], rtol=3e-6, atol=1e-4)
    np.testing.assert_allclose(
        retinanet.decode_boxes(boxes, deltas, (w, h)), vector["output_clipped"], rtol=3e-6, atol=1e-4
    )
    ours = retinanet.encode_boxes(vector["input_encode_anchors"], vector["input_encode_boxes"])
    np.testing.assert_allclose(ours, vector["output_encoded"], rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_nms(reference, threshold):
    vector = reference("nms")
    boxes, scores = vector["input_dets"][:, :4], vector["input_dets"][:, 4]
    kept = box_nms(boxes, scores, threshold, pixel=1)
    np.testing.assert_array_equal(kept, vector[f"output_keep_0{10 * threshold:.0f}"])


def xyxy(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def test_prn_input(reference):
    vector = reference("prn_input")
    rows = vector["input_annotations"]
    keypoints = rows[:, 5:].reshape(-1, 17, 3)
    boxes = xyxy(rows[:, 1:5])
    listed = vector["input_annotation_ids"].tolist()
    for place, chosen in enumerate(vector["output_selected"]):
        who = listed.index(vector["output_order"][chosen])
        same = rows[:, 0] == rows[who, 0]
        person, kind = np.nonzero(keypoints[same][..., 2] > 0)
        peaks = LoosePeaks(keypoints[same][person, kind, :2], kind, np.ones(len(kind)))
        shown = blurred(drawn_in_box(peaks, boxes[who], 17))
        np.testing.assert_allclose(np.moveaxis(shown, 0, -1), vector["output_input"][place], rtol=0, atol=1e-6)
        target = label(own_cells(keypoints[who, :, :2], keypoints[who, :, 2] > 0, boxes[who]))
        np.testing.assert_allclose(np.moveaxis(target, 0, -1), vector["output_label"][place], rtol=0, atol=1e-6)


def told(vector, name):
    said = np.moveaxis(vector[f"input_{name}_prn"].astype(np.float32), -1, 1)
    return lambda _: said


def check(taken, places, keypoints, scores, flag):
    found = np.isfinite(places).all(-1)
    np.testing.assert_allclose(np.where(found[..., None], places, 0), keypoints[..., :2], rtol=0, atol=1e-6)
    if flag:
        np.testing.assert_array_equal(taken >= 0, keypoints[..., 2] > 0)
    np.testing.assert_allclose((taken >= 0).sum(1) / 17, scores, rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", range(4))
def test_prn_assignment_of_peaks(reference, case):
    vector = reference("prn_assign")
    boxes, rows = vector[f"input_b{case}_boxes"], vector[f"input_b{case}_peaks"]
    peaks = LoosePeaks(rows[:, :2], rows[:, 4].astype(int), rows[:, 2])
    taken, places = assign(boxes, peaks, 17, told(vector, f"b{case}"))
    check(taken, places, vector[f"output_b{case}_keypoints"], vector[f"output_b{case}_scores"], True)


def test_prn_assignment_of_annotations(reference):
    vector = reference("prn_assign")
    image, boxes = vector["input_a_boxes"][:, 0], xyxy(vector["input_a_boxes"][:, 1:])
    said = np.moveaxis(vector["input_a_prn"].astype(np.float32), -1, 1)
    shown = np.zeros(said.shape, np.float32)
    for one in np.unique(image):
        there = np.flatnonzero(image == one)
        keypoints = vector["input_a_keypoints"][there]
        person, kind = np.nonzero(keypoints[..., 2] > 0)
        peaks = LoosePeaks(keypoints[person, kind, :2], kind, np.ones(len(kind)))

        def respond(marks, there=there):
            shown[there] = blurred(marks)
            return said[there]

        taken, places = assign(boxes[there], peaks, 17, respond)
        check(taken, places, vector["output_a_keypoints"][there], vector["output_a_scores"][there], False)
    index = vector["output_a_prn_input_index"]
    assert np.moveaxis(shown, 1, -1).shape == tuple(vector["output_a_prn_input_shape"])
    ours = np.moveaxis(shown, 1, -1).ravel()[index]
    np.testing.assert_allclose(ours, vector["output_a_prn_input_sample"], rtol=0, atol=1e-6)
