"""Drawings: the right colours in the right places, and nothing else touched."""

import numpy as np
import pytest

from posewright.report.drawing import COLOURS, PAPER, draw, sheet
from posewright.scene import HIDDEN, SEEN, Person
from posewright.skeleton import COCO, SKELETONS, Skeleton
from posewright.warp import flipped

GREY = np.full((200, 300, 3), 128, np.uint8)
STICK = Skeleton("stick", ("left_knee", "left_ankle", "right_knee", "right_ankle", "neck", "pelvis"),
                 (("left_knee", "left_ankle"), ("right_knee", "right_ankle"), ("neck", "pelvis")))  # fmt: skip
ENDS = np.array([(200, 30), (200, 170), (100, 30), (100, 170), (150, 30), (150, 170)], np.float64)


def stick(**fields):
    return Person(**{"keypoints": ENDS, "box": np.array([80.0, 10, 220, 190]), **fields})


def colour_at(pixels, x, y):
    return tuple(pixels[y, x].tolist())


def strength(pixels):
    return int(np.abs(pixels.astype(int) - GREY).sum())


def test_each_side_and_the_middle_has_its_colour():
    drawn = draw(GREY, [stick()], STICK)
    for x, side in ((200, "left"), (100, "right"), (150, "middle")):
        assert colour_at(drawn, x, 100) == COLOURS[side]
        assert colour_at(drawn, x, 30) == COLOURS[side]


def test_the_picture_stays_as_it_was_and_far_pixels_too():
    before = GREY.copy()
    drawn = draw(GREY, [stick()], STICK)
    np.testing.assert_array_equal(GREY, before)
    rows, columns = np.nonzero((drawn != GREY).any(-1))
    assert rows.min() > 20
    assert rows.max() < 180
    assert columns.min() > 90
    assert columns.max() < 210
    assert (drawn[:, 110:140] == GREY[:, 110:140]).all()


def test_a_limb_is_as_wide_as_the_person_is_large():
    boxes = np.array([80.0, 10, 220, 190]), np.array([80.0, 10, 1200, 1450])
    rows = [draw(GREY, [stick(box=box)], STICK)[100] for box in boxes]
    narrow, wide = ((row == COLOURS["left"]).all(-1).sum() for row in rows)
    assert wide > 4 * narrow > 0


def test_a_low_score_is_faint_but_there():
    strengths = [strength(draw(GREY, [stick(scores=np.full(6, s), score=1.0)], STICK)) for s in (0.0, 0.3, 0.6, 1.0)]
    assert 0 < strengths[0] < strengths[1] < strengths[2] < strengths[3]
    assert strengths[3] == strength(draw(GREY, [stick()], STICK))
    assert strength(draw(GREY, [stick(score=0.3)], STICK)) == strengths[1]


def test_a_limb_is_as_faint_as_its_weaker_end():
    drawn = draw(GREY, [stick(scores=np.array([1.0, 0.0, 1.0, 1.0, 1.0, 1.0]))], STICK)
    assert colour_at(drawn, 200, 30) == COLOURS["left"]
    assert colour_at(drawn, 200, 100) != COLOURS["left"]
    assert colour_at(drawn, 100, 100) == COLOURS["right"]


def test_hidden_is_a_ring_and_seen_is_a_disc():
    visible = np.array([HIDDEN, SEEN, SEEN, SEEN, SEEN, SEEN], np.uint8)
    drawn = draw(GREY, [stick(visible=visible, box=np.array([0.0, 0, 600, 800]))], STICK)
    assert colour_at(drawn, 200, 30) == (128, 128, 128)
    assert (drawn[30, 201:216] == COLOURS["left"]).all(-1).any()
    assert colour_at(drawn, 200, 170) == COLOURS["left"]


def test_absent_keypoints_are_not_drawn():
    keypoints = ENDS.copy()
    keypoints[1] = np.nan
    drawn = draw(GREY, [stick(keypoints=keypoints)], STICK)
    assert colour_at(drawn, 200, 30) == COLOURS["left"]
    assert colour_at(drawn, 200, 100) == (128, 128, 128)
    nobody = Person(np.full((6, 2), np.nan))
    np.testing.assert_array_equal(draw(GREY, [nobody], STICK, boxes=True), GREY)


def test_boxes_are_drawn_on_request():
    assert colour_at(draw(GREY, [stick()], STICK), 80, 100) == (128, 128, 128)
    assert min(colour_at(draw(GREY, [stick()], STICK, boxes=True), 80, 100)) > 200


@pytest.mark.parametrize("far", [-1e12, -301.0, 1e4, 1e12])
def test_people_outside_the_picture_do_no_harm(far):
    away = Person(np.full((6, 2), far) + ENDS)
    np.testing.assert_array_equal(draw(GREY, [away], STICK), GREY)
    crossing = ENDS.copy()
    crossing[1] = (200.0, abs(far))
    assert colour_at(draw(GREY, [stick(keypoints=crossing)], STICK), 200, 150) == COLOURS["left"]
    assert draw(np.zeros((1, 1, 3), np.uint8), [stick()], STICK).shape == (1, 1, 3)


def test_a_mirrored_person_is_the_mirrored_drawing_with_sides_exchanged():
    swapped = STICK.mirror
    moved = stick().moved(flipped((300, 200)), STICK)
    drawn = draw(GREY, [moved], STICK)
    np.testing.assert_array_equal(moved.keypoints[swapped][:, 0], 299 - ENDS[:, 0])
    assert colour_at(drawn, 99, 100) == COLOURS["right"]
    touched = (draw(GREY, [stick()], STICK) != GREY).any(-1)
    np.testing.assert_array_equal((drawn != GREY).any(-1), touched[:, ::-1])


@pytest.mark.parametrize("skeleton", SKELETONS, ids=repr)
def test_every_skeleton_can_be_drawn(skeleton, rng):
    person = Person(rng.uniform(0, 200, (len(skeleton), 2)))
    drawn = draw(GREY, [person], skeleton)
    assert all((drawn == COLOURS[side]).all(-1).any() for side in ("left", "right", "middle"))


def test_another_skeleton_is_refused():
    with pytest.raises(ValueError, match="6 keypoints, but coco has 17"):
        draw(GREY, [stick()], COCO)


def test_a_sheet_scales_pictures_into_cells_in_order():
    reds = [np.full(shape, (255, 0, i), np.uint8) for i, shape in enumerate([(10, 20, 3), (400, 100, 3), (1, 1, 3)])]
    page = sheet(reds, 2, cell=(40, 30), gap=5)
    assert page.shape == (2 * 35 + 5, 2 * 45 + 5, 3)
    for place, (x, y) in enumerate([(25, 20), (70, 20), (25, 55)]):
        assert colour_at(page, x, y) == (255, 0, place)
    assert colour_at(page, 25, 5) == PAPER
    assert colour_at(page, 70, 55) == PAPER


@pytest.mark.parametrize("caption", ["knee", "a caption that is much too long for its cell", "Zürich 走", "two\nlines"])
def test_captions_stay_below_their_picture(caption):
    pictures = [np.zeros((60, 60, 3), np.uint8)] * 2
    page = sheet(pictures, 1, [caption, ""], cell=(60, 60), gap=4)
    assert page.shape == (2 * (60 + 20 + 4) + 4, 68, 3)
    written = (page != PAPER).any(-1)
    assert written[64:84, 4:64].any()
    assert written[:4].sum() == written[:, :4].sum() == written[:, 64:].sum() == written[148:].sum() == 0


def test_a_sheet_without_pictures_or_with_too_few_captions_is_refused():
    with pytest.raises(ValueError, match="0 in 3 columns"):
        sheet([], 3)
    with pytest.raises(ValueError, match="1 captions for 2 pictures"):
        sheet([GREY, GREY], 2, ["one"])
