"""Boxes from a detector: read, thinned, joined with pictures, and people ranked by them."""

import json

import numpy as np
import pytest

from posewright.cli import main
from posewright.datasets import coco
from posewright.datasets.detections import Detected, boxes_by_scene, ranked, read_boxes
from posewright.datasets.records import DataError, DataWarning
from posewright.datasets.synthetic import world
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, LSP


def result(image, box, score, **more):
    x0, y0, x1, y1 = box
    return {"image_id": image, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score} | more


@pytest.fixture
def file(tmp_path):
    def write(*results):
        (tmp_path / "boxes.json").write_text(json.dumps(results))
        return tmp_path / "boxes.json"

    return write


def test_boxes_are_thinned_by_score_and_by_overlap_and_keep_their_order(file):
    path = file(
        result(1, (0, 0, 10, 10), 0.5),
        result(1, (0, 0, 10, 9), 0.9),
        result(1, (50, 50, 60, 60), 0.2),
        result(1, (20, 20, 30, 30), 0.8, category_id=3),
        result(2, (0, 0, 10, 10), 0.1),
    )
    assert [one.score for one in read_boxes(path)[1]] == [0.5, 0.9, 0.2]
    assert [one.score for one in read_boxes(path, 0.3)[1]] == [0.5, 0.9]
    assert 2 not in read_boxes(path, 0.3)
    assert [one.score for one in read_boxes(path, overlap=0.9)[1]] == [0.9, 0.2]
    assert [one.score for one in read_boxes(path, overlap=0.91)[1]] == [0.5, 0.9, 0.2]
    np.testing.assert_array_equal(read_boxes(path)[2][0].box, [0, 0, 10, 10])


@pytest.mark.parametrize("given", [{"above": -0.1}, {"above": 1.1}, {"overlap": 0.0}, {"overlap": 2.0}])
def test_what_is_no_share_is_refused(file, given):
    with pytest.raises(ValueError, match="the score must be 0 to 1, the overlap above 0 and at most 1"):
        read_boxes(file(), **given)


def test_a_score_below_0_names_its_record(file):
    with pytest.raises(DataError, match="box at place 1: score"):
        read_boxes(file(result(1, (0, 0, 1, 1), 0.5), result(1, (0, 0, 1, 1), -0.5)))


def test_boxes_find_their_scene_by_id_or_by_file(file):
    path = file(result(7, (0, 0, 1, 1), 0.5), result("b.jpg", (0, 0, 2, 2), 0.5))
    scenes = [Scene("x/a.jpg", COCO, id=7), Scene("x/b.jpg", COCO, id=8), Scene("x/c.jpg", COCO, id=9)]
    assert [len(found) for found in boxes_by_scene(scenes, read_boxes(path), path)] == [1, 1, 0]
    with pytest.raises(DataError, match="no box is of a picture of the data"):
        boxes_by_scene(scenes[2:], read_boxes(path), path)


def test_people_are_ranked_by_box_and_keypoints_and_the_worse_twin_goes():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100, (17, 2))
    scores = np.append(np.full(15, 0.5), [0.1, 0.2])
    people = [Person(xy, scores=scores), Person(xy + 0.1, scores=scores), Person(xy + 200, scores=np.ones(17))]
    box = np.array([0.0, 0, 100, 100])
    found = ranked(people, [Detected(box, 0.6), Detected(box, 0.8), Detected(box + 200, 0.3)], COCO)
    np.testing.assert_allclose([person.score for person in found], [0.8 * 0.5, 0.3])
    np.testing.assert_array_equal(found[0].keypoints, people[1].keypoints)
    assert all(person.area is None for person in found)


def test_evaluate_looks_where_a_detector_says(tmp_path, capsys):
    scenes = world(3, 5, skeleton=LSP, people=(1, 1))
    coco.write(scenes, tmp_path / "data")
    truth = coco.read(tmp_path / "data", "test")
    boxes = [result(s.id, p.box.tolist(), 0.5) for s in truth for p in s.people]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    line = f"evaluate default --data coco:{tmp_path}/data --out {tmp_path}/out"
    assert main(line.split()) == 0
    annotated = json.loads((tmp_path / "out" / "scores.json").read_text())["files"][0]["metrics"]["pck"]
    assert main(f"{line} --boxes {tmp_path}/boxes.json".split()) == 0
    detected = json.loads((tmp_path / "out" / "scores.json").read_text())["files"][0]["metrics"]["pck"]
    assert detected["scores"] == annotated["scores"]
    assert detected["protocol"]["boxes"] == f"{tmp_path}/boxes.json, score >= 0, overlap < 1"
    assert "OKS suppression" in detected["protocol"]["ranked by"]
    assert main(f"{line} --boxes {tmp_path}/boxes.json --box-score 0.6".split()) == 2
    assert "no box is of a picture of the data" in capsys.readouterr().err


def _boxes(tmp_path, entries, **around):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({**around, "annotations": entries} if around else entries))
    return path


@pytest.mark.parametrize(("categories", "people"), [([0, 0, 1], 2), ([0, 16, 16], 1), ([5, 5, 5], 3)])
def test_what_is_taken_for_a_person_is_told(tmp_path, categories, people):
    rows = [
        {"image_id": 1, "bbox": [20 * i, 1, 9, 9], "score": 0.9, "category_id": c} for i, c in enumerate(categories)
    ]
    with pytest.warns(DataWarning, match=r"boxes by category: .*; those of [05] are taken for people"):
        found = read_boxes(_boxes(tmp_path, rows))
    assert len(found[1]) == people


def test_a_file_that_names_its_categories_says_who_is_a_person(tmp_path):
    rows = [{"image_id": 1, "bbox": [20 * i, 1, 9, 9], "category_id": c, "id": i} for i, c in enumerate((1, 2, 2))]
    around = {"images": [{"id": 1, "file_name": "a.jpg"}],
              "categories": [{"id": 1, "name": "bicycle"}, {"id": 2, "name": "person"}]}  # fmt: skip
    assert len(read_boxes(_boxes(tmp_path, rows, **around))["a.jpg"]) == 2


def test_one_box_without_area_is_left_out_and_none_of_a_person_refused(tmp_path):
    rows = [{"image_id": 1, "bbox": [20 * i, 1, 9 * (i > 0), 9], "category_id": 1} for i in range(3)]
    with pytest.warns(DataWarning, match="1 of 3 boxes left out; the first: box at place 0: bbox: has no area"):
        assert len(read_boxes(_boxes(tmp_path, rows))[1]) == 2
    strange = [row | {"category_id": 3 + i} for i, row in enumerate(rows)]
    with pytest.raises(DataError, match=r"no box of a person, category_id 1 or 0; it has categories 3 \(1\), 4 \(1\)"):
        read_boxes(_boxes(tmp_path, strange))
