"""Laws of every codec for one person a crop; the members are found by import."""

import importlib
import pkgutil
from dataclasses import is_dataclass

import numpy as np
import pytest

import posewright.codecs
from posewright.codecs import megvii
from posewright.codecs.gaussian import Gaussian
from posewright.codecs.hourglass import Hourglass
from posewright.codecs.maps import blur_maps, peaks, windows
from posewright.codecs.megvii import Megvii
from posewright.scene import Person
from posewright.skeleton import COCO, LSP
from posewright.warp import flipped

MODULES = [
    importlib.import_module(f"posewright.codecs.{m.name}") for m in pkgutil.iter_modules(posewright.codecs.__path__)
]
CODECS = [
    member
    for module in MODULES
    for member in vars(module).values()
    if is_dataclass(member) and member.__module__ == module.__name__ and hasattr(member, "encode")
]
EXACT = 1e-3
"""px: a codec that mirrors to this has fields that mirror number by number."""


@pytest.fixture(params=CODECS, ids=lambda codec: codec.__name__)
def codec(request):
    return request.param(COCO)


def people_inside(codec, rng, margin, count=64):
    """Place people whose keypoints are at least `margin` px inside the crop, from edge to edge."""
    size = np.array(codec.size)
    xy = rng.uniform(margin - 0.5, size - margin - 0.5, (count, len(codec.skeleton), 2))
    return [Person(keypoints) for keypoints in xy]


def places(people):
    return np.array([person.keypoints for person in people])


def test_all_codecs_are_found():
    some = {"Gaussian", "Dark", "Udp", "UdpOffsets", "Megvii", "Hourglass", "Beliefs"}
    assert some <= {codec.__name__ for codec in CODECS}
    assert all(codec.__dataclass_params__.frozen for codec in CODECS)


def test_decode_of_encode_is_identity_inside(codec, rng):
    people = people_inside(codec, rng, codec.margin)
    found = codec.decode(codec.encode(people))
    np.testing.assert_allclose(places(found), places(people), rtol=0, atol=codec.tolerance)


def test_decode_of_encode_is_near_at_the_border(codec, rng):
    people = people_inside(codec, rng, 0)
    found = codec.decode(codec.encode(people))
    np.testing.assert_allclose(places(found), places(people), rtol=0, atol=codec.border_tolerance)


def test_encode_of_a_flip_is_the_mirror_of_encode(codec, rng):
    people = people_inside(codec, rng, 0)
    flip = flipped(codec.size)
    fields = codec.encode(people)
    mirrored = codec.mirror(codec.encode([person.moved(flip, codec.skeleton) for person in people]))
    assert type(mirrored) is type(fields)
    near = codec.mirror_tolerance
    np.testing.assert_allclose(places(codec.decode(mirrored)), places(codec.decode(fields)), rtol=0, atol=near)
    np.testing.assert_array_equal(mirrored.weights, fields.weights)
    if near <= EXACT:
        for ours, theirs in zip(mirrored, fields, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_an_answer_without_weights_mirrors(codec, rng):
    fields = codec.encode(people_inside(codec, rng, 0, 2))
    answer = fields._replace(weights=None)
    assert codec.mirror(answer).weights is None
    np.testing.assert_array_equal(codec.mirror(answer)[0], codec.mirror(fields)[0])


def test_an_absent_keypoint_has_no_weight_and_no_influence(codec, rng):
    whole = people_inside(codec, rng, codec.margin, 4)
    missing = [Person(person.keypoints.copy()) for person in whole]
    missing[1].keypoints[5] = np.nan
    missing[2].keypoints[:] = np.nan
    before, after = codec.encode(whole), codec.encode(missing)
    labelled = np.array([person.labelled for person in missing])
    keypoints = slice(len(codec.skeleton))  # the background, which some codecs draw last, is nobody's keypoint
    np.testing.assert_array_equal(after.weights[:, keypoints] > 0, labelled)
    for ours, theirs in zip(after, before, strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours[:, keypoints][labelled], theirs[:, keypoints][labelled])


def noises(shape, rng):
    """Return maps that no training ever saw."""
    spike = np.zeros(shape, np.float32)
    spike[..., 0, 0] = spike[..., -1, -1] = spike[..., shape[-2] // 2, min(7, shape[-1] - 1)] = 1e30
    broken = rng.normal(size=shape)
    for value in (np.nan, np.inf, -np.inf):
        broken[rng.random(shape) < 1e-3] = value
    yield from (np.zeros(shape), np.ones(shape), -np.ones(shape), rng.normal(size=shape), spike, broken)
    yield rng.normal(size=shape).cumsum(-1).cumsum(-2)
    yield np.full(shape, np.nan)
    yield 1e-12 * rng.random(shape)


def test_decode_of_noise_is_people_with_places_and_scores(codec, rng):
    fields = codec.encode(people_inside(codec, rng, 0, 3))
    rows = zip(*(noises(maps.shape, rng) for maps in fields[:-1]), strict=True)
    for maps in rows:
        answer = type(fields)(*(array.astype(np.float32) for array in maps))
        found = codec.decode(answer)
        assert len(found) == 3
        for person in found:
            assert np.isfinite(person.keypoints).all()
            assert (person.keypoints >= -0.5 - codec.beyond).all()
            assert (person.keypoints <= np.array(codec.size) - 0.5 + codec.beyond).all()
            if person.seen is None:
                assert person.visible is None
            else:
                assert ((person.seen >= 0) & (person.seen <= 1)).all()
            assert ((person.scores >= 0) & (person.scores <= 1)).all()
            assert person.score == pytest.approx(person.scores.mean())


def test_an_empty_map_keeps_its_largest_pixel_with_score_zero():
    codec = Gaussian(COCO)
    maps = np.full((1, 17, 64, 48), -1, np.float32)
    maps[0, 0, 30, 20] = -0.5
    (person,) = codec.decode(type(codec.encode([]))(maps))
    np.testing.assert_array_equal(person.keypoints[0], (80, 120))
    assert person.score == 0


def test_nobody_in_is_nobody_out(codec):
    fields = codec.encode([])
    assert len(fields[0]) == 0
    assert codec.decode(fields) == []


def test_another_skeleton_is_refused(codec, rng):
    person = Person(rng.uniform(0, 100, (len(LSP), 2)))
    with pytest.raises(ValueError, match="14"):
        codec.encode([person])


def test_arrays_are_single_precision(codec, rng):
    for array in codec.encode(people_inside(codec, rng, 0, 2)):
        assert array.dtype == np.float32


@pytest.mark.parametrize("codec", [Megvii(COCO), Hourglass(COCO)], ids=lambda codec: type(codec).__name__)
def test_codecs_that_cut_mirror_whole_pixels_exactly(codec, rng):
    people = [Person(rng.integers(0, codec.size, (17, 2)).astype(float)) for _ in range(64)]
    mirrored = codec.mirror(codec.encode([person.moved(flipped(codec.size), COCO) for person in people]))
    np.testing.assert_allclose(mirrored.maps, codec.encode(people).maps, rtol=1e-5, atol=1e-5)


def test_the_shift_of_a_mirrored_gaussian_leaves_a_quarter_of_a_map_pixel():
    codec = Gaussian(COCO)
    x = np.linspace(60.01, 100.01, 400, endpoint=False).repeat(17).reshape(400, 17)
    people = [Person(np.stack([row, row], -1)) for row in x]
    mirrored = codec.mirror(codec.encode([person.moved(flipped(codec.size), COCO) for person in people]))
    drift = places(codec.decode(mirrored)) - places(codec.decode(codec.encode(people)))
    assert drift[..., 0].mean() == pytest.approx(codec.stride / 4, abs=0.02)
    assert not drift[..., 1].any()


@pytest.mark.parametrize("smooth", [5, 9, 11])
def test_megvii_reads_around_peaks_what_whole_blurred_maps_say(rng, smooth):
    """To the last bit: on peaks in noise, at borders, on two peaks of nearly one height, on noise alone, on ties."""
    people = [Person(rng.uniform(-4, (196, 260), (17, 2))) for _ in range(6)]
    drawn = Megvii(COCO).encode(people).maps
    noise = rng.normal(0, 2, drawn.shape).astype(np.float32)
    two = drawn + np.roll(drawn, 20, -1) * rng.uniform(0.9, 1.1, (6, 17, 1, 1)).astype(np.float32)
    small = rng.uniform(-1, 1, (6, 17, 7, 9)).astype(np.float32)
    for maps in (drawn + noise, two + noise, noise, drawn, -drawn, np.zeros_like(drawn), small):
        flat = maps.reshape(-1, *maps.shape[-2:])
        first, second, certain = megvii._summits_at_the_peak(flat, smooth)
        whole = megvii._summits(blur_maps(flat.astype(np.float64), smooth))
        np.testing.assert_array_equal(first[certain], whole[0][certain])
        np.testing.assert_array_equal(second[certain], whole[1][certain])
    assert megvii._summits_at_the_peak((drawn + noise).reshape(-1, 64, 48), smooth)[2].mean() > 0.5


@pytest.mark.parametrize("smooth", [3, 5, 9, 11])
@pytest.mark.parametrize("power", [1, 3, 30])
def test_nothing_beyond_what_megvii_blurs_is_higher_than_its_bound(rng, smooth, power):
    reach, (h, w) = smooth // 2, (26, 19)
    maps = rng.uniform(-0.2, 1, (300, h, w)) ** power
    maps[0], maps[0, h // 2, w // 2] = 1, 2
    y, x, _ = peaks(maps)
    squares = windows(maps, y, x, 2 * reach + 1, np.arange(len(maps)))
    bound = megvii._most_beyond(maps, y, x, squares, smooth)
    rows, columns = np.arange(-reach, h + reach), np.arange(-reach, w + reach)
    away = np.maximum(abs(rows - y[:, None])[:, :, None], abs(columns - x[:, None])[:, None])
    blurred = np.where(away > reach + 1, blur_maps(maps, smooth), -np.inf).max((1, 2))
    assert (blurred <= bound + 1e-12).all()
    assert blurred[0] == pytest.approx(bound[0]), "where all is alike, nothing lies between them"
