"""Laws of every codec whose unit is a picture with everybody in it; the members are found by import."""

import importlib
import pkgutil
from dataclasses import is_dataclass

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import posewright.codecs.bottom_up
from posewright.codecs.bottom_up.deepercut import DeeperCut
from posewright.scene import Person, box_around
from posewright.skeleton import COCO, LSP
from posewright.warp import flipped

NAMES = [m.name for m in pkgutil.iter_modules(posewright.codecs.bottom_up.__path__)]
MODULES = [importlib.import_module(f"posewright.codecs.bottom_up.{name}") for name in NAMES]
CODECS = [
    member
    for module in MODULES
    for member in vars(module).values()
    if is_dataclass(member) and member.__module__ == module.__name__ and hasattr(member, "encode")
]
SIZE = (512, 256)
SHAPE = {"nose": (0, -0.42), "eye": (0.05, -0.46), "ear": (0.1, -0.44), "shoulder": (0.16, -0.26),
         "elbow": (0.26, -0.08), "wrist": (0.3, 0.1), "hip": (0.12, 0.06), "knee": (0.14, 0.26), "ankle": (0.15, 0.46),
         "neck": (0, -0.3), "head": (0, -0.48)}  # fmt: skip
"""Where a standing person's keypoints are, in heights from the middle; left ones to the right."""


@pytest.fixture(params=CODECS, ids=lambda codec: codec.__name__)
def codec(request):
    if request.param is DeeperCut:
        return DeeperCut(LSP, size=SIZE, limit_s=0.3)
    return request.param(COCO, size=SIZE)


def standing(codec, middle, height, rng=None):
    """Stand a person in a picture, with a box; rng moves each keypoint by up to 3 px."""
    places = []
    for name in codec.skeleton.keypoints:
        x, y = next(place for word, place in SHAPE.items() if word in name.split("_"))
        places.append((-x if name.startswith("right") else x, y))
    xy = np.array(middle) + height * np.array(places)
    xy += 0 if rng is None else rng.uniform(-3, 3, xy.shape)
    x0, y0, x1, y1 = box_around(xy)
    return Person(xy, box=np.array([x0 - 4, y0 - 4, x1 + 4, y1 + 4]))


def crowd(codec, rng):
    return [standing(codec, middle, 160, rng) for middle in ((90, 125), (256, 128), (422, 131))]


def said(codec, fields):
    return codec.perfect(fields) if hasattr(codec, "perfect") else fields


def paired(found, people):
    """Put the people found in the order of the true ones; there must be as many."""
    assert len(found) == len(people)
    away = [[np.nanmean(np.abs(one.keypoints - true.keypoints)) for one in found] for true in people]
    return [found[i] for i in linear_sum_assignment(np.array(away))[1]]


def test_all_codecs_are_found():
    wanted = {"AssociativeEmbedding", "HigherHRNet", "OpenPose", "LightweightOpenPose", "SimplePose", "MultiPoseNet"}
    assert wanted | {"DeeperCut"} == {codec.__name__ for codec in CODECS}
    assert all(codec.__dataclass_params__.frozen for codec in CODECS)


def test_decode_of_encode_finds_the_same_people(codec, rng):
    pictures = [crowd(codec, rng), crowd(codec, rng)[:1]]
    for found, people in zip(codec.decode(said(codec, codec.encode(pictures))), pictures, strict=True):
        for one, true in zip(paired(found, people), people, strict=True):
            assert one.labelled.all()
            np.testing.assert_allclose(one.keypoints, true.keypoints, rtol=0, atol=codec.tolerance)
            assert 0 <= one.score <= 1
            assert (one.scores >= 0).all()
            assert (one.scores <= 1).all()


def test_nobody_is_found_where_nobody_is(codec):
    fields = codec.encode([[], []])
    assert codec.decode(said(codec, fields)) == [[], []]


def test_a_mirrored_picture_has_the_mirrored_people(codec, rng):
    people = crowd(codec, rng)
    flip = flipped(codec.size)
    fields = codec.encode([people])
    mirrored = codec.mirror(codec.encode([[person.moved(flip, codec.skeleton) for person in people]]))
    assert type(mirrored) is type(fields)
    assert [array.shape for array in mirrored] == [array.shape for array in fields]
    (found,), (again,) = (codec.decode(said(codec, one)) for one in (fields, mirrored))
    for one, other in zip(paired(again, found), found, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, rtol=0, atol=codec.mirror_tolerance)


def test_mirror_of_mirror_is_the_same(codec, rng):
    fields = codec.encode([crowd(codec, rng)])
    for ours, theirs in zip(codec.mirror(codec.mirror(fields)), fields, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_an_absent_keypoint_is_absent(codec, rng):
    people = crowd(codec, rng)[:1]
    keypoints = people[0].keypoints.copy()
    absent = codec.skeleton.keypoints.index("left_wrist")
    keypoints[absent] = np.nan
    (found,) = codec.decode(said(codec, codec.encode([[Person(keypoints, box=people[0].box)]])))
    (person,) = found
    assert np.isnan(person.keypoints[absent]).all()
    assert person.scores[absent] == 0
    assert person.labelled.sum() == len(codec.skeleton) - 1


def test_people_without_labels_do_not_count(codec, rng):
    seen = crowd(codec, rng)[:1]
    unlabelled = Person(np.full((len(codec.skeleton), 2), np.nan), box=np.array([200.0, 40, 300, 200]))
    crowded = Person(np.full((len(codec.skeleton), 2), np.nan), box=np.array([320.0, 40, 380, 200]), crowd=True)
    hidden = np.zeros((256, 512), bool)
    hidden[220:, :] = True
    plain, told = codec.encode([seen]), codec.encode([[*seen, unlabelled, crowded]], [hidden])
    mask = told.mask[0, 0]
    scale = codec.size[0] // mask.shape[1]
    assert not mask[48 // scale : 192 // scale, 208 // scale : 296 // scale].any()
    assert not mask[48 // scale : 192 // scale, 328 // scale : 376 // scale].any()
    assert not mask[224 // scale :].any()
    assert mask[: 32 // scale].all()
    assert plain.mask[0, 0].all()
    np.testing.assert_array_equal(plain.maps, told.maps)
    with pytest.raises(ValueError, match="mask of what is not labelled must be"):
        codec.encode([seen], [hidden[:-1]])


def test_another_skeleton_is_refused(codec):
    with pytest.raises(ValueError, match="keypoints"):
        codec.encode([[Person(np.zeros((3, 2)))]])


def test_decode_of_noise_is_people_with_places_and_scores(codec, rng):
    fields = codec.encode([crowd(codec, rng)])
    answer = said(codec, fields)
    noise = type(answer)(*(
        None if array is None else 0.3 * rng.normal(size=array.shape).astype(np.float32) - 2.5 for array in answer
    ))  # fmt: skip
    broken = answer._replace(maps=np.full_like(answer.maps, np.nan))
    for fields in (noise, broken):
        for person in codec.decode(fields)[0]:
            assert person.labelled.any()
            assert 0 <= person.score <= 1
