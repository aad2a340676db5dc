"""Laws of warps: pictures and points move alike, whatever made the warp."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posewright.codecs.dark import Dark
from posewright.codecs.gaussian import Gaussian
from posewright.codecs.megvii import Megvii
from posewright.codecs.udp import Udp, UdpOffsets
from posewright.scene import HIDDEN, SEEN, Person, Scene, aim, take, whole
from posewright.skeleton import COCO
from posewright.warp import SHRINK_BEYOND, Warp, around, flipped, resized

AIMS = {
    "posewright": around,
    **{codec.__name__: codec.around for codec in (Gaussian, Dark, Udp, UdpOffsets, Megvii)},
}
SIZE = (48, 64)

real = st.floats(-300, 300, allow_nan=False)
side = st.floats(20, 500)
warps = st.builds(
    lambda aim, x, y, extent, turn, mirror: aim((x, y), extent, SIZE, turn, mirror),
    st.sampled_from(list(AIMS.values())),
    real,
    real,
    st.tuples(side, side),
    st.floats(-np.pi, np.pi),
    st.booleans(),
)
points = st.lists(st.tuples(real, real), min_size=1, max_size=5).map(np.array)


@pytest.fixture(params=AIMS, ids=str)
def aiming(request):
    return AIMS[request.param]


def brightest(picture):
    """Return the centre of light (x, y) of a picture (H, W)."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(picture * x).sum(), (picture * y).sum()]) / picture.sum()


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turn", [0.0, 0.4, -2.0])
def test_a_lit_pixel_and_a_keypoint_on_it_stay_together(aiming, turn, mirror):
    place = np.array([71.0, 54.0])
    picture = np.zeros((120, 160), np.float32)
    picture[54, 71] = 1
    warp = aiming((74, 50), (15, 20), SIZE, turn, mirror)  # enlarges, so the pixel becomes a spot
    assert warp.mirrored == mirror
    np.testing.assert_allclose(brightest(warp.image(picture)), warp.points(place), atol=0.1)


def test_a_lit_pixel_and_a_keypoint_stay_together_through_take_and_back(rng):
    lit = np.array([40.0, 30.0])
    keypoints = rng.uniform(20, 60, (17, 2))
    keypoints[COCO.index("left_wrist")] = lit
    picture = np.zeros((90, 120, 3), np.uint8)
    picture[30, 40] = 255
    person = Person(keypoints, np.full(17, SEEN, np.uint8), box=np.array([20.0, 20, 60, 60]))
    warp = around((40, 40), (30, 40), SIZE, 0.3, mirror=True)
    crop = take(Scene(picture, COCO, (person,)), warp)
    shown = crop.people[0].keypoints[COCO.index("right_wrist")]  # a mirror shows the left wrist on the right
    np.testing.assert_allclose(brightest(crop.pixels[..., 0].astype(float)), shown, atol=0.1)
    (back,) = crop.back(crop.people)
    np.testing.assert_allclose(back.keypoints, keypoints, atol=1e-9)
    np.testing.assert_array_equal(back.visible, person.visible)


def test_light_and_a_keypoint_stay_together_when_a_huge_picture_shrinks():
    place = np.array([571.0, 803.0])
    y, x = np.mgrid[:1603, :1201]  # sides that no factor divides
    picture = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 60.0**2)).astype(np.float32)
    warp = resized((1201, 1603), SIZE)
    assert warp.scale * SHRINK_BEYOND < 1
    np.testing.assert_allclose(brightest(warp.image(picture)), warp.points(place), atol=0.02)


@given(warps, points)
def test_inverse_brings_back(warp, xy):
    back = warp.inverse((640, 480))
    np.testing.assert_allclose(back.points(warp.points(xy)), xy, atol=1e-8)
    np.testing.assert_allclose((back @ warp).matrix, np.eye(3), atol=1e-8)
    assert back.size == (640, 480)
    assert back.mirrored == warp.mirrored
    assert back.scale == pytest.approx(1 / warp.scale)


@given(warps, warps, warps, points)
def test_warps_are_associative_and_the_right_one_goes_first(a, b, c, xy):
    np.testing.assert_allclose(((a @ b) @ c).matrix, (a @ (b @ c)).matrix, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose((a @ b).points(xy), a.points(b.points(xy)), rtol=1e-9, atol=1e-6)
    assert (a @ b).size == a.size
    assert (a @ b).mirrored == (a.mirrored != b.mirrored)
    assert (a @ b).scale == pytest.approx(a.scale * b.scale)


@given(points)
def test_mirror_of_mirror_is_identity(xy):
    flip = flipped(SIZE)
    assert flip.mirrored
    np.testing.assert_allclose((flip @ flip).points(xy), xy, atol=1e-9)


def test_a_mirror_is_what_reversing_the_columns_is(rng):
    picture = rng.integers(0, 256, (30, 41, 3), np.uint8)
    np.testing.assert_array_equal(flipped((41, 30)).image(picture), picture[:, ::-1])


@given(st.tuples(real, real), st.tuples(side, side), st.floats(-3, 3))
def test_mirroring_an_aim_mirrors_its_crop(center, extent, turn):
    plain = around(center, extent, SIZE, turn)
    np.testing.assert_allclose(
        around(center, extent, SIZE, turn, mirror=True).matrix, (flipped(SIZE) @ plain).matrix, atol=1e-8
    )


@given(st.tuples(real, real), st.tuples(side, side), st.floats(-3, 3), st.integers(100, 2000), points)
def test_published_aims_mirror_as_if_the_picture_were_mirrored_first(center, extent, turn, width, xy):
    first = flipped((width, 500))
    for codec in (Gaussian, Dark, Udp, UdpOffsets, Megvii):
        folded = codec.around(center, extent, SIZE, turn, mirror=True)
        then = codec.around(first.points(center), extent, SIZE, -turn) @ first
        np.testing.assert_allclose(folded.points(xy), then.points(xy), rtol=0, atol=1e-6)


@given(st.tuples(real, real), st.tuples(side, side))
def test_aims_agree_to_a_few_pixels(center, extent):
    corners = np.array(center) + np.array([(-0.5, -0.5), (0.5, 0.5)]) * extent
    ours = around(center, extent, SIZE, 0.1).points(corners)
    for aiming in AIMS.values():
        np.testing.assert_allclose(aiming(center, extent, SIZE, 0.1).points(corners), ours, atol=3)


def test_points_that_are_nowhere_stay_nowhere(aiming):
    moved = aiming((10, 10), (50, 50), SIZE, 0.2).points([(np.nan, np.nan), (1, 2)])
    assert np.isnan(moved[0]).all()
    assert np.isfinite(moved[1]).all()


def test_the_whole_picture_resized_is_the_box_around_all_its_pixels():
    warp = resized((640, 480), SIZE)
    np.testing.assert_allclose(warp.box(whole((640, 480))), whole(SIZE))
    np.testing.assert_allclose(aim(whole((96, 128)), SIZE, padding=1.0).matrix, resized((96, 128), SIZE).matrix)


def test_a_mirrored_person_keeps_what_belongs_to_each_keypoint(rng):
    visible = rng.choice([HIDDEN, SEEN], 17).astype(np.uint8)
    person = Person(rng.uniform(0, 40, (17, 2)), visible, scores=rng.random(17), area=100.0)
    twice = person.moved(flipped(SIZE), COCO).moved(flipped(SIZE), COCO)
    np.testing.assert_allclose(twice.keypoints, person.keypoints)
    np.testing.assert_array_equal(twice.visible, visible)
    np.testing.assert_array_equal(twice.scores, person.scores)
    once = person.moved(flipped(SIZE), COCO)
    np.testing.assert_array_equal(once.visible, visible[COCO.mirror])
    np.testing.assert_allclose(once.keypoints[:, 0], SIZE[0] - 1 - person.keypoints[COCO.mirror, 0])
    assert once.area == person.area


@given(st.integers(1, 60), st.integers(1, 60), st.floats(-9, -3.1), st.integers(0, 2**32 - 1))
def test_a_picture_that_does_not_move_is_the_same_whether_it_is_resampled_or_copied(width, height, exponent, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.choice(np.array([0, 1, 254, 255], np.uint8), (height, width, 3))
    matrix = np.eye(3)
    matrix[:2] += rng.uniform(-1, 1, (2, 3)) * 10**exponent / np.array([4 * width, 4 * height, 2])
    warp = Warp(matrix, (width, height))
    assert warp.stays
    kept, out = warp.image(pixels), np.empty_like(pixels)
    assert not np.shares_memory(kept, pixels)
    assert warp.image(pixels, out=out) is out
    moved = cv2.warpAffine(pixels, matrix[:2], (width, height), flags=cv2.INTER_LINEAR)
    for found in (kept, out, moved):
        np.testing.assert_array_equal(found, pixels)
    assert not Warp(matrix + np.outer([0.01, 0, 0], [0, 0, 1]), (width, height)).stays
