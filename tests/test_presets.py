"""Presets against their papers: radius, kernel, chance, the set of pixels touched, and what becomes of targets."""

from collections import Counter
from dataclasses import replace
from itertools import product
from math import sqrt

import cv2
import numpy as np
import pytest

from posewright.datasets.synthetic import thing, world
from posewright.occlusion import Augmentation, Occluder, described, fills, regions
from posewright.occlusion.choices import AwareDisc, Objects, OnePart, OtherPart, OthersPart
from posewright.occlusion.presets import (
    ALL_BUT_HIPS,
    ATTACKS,
    AUGMENTATIONS,
    LIMBS_AND_HIPS,
    RADII,
    RADIUS,
    OneKeypoint,
    keypoint_attack,
    part_attack,
    part_mix,
    pasted_objects,
    several_keypoints,
    targeted,
)
from posewright.scene import ABSENT, HIDDEN, SEEN, Crop, Person, Scene
from posewright.skeleton import COCO
from posewright.warp import around

DRAWS = 400
KERNELS = {"keypoint": 9, "part": 31}
TARGETED = [
    (looks, on, chance, removal)
    for looks in ("blur", "cutout", "blur_cutout")
    for on, chance, removal in product(KERNELS, (0.2, 0.5), (False, True))
]


def spread(size, shift=0.0):
    """Return keypoints (17, 2) far from each other all over a crop: discs do not meet."""
    width, height = size
    column, row = np.divmod(np.arange(17), 5)
    places = np.stack([(column + 0.6) / 4.2 * width, (row + 0.6) / 5.2 * height], -1)
    return places + shift


def crop_of(size=(192, 256), people=1, seed=0):
    """Return a crop of noise, where every blur shows, with everybody wholly seen."""
    pixels = np.random.default_rng(seed).integers(1, 255, (size[1], size[0], 3), dtype=np.uint8)
    seen = np.full(17, SEEN, np.uint8)
    crowd = tuple(Person(spread(size, 3.0 * n), seen, box=np.array([0, 0, *size])) for n in range(people))
    return Crop(pixels, crowd, around((0, 0), (1, 1), size), COCO, size)


CROP = crop_of()
SMALL = crop_of((96, 128))


def touched(after, before=CROP):
    return (after.pixels != before.pixels).any(-1)


def disc(crop, k, radius):
    """Return (H, W) where a pixel's centre is at most radius from keypoint k, pixel by pixel."""
    x, y = crop.people[0].keypoints[k]
    height, width = crop.pixels.shape[:2]
    return np.array([[(c - x) ** 2 + (r - y) ** 2 <= radius**2 for c in range(width)] for r in range(height)])


def box(crop, part):
    """Return (H, W) of the smallest rectangle of whole pixels around a part's keypoints, each at its nearest pixel."""
    pixels = [np.rint(crop.people[0].keypoints[crop.skeleton.index(k)]) for k in crop.skeleton.parts[part]]
    found = np.zeros(crop.pixels.shape[:2], bool)
    (x0, y0), (x1, y1) = np.min(pixels, 0).astype(int), np.max(pixels, 0).astype(int)
    found[y0 : y1 + 1, x0 : x1 + 1] = True
    return found


def share_of(count, draws, chance):
    """Whether a count of successes is one that a chance allows; a right one fails once in 10,000 times."""
    return abs(count - draws * chance) <= 3.9 * sqrt(draws * chance * (1 - chance)) + 1


def filled(crop, look, kernel=31, sigma=5.0):
    """Return what each fill shows, computed anew."""
    if look in ("mean", "meanout", "cutout"):
        return np.broadcast_to(np.floor(crop.pixels.reshape(-1, 3).mean(0)).astype(np.uint8), crop.pixels.shape)
    if look in ("black", "blackout"):
        return np.zeros_like(crop.pixels)
    return cv2.GaussianBlur(crop.pixels, (kernel, kernel), sigma)


@pytest.mark.parametrize("fill", ["blackout", "meanout", "blur"])
@pytest.mark.parametrize("keypoint", ["nose", "left_knee", "right_ankle"])
def test_a_keypoint_attack_covers_a_disc_of_6_px_and_nothing_else(keypoint, fill, rng):
    attacked = keypoint_attack(keypoint, fill)(CROP, rng)
    covered = disc(CROP, COCO.index(keypoint), 6.0)
    np.testing.assert_array_equal(attacked.pixels, np.where(covered[..., None], filled(CROP, fill), CROP.pixels))
    visible = np.where(np.arange(17) == COCO.index(keypoint), HIDDEN, SEEN)
    np.testing.assert_array_equal(attacked.people[0].visible, visible)


def test_surroundings_show_the_median_of_the_ring_around_and_do_not_stand_out(rng):
    """A disc on a picture of one colour cannot be seen; on two, it shows the one that most of the ring has."""
    even = replace(CROP, pixels=np.full_like(CROP.pixels, 90))
    assert np.array_equal(keypoint_attack("nose", "surroundings")(even, rng).pixels, even.pixels)
    place = CROP.people[0].keypoints[COCO.index("left_knee")]
    away = np.hypot(*(np.indices(CROP.pixels.shape[:2])[::-1] - place[:, None, None]))
    pixels = np.where((away <= 6)[..., None], np.uint8(250), np.uint8(60)) * np.ones(3, np.uint8)
    attacked = keypoint_attack("left_knee", "surroundings")(replace(CROP, pixels=pixels), rng)
    assert (attacked.pixels == 60).all()
    assert attacked.people[0].visible[COCO.index("left_knee")] == HIDDEN
    assert set(ATTACKS) == {"blackout", "meanout", "blur", "surroundings"}


def test_the_sweep_goes_to_18_px_and_grows(rng):
    assert RADIUS == 6
    assert RADIUS in RADII
    assert max(RADII) == 18
    areas = [touched(keypoint_attack("left_hip", radius=radius)(CROP, rng)) for radius in RADII]
    for radius, area, larger in zip(RADII, areas, areas[1:], strict=False):
        np.testing.assert_array_equal(area, disc(CROP, COCO.index("left_hip"), radius))
        assert (larger | ~area).all()


@pytest.mark.parametrize("fill", ["blackout", "meanout", "blur"])
@pytest.mark.parametrize("part", COCO.parts)
def test_a_part_attack_covers_the_smallest_rectangle_of_a_small_or_large_part(part, fill, rng):
    attacked = part_attack(part, fill)(CROP, rng)
    covered = box(CROP, part)
    np.testing.assert_array_equal(attacked.pixels, np.where(covered[..., None], filled(CROP, fill), CROP.pixels))
    hidden = attacked.people[0].visible == HIDDEN
    assert {COCO.keypoints[k] for k in np.flatnonzero(hidden)} >= set(COCO.parts[part])


def test_at_other_sizes_lengths_scale_with_the_width(rng):
    """Radius 6 on 192 is 4 on 128, and the blur of 31 and 5 is one of 21 and 10 / 3."""
    crop = crop_of((128, 170))
    covered = disc(crop, COCO.index("left_knee"), 4.0)
    attacked = keypoint_attack("left_knee")(crop, rng)
    np.testing.assert_array_equal(touched(attacked, crop), covered)
    blurred = keypoint_attack("left_knee", "blur")(crop, rng)
    wanted = np.where(covered[..., None], filled(crop, "blur", 21, 10 / 3), crop.pixels)
    np.testing.assert_array_equal(blurred.pixels, wanted)
    huge = crop_of((384, 512))
    np.testing.assert_array_equal(
        touched(keypoint_attack("nose")(huge, rng), huge), disc(huge, COCO.index("nose"), 12.0)
    )
    fraction = regions.KeypointDisc("nose", 0.1, width=1)
    np.testing.assert_array_equal(fraction(CROP, rng) > 0, disc(CROP, 0, 19.2))


def test_the_studys_random_keypoint_is_any_of_them_alike():
    hidden = Counter()
    one = Augmentation((OneKeypoint(fills.black, 9.0),))
    for seed in range(DRAWS):
        after = one(CROP, np.random.default_rng(seed))
        (k,) = np.flatnonzero(after.people[0].visible == HIDDEN)
        hidden[int(k)] += 1
        if seed < 5:
            np.testing.assert_array_equal(touched(after), disc(CROP, k, 9.0))
    assert set(hidden) == set(range(17))
    assert all(share_of(count, DRAWS, 1 / 17) for count in hidden.values())


@pytest.mark.parametrize(("looks", "on", "chance", "removal"), TARGETED)
def test_targeted_blur_and_cutout_are_table_i(looks, on, chance, removal):
    """Each look has its chance of its own; what it covers is one disc of 6 px or one small part's rectangle."""
    name = f"pytel_{looks}_{on}_{chance:g}" + "_removal" * removal
    augmentation = AUGMENTATIONS[name](())
    assert augmentation == targeted(*looks.split("_"), on=on, chance=chance, removal=removal)
    assert augmentation.chance == chance
    assert augmentation.target == (None if removal else 1.0)
    where = range(17) if on == "keypoint" else SMALL.skeleton.small_parts
    places = [disc(SMALL, k, 3.0) if on == "keypoint" else box(SMALL, k) for k in where]
    kernel = 2 * round((KERNELS[on] / 2 - 1) / 2) + 1
    sigma = 0.5 * (0.3 * ((KERNELS[on] - 1) * 0.5 - 1) + 0.8)
    shows = [filled(SMALL, look, kernel, sigma) for look in looks.split("_")]
    single = {np.where(place[..., None], shown, SMALL.pixels).tobytes() for place in places for shown in shows}
    nothing, once = 0, 0
    for seed in range(DRAWS):
        pixels = augmentation(SMALL, np.random.default_rng(seed)).pixels
        nothing += np.array_equal(pixels, SMALL.pixels)
        once += pixels.tobytes() in single
    assert share_of(nothing, DRAWS, (1 - chance) ** len(shows))
    if len(shows) == 1:
        assert once == DRAWS - nothing
    else:
        assert share_of(once, DRAWS, 2 * chance * (1 - chance))


def test_at_256x192_the_kernels_are_9_and_31():
    for on, kernel in KERNELS.items():
        after = targeted("blur", on=on, chance=1.0)(CROP, np.random.default_rng(1))
        wanted = cv2.GaussianBlur(CROP.pixels, (kernel, kernel), 0)
        np.testing.assert_array_equal(after.pixels[touched(after)], wanted[touched(after)])


@pytest.mark.parametrize("removal", [False, True])
def test_several_keypoints_are_at_most_five_with_a_fifth_of_a_chance_each(removal):
    augmentation = AUGMENTATIONS["pytel_several_keypoints_0.2" + "_removal" * removal](())
    assert augmentation == several_keypoints(removal=removal)
    gone = ABSENT if removal else HIDDEN
    counts, looks = Counter(), Counter()
    shown = {"mean": filled(CROP, "mean"), "blur": cv2.GaussianBlur(CROP.pixels, (9, 9), 0)}
    discs = [disc(CROP, k, 6.0) for k in range(17)]
    for seed in range(DRAWS):
        after = augmentation(CROP, np.random.default_rng(seed))
        hit = np.flatnonzero(after.people[0].visible == gone)
        counts[len(hit)] += 1
        assert not touched(after)[~np.any([discs[k] for k in hit] or [np.zeros_like(discs[0])], axis=0)].any()
        if len(hit) == 1:  # of several, one's blur sees the other
            looks.update(look for look in shown if (after.pixels == shown[look])[discs[hit[0]]].all())
    assert max(counts) <= 5
    for n in range(6):
        chance = [1, 5, 10, 10, 5, 1][n] * 0.2**n * 0.8 ** (5 - n)
        assert share_of(counts[n], DRAWS, chance)
    assert sum(looks.values()) == counts[1]
    assert share_of(looks["mean"], counts[1], 0.5)


def others():
    """Return two scenes of noise whose people are wholly seen, away from the border."""
    crops = [crop_of((150, 200), seed=n + 7) for n in range(2)]
    return [Scene(crop.pixels, COCO, crop.people, (150, 200)) for crop in crops]


@pytest.mark.parametrize("removal", [False, True])
def test_part_mix_shows_another_part_of_another_person_and_takes_no_labels(removal):
    augmentation = AUGMENTATIONS["pytel_part_mix_0.5" + "_removal" * removal](others())
    assert described(augmentation) == described(part_mix(others(), removal=removal))
    assert (augmentation.chance, augmentation.target) == (0.5, None if removal else 1.0)
    crop = crop_of((96, 128))
    mixes = {}
    for part, (scene, other) in product(COCO.small_parts, product(others(), COCO.small_parts)):
        place = box(crop, part)
        piece = scene.image[np.ix_(*(np.flatnonzero(box_of_scene(scene, other).any(a)) for a in (1, 0)))]
        size = tuple(int(place.any(a).sum()) for a in (0, 1))
        pixels = crop.pixels.copy()
        pixels[place] = cv2.resize(piece, size, interpolation=cv2.INTER_AREA).reshape(-1, 3)
        if other != part:
            mixes[pixels.tobytes()] = part
    nothing = 0
    for seed in range(DRAWS):
        after = augmentation(crop, np.random.default_rng(seed))
        assert len(after.people) == 1
        same = ~np.isnan(after.people[0].keypoints)
        np.testing.assert_array_equal(after.people[0].keypoints[same], crop.people[0].keypoints[same])
        if np.array_equal(after.pixels, crop.pixels):
            nothing += 1
            continue
        part = mixes[after.pixels.tobytes()]
        gone = {COCO.keypoints[k] for k in np.flatnonzero(after.people[0].visible == (ABSENT if removal else HIDDEN))}
        assert gone >= set(COCO.parts[part])
    assert share_of(nothing, DRAWS, 0.5)


def box_of_scene(scene, part):
    return box(Crop(scene.image, scene.people, around((0, 0), (1, 1), scene.size), COCO, scene.size), part)


def test_keypoint_aware_discs_are_huangs():
    """Radius from a tenth to a fifth of the width, half of them shifted, black, the target kept, one for everybody."""
    augmentation = AUGMENTATIONS["huang_keypoint_aware"](())
    assert (augmentation.chance, augmentation.target) == (1.0, 1.0)
    drawn = [next(iter(AwareDisc()(CROP, 0, np.random.default_rng(seed)))) for seed in range(DRAWS)]
    radii = np.array([occluder.region.radius for occluder in drawn])
    assert radii.min() >= 19.2
    assert radii.max() <= 38.4
    assert abs(radii.mean() - 28.8) < 4 * 19.2 / sqrt(12 * DRAWS)
    shifted = np.array([occluder.region.shift > 0 for occluder in drawn])
    assert share_of(shifted.sum(), DRAWS, 0.5)
    assert all(occluder.fill is fills.black for occluder in drawn)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        after = augmentation(CROP, rng)
        rng = np.random.default_rng(seed)
        rng.random()
        (occluder,) = AwareDisc()(CROP, 0, rng)
        k, radius = COCO.index(occluder.region.keypoint), occluder.region.radius
        assert after.people[0].visible[k] == HIDDEN
        assert not after.pixels[touched(after)].any()
        if not occluder.region.shift:
            np.testing.assert_array_equal(touched(after), disc(CROP, k, radius))
        else:
            rows, columns = np.nonzero(touched(after))
            assert np.hypot(*(np.stack([columns, rows], -1) - CROP.people[0].keypoints[k]).T).max() <= 2 * radius


def alpha_of(region, crop, seed):
    return region(crop, np.random.default_rng(seed)) > 0


def test_cutout_is_one_square_of_half_the_width_that_may_hang_over():
    """16 px on CIFAR's 32; what is seen is zero to a network that is normalised by ImageNet's mean."""
    augmentation = AUGMENTATIONS["cutout"](())
    assert augmentation.chance == 1.0
    sides, middles = [], []
    for seed in range(DRAWS):
        after = augmentation(SMALL, np.random.default_rng(seed))
        hit = touched(after, SMALL)
        rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
        assert (after.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == fills.IMAGENET_MEAN).all()
        inside = rows[0] > 0 and columns[0] > 0 and rows[-1] < 127 and columns[-1] < 95
        sides += [(len(rows), len(columns))] if inside else []
        assert max(len(rows), len(columns)) <= 48
        middles.append(columns[0] == 0)
    assert set(sides) == {(48, 48)}
    assert share_of(sum(middles), DRAWS, 25 / 96)


def test_random_erasing_lies_inside_with_half_a_chance():
    augmentation = AUGMENTATIONS["random_erasing"](())
    assert augmentation.chance == 0.5
    shown = [touched(augmentation(SMALL, np.random.default_rng(seed)), SMALL) for seed in range(DRAWS)]
    hits = [hit for hit in shown if hit.any()]
    assert share_of(len(hits), DRAWS, 0.5)
    assert sum(hit.sum() for hit in hits) > 0.95 * sum(np.outer(hit.any(1), hit.any(0)).sum() for hit in hits)
    areas, aspects = [], []
    for seed in range(3000):
        alpha = alpha_of(augmentation.choices[0].region, SMALL, seed)
        h, w = alpha.any(1).sum(), alpha.any(0).sum()
        assert alpha.sum() == h * w > 0
        areas.append(h * w / alpha.size)
        aspects.append(h / w)
    assert 0.02 * 0.9 < min(areas) < 0.025
    assert 0.38 < max(areas) < 0.4 * 1.02
    assert 0.3 * 0.9 < min(aspects) < 0.34
    assert 3.1 < max(aspects) < 1 / 0.3 * 1.1


def test_hide_and_seek_hides_cells_of_a_grid_with_half_a_chance_each():
    augmentation = AUGMENTATIONS["hide_and_seek"](())
    crop = crop_of((224, 224))
    assert augmentation.chance == 1.0
    sides, cells = Counter(), []
    for seed in range(DRAWS):
        alpha = alpha_of(augmentation.choices[0].region, crop, seed)
        fitting = [
            side
            for side in (16, 32, 44, 56)
            if np.array_equal(alpha, alpha[::side, ::side].repeat(side, 0).repeat(side, 1)[:224, :224])
        ]
        side = max(fitting, default=None) if alpha.any() else 0
        sides[side] += 1
        cells += alpha[::side, ::side].ravel().tolist() if side else []
    assert set(sides) == {0, 16, 32, 44, 56}
    assert all(share_of(count, DRAWS, 1 / 5) for count in sides.values())
    assert share_of(sum(cells), len(cells), 0.5)
    after = augmentation(crop, np.random.default_rng(1))
    assert touched(after, crop).any()
    assert (after.pixels[touched(after, crop)] == fills.IMAGENET_MEAN).all()


def test_grid_mask_drops_squares_of_its_unit():
    augmentation = AUGMENTATIONS["grid_mask"](())
    crop = crop_of((224, 224))
    assert augmentation.chance == 0.8
    hit = [touched(augmentation(crop, np.random.default_rng(seed)), crop).any() for seed in range(DRAWS)]
    missed = sum(not alpha_of(augmentation.choices[0].region, crop, seed).any() for seed in range(DRAWS)) / DRAWS
    assert missed < 0.1  # a unit as wide as the crop may put its square outside
    assert share_of(sum(hit), DRAWS, 0.8 * (1 - missed))
    shares = []
    for seed in range(DRAWS):
        alpha = alpha_of(augmentation.choices[0].region, crop, seed)
        np.testing.assert_array_equal(alpha, alpha.any(1)[:, None] & alpha.any(0))
        edges = np.flatnonzero(np.diff(np.concatenate([[0], alpha.any(0), [0]]).astype(int)))
        whole = [b - a for a, b in zip(edges[::2], edges[1::2], strict=True) if a > 0 and b < 224]
        assert all(round(0.4 * 96) - 1 <= side <= round(0.4 * 224) for side in whole)
        assert len(set(whole)) <= 1
        shares.append(alpha.mean())
    assert abs(np.mean(shares) - 0.4**2) < 0.02


def test_coarse_dropout_is_one_hole_inside_of_two_to_four_tenths():
    augmentation = AUGMENTATIONS["coarse_dropout"](())
    assert augmentation.chance == 1.0
    sides = []
    for seed in range(DRAWS):
        after = augmentation(SMALL, np.random.default_rng(seed))
        hit = touched(after, SMALL)
        assert not after.pixels[hit].any()
        rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
        assert hit.sum() == len(rows) * len(columns)
        sides.append((len(rows) / 128, len(columns) / 96))
    low, high = np.min(sides, 0), np.max(sides, 0)
    assert (low > 0.2 - 1 / 96).all()
    assert (low < 0.21).all()
    assert (high <= 0.4).all()
    assert (high > 0.38).all()


def test_objects_are_one_to_seven_each_scaled_and_anywhere():
    things = [thing(0, n, 64) for n in range(3)]
    assert pasted_objects(things).chance == 1.0
    counts, centres, longest = Counter(), [], []
    for seed in range(DRAWS):
        pasted = list(Objects(things)(CROP, 0, np.random.default_rng(seed)))
        counts[len(pasted)] += 1
        centres += [occluder.region.centre for occluder in pasted]
        longest += [max(occluder.region.alpha.shape) for occluder in pasted]
    assert set(counts) == set(range(1, 8))
    assert all(share_of(count, DRAWS, 1 / 7) for count in counts.values())
    assert min(longest) == round(0.2 * 64 * 192 / 256)
    assert max(longest) == round(64 * 192 / 256)
    assert np.abs(np.mean(centres, 0) / (192, 256) - 0.5).max() < 0.03
    assert np.max(centres, 0) == pytest.approx((192, 256), rel=0.01)


def test_parts_of_others_are_cut_out_by_their_masks():
    scenes = world(6, seed=4, people=(1, 2))
    augmentation = AUGMENTATIONS["parts_of_others"](scenes)
    hidden, shapes = 0, 0
    for seed in range(60):
        pasted = list(OthersPart(scenes)(CROP, 0, np.random.default_rng(seed)))
        for occluder in pasted:
            alpha = occluder.region(CROP, np.random.default_rng(0))
            shapes += 0 < occluder.region.alpha.mean() < 1
            assert any(np.hypot(*(CROP.people[0].keypoints - occluder.region.centre).T) == 0)
            assert alpha.shape == (256, 192)
        hidden += touched(augmentation(CROP, np.random.default_rng(seed))).any()
    assert shapes > 40
    assert share_of(hidden, 60, 0.5)
    for nobody in ([], [replace(scenes[0], people=())]):
        assert not list(OthersPart(nobody)(CROP, 0, np.random.default_rng(0)))
        assert not list(OtherPart(nobody)(CROP, 0, np.random.default_rng(0)))


@pytest.mark.parametrize(("target", "kept"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0), (None, 0.0)])
def test_a_covered_target_is_kept_weighed_down_ignored_or_removed(target, kept, rng):
    visible = np.full(17, SEEN, np.uint8)
    visible[COCO.index("left_elbow")] = HIDDEN  # hidden already, and covered as well
    crop = replace(CROP, people=(replace(CROP.people[0], visible=visible),))
    region = regions.PartRectangle("left_arm")

    def arm(_crop, _person, _rng):
        return [Occluder(region, fills.black)]

    covered, factors = Augmentation((arm,), target=target).weighed(crop, rng)
    x, y = np.rint(crop.people[0].keypoints).astype(int).T
    beneath = region(crop, rng)[y, x] > 0
    assert beneath[COCO.index("left_elbow")]
    assert 3 <= beneath.sum() < 17
    np.testing.assert_array_equal(factors, [np.where(beneath, kept, 1.0)])
    gone = covered.people[0].visible == ABSENT
    np.testing.assert_array_equal(gone, beneath & (target is None))
    np.testing.assert_array_equal(np.isnan(covered.people[0].keypoints).all(-1), gone)
    np.testing.assert_array_equal(Augmentation((arm,), target=target)(crop, rng).pixels, covered.pixels)


@pytest.mark.parametrize("everyone", [False, True])
def test_for_bottom_up_training_everybody_has_a_chance_of_their_own(everyone):
    crop = replace(crop_of((96, 128)), people=crop_of((96, 128), people=3).people)
    augmentation = targeted("cutout", chance=0.2, everyone=everyone)
    aimed = Counter()
    for seed in range(DRAWS):
        shown = set()
        choice = augmentation.choices[0]

        def spy(crop, person, rng, choice=choice, shown=shown):
            shown.add(person)
            return choice(crop, person, rng)

        replace(augmentation, choices=(spy,))(crop, np.random.default_rng(seed))
        aimed.update(shown)
        aimed["all"] += len(shown) == 3
    assert share_of(aimed[0], DRAWS, 0.2)
    for person in (1, 2):
        assert share_of(aimed[person], DRAWS, 0.2 if everyone else 0.0)
    assert share_of(aimed["all"], DRAWS, 0.2**3 if everyone else 0.0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_keeps_the_laws(name):
    augmentation = AUGMENTATIONS[name](others())
    crop = crop_of((96, 128), people=2)
    before = crop.pixels.copy()
    for seed in range(10):
        one, again = (augmentation(crop, np.random.default_rng(seed)) for _ in range(2))
        assert one.pixels.tobytes() == again.pixels.tobytes()
        for after, person in zip(one.people, crop.people, strict=True):
            assert len(after) == len(person)
            assert (after.visible <= person.visible).all()
            left = after.visible > ABSENT
            np.testing.assert_array_equal(after.keypoints[left], person.keypoints[left])
    np.testing.assert_array_equal(crop.pixels, before)
    with pytest.raises(ValueError, match="nobody is in the crop"):
        augmentation(replace(crop, people=()), np.random.default_rng(0))


def test_descriptions_tell_augmentations_apart_and_say_every_number():
    made = {name: make(others()) for name, make in AUGMENTATIONS.items()}
    made["objects"] = pasted_objects([thing(0, 1, 32)])
    made["other objects"] = pasted_objects([thing(0, 2, 32)])
    words = {name: described(augmentation) for name, augmentation in made.items()}
    assert len(set(words.values())) == len(words)
    assert not [text for text in words.values() if " at 0x" in text]
    assert words["cutout"] == (
        "Augmentation(choices=(Anywhere(region=RandomSquare(side=16, width=32), "
        "fill=Constant(colour=(124, 116, 104)))), chance=1.0, target=1.0, everyone=False)"
    )
    assert "others=2 scenes" in words["pytel_part_mix_0.5"]


def test_parts_as_the_released_code_draws_them():
    """Five of the seven are cut out or blurred, six are mixed."""
    hidden = set()
    for seed in range(60):
        (occluder,) = OnePart(fills.black, LIMBS_AND_HIPS)(CROP, 0, np.random.default_rng(seed))
        hidden.add(occluder.region.part)
    assert hidden == set(COCO.small_parts) - {"head", "corpus"} == set(LIMBS_AND_HIPS)
    mixed = {next(OtherPart(others(), ALL_BUT_HIPS)(CROP, 0, np.random.default_rng(s))).region.part for s in range(60)}
    assert mixed == set(COCO.small_parts) - {"hips"} == set(ALL_BUT_HIPS)
    assert targeted("blur", on="part", parts=LIMBS_AND_HIPS).choices[0].parts == LIMBS_AND_HIPS
    assert part_mix(others(), parts=ALL_BUT_HIPS).choices[0].parts == ALL_BUT_HIPS
