"""Bottom-up estimators find everybody in a picture, in its pixels; boxes given, each is answered with its person.

The network here is an oracle: it knows the pictures, and says of each what its codec would encode.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

import posewright
from posewright import picture
from posewright.codecs.bottom_up.associative_embedding import AssociativeEmbedding
from posewright.codecs.bottom_up.higher_hrnet import HigherHRNet
from posewright.codecs.bottom_up.multiposenet import MultiPoseNet
from posewright.codecs.bottom_up.openpose import LightweightOpenPose, OpenPose
from posewright.codecs.bottom_up.simplepose import SimplePose
from posewright.datasets.synthetic import world
from posewright.estimators.bottom_up import BottomUp, fitted
from posewright.estimators.estimator import WHOLE_PICTURE
from posewright.estimators.runtimes import Network
from posewright.scene import Person, Scene, box_around
from posewright.skeleton import COCO
from posewright.verbs.evaluate import evaluate
from posewright.warp import Warp, flipped, resized

SIZE = (512, 384)
CODECS = (AssociativeEmbedding, HigherHRNet, OpenPose, LightweightOpenPose, SimplePose, MultiPoseNet)
APART = 0.25
"""How far apart boxes are, in widths, so that they are two to every codec; those of MultiPoseNet grow by 0.21."""


class Oracle:
    """Say of a picture of `scenes`, or its mirror image, what a perfect network would; of others, that nobody is."""

    def __init__(self, codec, scenes):
        self.codec, self.known, self.batches = codec, {}, []
        flip = flipped(codec.size)
        for scene in scenes:
            crop = fitted(scene, codec.size)
            mirrored = [person.moved(flip, COCO) for person in crop.people]
            self.known[crop.pixels.tobytes()] = crop.people
            self.known[np.ascontiguousarray(crop.pixels[:, ::-1]).tobytes()] = mirrored

    def __call__(self, pixels):
        self.batches.append(len(pixels))
        target = self.codec.encode([self.known.get(one.tobytes(), ()) for one in pixels])
        return [self.codec.perfect(target) if hasattr(self.codec, "perfect") else target]


def asked(codec, scenes, **options):
    return BottomUp(Network(Oracle(codec, scenes), codec), codec, **options)


def apart(scene):
    """Tell whether two whole people stand beside each other."""
    left, right = sorted((person.box for person in scene.people), key=lambda box: box[0])
    gap, widest = right[0] - left[2], max(left[2] - left[0], right[2] - right[0])
    return gap > APART * widest and all(person.labelled.all() for person in scene.people)


@pytest.fixture(scope="module")
def scenes():
    found = [scene for scene in world(25, seed=3, size=(480, 300), people=(2, 2)) if apart(scene)]
    assert len(found) == 3
    return found


@pytest.fixture(params=CODECS, ids=lambda codec: codec.__name__)
def codec(request):
    return request.param(COCO, size=SIZE)


def nearest(people, true):
    return min(people, key=lambda one: np.nanmean(np.abs(one.keypoints - true.keypoints)))


@pytest.mark.parametrize("flip", [False, True])
def test_everybody_is_found_where_they_are(codec, scenes, flip):
    estimator = asked(codec, scenes, flip=flip, batch=2)
    for scene, people in zip(scenes, estimator.many([scene.pixels() for scene in scenes]), strict=True):
        assert len(people) == len(scene.people)
        for true in scene.people:
            person = nearest(people, true)
            assert person.labelled.sum() >= 16
            away = np.abs(person.keypoints - true.keypoints)[person.labelled]
            assert away.max() <= codec.tolerance
    assert estimator.network.run.batches == [2, 2, 1, 1] if flip else [2, 1]


def test_moving_the_picture_moves_the_answer(codec, scenes):
    scene = scenes[0]
    move = Warp(np.array([[0.8, 0, 31], [0, 0.8, 17], [0, 0, 1.0]]), (500, 420))
    moved = Scene(move.image(scene.pixels()), COCO, tuple(one.moved(move, COCO) for one in scene.people))
    estimator = asked(codec, [scene, moved])
    people, others = estimator.many([scene.image, moved.image])
    assert len(people) == len(others) == 2
    for person in people:
        there = person.moved(move, COCO)
        away = np.abs(nearest(others, there).keypoints - there.keypoints)
        assert np.nanmax(away) <= 2 * codec.tolerance


def test_each_box_is_answered_with_its_person(codec, scenes):
    scene = scenes[1]
    empty = np.array([0.0, 0, 3, 3])
    boxes = [scene.people[1].box, empty, scene.people[0].box]
    people = asked(codec, scenes)(scene.pixels(), boxes)
    for person, box in zip(people, boxes, strict=True):
        np.testing.assert_array_equal(person.box, box)
    assert not people[1].labelled.any()
    assert people[1].score == 0
    for person, true in ((people[0], scene.people[1]), (people[2], scene.people[0])):
        assert np.nanmax(np.abs(person.keypoints - true.keypoints)) <= codec.tolerance


def test_nobody_is_in_an_empty_picture(codec):
    estimator = asked(codec, [])
    black, dot = np.zeros((120, 160, 3), np.uint8), np.full((1, 1, 3), 99, np.uint8)
    assert list(estimator.many([black, dot])) == [[], []]
    (person,) = estimator(dot, [(-0.5, -0.5, 0.5, 0.5)])
    assert not person.labelled.any()
    assert list(estimator.many([])) == []
    assert estimator(black, []) == []


def test_two_hundred_people_are_no_trouble(codec, scenes):
    """As small and as near as no codec promises to tell apart."""
    one = scenes[0].people[0].keypoints
    small = 30 * (one - one.min(0)) / np.ptp(one, axis=0).max()
    corners = [np.array([24 * (i % 20), 34 * (i // 20)]) for i in range(200)]
    people = tuple(Person(small + at, box=box_around(small + at)) for at in corners)
    crowd = Scene(np.random.default_rng(0).integers(0, 255, (360, 500, 3), dtype=np.uint8), COCO, people)
    found = asked(codec, [crowd])(crowd)
    assert found or isinstance(codec, MultiPoseNet), "the smallest anchors of MultiPoseNet are larger than these boxes"
    for person in found:
        assert person.labelled.any()
        assert 0 <= person.score <= 1
        assert not (person.keypoints == 0).all(1).any()
        assert np.isnan(person.keypoints[person.scores == 0]).all()


def test_says_how_it_looks(scenes):
    codec = HigherHRNet(COCO, size=SIZE)
    estimator = asked(codec, scenes, flip=True)
    assert estimator.view is WHOLE_PICTURE
    assert estimator.skeleton is COCO
    assert repr(estimator) == "BottomUp(HigherHRNet, 17 keypoints of coco, pictures of 512x384, flip test)"
    assert estimator.protocol() == {"codec": repr(codec), "flip": True, "view": "whole picture"}
    assert posewright.BottomUp is BottomUp


def test_what_is_no_box_is_refused(scenes):
    with pytest.raises(ValueError, match="box must be x0, y0, x1, y1"):
        asked(HigherHRNet(COCO, size=SIZE), scenes)(scenes[0], [(3, 3, 3, 9)])


def test_tags_of_a_mirrored_picture_stand_beside_the_others(scenes):
    """The mean of tags would be nobody's: a mirrored picture's need not be the same numbers."""
    codec = HigherHRNet(COCO, size=SIZE)
    oracle = Oracle(codec, scenes)

    def other_tags(pixels):
        (fields,) = oracle(pixels)
        mirrored = len(oracle.batches) % 2 == 0
        return [fields._replace(tags=50 - fields.tags)] if mirrored else [fields]

    people = BottomUp(Network(other_tags, codec), codec, flip=True)(scenes[0])
    assert len(people) == 2
    for true in scenes[0].people:
        assert np.nanmax(np.abs(nearest(people, true).keypoints - true.keypoints)) <= codec.tolerance


def test_scales_are_put_together(codec, scenes):
    """A network that is perfect at every size is asked at two, and its people stay where they are."""
    seen = []

    def perfect(pixels):
        seen.append((pixels.shape[2], pixels.shape[1]))
        sized = replace(codec, size=seen[-1])
        people = [person.moved(resized(SIZE, seen[-1]), COCO) for person in fitted(scenes[0], SIZE).people]
        target = sized.encode([people])
        return [sized.perfect(target) if hasattr(sized, "perfect") else target]

    estimator = BottomUp(Network(perfect, codec), codec, scales=(0.5, 1.0))
    people = estimator(scenes[0])
    assert seen == [(256, 192), SIZE]
    assert len(people) == 2
    for true in scenes[0].people:
        away = np.abs(nearest(people, true).keypoints - true.keypoints)
        assert np.nanmean(away) <= codec.tolerance + 1
        assert np.isfinite(away).mean() > 0.9
    assert "scales 0.5, 1" in repr(estimator)
    assert estimator.protocol()["scales"] == [0.5, 1.0]


@pytest.mark.parametrize("scales", [(), (0.5, 2.0), (1.0, 0.0), (1.0, 100.0)])
def test_scales_without_one_are_refused(scales, scenes):
    with pytest.raises(ValueError, match="have 1 among them"):
        asked(HigherHRNet(COCO, size=SIZE), scenes, scales=scales)


def test_a_network_of_one_size_says_so(scenes):
    codec = HigherHRNet(COCO, size=SIZE)

    def fixed(pixels):
        if pixels.shape[1:3] != SIZE[::-1]:
            raise RuntimeError("Got invalid dimensions for input\nand more")
        return Oracle(codec, scenes)(pixels)

    with pytest.raises(ValueError, match=r"does not take pictures of 256x192 .*an exported file has one size"):
        BottomUp(Network(fixed, codec), codec, scales=(1.0, 0.5))(scenes[0])


def test_predict_writes_and_draws_everybody(scenes, tmp_path):
    picture.write(tmp_path / "two.png", scenes[0].pixels())
    out = posewright.predict(tmp_path / "two.png", tmp_path / "out", asked(OpenPose(COCO, size=SIZE), scenes))
    written = json.loads(out.read_text())
    assert len(written) == 2
    drawn = picture.read(tmp_path / "out" / "overlays" / "two.jpg").astype(int)
    for person in scenes[0].people:
        x, y = person.keypoints[0].round().astype(int)
        window = np.s_[y - 4 : y + 5, x - 4 : x + 5]
        assert np.abs(drawn[window] - scenes[0].pixels()[window]).max() > 60


def test_evaluate_counts_everybody_who_is_found(scenes, tmp_path):
    """Without boxes a person who is in no annotation is wrong, and the protocol says that none were told."""
    codec = HigherHRNet(COCO, size=SIZE)
    truth = [Scene(scene.pixels(), COCO, scene.people, id=number) for number, scene in enumerate(scenes, 1)]
    estimator = asked(codec, truth)
    found = evaluate(estimator, truth, tmp_path / "all", "oks_ap", draws=0)
    assert found.scores["oks_ap"]["AP"] == pytest.approx(1)
    assert found.scores["oks_ap"].protocol["boxes"] == "none: everybody who was found in the whole picture"
    halved = [Scene(scene.image, COCO, scene.people[:1], id=scene.id) for scene in truth]
    less = evaluate(estimator, halved, tmp_path / "half", "oks_ap", draws=0)
    assert less.scores["oks_ap"]["AP"] < 0.9
    assert len(json.loads((tmp_path / "half" / "predictions.json").read_text())) == 6
    at_boxes = evaluate(estimator, halved, tmp_path / "boxes", "pck", draws=0)
    assert at_boxes.scores["pck"].protocol["boxes"] == "annotation"
    assert len(json.loads((tmp_path / "boxes" / "predictions.json").read_text())) == 3
