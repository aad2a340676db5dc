"""What a file says of areas, boxes and counts decides as in pycocotools, to the last bit."""

import json

import numpy as np
import pytest

from posewright.datasets import coco
from posewright.metrics import ap_by_keypoint, oks_ap

PLACES = (0.1, 17.3, 100.7, 3.14159, 57.07)
KEYPOINTS = [10.5, 12.5, 2, 40.25, 50.75, 2]
NOWHERE = [0, 0, 0, 0, 0, 0]
AWAY = [900, 900, 1, 900, 900, 1]
SIGMAS = np.array([0.1, 0.1])
BOX = [10, 10, 50, 50]
FORMS = {"quick": {}, "slow": {"iscrowd": False}}
"""What makes the reader take either of its ways."""


def written(folder, people, results):
    """Write annotations and results of one picture, whose keypoints are KEYPOINTS unless they say otherwise."""
    plain = {"image_id": 1, "category_id": 1, "keypoints": KEYPOINTS}
    file = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 200, "height": 200}],
        "annotations": [
            {"num_keypoints": 2, "iscrowd": 0, "bbox": BOX, "id": i, **plain, **one} for i, one in enumerate(people, 1)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": ["a", "b"], "skeleton": []}],
    }
    found = [{"score": 0.5, **plain, **one} for one in results]
    (folder / "annotations.json").write_text(json.dumps(file))
    (folder / "results.json").write_text(json.dumps(found))
    return file, found


def read(folder):
    truth = coco.read(folder, "")
    return coco.read_results(folder / "results.json", truth), truth


@pytest.fixture
def both(tmp_path, evaluated):
    """Return what gives the ten numbers of this package and those of pycocotools."""

    def numbers(people, results):
        file, found = written(tmp_path, people, results)
        return list(oks_ap(*read(tmp_path), SIGMAS).values()), list(evaluated(file, found, SIGMAS)[2])

    return numbers


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("place", PLACES)
def test_the_area_of_a_box_is_its_width_times_its_height(tmp_path, both, place, side, form):
    box = [place, place / 3, side, side]
    far = {"bbox": box, "keypoints": AWAY, "score": 0.9}
    ours, theirs = both([{"bbox": box, **FORMS[form]}, {"bbox": box, "area": 5000.0}], [far, {"bbox": box}])
    assert ours == theirs
    predicted, truth = read(tmp_path)
    assert [person.box_area for person in (*truth[0].people, *predicted[0].people)] == [side * side] * 4


@pytest.mark.parametrize("form", FORMS)
def test_who_has_no_num_keypoints_is_ignored_whatever_the_keypoints_say(tmp_path, both, form):
    people = [{"area": 2000.0}, {"area": 2000.0, "num_keypoints": 0, "bbox": [90, 90, 9, 9], **FORMS[form]}]
    ours, theirs = both(people, [{}])
    assert ours == theirs
    assert ours[0] == pytest.approx(1)
    predicted, truth = read(tmp_path)
    assert [person.counted for person in truth[0].people] == [None, False]
    assert ap_by_keypoint(predicted, truth, sigmas=SIGMAS).protocol["people/a"] == 1


@pytest.mark.parametrize("form", FORMS)
def test_who_has_num_keypoints_counts_though_nothing_is_labelled(tmp_path, both, form):
    people = [{"area": 2000.0}, {"area": 2000.0, "keypoints": NOWHERE, "bbox": [90, 90, 9, 9], **FORMS[form]}]
    ours, theirs = both(people, [{}])
    assert ours == theirs
    assert ours[0] < 0.6
    assert ap_by_keypoint(*read(tmp_path), sigmas=SIGMAS).protocol["people/a"] == 1


def test_what_the_file_counts_is_written_and_read_again(tmp_path):
    written(tmp_path, [{"num_keypoints": 0}, {"keypoints": NOWHERE}, {}], [])
    scenes = coco.read(tmp_path, "")
    (tmp_path / "copy").mkdir()
    coco.write(scenes, tmp_path / "copy")
    again = coco.read(tmp_path / "copy", "")
    assert [person.counted for person in again[0].people] == [False, True, None]


def test_the_first_result_decides_whose_box_gives_the_area(tmp_path, both):
    """32 x 32 is medium, the box around KEYPOINTS is not: the unmatched results count in APM by that alone."""
    people = [{"area": 5000.0}]
    far, small = {"keypoints": AWAY, "score": 0.9}, {"bbox": [0.3, 0.7, 32, 32]}
    for results in ([far, {}, far | small], [far | small, small], [{}, far | small]):
        ours, theirs = both(people, results)
        assert ours == theirs
    areas = []
    for results in ([far | small, far], [far, far | small]):
        written(tmp_path, people, results)
        areas.append([person.area for person in read(tmp_path)[0][0].people])
    assert areas == [[1024, 0], [0, 0]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("area", [2e9, 1e10, 3e12])
def test_an_area_beyond_any_picture_is_read(both, area, form):
    ours, theirs = both([{"area": area, **FORMS[form]}, {"area": 2000.0}], [{}])
    assert ours == theirs
