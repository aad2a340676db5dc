"""Laws of occluders: nothing outside the region changes, visibility only falls, K never changes."""

import importlib
import inspect
import pkgutil
from dataclasses import is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posewright import occlusion
from posewright.datasets.synthetic import world
from posewright.occlusion import Occluder, fills, hide, regions
from posewright.scene import ABSENT, HIDDEN, SEEN, Cause, Crop, Person, aim, take
from posewright.warp import around

SIZE = (64, 64)
CROPS = [take(scene, aim(scene.people[0].box, SIZE)) for scene in world(8, 11, people=(1, 3))]
KEYPOINT = CROPS[0].skeleton.keypoints


LIMB = CROPS[0].skeleton.limbs
PART = tuple(CROPS[0].skeleton.parts)
low = st.floats(0.01, 0.5)
ranges = st.tuples(low, st.floats(0.5, 1.0))
places = st.tuples(st.floats(-20, 80), st.floats(-20, 80))
pictures = st.sampled_from([np.full((h, w, 3), 99, np.uint8) for h, w in ((1, 1), (9, 5), (80, 90))])
VALUES = {
    "keypoint": st.sampled_from(KEYPOINT), "part": st.sampled_from(PART), "limb": st.sampled_from(LIMB),
    "radius": st.floats(0, 40), "thickness": st.floats(0, 20), "side": st.floats(0, 90), "shift": st.floats(0, 2),
    "width": st.none() | st.floats(16, 400), "person": st.integers(0, 1), "margin": st.integers(0, 4),
    "box": st.tuples(*[st.floats(-10, 80)] * 4) | st.tuples(*[st.floats(-10, 30)] * 2, *[st.floats(30, 80)] * 2),
    "area": ranges, "aspect": ranges, "share": ranges, "kept": low,
    "unit": st.tuples(st.floats(2, 20), st.floats(20, 90)), "centre": places,
    "chance": st.sampled_from([0.01, 0.3, 0.7, 1.0]),
    "sides": st.lists(st.integers(0, 40), min_size=1, max_size=3).map(tuple),
    "alpha": st.sampled_from([np.full(shape, 0.75, np.float32) for shape in ((1, 1), (9, 5), (80, 90))]),
    "most": st.integers(1, 5),
    "regions": st.lists(st.builds(regions.KeypointDisc, st.sampled_from(KEYPOINT), st.floats(0, 9))).map(tuple),
    "colour": st.tuples(*[st.integers(0, 255)] * 3), "kernel": st.integers(0, 20).map(lambda n: 2 * n + 1),
    "sigma": st.floats(0, 6), "ring": st.floats(0, 20), "other": pictures, "piece": pictures, "colours": pictures,
}  # fmt: skip


def examples(member):
    """Build a region or fill over the values that its fields may take; a new kind of field must be named here."""
    if inspect.isfunction(member):
        return st.just(member)
    return st.builds(member, **{name: VALUES[name] for name in inspect.signature(member).parameters})


def members(module, wanted):
    public = (value for name, value in vars(module).items() if not name.startswith("_"))
    return [value for value in public if wanted(value) and value.__module__ == module.__name__]


REGIONS = members(regions, is_dataclass)
FILLS = members(fills, lambda value: inspect.isfunction(value) or is_dataclass(value))
occluders = st.builds(Occluder, st.one_of(*map(examples, REGIONS)), st.one_of(*map(examples, FILLS)))
crops = st.sampled_from(CROPS)
seeds = st.integers(0, 1000)


def test_every_module_of_the_package_is_looked_at():
    assert {name for _, name, _ in pkgutil.iter_modules(occlusion.__path__)} == {
        "augmentation", "choices", "fills", "objects", "occluder", "presets", "regions"
    }  # fmt: skip
    assert importlib.import_module("posewright.occlusion.occluder").Occluder is Occluder
    assert REGIONS
    assert FILLS


@given(occluder=occluders, crop=crops, seed=seeds)
def test_pixels_outside_the_region_are_untouched_and_the_crop_given_is_too(occluder, crop, seed):
    before = crop.pixels.copy()
    alpha = occluder.region(crop, np.random.default_rng(seed))
    covered = occluder(crop, np.random.default_rng(seed))
    assert alpha.shape == before.shape[:2]
    assert ((alpha >= 0) & (alpha <= 1)).all()
    np.testing.assert_array_equal(covered.pixels[alpha == 0], before[alpha == 0])
    np.testing.assert_array_equal(crop.pixels, before)
    assert covered.pixels.dtype == np.uint8


@given(occluder=occluders, crop=crops, seed=seeds)
def test_visibility_only_falls_and_nothing_else_about_the_people_changes(occluder, crop, seed):
    covered = occluder(crop, np.random.default_rng(seed))
    assert len(covered.people) == len(crop.people)
    for after, before in zip(covered.people, crop.people, strict=True):
        assert len(after) == len(before)
        assert (after.visible <= before.visible).all()
        np.testing.assert_array_equal(after.visible == ABSENT, before.visible == ABSENT)
        np.testing.assert_array_equal(after.keypoints, before.keypoints)
        changed = after.visible != before.visible
        assert (after.cause[changed] == Cause.OBJECT).all()
        np.testing.assert_array_equal(after.cause[~changed], before.cause[~changed])
        np.testing.assert_array_equal(after.box, before.box)


@given(occluder=occluders, crop=crops, seed=seeds)
def test_the_same_seed_gives_the_same_bytes(occluder, crop, seed):
    first, again = (occluder(crop, np.random.default_rng(seed)) for _ in range(2))
    assert first.pixels.tobytes() == again.pixels.tobytes()
    for a, b in zip(first.people, again.people, strict=True):
        assert a.visible.tobytes() == b.visible.tobytes()


@given(occluder=occluders, crop=crops, seed=seeds)
def test_what_is_covered_is_marked_and_what_is_not_is_not(occluder, crop, seed):
    alpha = occluder.region(crop, np.random.default_rng(seed))
    covered = occluder(crop, np.random.default_rng(seed))
    for after, before in zip(covered.people, crop.people, strict=True):
        for k in np.flatnonzero(before.visible == SEEN):
            x, y = np.rint(before.keypoints[k]).astype(int)
            inside = 0 <= x < SIZE[0] and 0 <= y < SIZE[1]
            assert after.visible[k] == (HIDDEN if inside and alpha[y, x] >= 0.5 else SEEN)


@given(crop=crops, name=st.sampled_from(KEYPOINT), radius=st.floats(1, 20))
def test_a_disc_lies_on_its_keypoint_and_has_its_area(crop, name, radius):
    x, y = crop.people[0].keypoints[crop.skeleton.index(name)]
    alpha = regions.KeypointDisc(name, radius)(crop, np.random.default_rng(0))
    rows, columns = np.nonzero(alpha)
    assert (np.hypot(columns - x, rows - y) <= radius).all()
    if radius < min(x, y, SIZE[0] - 1 - x, SIZE[1] - 1 - y):
        assert abs(alpha.sum() - np.pi * radius**2) <= 8 * radius + 4


def test_a_disc_on_an_absent_keypoint_covers_nothing():
    crop = CROPS[0]
    person = crop.people[0]
    gone = replace(person, keypoints=np.full_like(person.keypoints, np.nan), visible=np.zeros(len(person), np.uint8))
    alpha = regions.KeypointDisc(KEYPOINT[0], 20.0)(replace(crop, people=(gone,)), np.random.default_rng(0))
    assert not alpha.any()


def test_a_mask_is_marked_where_the_keypoint_was_seen_even_between_two_pixels():
    alpha = np.zeros((4, 4), np.float32)
    alpha[1, 2] = 0.5
    places = np.array([[1.6, 1.4], [1.4, 1.4], [2.0, 1.0], [np.nan, np.nan], [-9.0, 99.0]])
    person = Person(places, np.array([SEEN, SEEN, HIDDEN, ABSENT, SEEN], np.uint8))
    assert hide(person, alpha).visible.tolist() == [HIDDEN, SEEN, HIDDEN, ABSENT, SEEN]


def test_black_is_black_and_half_an_alpha_is_half_as_bright():
    crop = Crop(np.full((4, 4, 3), 201, np.uint8), (), around((1.5, 1.5), (4, 4), (4, 4)), CROPS[0].skeleton, (4, 4))
    half = Occluder(lambda crop, rng: np.full((4, 4), 0.5, np.float32), fills.black)  # noqa: ARG005
    full = Occluder(lambda crop, rng: np.ones((4, 4), np.float32), fills.black)  # noqa: ARG005
    rng = np.random.default_rng(0)
    assert set(np.unique(half(crop, rng).pixels)) == {100}
    assert not full(crop, rng).pixels.any()


def test_a_prediction_without_visibility_stays_without():
    assert hide(Person(np.zeros((1, 2))), np.ones((2, 2), np.float32)).visible is None


@pytest.mark.parametrize("name", ["tail", ""])
def test_a_disc_on_no_keypoint_names_the_keypoints_there_are(name):
    with pytest.raises(KeyError, match=f"has no keypoint '{name}'; it has"):
        regions.KeypointDisc(name, 3.0)(CROPS[0], np.random.default_rng(0))


@pytest.mark.parametrize("region", [r for r in REGIONS if r is not regions.Nothing])
def test_the_examples_of_every_region_cover_something_often(region):
    """So that the laws above are not about nothing."""
    covered = []

    @settings(max_examples=100, database=None, derandomize=True)
    @given(region=examples(region), crop=crops, seed=seeds)
    def cover(region, crop, seed):
        alpha = region(crop, np.random.default_rng(seed))
        covered.append(0 < alpha.mean() < 1)

    cover()
    assert sum(covered) > 8


@pytest.mark.parametrize("fill", FILLS, ids=lambda fill: fill.__name__)
def test_the_examples_of_every_fill_show_something_else(fill):
    changed = []

    @settings(max_examples=50, database=None, derandomize=True)
    @given(fill=examples(fill), crop=crops, seed=seeds)
    def cover(fill, crop, seed):
        half = Occluder(regions.Rectangle((0.0, 0.0, 63.0, 31.0)), fill)
        after = half(crop, np.random.default_rng(seed)).pixels
        changed.append((after[:32] != crop.pixels[:32]).any() and not (after[32:] != crop.pixels[32:]).any())

    cover()
    assert sum(changed) > 8


@given(crop=crops, seed=seeds, most=st.integers(0, 6), radius=st.floats(1, 9))
def test_discs_on_several_keypoints_are_those_of_as_many(crop, seed, most, radius):
    alpha = regions.KeypointDiscs(most, radius)(crop, np.random.default_rng(seed))
    known = [KEYPOINT[k] for k in np.flatnonzero(crop.people[0].labelled)]
    discs = [regions.KeypointDisc(name, radius)(crop, np.random.default_rng(0)) for name in known]
    whole = [disc for disc in discs if (disc <= alpha).all()]
    assert len(whole) >= min(most, len(known))
    np.testing.assert_array_equal(np.max([np.zeros_like(alpha), *whole], axis=0), alpha)


@pytest.mark.parametrize(("a", "b"), [((10.0, 20.0), (50.0, 20.0)), ((12.5, 50.0), (12.5, 8.0))])
def test_a_limb_bar_is_as_thick_as_it_says_and_round_at_its_ends(a, b):
    crop = CROPS[0]
    start, end = LIMB[0]
    places = np.full((len(KEYPOINT), 2), np.nan)
    places[[crop.skeleton.index(start), crop.skeleton.index(end)]] = a, b
    one = replace(crop, people=(Person(places),))
    alpha = regions.LimbBar((start, end), 8.0)(one, np.random.default_rng(0))
    length = np.hypot(*np.subtract(a, b))
    assert abs(alpha.sum() - (8 * length + np.pi * 16)) < length + 12
    gone = replace(one, people=(Person(np.full_like(places, np.nan)),))
    assert not regions.LimbBar((start, end), 8.0)(gone, np.random.default_rng(0)).any()


def test_a_silhouette_is_the_mask_and_grows():
    crop = CROPS[0]
    mask = crop.people[0].mask
    np.testing.assert_array_equal(regions.Silhouette()(crop, np.random.default_rng(0)) > 0, mask)
    grown = regions.Silhouette(margin=2)(crop, np.random.default_rng(0)) > 0
    assert (grown | ~mask).all()
    assert grown.sum() > mask.sum()
    bare = replace(crop, people=(replace(crop.people[0], mask=None),))
    with pytest.raises(ValueError, match="has no mask to cover"):
        regions.Silhouette()(bare, np.random.default_rng(0))
