"""Training on whole pictures: everybody moves by one warp, nobody unlabelled is learnt, each person may be hidden."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.augment.jitter import Jitter
from posewright.augment.picture_jitter import Colours, Crowd, FirstPerson, Fitted, Grey, Middle, PictureJitter, Side
from posewright.codecs.bottom_up.higher_hrnet import HigherHRNet
from posewright.codecs.bottom_up.multiposenet import MultiPoseNet
from posewright.datasets.synthetic import world
from posewright.metrics import box_ap
from posewright.occlusion import Augmentation
from posewright.occlusion.presets import AUGMENTATIONS, keypoint_aware, part_mix
from posewright.recipes import recipe_named
from posewright.recipes.openpose import each_main_person
from posewright.recipes.recipe import Phase
from posewright.scene import SEEN, Person, Scene
from posewright.skeleton import COCO, Skeleton
from posewright.train import Machine, train
from posewright.train.pictures import PictureBatches, is_in, learnable

STILL = PictureJitter(Fitted(), scale=(1.0, 1.0), turn=0.0, shift=0.0, mirror=0.0)
CODEC = HigherHRNet(COCO, (128, 96))
ALONE = Machine(device="cpu", precision="fp32", workers=0)


class Seen:
    """A codec that hands on what it is to encode."""

    skeleton, size, whole = COCO, (128, 96), True

    def encode(self, pictures):
        return pictures


def batches(scenes, jitter=STILL, codec=None, **said):
    return PictureBatches(scenes, codec or Seen(), jitter, len(scenes), **said)


def at(*places):
    """Make a person of keypoints at some places (x, y), the rest absent."""
    keypoints = np.full((len(COCO), 2), np.nan)
    keypoints[: len(places)] = places
    visible = np.where(np.isfinite(keypoints[:, 0]), SEEN, 0).astype(np.uint8)
    return Person(keypoints, visible, box=np.array([*np.nanmin(keypoints, 0) - 4, *np.nanmax(keypoints, 0) + 4]))


def lit(size, places):
    """Light some pixels (x, y) of a black picture, one colour each."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for channel, (x, y) in enumerate(places):
        pixels[y - 2 : y + 3, x - 2 : x + 3, channel] = 255
    return pixels


FRAMES = (Fitted(), Side("shorter"), Side("longer"), FirstPerson(0.3), Crowd(), Middle())


@pytest.mark.parametrize("frame", FRAMES, ids=repr)
def test_everybody_moves_with_the_picture(frame):
    """Each person has one keypoint, in the middle of a square lit in a colour of its own."""
    places = [(60, 40), (90, 50), (75, 70)]
    scene = Scene(lit((160, 120), places), COCO, tuple(at(place) for place in places))
    jitter = PictureJitter(frame, scale=(0.7, 1.2), turn=40.0, shift=0.1)
    drawn = batches([scene], jitter)
    checked = mirrored = 0
    for epoch in range(20):
        pixels, (people,) = drawn.batch(epoch, 0)
        for person in people:
            xy = person.keypoints[person.labelled][0]
            mirrored += not person.labelled[0]
            if (xy > 4).all() and (xy < (123, 91)).all():
                channel = int(pixels[0, round(xy[1]), round(xy[0])].argmax())
                rows, columns = np.nonzero(pixels[0, ..., channel] > 100)
                weights = pixels[0, rows, columns, channel].astype(float)
                middle = np.average(np.stack([columns, rows], -1), axis=0, weights=weights)
                np.testing.assert_allclose(middle, xy, atol=0.8)
                checked += 1
    assert checked > 10
    assert not mirrored  # the nose stays the nose


def test_left_and_right_change_places_in_a_mirrored_view():
    left = at(*[(40.0, 40.0)] * 2)
    scene = Scene(np.zeros((96, 128, 3), np.uint8), COCO, (left,))
    _, (people,) = batches([scene], replace(STILL, mirror=1.0)).batch(0, 0)
    assert people[0].labelled[COCO.index("right_eye")]
    assert not people[0].labelled[COCO.index("left_eye")]
    np.testing.assert_allclose(people[0].keypoints[0], (127 - 40, 40))


def test_a_batch_is_a_function_of_its_number():
    scenes = world(5, 3, size=(128, 96))
    one, other = (batches(scenes, PictureJitter(), CODEC, seed=4).batch(2, 0) for _ in range(2))
    another = batches(scenes, PictureJitter(), CODEC, seed=5).batch(2, 0)
    np.testing.assert_array_equal(one[0], other[0])
    assert all(np.array_equal(a, b) for a, b in zip(one[1], other[1], strict=True))
    assert (one[0] != another[0]).any()


def test_crowds_and_people_without_keypoints_are_left_out_of_the_loss():
    nobody = Person(np.full((len(COCO), 2), np.nan), np.zeros(len(COCO), np.uint8), box=np.array([0.0, 0, 31, 31]))
    crowd = replace(at((100.0, 40.0)), crowd=True, box=np.array([80.0, 40, 128, 96]))
    scene = Scene(np.zeros((96, 128, 3), np.uint8), COCO, (at((50.0, 60.0)), nobody, crowd))
    _, target = batches([scene], codec=CODEC).batch(0, 0)
    assert not target.mask[0, 0, :7, :7].any()
    assert not target.mask[0, 0, 11:, 21:].any()
    assert target.mask[0, 0, 15, 12] == 1
    assert target.maps[0].max((1, 2)).nonzero()[0].tolist() == [0]
    assert (target.places[0] >= 0).any(1).sum() == 1


def test_pictures_with_nobody_to_learn_from_are_left_out():
    empty = Scene(np.zeros((96, 128, 3), np.uint8), COCO)
    crowd = replace(empty, people=(replace(at((5.0, 5.0)), crowd=True),))
    boxed = replace(empty, people=(Person(np.full((17, 2), np.nan), box=np.array([1.0, 1, 9, 9])),))
    assert learnable([empty, crowd, boxed]) == [boxed]
    _, target = batches([empty], codec=CODEC).batch(0, 0)
    assert not target.maps.any()


@pytest.mark.parametrize("frame", FRAMES, ids=repr)
def test_odd_pictures_are_no_trouble(frame):
    """One of a single pixel, one without people, one of 200: each is drawn like any other."""
    rng = np.random.default_rng(0)
    two_hundred = tuple(at(*rng.uniform(0, 90, (17, 2))) for _ in range(200))
    pictures = [(np.zeros((1, 1, 3), np.uint8), (at((0.0, 0.0)),)), (np.zeros((90, 90, 3), np.uint8), ()),
                (np.zeros((90, 90, 3), np.uint8), two_hundred)]  # fmt: skip
    scenes = [Scene(pixels, COCO, people) for pixels, people in pictures]
    pixels, target = batches(scenes, PictureJitter(frame), CODEC).batch(0, 0)
    assert pixels.shape == (3, 96, 128, 3)
    assert all(np.isfinite(array).all() for array in target)
    assert (target.places >= 0).any((1, 2)).sum() <= 2


def test_who_is_outside_the_view_is_nobody():
    assert is_in(at((5.0, 5.0)), (128, 96))
    assert not is_in(at((-50.0, 5.0)), (128, 96))
    assert is_in(replace(at((-50.0, 5.0)), box=np.array([-60.0, 0, 5, 9])), (128, 96))


def test_every_person_has_a_chance_of_their_own():
    """A disc is black with a chance of a half on each of three people, whose discs do not meet."""
    places = [(20.0, 20.0), (64.0, 70.0), (110.0, 20.0)]
    white = Scene(np.full((96, 128, 3), 255, np.uint8), COCO, tuple(at(place) for place in places))
    occlusion = replace(keypoint_aware(), chance=0.5)
    drawn = batches([white], occlusion=occlusion)
    hidden = np.array([
        [not pixels[0, int(y) - 14 : int(y) + 15, int(x) - 14 : int(x) + 15].all() for x, y in places]
        for pixels in (drawn.batch(epoch, 0)[0] for epoch in range(100))
    ])  # fmt: skip
    assert ((hidden.mean(0) > 0.3) & (hidden.mean(0) < 0.7)).all()
    assert {0, 1, 2, 3} == set(hidden.sum(1).tolist())


def test_what_is_aimed_at_nobody_is_put_on_a_picture_once():
    people = tuple(at((20.0 + 8 * n, 50.0)) for n in range(10))
    white = Scene(np.full((96, 128, 3), 255, np.uint8), COCO, people)
    drawn = batches([white], occlusion=AUGMENTATIONS["cutout"]([]))
    for epoch in range(5):
        black = (drawn.batch(epoch, 0)[0][0] == 0).all(-1)
        rows, columns = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
        assert black.sum() <= len(rows) * len(columns) <= (128 / 32 * 16) ** 2 + 1  # one square


def test_part_mix_shows_parts_of_others_on_several_people():
    scenes = world(3, 8, size=(128, 96), people=(3, 3))
    drawn = batches(scenes, occlusion=part_mix(scenes, chance=1.0))
    plain, mixed = batches(scenes).batch(0, 0), drawn.batch(0, 0)
    assert (plain[0] != mixed[0]).any((1, 2, 3)).all()
    for before, after in zip(plain[1], mixed[1], strict=True):
        assert [person.id for person in before] == [person.id for person in after]
        assert sum((a.visible < b.visible).any() for a, b in zip(after, before, strict=True)) > 1


def test_a_hidden_keypoint_has_no_weight_of_its_own():
    with pytest.raises(ValueError, match=r"kept .1. or removed .None., not weighed by 0.5"):
        batches([], occlusion=Augmentation((), target=0.5))


def test_masks_are_decoded_when_asked_for(tmp_path):
    """What `coco.read_with_masks` keeps moves and is drawn as masks that were decoded at once."""
    from posewright.datasets import coco

    coco.write(world(2, 6, size=(128, 96), people=(2, 3)), tmp_path)
    decoded, later = coco.read(tmp_path, "train", masks=True), coco.read_with_masks(tmp_path, "train")
    codec = MultiPoseNet(COCO, (128, 96))
    one, other = (batches(scenes, PictureJitter(), codec).batch(0, 0)[1] for scenes in (decoded, later))
    assert one.silhouettes.any()
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(
        np.array_equal(a.mask, np.asarray(b.mask)) for a, b in zip(decoded[0].people, later[0].people, strict=True)
    )


@pytest.mark.parametrize("colours", [Colours(), Grey(1.0)], ids=repr)
def test_colours_change_and_places_do_not(colours):
    pixels = world(1, 9, size=(64, 48))[0].pixels()
    changed = colours(pixels, np.random.default_rng(1))
    assert changed.dtype == np.uint8
    assert (changed != pixels).any()
    flat = np.full((8, 8, 3), (200, 90, 40), np.uint8)
    assert np.ptp(colours(flat, np.random.default_rng(1)).reshape(-1, 3).astype(int), axis=0).tolist() == [0, 0, 0]


def test_main_people_are_shown_in_turn_with_all_others_behind():
    rng = np.random.default_rng(0)

    def person(middle, side, count=17, **said):
        places = [tuple(middle + rng.uniform(-side / 2, side / 2, 2)) for _ in range(count)]
        box = np.array([*(np.array(middle) - side / 2), *(np.array(middle) + side / 2)])
        return replace(at(*places), box=box, area=float(side**2), **said)

    large, far = person(np.array([100.0, 100]), 80), person(np.array([300.0, 100]), 60)
    rest = (person(np.array([104.0, 100]), 60), person(np.array([200.0, 100]), 20), person(np.array([400.0, 9]), 60, 4))
    scene = Scene(np.zeros((200, 500, 3), np.uint8), COCO, (large, *rest, far, replace(large, crowd=True)))
    shown = each_main_person([scene])
    assert [one.people[0] for one in shown] == [large, far]
    assert all(len(one.people) == 6 for one in shown)


def tiny(**said):
    from posewright.models.higher_hrnet import HigherHRNet as Network

    def network():
        return Network(4, len(COCO))

    def read(_folder, split):
        return world({"train": 5, "val": 2}[split], len(split), size=(128, 96), people=(1, 3))

    recipe = replace(recipe_named("higher_hrnet_w32_coco"), name="tiny", read=read, network=network, batch=2,
                     codec=replace(CODEC, size=(64, 64)), phases=(Phase(1, 1e-3),))  # fmt: skip
    return replace(recipe, **said)


def test_a_recipe_of_whole_pictures_is_trained_and_judged_without_boxes(tmp_path):
    import torch

    checkpoint = train(tiny(), ".", tmp_path, machine=ALONE)
    content = torch.load(checkpoint, weights_only=True)
    assert content["step"] == 3
    assert {"AP", "AR"} <= content["history"][-1].keys()
    assert content["jitter"]["frame"] == {"side": "shorter"}


def test_boxes_alone_are_learnt(tmp_path, monkeypatch):
    """Of people without keypoints, as a data set of a detector has them."""
    from posewright.models import feature_pyramid, multiposenet, resnet, retinanet
    from posewright.recipes.losses import scores_and_boxes

    def read(folder, split):
        bare = np.full((len(COCO), 2), np.nan)
        return [
            replace(scene, people=tuple(Person(bare, np.zeros(17, np.uint8), box=p.box) for p in scene.people))
            for scene in tiny().read(folder, split)
        ]

    def network():
        for paper in (feature_pyramid, retinanet, multiposenet):
            monkeypatch.setattr(paper, "WIDTH", 16)
        return multiposenet.MultiPoseNet(resnet.ResNet((1, 1, 1, 1)), len(COCO))

    recipe = tiny(read=read, network=network, codec=MultiPoseNet(COCO, (64, 64)), loss=scores_and_boxes, metric=box_ap)
    train(recipe, ".", tmp_path, machine=ALONE)
    assert '"APS"' in (tmp_path / "log.jsonl").read_text()  # of small people: boxes' AP


@pytest.mark.parametrize(
    ("said", "machine", "reason"),
    [
        ({"jitter": Jitter()}, ALONE, "its codec is of whole pictures, so its jitter must be a PictureJitter"),
        ({}, replace(ALONE, keep=True), "learns from whole pictures, of which no crops can be kept"),
        (
            {"codec": replace(CODEC, skeleton=Skeleton("two", ("eye1", "eye2"), ()))},
            ALONE,
            "do not tell what a mirror shows",
        ),
    ],
)
def test_what_does_not_fit_is_one_clear_line(tmp_path, said, machine, reason):
    with pytest.raises(ValueError, match=reason) as error:
        train(tiny(**said), ".", tmp_path, machine=machine)
    assert "\n" not in str(error.value)
