"""Metrics of boxes, beside pycocotools, and of silhouettes, beside counting by hand."""

import contextlib
import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO as CocoFile
from pycocotools.cocoeval import COCOeval

from posewright.datasets import coco
from posewright.datasets.records import DataError
from posewright.metrics import box_ap, mask_iou
from posewright.scene import Person, Scene
from posewright.skeleton import COCO
from posewright.verbs.score import score

NOTHING = np.full((17, 2), np.nan)
NAMES = ("AP", "AP50", "AP75", "APS", "APM", "APL", "AR@1", "AR@10", "AR", "ARS", "ARM", "ARL")
"""pycocotools' twelve numbers of boxes."""


def problem(rng, pictures=8, crowds=0.15, most=12):
    """Draw people of all sizes, some of them crowds, and boxes near and far from them, with scores that tie."""
    truth, found = [], []
    for number in rng.permutation(100)[:pictures].tolist():
        people, guesses = [], []
        for _ in range(rng.integers(0, 6)):
            x, y = rng.integers(0, 200, 2)
            w, h = rng.integers(4, 250, 2)
            box = np.array([x, y, x + w, y + h], float)
            area = float(rng.integers(8, max(w * h, 9)))
            people.append(Person(NOTHING, box=box, area=area, crowd=bool(rng.random() < crowds)))
            for _ in range(rng.integers(0, most)):
                moved = box + np.round(rng.normal(0, 0.1, 4) * [w, h, w, h])
                moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
                guesses.append(Person(NOTHING, box=moved, score=float(rng.integers(0, 20) / 20)))
        truth.append(Scene("", COCO, tuple(people), (640, 480), id=number))
        found.append(Scene("", COCO, tuple(guesses), (640, 480), id=number))
    return found, truth


def xywh(box):
    return [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]


def by_pycocotools(found, truth):
    annotations = [{"id": i + 1, "image_id": scene.id, "category_id": 1, "bbox": xywh(person.box), "area": person.area,
                    "iscrowd": int(person.crowd)} for i, (scene, person) in
                   enumerate((scene, person) for scene in truth for person in scene.people)]  # fmt: skip
    results = [{"image_id": scene.id, "category_id": 1, "bbox": xywh(person.box), "score": person.score}
               for scene in found for person in scene.people]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        file = CocoFile()
        file.dataset = {"images": [{"id": scene.id} for scene in truth], "annotations": annotations,
                        "categories": [{"id": 1}]}  # fmt: skip
        file.createIndex()
        judge = COCOeval(file, file.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most", [4, 40])
def test_box_ap_is_cocos(seed, most):
    found, truth = problem(np.random.default_rng(seed), most=most)
    score, stats = box_ap(found, truth), by_pycocotools(found, truth)
    for name, theirs in zip(NAMES, stats, strict=True):
        assert score[name] == pytest.approx(theirs, abs=1e-12), name


def test_box_ap_again_gives_its_own_numbers(rng):
    found, truth = problem(rng)
    score = box_ap(found, truth)
    ones, doubled = score.again(np.ones((1, len(truth)))), score.again(np.full((1, len(truth)), 2.0))
    for name, value in score.items():
        assert ones[name][0] == pytest.approx(value, abs=1e-9), name
        assert doubled[name][0] == pytest.approx(value, abs=1e-9), name


def test_box_ap_needs_boxes_and_scores(rng):
    found, truth = problem(rng)
    bare = [Scene("", COCO, (Person(NOTHING, score=0.5),), id=scene.id) for scene in truth]
    with pytest.raises(ValueError, match=r"prediction, scene .*: a person has no box or no score"):
        box_ap(bare, truth)
    with pytest.raises(ValueError, match=r"truth, scene .*: a person has no box"):
        box_ap(found, [Scene("", COCO, (Person(NOTHING),), id=scene.id) for scene in truth])


def silhouettes(*masks, crowd=()):
    people = [Person(NOTHING, mask=np.array(mask, bool)) for mask in masks]
    people += [Person(NOTHING, mask=np.array(mask, bool), crowd=True) for mask in crowd]
    return Scene("", COCO, tuple(people), (4, 1))


def test_mask_iou_is_vocs():
    found = [silhouettes([[1, 1, 0, 0]], [[0, 1, 1, 0]]), silhouettes()]
    truth = [silhouettes([[0, 1, 1, 1]]), silhouettes([[1, 0, 0, 0]])]
    score = mask_iou(found, truth)
    assert score["IoU"] == pytest.approx(2 / 5)
    assert score["IoU_mean"] == pytest.approx((2 / 5 + 3 / 6) / 2)
    assert score.again(np.array([[1.0, 0.0]]))["IoU"][0] == pytest.approx(2 / 4)
    assert mask_iou(truth, truth)["IoU"] == 1


def test_mask_iou_leaves_void_out():
    found = [silhouettes([[1, 1, 0, 0]])]
    truth = [silhouettes([[0, 1, 0, 0]], crowd=[[[1, 1, 0, 1]]])]
    score = mask_iou(found, truth)
    assert score["IoU"] == 1
    assert score.protocol["pixels"] == 2


def test_mask_iou_needs_masks():
    bare = [Scene("", COCO, (Person(NOTHING),), (4, 1))]
    with pytest.raises(ValueError, match="truth, scene 0: a person has no mask"):
        mask_iou([silhouettes()], bare)
    with pytest.raises(ValueError, match=r"a mask is \(1, 4\), the picture \(1, 5\)"):
        mask_iou([silhouettes([[1, 1, 0, 0]])], [Scene("", COCO, (), (5, 1))])


def test_score_reads_the_masks_of_results(tmp_path):
    """Masks and boxes are scored of a file as `predict` writes it, in one call."""
    mask = np.zeros((20, 30), bool)
    mask[3:11, 4:20] = True
    xy = np.full((17, 2), 8.0)
    people = Person(xy, box=np.array([4.0, 3, 20, 11]), mask=mask, visible=np.full(17, 2, np.uint8), id=1)
    other = replace(people, mask=np.roll(mask, 2, 1), score=0.5, visible=None)
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((20, 30, 3), np.uint8))
    coco.write([Scene(str(tmp_path / "one.png"), COCO, (people,), (30, 20), id=1)], tmp_path / "truth")
    truth, results = tmp_path / "truth" / "annotations.json", tmp_path / "predictions.json"
    coco.write_results([Scene("one.png", COCO, (other,), (30, 20), id=1)], results)
    found = score(results, truth, metric="box_ap,mask_iou", draws=0)
    assert found.scores["mask_iou"]["IoU"] == pytest.approx(14 / 18)
    assert found.scores["box_ap"]["AP"] == pytest.approx(1)
    content = json.loads(results.read_text())
    content[0]["segmentation"]["counts"][0] += 1
    results.write_text(json.dumps(content))
    with pytest.raises(
        DataError, match="result at place 0: segmentation: counts: the runs must be lengths that sum to 600"
    ):
        score(results, truth, metric="mask_iou", draws=0)
    del content[0]["segmentation"]
    results.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"prediction, scene .*: a person has no mask; mask_iou needs them"):
        score(results, truth, metric="mask_iou", draws=0)
