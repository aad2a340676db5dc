"""Scenes by columns: a sequence of scenes like any other."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.columns import Columns, extent, people_of, pictures_of
from posewright.scene import Person, Scene
from posewright.skeleton import COCO


def scenes(rng):
    def person(**fields):
        return Person(rng.uniform(0, 90, (17, 2)), rng.integers(1, 3, 17).astype(np.uint8), rng.random(17), **fields)

    first = (person(box=np.arange(4.0), area=3.0, id=7), person(score=0.5, crowd=True, id="x"))
    return [Scene("a", COCO, first, (64, 48), id=3), Scene("b", COCO, (), id="b"), Scene("c", COCO, (person(),))]


def assert_same(found, expected):
    assert (found.image, found.size, found.id, found.skeleton) == (
        expected.image, expected.size, expected.id, expected.skeleton)  # fmt: skip
    assert len(found.people) == len(expected.people)
    for one, other in zip(found.people, expected.people, strict=True):
        for name, value in vars(other).items():
            np.testing.assert_equal(getattr(one, name), value, err_msg=name)


def test_columns_are_the_scenes_that_they_were_made_of(rng):
    given = scenes(rng)
    columns = Columns([Scene(s.image, s.skeleton, (), s.size, s.camera, s.id) for s in given], people_of(given, 17))
    assert len(columns) == 3
    assert repr(columns) == "Columns(3 scenes, 3 people)"
    for found, expected in zip(columns, given, strict=True):
        assert_same(found, expected)
    assert_same(columns[-1], given[2])
    for found, expected in zip(columns[:2], given, strict=False):
        assert_same(found, expected)
    with pytest.raises(IndexError):
        columns[3]
    assert people_of(columns, 17) is columns.people
    assert pictures_of(columns) is columns.pictures
    assert pictures_of(given) is given


def test_what_is_not_told_of_everybody_is_told_of_nobody(rng):
    given = [*scenes(rng), Scene("d", COCO, (Person(np.ones((17, 2))),))]
    assert people_of(given, 17).visible is None
    assert people_of(given, 17).scores is None
    assert people_of([], 17).keypoints.shape == (0, 17, 2)


def test_the_extent_leaves_out_what_is_absent():
    xy = np.array([[[1.0, 5.0], [np.nan, np.nan], [4.0, 3.0]], [[np.nan] * 2] * 3])
    assert extent(xy).tolist() == [[3.0, 0.0], [2.0, 0.0]]


def test_columns_are_checked_as_people_are(rng):
    given = scenes(rng)
    people = people_of([replace(s, people=s.people[:2]) for s in given[:2]], 17)
    with pytest.raises(ValueError, match=r"people: box must be \(2, 4\), not \(1, 4\)"):
        Columns(given[:2], people._replace(box=people.box[:1]))
    seen = np.full((2, 17), 2, np.uint8)
    absent = people.keypoints.copy()
    absent[1, 3] = np.nan
    for wrong in ({"visible": np.zeros((2, 17), np.uint8)}, {"visible": seen, "keypoints": absent}):
        with pytest.raises(ValueError, match="an absent keypoint is NaN, a labelled one has a place"):
            Columns(given[:2], people._replace(**wrong))
