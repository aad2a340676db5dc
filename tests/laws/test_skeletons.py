"""Laws of skeletons: mirrors undo themselves, names name something, mapping by name goes there and back."""

import numpy as np
import pytest

from posewright import skeleton as module
from posewright.skeleton import SKELETONS, Skeleton, skeleton_named
from posewright.skeleton.spelling import mirrored_name

EVERY = [value for value in vars(module).values() if isinstance(value, Skeleton)]


@pytest.fixture(params=EVERY, ids=lambda skeleton: skeleton.name)
def skeleton(request):
    return request.param


@pytest.fixture(params=EVERY, ids=lambda skeleton: f"to-{skeleton.name}")
def other(request):
    return request.param


def test_the_tuple_of_skeletons_names_every_one_of_the_module_once():
    assert set(EVERY) == set(SKELETONS)
    assert len({skeleton.name for skeleton in SKELETONS}) == len(SKELETONS)


def test_mirror_of_mirror_is_identity(skeleton):
    np.testing.assert_array_equal(skeleton.mirror[skeleton.mirror], np.arange(len(skeleton)))


def test_the_mirror_swaps_every_left_with_its_right_and_nothing_else(skeleton):
    for place, name in enumerate(skeleton.keypoints):
        seen = skeleton.keypoints[skeleton.mirror[place]]
        assert seen == mirrored_name(name)
        assert (seen == name) == (not name.startswith(("left_", "right_")))


def test_limbs_and_parts_name_real_keypoints(skeleton):
    known = set(skeleton.keypoints)
    assert skeleton.limbs
    assert {name for limb in skeleton.limbs for name in limb} <= known
    assert {name for names in skeleton.parts.values() for name in names} <= known
    assert all(a != b for a, b in skeleton.limbs)
    assert len({frozenset(limb) for limb in skeleton.limbs}) == len(skeleton.limbs)


def test_limbs_are_the_same_in_a_mirror(skeleton):
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(map(mirrored_name, limb)) for limb in limbs} == limbs


def test_parts_mirror_into_parts_and_are_small_or_large(skeleton):
    parts = {frozenset(names) for names in skeleton.parts.values()}
    assert {frozenset(map(mirrored_name, names)) for names in parts} == parts
    assert {*skeleton.small_parts, *skeleton.large_parts} == set(skeleton.parts)
    assert not set(skeleton.small_parts) & set(skeleton.large_parts)


def test_sigmas_are_positive_the_same_on_both_sides_and_say_where_they_come_from(skeleton):
    if skeleton.sigmas is None:
        assert skeleton.sigmas_source == "none published"
        return
    sigmas = np.array(skeleton.sigmas)
    assert (sigmas > 0).all()
    assert skeleton.sigmas_source not in ("", "none published")
    if skeleton.name != "aic":  # the evaluator's own differ by side
        np.testing.assert_array_equal(sigmas, sigmas[skeleton.mirror])


def test_mapping_to_another_and_back_keeps_what_both_know(skeleton, other):
    there, back = skeleton.to(other), other.to(skeleton)
    for place, source in enumerate(there):
        name = other.keypoints[place]
        if source < 0:
            assert name not in skeleton.keypoints
        else:
            assert skeleton.keypoints[source] == name
            assert back[source] == place
    assert (there >= 0).sum() == (back >= 0).sum() == len({*skeleton.keypoints} & {*other.keypoints})


def test_a_skeleton_is_found_by_its_name_and_a_stranger_is_refused(skeleton):
    assert skeleton_named(skeleton.name) is skeleton
    with pytest.raises(KeyError, match=f"no skeleton 'martian'; there are .*{skeleton.name}"):
        skeleton_named("martian")
    with pytest.raises(KeyError, match=f"{skeleton.name} has no keypoint 'tail'; it has .*{skeleton.keypoints[0]}"):
        skeleton.index("tail")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((("nose", "nose"), ()), "stands twice"),
        ((("nose",), (("nose", "tail"),)), r"unknown keypoints \['tail'\]"),
        ((("nose",), (), (0.1, 0.2)), "2 sigmas for 1 keypoints"),
    ],
)
def test_a_skeleton_that_contradicts_itself_is_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        Skeleton("odd", *arguments)
