"""EfficientPose in training: its limbs and its loss, its way to look at pictures, and a picture learnt by heart."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from posewright.augment.jitter import Jitter  # noqa: E402
from posewright.codecs.efficientpose import EfficientPose, Resized  # noqa: E402
from posewright.datasets.synthetic import world  # noqa: E402
from posewright.estimators.runtimes import metadata  # noqa: E402
from posewright.fields import Affinities, Heatmaps, Placed  # noqa: E402
from posewright.losses.limbs import affinities, in_cells, limbs_and_keypoints  # noqa: E402
from posewright.models.efficientnet import scaled, trunk  # noqa: E402
from posewright.models.efficientpose import EfficientPose as Network  # noqa: E402
from posewright.models.efficientpose_lite import EfficientPoseLite, Size  # noqa: E402
from posewright.recipes import recipe_named  # noqa: E402
from posewright.recipes.efficientpose import LSP_CHAINS, MPII_CHAINS, limbs_of  # noqa: E402
from posewright.recipes.recipe import Phase  # noqa: E402
from posewright.scene import Person  # noqa: E402
from posewright.skeleton import LSP, MPII  # noqa: E402
from posewright.train import Machine, prepared, steps  # noqa: E402
from posewright.train.loader import Batches  # noqa: E402
from posewright.warp import Warp, around, flipped  # noqa: E402

LIMBS = limbs_of(MPII_CHAINS, MPII)
STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)


def encoded(rng, count=2, size=(64, 96)):
    codec = EfficientPose(MPII, size)
    people = [Person(rng.uniform((8, 8), np.array(size) - 8, (len(MPII), 2))) for _ in range(count)]
    return people, Placed(*(torch.from_numpy(array) for array in codec.encode(people)))


def test_limbs_are_a_tree_with_as_many_maps_as_the_published_heads():
    assert len(LIMBS) == 14
    assert len({end for _, end in LIMBS}) == len(LIMBS)
    assert len(limbs_of(LSP_CHAINS, LSP)) == len(LSP) - 1


def test_affinities_point_along_limbs_and_only_there(rng):
    people, target = encoded(rng)
    drawn = affinities(target, LIMBS, (12, 8))
    assert drawn.maps.shape == (2, 28, 12, 8)
    assert (drawn.weights == 1).all()
    vectors = drawn.maps.unflatten(1, (14, 2)).numpy()
    y, x = np.mgrid[:12, :8] * 8 + 3.5
    for person, fields in zip(people, vectors, strict=True):
        for (start, end), field in zip(LIMBS, fields, strict=True):
            first, last = person.keypoints[start], person.keypoints[end]
            unit = (last - first) / np.linalg.norm(last - first)
            on = np.hypot(*field) > 0
            assert on.any() == (np.hypot(*field) > 0.99).any()
            np.testing.assert_allclose(field[:, on], np.broadcast_to(unit[:, None], (2, on.sum())), atol=1e-5)
            away = np.stack([x, y], -1) - first
            beside = np.abs(away[..., 0] * unit[1] - away[..., 1] * unit[0])
            along = away @ unit
            expected = (beside <= 8) & (along >= 0) & (along <= np.linalg.norm(last - first))
            assert (on == expected).mean() > 0.999


def test_a_limb_of_no_length_is_drawn_nowhere(rng):
    people, _ = encoded(rng, 1)
    people[0].keypoints[:] = 30.0
    target = Placed(*(torch.from_numpy(array) for array in EfficientPose(MPII, (64, 96)).encode(people)))
    assert not affinities(target, LIMBS, (12, 8)).maps.any()


def test_cells_read_the_maps_in_their_middles(rng):
    people, target = encoded(rng)
    cells = in_cells(target, (12, 8)).maps.numpy()
    sigma = 96 / 32
    y, x = np.mgrid[:12, :8] * 8 + 3.5
    for person, maps in zip(people, cells, strict=True):
        for xy, one in zip(person.keypoints, maps, strict=True):
            np.testing.assert_allclose(one, np.exp(-((x - xy[0]) ** 2 + (y - xy[1]) ** 2) / 2 / sigma**2), atol=0.03)
    np.testing.assert_array_equal(in_cells(target, (96, 64)).maps, target.maps)


def perfect(target):
    cells = in_cells(target, (12, 8)).maps
    return [Affinities(affinities(target, LIMBS, (12, 8)).maps), Heatmaps(cells), Heatmaps(cells), Heatmaps(None)]


def test_the_loss_is_zero_for_the_truth_and_ignores_what_is_unknown(rng):
    _, target = encoded(rng)
    stages = perfect(target)
    assert limbs_and_keypoints(stages, target, LIMBS) == 0
    elbow = MPII.keypoints.index("left_elbow")
    touching = [2 * n + axis for n, limb in enumerate(LIMBS) if elbow in limb for axis in (0, 1)]
    for stage, places in ((0, touching), (1, [elbow]), (2, [elbow])):
        for place in range(stages[stage].maps.shape[1]):
            wrong = [stage._replace(maps=stage.maps if stage.maps is None else stage.maps.clone()) for stage in stages]
            wrong[stage].maps[:, place] += 1
            known = limbs_and_keypoints(wrong, target, LIMBS)
            assert known == pytest.approx(1 / stages[stage].maps.shape[1])
            target.weights[:, elbow] = 0
            assert (limbs_and_keypoints(wrong, target, LIMBS) == 0) == (place in places)
            target.weights[:, elbow] = 1


def test_a_narrower_answer_to_the_mirrored_target_is_the_mirror(rng):
    codec = EfficientPose(MPII)
    people = [Person(rng.uniform(0, 223, (len(MPII), 2))) for _ in range(3)]
    people[0].keypoints[3] = np.nan
    fields = codec.encode(people)
    mirrored = codec.mirror(codec.encode([person.moved(flipped(codec.size), MPII) for person in people]))
    for ours, theirs in zip(mirrored, fields, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(224, 224), (64, 96)])
def test_what_is_aimed_at_is_shown_within_a_pixel_of_the_house(size, rng):
    for _ in range(20):
        center, extent = rng.uniform(50, 400, 2), rng.uniform(20, 300, 2)
        turn, mirror = rng.uniform(-1, 1), bool(rng.random() < 0.5)
        ours = EfficientPose.around(center, extent, size, turn, mirror)
        house = around(center, extent, size, turn, mirror)
        corners = center + np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)]) * extent / 2
        assert isinstance(ours, Resized)
        assert np.abs(ours.points(corners) - house.points(corners)).max() <= 1.5


def test_an_unshrunk_picture_enters_as_it_is_and_black_lies_around_it(rng):
    pixels = rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    seen = Resized(np.array([[1.0, 0, 5], [0, 1, 3], [0, 0, 1]]), (50, 60)).image(pixels)
    np.testing.assert_array_equal(seen[3:43, 5:35], pixels)
    seen[3:43, 5:35] = 0
    assert not seen.any()
    mirrored = Resized(np.array([[-1.0, 0, 29], [0, 1, 0], [0, 0, 1]]), (30, 40)).image(pixels, fill=9)
    np.testing.assert_array_equal(mirrored, pixels[:, ::-1])


def test_grey_pictures_masks_turns_and_given_arrays_are_resampled_too(rng):
    grey = rng.integers(0, 256, (40, 30), dtype=np.uint8)
    half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    warp = Resized(half, (15, 20))
    out = np.empty((20, 15), np.uint8)
    assert warp.image(grey, out=out) is out
    np.testing.assert_array_equal(out, warp.image(np.stack([grey] * 3, -1))[..., 1])
    np.testing.assert_array_equal(warp.image(grey, nearest=True), Warp(half, (15, 20)).image(grey, nearest=True))
    turned = around((15, 20), (30, 40), (30, 40), turn=0.5).matrix
    np.testing.assert_array_equal(Resized(turned, (30, 40)).image(grey), Warp(turned, (30, 40)).image(grey))


def test_shrinking_averages_what_a_bilinear_read_would_skip():
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[:, ::3] = 255
    quarter = Resized(np.array([[0.25, 0, -0.375], [0, 0.25, -0.375], [0, 0, 1]]), (20, 20)).image(stripes)
    assert quarter[2:-2, 2:-2].std() < 1
    assert quarter.mean() == pytest.approx(255 / 3, abs=1)
    assert Warp(np.array([[0.25, 0, -0.375], [0, 0.25, -0.375], [0, 0, 1]]), (20, 20)).image(stripes).std() > 40


def test_an_exported_file_can_say_how_it_looks_at_pictures():
    codec = recipe_named("efficientpose_rt_mpii").codec
    assert metadata.codec_from(json.loads(json.dumps(metadata.described(codec)))) == codec
    assert metadata.found(metadata.named(EfficientPose.around)) is EfficientPose.around


def tiny():
    _, stages = scaled(0, 3)
    small = [stage._replace(width=stage.width // 2, repeats=1) for stage in stages]
    low = trunk(16, small[:2])
    return Network(trunk(16, small), low, small[2].width + small[1].width, 16, 2, len(LSP), len(LSP) - 1)


@pytest.mark.parametrize("network", [tiny, partial(EfficientPoseLite, Size(64, 0, None, 16, 1), len(LSP))],
                         ids=["two resolutions", "lite"])  # fmt: skip
def test_one_picture_is_learnt_by_heart(network):
    recipe = recipe_named("efficientpose_rt_lsp")
    codec = replace(recipe.codec, size=(64, 64), sigma=6.0)
    scenes = world(1, seed=5, size=(128, 128), skeleton=LSP, people=(1, 1))
    recipe = replace(recipe, codec=codec, jitter=STILL, batch=2, phases=(Phase(150, 5e-3),), network=network)
    state = prepared(recipe, 0, Machine(device="cpu"))
    frozen = [value.clone() for value in state.module.network.upscale.state_dict().values()]
    batches = Batches(scenes, codec, STILL, 2, 0, recipe.aim)
    losses = list(steps(recipe, batches, state, Machine(device="cpu", workers=0)))
    pixels, target = batches.batch(0, 0)
    shown = target.weights[0] > 0
    with torch.no_grad():
        answer = state.module(torch.from_numpy(pixels))[-1]
    found = codec.decode(Heatmaps(answer.maps.numpy()))[0].keypoints[shown]
    away = np.linalg.norm(found - codec.decode(target)[0].keypoints[shown], axis=-1)
    assert losses[-1] < losses[0] / 2
    assert shown.sum() > 8
    assert away.mean() < 4  # px, half a cell
    assert all(map(torch.equal, frozen, state.module.network.upscale.state_dict().values()))
