"""Laws of scenes: people come back from a crop, reading decodes nothing, what is absent is NaN."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posewright import picture
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.scene import ABSENT, SEEN, Person, Scene, box_around, each_person, take
from posewright.skeleton import COCO, CROWDPOSE, LSP, SKELETONS
from posewright.warp import around

SIZE = (160, 120)
BLANK = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)

seeds = st.integers(0, 2**32 - 1)
side = st.floats(20, 400)
warps = st.builds(
    lambda x, y, extent, turn, mirror: around((x, y), extent, (48, 64), turn, mirror),
    st.floats(-50, 200),
    st.floats(-50, 200),
    st.tuples(side, side),
    st.floats(-np.pi, np.pi),
    st.booleans(),
)


def somebody(skeleton, seed):
    """Draw a person with everything that a person can have, some keypoints absent."""
    rng = np.random.default_rng(seed)
    count = len(skeleton)
    visible = rng.integers(0, 3, count).astype(np.uint8)
    visible[0] = SEEN
    places = np.where(visible[:, None] > ABSENT, rng.uniform(-10, 170, (count, 2)), np.nan)
    box = box_around(places) + np.array([-1, -1, 1, 1])
    return Person(
        places, visible, rng.random(count), float(rng.random()), box, float(rng.uniform(1, 1e4)),
        rng.normal(size=(count, 3)), None, box + np.array([2, 2, -0.5, -0.5]),
        rng.integers(0, 5, count).astype(np.uint8), 7, depths=rng.normal(size=count),
    )  # fmt: skip


@given(warp=warps, seed=seeds, skeleton=st.sampled_from(SKELETONS))
def test_back_of_take_is_identity_on_people(warp, seed, skeleton):
    person = somebody(skeleton, seed)
    crop = take(Scene(BLANK, skeleton, (person,)), warp)
    (again,) = crop.back(crop.people)
    np.testing.assert_allclose(again.keypoints, person.keypoints, atol=1e-8)
    for name in ("visible", "scores", "points3d", "cause"):
        np.testing.assert_array_equal(getattr(again, name), getattr(person, name))
    assert (again.score, again.id, again.crowd) == (person.score, person.id, person.crowd)
    np.testing.assert_allclose(again.area, person.area, rtol=1e-9)
    np.testing.assert_allclose(again.depths, person.depths, rtol=1e-9)


@given(warp=warps, seed=seeds)
def test_a_box_comes_back_around_itself_and_exactly_without_a_turn(warp, seed):
    person = somebody(COCO, seed)
    crop = take(Scene(BLANK, COCO, (person,)), warp)
    (again,) = crop.back(crop.people)
    assert (again.box[:2] <= person.box[:2] + 1e-8).all()
    assert (again.box[2:] >= person.box[2:] - 1e-8).all()
    upright = around((60, 60), (90, 120), (48, 64), mirror=warp.mirrored)
    crop = take(Scene(BLANK, COCO, (person,)), upright)
    np.testing.assert_allclose(crop.back(crop.people)[0].box, person.box, atol=1e-8)


@given(warp=warps, seed=seeds)
def test_left_and_right_change_places_where_the_warp_mirrors_and_only_there(warp, seed):
    person = somebody(COCO, seed)
    (moved,) = take(Scene(BLANK, COCO, (person,)), warp).people
    left, right = COCO.index("left_knee"), COCO.index("right_knee")
    source = right if warp.mirrored else left
    np.testing.assert_allclose(moved.keypoints[left], warp.points(person.keypoints[source]), atol=1e-9)


def test_a_crop_keeps_the_people_s_masks_on_their_pixels():
    scene = next(s for s in world(4, 5) if len(s.people))
    warp = around((128, 128), (256, 256), (128, 128))
    for person, mask in zip(take(scene, warp).people, scene.people, strict=True):
        assert person.mask.shape == (128, 128)
        assert abs(person.mask.sum() * 4 - mask.mask.sum()) <= 0.05 * mask.mask.sum() + 20


def test_reading_decodes_nothing(tmp_path, monkeypatch):
    coco.write(world(3, 0), tmp_path)
    for file in tmp_path.rglob("*.png"):
        file.write_bytes(b"no picture at all")
    monkeypatch.setattr(picture, "read", lambda source: pytest.fail(f"{source} was decoded"))
    scenes = coco.read(tmp_path, "val")
    assert len(scenes) == 3
    assert any(scene.people for scene in scenes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keypoints", np.zeros((17, 3))),
        ("visible", np.ones(16, np.uint8)),
        ("scores", np.ones((17, 1))),
        ("box", np.zeros(3)),
        ("points3d", np.zeros((17, 2))),
        ("depths", np.zeros((17, 1))),
        ("head", np.zeros((2, 2))),
        ("cause", np.zeros(0, np.uint8)),
    ],
)
def test_a_person_whose_shapes_disagree_is_refused(field, value):
    with pytest.raises(ValueError, match=rf"person: {field} must be"):
        dataclasses.replace(Person(np.zeros((17, 2))), **{field: value})


@pytest.mark.parametrize(("place", "visible"), [(np.nan, SEEN), (3.0, ABSENT)])
def test_an_absent_keypoint_is_nan_and_a_labelled_one_has_a_place(place, visible):
    with pytest.raises(ValueError, match=r"keypoint 0 is at .* an absent keypoint is NaN"):
        Person(np.full((1, 2), place), np.array([visible], np.uint8))


@pytest.mark.parametrize("half", [(np.nan, 1.0), (1.0, np.nan)])
def test_a_keypoint_with_half_a_place_is_not_labelled(half):
    assert not Person(np.array([half])).labelled.any()


@given(seed=seeds, skeleton=st.sampled_from(SKELETONS), other=st.sampled_from(SKELETONS))
def test_a_person_in_the_words_of_another_skeleton_has_nan_for_what_is_unknown(seed, skeleton, other):
    person = somebody(skeleton, seed)
    mapped = person.to(skeleton, other)
    assert len(mapped) == len(other)
    for place, name in enumerate(other.keypoints):
        expected = person.keypoints[skeleton.index(name)] if name in skeleton.keypoints else (np.nan, np.nan)
        np.testing.assert_array_equal(mapped.keypoints[place], expected)
    np.testing.assert_array_equal(mapped.visible > ABSENT, mapped.labelled)


def test_the_world_says_absent_with_nan_in_every_skeleton():
    for skeleton in (COCO, LSP, CROWDPOSE):
        for person in (person for scene in world(2, 3, skeleton=skeleton) for person in scene.people):
            np.testing.assert_array_equal(person.visible > ABSENT, person.labelled)


def test_each_person_leaves_out_crowds_and_people_without_a_keypoint():
    someone = Person(np.zeros((17, 2)), box=np.array([0.0, 0, 5, 5]))
    nobody = Person(np.full((17, 2), np.nan))
    crowd = dataclasses.replace(someone, crowd=True)
    singles = each_person([Scene(BLANK, COCO, (someone, nobody, crowd, someone))])
    assert [scene.people for scene in singles] == [(someone,), (someone,)]


def test_there_is_no_box_around_nothing():
    with pytest.raises(ValueError, match="no keypoint has a place"):
        box_around(np.full((3, 2), np.nan))
