"""The detector of people: what its codec says of boxes, what its loss and its mosaics are, and who uses it."""

import numpy as np
import pytest

from posewright.augment.mosaic import Mosaic, scrambled
from posewright.codecs.detection.ttfnet import TTFNet
from posewright.datasets.records import DataError
from posewright.geometry.boxes import overlap
from posewright.picture import write
from posewright.recipes import negatives
from posewright.recipes.boxes import clear, with_bystanders, with_things
from posewright.scene import Person, Scene
from posewright.skeleton import BODY, COCO
from posewright.warp import flipped

CODEC = TTFNet(BODY, size=(256, 192))
ABSENT = np.full((len(BODY), 2), np.nan)


def boxed(*corners, crowd=False):
    return Person(ABSENT, box=np.array(corners, np.float64), crowd=crowd)


def boxes(people):
    return np.array([person.box for person in people]).reshape(-1, 4)


PEOPLE = [boxed(10, 20, 60, 150), boxed(100, 30, 140, 90), boxed(180.5, 100, 203, 160), boxed(220, 10, 230, 34)]


def test_decode_of_encode_is_the_same_boxes():
    found, nobody = CODEC.decode(CODEC.encode([PEOPLE, []]))
    assert nobody == []
    shared = overlap(boxes(found), boxes(PEOPLE))
    assert len(found) == len(PEOPLE)
    np.testing.assert_allclose(shared.max(0), 1, atol=1e-5)
    assert all(one.score == 1 and not one.labelled.any() for one in found)


def test_a_box_is_cut_to_the_picture_and_one_outside_is_nobody():
    found = CODEC.decode(CODEC.encode([[boxed(-50, 100, 40, 400), boxed(300, 10, 400, 80)]]))[0]
    np.testing.assert_allclose(boxes(found), [[-0.5, 100, 40, 191.5]], atol=1e-4)


def test_of_a_shared_pixel_the_smaller_person_has_it():
    large, small = boxed(20, 20, 220, 180), boxed(100, 80, 140, 120)
    found = CODEC.decode(CODEC.encode([[small, large]]))[0]
    np.testing.assert_allclose(boxes(found)[0], small.box, atol=1e-4)


def test_keypoints_stand_in_for_a_box():
    keypoints = ABSENT.copy()
    keypoints[:2] = (40, 50), (90, 150)
    found = CODEC.decode(CODEC.encode([[Person(keypoints)]]))[0]
    np.testing.assert_allclose(boxes(found), [[40, 50, 90, 150]], atol=1e-4)


def test_a_mirrored_picture_has_the_mirrored_boxes():
    flip = flipped(CODEC.size)
    mirrored = CODEC.encode([[person.moved(flip, BODY) for person in PEOPLE[:2]]])
    back = CODEC.mirror(mirrored)
    np.testing.assert_allclose(back.sides.max(), CODEC.encode([PEOPLE[:2]]).sides.max(), atol=CODEC.stride)
    found = CODEC.decode(back)[0]
    assert overlap(boxes(found), boxes(PEOPLE[:2])).max(0).min() > 0.99
    for ours, theirs in zip(CODEC.mirror(back), mirrored, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_nobody_knows_does_not_count_but_people_in_it_do():
    hidden = np.zeros((192, 256), bool)
    hidden[:, 224:] = True
    crowd = boxed(90, 20, 160, 100, crowd=True)
    told, plain = CODEC.encode([[PEOPLE[1], crowd]], [hidden]), CODEC.encode([[PEOPLE[1]]])
    np.testing.assert_array_equal(told.maps, plain.maps)
    assert plain.mask.all()
    mask = told.mask[0, 0]
    assert not mask[:, 28:].any()
    assert not mask[3, 12:19].any()  # in the crowd, and not in the person's Gaussian
    assert mask[:, :11].all()
    assert mask[told.weights[0, 0] > 0].all()
    with pytest.raises(ValueError, match="mask of what is not labelled must be"):
        CODEC.encode([[]], [hidden[1:]])


def test_noise_and_what_is_no_number_are_boxes_inside_or_nobody(rng):
    fields = CODEC.encode([[]])
    noise = fields._replace(maps=rng.random(fields.maps.shape), sides=rng.normal(0, 60, fields.sides.shape))
    for person in CODEC.decode(noise)[0]:
        assert (person.box[2:] > person.box[:2]).all()
        assert (person.box[:2] >= -0.5).all()
        assert (person.box[2:] <= np.array(CODEC.size) - 0.5).all()
        assert CODEC.least <= person.score <= 1
    assert CODEC.decode(noise._replace(maps=np.full_like(fields.maps, np.nan))) == [[]]
    assert CODEC.decode(noise._replace(sides=np.full_like(fields.sides, np.nan))) == [[]]
    with pytest.raises(ValueError, match="maps and sides must be"):
        CODEC.decode(noise._replace(maps=noise.maps[..., 1:]))


def test_the_loss_is_the_papers():
    torch = pytest.importorskip("torch")
    from posewright.fields import Centres
    from posewright.losses.centres import middles, sides

    maps = torch.tensor([[[[1.0, 0.5], [0.0, 0.0]]]])
    target = Centres(maps, torch.full((1, 4, 2, 2), 2.0), torch.tensor([[[[3.0, 1], [0, 0]]]]), torch.ones(1, 1, 2, 2))
    target.mask[..., 1, 1] = 0
    likely = torch.tensor([[[[0.8, 0.4], [0.1, 0.9]]]])
    by_hand = -(0.2**2 * np.log(0.8) + 0.5**4 * 0.4**2 * np.log(0.6) + 0.1**2 * np.log(0.9))
    assert float(middles(likely, target)) == pytest.approx(by_hand, rel=1e-5)
    found = target.sides.clone()
    found[:, 2, 0, 0] = 6.0  # twice as wide: an intersection of 1/2, no hull beyond the union
    found[:, :2, 0, 1], found[:, 2:, 0, 1] = 6.0, -4.0  # beside it: 16 of 64 px apart hull, nothing shared
    hull = 8.0 * 8.0
    apart = 1 + (hull - (4 + 16)) / hull
    assert float(sides(found, target)) == pytest.approx((3 * 0.5 + apart) / 4, rel=1e-5)


def photograph(rng, people=((60, 40, 110, 140),), size=(160, 180)):
    """Draw a picture of noise, each person a bright rectangle with a skeleton along its box."""
    pixels = rng.integers(0, 90, (size[1], size[0], 3), np.uint8)
    made = []
    for x0, y0, x1, y1 in people:
        pixels[y0:y1, x0:x1] = 220
        xy = rng.uniform((x0, y0), (x1, y1), (len(BODY), 2))
        made.append(Person(xy, box=np.array([x0, y0, x1, y1], np.float64) - 0.5))
    return Scene(pixels, BODY, tuple(made), size)


def test_mosaics_tell_whose_boxes_are_left(rng):
    scenes = [photograph(rng), photograph(rng, ((10, 30, 60, 90), (90, 60, 130, 170))), photograph(rng, ())]
    mosaic = Mosaic(scenes, [np.full((20, 30, 4), 255, np.uint8)])
    counts, crowds = [], 0
    for number in range(40):
        scene = mosaic(number % 3, (192, 192), np.random.default_rng(number))
        again = mosaic(number % 3, (192, 192), np.random.default_rng(number))
        np.testing.assert_array_equal(scene.pixels(), again.pixels())
        assert scene.pixels().shape == (192, 192, 3)
        for person in scene.people:
            assert (person.box >= -0.5).all()
            assert (person.box <= 191.5).all()
            assert (person.box[2:] > person.box[:2]).all()
        counts.append(sum(not person.crowd for person in scene.people))
        crowds += sum(person.crowd for person in scene.people)
    assert 0 in counts
    assert max(counts) > 4
    assert crowds


def test_a_tile_shows_its_people_where_their_boxes_are(rng):
    scene = photograph(rng)
    mosaic = Mosaic([scene])
    bright = []
    for number in range(60):
        made = mosaic(0, (192, 192), np.random.default_rng(number))
        grey = made.pixels().mean(-1)
        for x0, y0, x1, y1 in boxes(made.people).round().astype(int):
            if min(x1 - x0, y1 - y0) > 20:
                bright.append(np.median(grey[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2]) / max(np.median(grey[grey > 0]), 1))
    assert len(bright) > 40
    assert np.median(bright) > 1.5


def test_a_scrambled_picture_keeps_its_pixels_and_loses_its_people(rng):
    scene = photograph(rng)
    laid = scrambled(scene, rng)
    width, height = laid.size
    assert laid.people == ()
    assert laid.pixels().shape == (height, width, 3)
    assert (width, height) != (0, 0)
    bright = (laid.pixels() == 220).all(-1)
    assert 0.8 * 50 * 100 < bright.sum() <= 50 * 100
    assert not bright[40:140, 60:110].all()


def test_things_stand_before_nobody():
    parts = [Scene(np.zeros((60, 90, 3), np.uint8), BODY, (), (90, 60)) for _ in range(6)]
    thing = np.full((30, 20, 4), 255, np.uint8)
    filled = with_things(parts, [thing])
    assert [bool(part.pixels().any()) for part in filled] == [False, True, True] * 2
    assert not any(part.pixels().any() for part in [*parts, *with_things(parts, [])])


def test_photographs_of_nobody_are_tiles_and_whole_pictures(rng):
    shown = Scene(np.full((90, 120, 3), (250, 10, 10), np.uint8), BODY, (), (120, 90))
    scenes = [photograph(rng), photograph(rng, ())]
    plain, mosaic = Mosaic(scenes), Mosaic(scenes, negatives=[shown])
    red, empty = [], [0, 0]
    for number in range(80):
        made = mosaic(0, (128, 128), np.random.default_rng(number))
        pixels = made.pixels().astype(int)
        red.append(float((pixels[..., 0] > pixels[..., 1] + 90).mean()))
        empty[0] += not made.people
        empty[1] += not plain(0, (128, 128), np.random.default_rng(number)).people
    assert max(red) > 0.5, "a whole picture of it"
    assert 0.3 < np.mean(np.array(red) > 0.01) < 0.9
    assert empty[0] > empty[1]


def test_every_fifth_photograph_of_nobody_is_set_aside(tmp_path, monkeypatch, rng):
    with pytest.raises(DataError, match=r"no photographs of nobody; benchmarks/negatives\.py"):
        negatives.photographs(tmp_path)
    (tmp_path / "negatives").mkdir()
    for number in range(11):
        write(tmp_path / "negatives" / f"{number:02d}.jpg", rng.integers(0, 255, (40, 60, 3), np.uint8))
    people = [*(photograph(rng) for _ in range(3)), *(photograph(rng, ()) for _ in range(9))]
    monkeypatch.setattr(negatives.boxes, "read", lambda _folder, _split: people)
    aside = [scene.id for scene in negatives.read(tmp_path, "validation")[12:]]
    assert aside == ["00", "05", "10"]
    taught = negatives.read(tmp_path, "train")
    assert [len(scene.people) for scene in taught] == [1, 1, 1, 0, 0]
    mosaic = negatives.composed(taught, tmp_path)
    assert {scene.id for scene in mosaic.negatives}.isdisjoint(aside)
    assert len(mosaic.negatives) == 8
    assert len(mosaic.things) == len(negatives.boxes.things())


def test_bystanders_are_who_the_detectors_are_sure_of_and_doubtful_below():
    scene = Scene(np.zeros((200, 200, 3), np.uint8), BODY, (boxed(50, 40, 110, 160),), (200, 200))
    seen = np.array([[48.0, 38, 112, 165], [150, 50, 180, 140], [5, 5, 30, 60], [60, 60, 80, 100], [152, 52, 181, 142]])
    (told,) = with_bystanders([scene], {0: (seen, np.array([0.9, 0.7, 0.3, 0.8, 0.6]))})
    assert [person.crowd for person in told.people] == [False, False, True]
    np.testing.assert_array_equal(boxes(told.people)[1:], seen[[1, 2]])
    parts = list(clear(told))
    assert [(part.size, part.people) for part in parts] == [((200, 38), ())]


def test_another_skeleton_is_as_good():
    found = TTFNet(COCO, size=(64, 64)).decode(TTFNet(COCO, size=(64, 64)).encode([[boxed(8, 8, 40, 60)]]))
    assert len(found[0][0]) == len(COCO)
