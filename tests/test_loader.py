"""Loading: a batch is a function of (seed, epoch, number), equal to the plain way of making it, kept or decoded."""

from dataclasses import replace

import numpy as np
import pytest

from posewright import picture
from posewright.augment.jitter import Jitter
from posewright.codecs.gaussian import Gaussian
from posewright.datasets.synthetic import world
from posewright.scene import PADDING, aim, each_person, take
from posewright.skeleton import COCO
from posewright.train.loader import MARGIN, Batches, kept

CODEC = Gaussian(COCO, (48, 64))
STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """People of 8 pictures on disk, several in most."""
    folder = tmp_path_factory.mktemp("pictures")
    scenes = []
    for number, scene in enumerate(world(8, seed=3, size=(160, 120), people=(1, 3))):
        picture.write(folder / f"{number}.png", scene.image)
        scenes.append(replace(scene, image=folder / f"{number}.png"))
    return each_person(scenes)


def arrays(batch):
    pixels, fields = batch
    return [pixels, *fields]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))


def test_views_are_drawn_evenly_where_a_paper_does_so(people, rng):
    person = people[0].people[0]
    views = Jitter(scale=0.25, turn=30.0, turn_chance=1.0, mirror=0.0, half_body=0.0, uniform=True)
    still = STILL(person, COCO, CODEC.size, rng)
    warps = [views(person, COCO, CODEC.size, rng) for _ in range(4000)]
    scales = np.array([still.scale / warp.scale for warp in warps])
    turns = np.degrees([np.arctan2(warp.matrix[1, 0], warp.matrix[0, 0]) for warp in warps])
    for drawn, low, high in ((scales, 0.75, 1.25), (turns, -30, 30)):
        assert low - 1e-9 <= drawn.min() <= drawn.max() <= high + 1e-9
        np.testing.assert_allclose(np.histogram(drawn, 4, (low, high))[0], 1000, atol=120)


def test_tint_multiplies_each_channel_evenly_and_nothing_else(rng):
    pixels = np.full((4, 4, 3), 100, np.uint8)
    drawn = np.array([Jitter(tint=0.4).paint(pixels, rng)[0, 0] for _ in range(2000)])
    assert drawn.min() >= 59
    assert drawn.max() <= 140
    np.testing.assert_allclose(np.quantile(drawn, (0.25, 0.5, 0.75), axis=0).mean(1), (79.5, 99.5, 119.5), atol=2)
    assert np.abs(np.corrcoef(drawn.T)[np.triu_indices(3, 1)]).max() < 0.1
    assert not Jitter(tint=0.4).paint(np.zeros_like(pixels), rng).any()


@pytest.mark.parametrize("jitter", [Jitter(), Jitter(colour=0.3, shift=0.1)], ids=["plain", "coloured"])
def test_a_batch_is_what_take_and_encode_make(people, jitter):
    batches = Batches(people, CODEC, jitter, 4, seed=5, aim=Gaussian.around)
    order = [index for group in np.random.default_rng((5, 2)).permutation(len(batches.pictures))
             for index in batches.pictures[group]]  # fmt: skip
    rng = np.random.default_rng((5, 2, 1))
    crops = []
    for index in order[4:8]:
        scene = people[index]
        crop = take(scene, jitter(scene.people[0], COCO, CODEC.size, rng, Gaussian.around))
        crops.append(replace(crop, pixels=jitter.paint(crop.pixels, rng)))
    wanted = np.stack([crop.pixels for crop in crops]), CODEC.encode([crop.people[0] for crop in crops])
    assert equal(batches.batch(2, 1), wanted)


def test_a_batch_depends_on_its_numbers_alone(people):
    first, second = (Batches(people, CODEC, Jitter(), 4, seed=1) for _ in range(2))
    for epoch, number in ((0, 0), (3, 2)):
        second.batch(epoch + 1, 0)
        assert equal(first.batch(epoch, number), second.batch(epoch, number))
    assert not equal(first.batch(0, 0), first.batch(1, 0))
    assert not equal(first.batch(0, 0), first.batch(0, 1))
    assert not equal(first.batch(0, 0), Batches(people, CODEC, Jitter(), 4, seed=2).batch(0, 0))


def test_an_epoch_shows_everybody_once_and_fills_up_from_its_start(people):
    size = 4 if len(people) % 4 else 5
    batches = Batches(people, CODEC, STILL, size)
    assert len(batches) * size > len(people)
    shown = np.concatenate([batches.batch(0, number)[0] for number in range(len(batches))])
    assert len(shown) == len(batches) * size
    wanted = {take(scene, STILL(scene.people[0], COCO, CODEC.size, np.random.default_rng(0))).pixels.tobytes()
              for scene in people}  # fmt: skip
    assert {crop.tobytes() for crop in shown[: len(people)]} == wanted
    assert np.array_equal(shown[len(people) :], shown[: len(shown) - len(people)])


def test_a_picture_is_decoded_once_for_its_people(people, monkeypatch):
    read = []
    monkeypatch.setattr(picture, "_bytes", lambda path: read.append(path) or path.read_bytes())
    batches = Batches(people, CODEC, Jitter(), len(people))
    batches.batch(0, 0)
    assert sorted(read) == sorted({scene.image for scene in people})


def test_kept_crops_show_what_the_pictures_show(people, tmp_path):
    told = []
    stored = kept(people, tmp_path / "crops.npy", CODEC, told.append)
    assert told == list(range(1, len(people) + 1))
    assert stored[0].size == (int(MARGIN * 48), int(MARGIN * 64))
    assert not list(tmp_path.glob(".*"))
    for scene, crop in zip(people, stored, strict=True):
        warp = aim(scene.people[0].box, crop.size, MARGIN * PADDING)
        assert np.array_equal(crop.pixels(), warp.image(scene.pixels()))
        np.testing.assert_allclose(crop.people[0].keypoints, warp.points(scene.people[0].keypoints))
        plain, cropped = (Batches([one], CODEC, STILL, 1).batch(0, 0) for one in (scene, crop))
        assert np.abs(plain[0].astype(int) - cropped[0]).max() <= 1  # one px of a kept crop is one px of a still view
        np.testing.assert_array_equal(plain[1].weights, cropped[1].weights)


def test_kept_crops_are_used_again_only_where_they_fit(people, tmp_path):
    file = tmp_path / "crops.npy"
    kept(people, file, CODEC)
    made = file.stat().st_mtime_ns
    kept(people, file, CODEC)
    assert file.stat().st_mtime_ns == made
    kept(people[:-1], file, CODEC)
    assert np.load(file).shape[0] == len(people) - 1


def test_a_person_without_a_box_is_named(people, tmp_path):
    one = people[0].people[0]
    point = np.where(np.isnan(one.keypoints), np.nan, 5.0)
    lost = replace(people[0], people=(replace(one, keypoints=point, box=None, id="Ann"),))
    with pytest.raises(ValueError, match="person Ann: has no box"):
        kept([lost], tmp_path / "crops.npy", CODEC)
    with pytest.raises(ValueError, match="person Ann: has no box"):
        Batches([lost], CODEC, Jitter(), 1).batch(0, 0)


def test_a_warp_fills_the_array_it_is_given(people, rng):
    image = people[0].pixels()
    for source in (image, image[..., 0], np.repeat(image[..., :1], 2, axis=2)):
        warp = aim(people[0].people[0].box, CODEC.size)
        out = rng.integers(0, 255, (64, 48, *source.shape[2:])).astype(np.uint8)
        wanted = warp.image(source, fill=7)
        warp.image(source, fill=7, out=out)
        assert np.array_equal(out, wanted)
    with pytest.raises(ValueError, match=r"out must be \(64, 48, 3\), not \(48, 64, 3\)"):
        warp.image(image, out=np.empty((48, 64, 3), np.uint8))


def test_a_fourth_channel_changes_no_value(rng):
    """Colours are resampled as three grey pictures are, whatever the warp."""
    for _ in range(100):
        height, width = rng.integers(1, 200, 2)
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        box = np.sort(rng.uniform(-20, 220, (2, 2)), axis=0).ravel() + np.array([0, 0, 1, 1])
        warp = aim(box, (40, 30))
        channels = [warp.image(np.ascontiguousarray(pixels[..., c]), fill=9) for c in range(3)]
        assert np.array_equal(warp.image(pixels, fill=9), np.stack(channels, -1))
