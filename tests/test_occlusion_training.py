"""Occlusion in training: drawn from a stream of its own, weighed, named in checkpoints, resumed to the bit."""

import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from posewright.augment.jitter import Jitter
from posewright.cli import main
from posewright.codecs.codec import is_whole
from posewright.codecs.cpm import Beliefs
from posewright.codecs.dark import Dark
from posewright.codecs.distribution import Distribution
from posewright.codecs.gaussian import Gaussian
from posewright.codecs.udp import Udp, UdpOffsets
from posewright.datasets.synthetic import thing, world
from posewright.fields import Heatmaps
from posewright.occlusion import Augmentation, Occluder, described, fills, regions
from posewright.occlusion.objects import read_objects
from posewright.occlusion.presets import dropping, targeted
from posewright.picture import PictureError
from posewright.recipes import RECIPES, recipe_named
from posewright.recipes.occlusion import OCCLUSIONS, occlusion_named
from posewright.recipes.recipe import Phase
from posewright.scene import each_person
from posewright.skeleton import COCO
from posewright.train import CheckpointError, Machine, prepared, steps, train
from posewright.train.export.checkpoint import card_of
from posewright.train.loader import Batches, kept

ALONE = Machine(device="cpu", precision="fp32", workers=0, threads=1)
TINY = Path(__file__).parent / "tiny.py"
tiny = recipe_named(f"{TINY}:tiny")
STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)
CODEC = Gaussian(COCO, (48, 64))
PEOPLE = each_person(world(6, seed=3, size=(160, 120), people=(1, 2)))
LEFT = regions.Rectangle((0.0, 0.0, 23.0, 63.0))


def half(_crop, _person, _rng):
    """Cover the left half of a crop."""
    return [Occluder(LEFT, fills.black)]


def hidden_by(occlusion, occluded=None, codec=CODEC, people=PEOPLE):
    return Batches(people, codec, Jitter(), 4, 5, Gaussian.around, occlusion, occluded)


def contents(checkpoint):
    return torch.load(checkpoint, map_location="cpu", weights_only=True)


def same(one, other):
    return all(torch.equal(one["network"][name], other["network"][name]) for name in one["network"])


@pytest.mark.parametrize(("target", "kept_share"), [(1.0, 1.0), (0.25, 0.25), (0.0, 0.0), (None, 0.0)])
def test_the_views_stay_and_covered_targets_count_as_they_are_told(target, kept_share):
    """Right of the middle nothing differs from a training without; on the left, weights are multiplied."""
    plain, hidden = hidden_by(None), hidden_by(Augmentation((half,), target=target))
    shares = []
    for number in range(len(plain)):
        (clear, wanted), (pixels, found) = plain.batch(2, number), hidden.batch(2, number)
        assert not pixels[:, :, :24].any()
        np.testing.assert_array_equal(pixels[:, :, 24:], clear[:, :, 24:])
        weighed = wanted.weights > 0
        shares += np.unique(found.weights[weighed] / wanted.weights[weighed]).tolist()
        assert not found.weights[~weighed].any()
        counted = found.weights > 0
        np.testing.assert_array_equal(found.maps[counted], wanted.maps[counted])
        assert found.weights.dtype == np.float32
    assert set(shares) == {kept_share, 1.0}


@pytest.mark.parametrize("codec", [CODEC, Dark(COCO, (48, 64)), Udp(COCO, (48, 64)), UdpOffsets(COCO, (48, 64)),
                                   Distribution(COCO, (64, 64))], ids=lambda codec: type(codec).__name__)  # fmt: skip
def test_every_codecs_targets_are_weighed(codec):
    clear, hidden = (hidden_by(o, None, codec).batch(0, 0)[1] for o in (None, Augmentation((half,), target=0.5)))
    assert type(hidden) is type(clear)
    factors = (hidden.weights / np.where(clear.weights > 0, clear.weights, 1))[clear.weights > 0]
    assert set(np.unique(factors)) == {0.5, 1.0}


def test_the_background_counts_as_before():
    codec = Beliefs(COCO, (48, 64))
    clear, hidden = (hidden_by(o, None, codec).batch(0, 0)[1] for o in (None, Augmentation((half,), target=0.5)))
    np.testing.assert_array_equal(hidden.weights[:, -1], 1)
    np.testing.assert_array_equal(hidden.maps, clear.maps)
    shown = clear.weights[:, :-1] > 0
    assert set(np.unique(hidden.weights[:, :-1][shown])) == {0.5, 1.0}


@pytest.mark.parametrize("name", OCCLUSIONS)
def test_a_batch_depends_on_its_numbers_alone_and_travels_to_other_processes(name, tmp_path):
    occlusion = OCCLUSIONS[name](PEOPLE)
    first, second = hidden_by(occlusion), pickle.loads(pickle.dumps(hidden_by(occlusion)))
    second.batch(0, 0)
    (pixels, fields), (again, fields_again) = first.batch(3, 1), second.batch(3, 1)
    np.testing.assert_array_equal(pixels, again)
    for one, other in zip(fields, fields_again, strict=True):
        np.testing.assert_array_equal(one, other)
    stored = kept(PEOPLE, tmp_path / "crops.npy", CODEC)
    assert np.isfinite(hidden_by(OCCLUSIONS[name](stored), people=stored).batch(0, 0)[1].maps).all()


def test_only_the_epochs_that_are_said_are_occluded():
    hidden, plain = hidden_by(Augmentation((half,)), frozenset({1})), hidden_by(None)
    for epoch in range(3):
        assert np.array_equal(hidden.batch(epoch, 0)[0], plain.batch(epoch, 0)[0]) == (epoch != 1)


@pytest.mark.parametrize(
    ("name", "drops", "occluded"),
    [
        ("s1", {0: 1e-3, 170: 1e-4, 200: 1e-5}, range(210)),
        ("s2", {0: 1e-3, 380: 1e-4, 410: 1e-5}, range(420)),
        ("s3", {0: 1e-3, 170: 1e-4, 200: 1e-5, 210: 1e-3, 380: 1e-4, 410: 1e-5}, range(210, 420)),
    ],
)
def test_schedules_are_huangs(name, drops, occluded):
    recipe = recipe_named(f"hrnet_w32_coco_keypoint_aware_{name}")
    rates = [recipe.rate_at(epoch, 1) for epoch in range(recipe.epochs)]
    assert {epoch: rate for epoch, rate in enumerate(rates) if epoch == 0 or rate != rates[epoch - 1]} == drops
    assert recipe.epochs == occluded[-1] + 1
    assert recipe.occluded == frozenset(occluded)
    assert described(recipe.occlusion(())) == described(OCCLUSIONS["huang_keypoint_aware"](()))


@pytest.mark.parametrize("recipe", [one for one in RECIPES if not is_whole(one.codec)], ids=lambda one: one.name)
def test_every_recipe_of_crops_can_be_occluded(recipe):
    codec = replace(recipe.codec, size=(64, 64))
    people = each_person(world(2, seed=1, size=(96, 96), skeleton=codec.skeleton))
    plain, hidden = (
        Batches(people, codec, recipe.jitter, 4, 0, recipe.aim, occlusion)
        for occlusion in (None, OCCLUSIONS["pytel_cutout_part_0.5_removal"](people))
    )
    pairs = [(plain.batch(epoch, 0), hidden.batch(epoch, 0)) for epoch in range(4)]
    assert any((one[0] != other[0]).any() for one, other in pairs)
    assert any((one[1].weights > other[1].weights).any() for one, other in pairs)
    assert not any((one[1].weights < other[1].weights).any() for one, other in pairs)


occluded_tiny = replace(tiny, occlusion=OCCLUSIONS["pytel_blur_cutout_keypoint_0.5_removal"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The checkpoint of an uninterrupted training, clear for two epochs and occluded in the third."""
    clear, last = tiny.phases
    recipe = replace(occluded_tiny, phases=(replace(clear, occluded=False), last))
    return train(recipe, ".", tmp_path_factory.mktemp("whole"), machine=ALONE), recipe


def test_training_goes_on_to_the_bit(whole, tmp_path):
    checkpoint, recipe = whole
    taken = []

    def loss(stages, target):
        taken.append(1)
        if len(taken) == 9:
            raise InterruptedError
        return recipe.loss(stages, target)

    with pytest.raises(InterruptedError):
        train(replace(recipe, loss=loss), ".", tmp_path, machine=replace(ALONE, save_every=0))
    assert contents(tmp_path / "last.pt")["step"] == 8  # in the middle of the occluded epoch
    train(recipe, ".", tmp_path, resume=True, machine=ALONE)
    assert same(contents(tmp_path / "last.pt"), contents(checkpoint))
    assert not same(contents(train(tiny, ".", tmp_path / "plain", machine=ALONE)), contents(checkpoint))


@pytest.mark.parametrize("other", [None, OCCLUSIONS["cutout"], lambda _: targeted("blur", chance=0.25)])
def test_a_checkpoint_of_another_occlusion_is_not_gone_on_with(whole, tmp_path, other):
    checkpoint, recipe = whole
    (tmp_path / "last.pt").write_bytes(checkpoint.read_bytes())
    with pytest.raises(CheckpointError, match="trained with occlusion Augmentation") as error:
        train(replace(recipe, occlusion=other), ".", tmp_path, resume=True, machine=ALONE)
    assert "\n" not in str(error.value)


def test_a_checkpoint_from_before_there_was_occlusion_had_none(tmp_path):
    checkpoint = train(tiny, ".", tmp_path, machine=ALONE)
    old = contents(checkpoint)
    assert old.pop("occlusion") is None
    torch.save(old, checkpoint)
    train(tiny, ".", tmp_path, resume=True, machine=ALONE)
    with pytest.raises(CheckpointError, match="trained with occlusion None, not Augmentation"):
        train(occluded_tiny, ".", tmp_path, resume=True, machine=ALONE)


def test_the_card_names_the_occlusion(whole):
    checkpoint, recipe = whole
    assert card_of(contents(checkpoint), recipe)["occlusion"] == described(recipe.occlusion(()))
    assert "occlusion" not in card_of({**contents(checkpoint), "occlusion": None}, recipe)


def test_one_picture_is_learnt_by_heart_behind_occluders():
    """What is hidden is drawn anew each time, so that it is learnt from the rest."""
    scenes = world(1, seed=5, size=(128, 128), skeleton=tiny.codec.skeleton, people=(1, 1))
    recipe = replace(
        tiny, jitter=STILL, batch=2, optimiser=replace(tiny.optimiser, average=0.0), phases=(Phase(150, 1e-2),)
    )
    occlusion = Augmentation(targeted("cutout", on="part", chance=1.0).choices)
    batches = Batches(scenes, recipe.codec, recipe.jitter, 2, 0, recipe.aim, occlusion)
    state = prepared(recipe, 0, ALONE)
    losses = list(steps(recipe, batches, state, ALONE))
    pixels, target = batches.batch(999, 0)  # never seen
    truth = recipe.codec.decode(target)[0].keypoints[target.weights[0] > 0]
    with torch.no_grad():
        answer = state.best()(torch.from_numpy(pixels))[-1]
    found = recipe.codec.decode(Heatmaps(answer.maps.numpy()))[0].keypoints[target.weights[0] > 0]
    assert losses[-1] < losses[0]
    assert len(truth) > 8
    assert np.linalg.norm(found - truth, axis=-1).mean() < recipe.codec.stride / 2


def trained(out, *options):
    return main(["train", f"{TINY}:tiny", "--data", ".", "--out", str(out), "--machine.device", "cpu",
                 "--machine.workers", "0", *options])  # fmt: skip


def test_the_command_line_takes_presets_and_folders(tmp_path, capsys):
    assert trained(tmp_path / "a", "--occlusion", "pytel_cutout_part_0.5") == 0
    assert contents(tmp_path / "a" / "last.pt")["occlusion"] == described(targeted("cutout", on="part", chance=0.5))
    folder = tmp_path / "objects"
    folder.mkdir()
    cv2.imwrite(str(folder / "ball.png"), thing(0, 2, 32)[..., [2, 1, 0, 3]])
    assert trained(tmp_path / "b", "--occlusion", f"objects:{folder}") == 0
    assert "Objects(things=(32x32x4" in contents(tmp_path / "b" / "last.pt")["occlusion"]
    capsys.readouterr()
    for name, complaint in (
        ("tilting", "no occlusion 'tilting'; there are none, pytel_blur_keypoint_0.2, "),
        (f"objects:{tmp_path / 'nowhere'}", f"{tmp_path / 'nowhere'}: no folder of cut-outs, and no .json with masks"),
    ):
        assert trained(tmp_path / "c", "--occlusion", name) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"posewright: {complaint}")
        assert said.count("\n") == 1
    assert not (tmp_path / "c" / "last.pt").exists()


def test_none_turns_a_recipes_occlusion_off():
    assert occlusion_named("none") is None
    with pytest.raises(KeyError, match="and objects:FOLDER"):
        occlusion_named("")


def test_show_tells_the_occlusion_and_when_it_is_at_work(capsys):
    assert main(["show", "hrnet_w32_coco_keypoint_aware_s3"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "AwareDisc(share=(0.1, 0.2), shifted=0.5)" in said
    assert said.count("without occlusion") == 3
    assert main(["show", "default"]) == 0
    assert "occlusion" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("grey.png", cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1], "no picture of 8 bits with an alpha channel"),
        ("rgb.png", cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1], "no picture of 8 bits with an alpha"),
        ("deep.png", cv2.imencode(".png", np.zeros((4, 4, 4), np.uint16))[1], "no picture of 8 bits with an alpha"),
        ("text.png", np.frombuffer(b"not a picture", np.uint8), "not a picture that can be decoded"),
        ("empty.webp", np.zeros(0, np.uint8), "the file is empty"),
        ("clear.png", cv2.imencode(".png", np.zeros((4, 4, 4), np.uint8))[1], "is transparent everywhere"),
    ],
)
def test_a_folder_of_objects_names_the_file_that_is_none(tmp_path, name, content, complaint):
    content.tofile(tmp_path / name)
    with pytest.raises(PictureError, match=complaint) as error:
        read_objects(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / name}: ")


def test_a_folder_of_objects_is_read_in_the_order_of_names(tmp_path):
    for number in (2, 1):
        cv2.imwrite(str(tmp_path / f"{number}.png"), thing(0, number, 24)[..., [2, 1, 0, 3]])
    (tmp_path / "notes.txt").write_text("beside them")
    first, second = read_objects(tmp_path)
    np.testing.assert_array_equal(first, thing(0, 1, 24))
    np.testing.assert_array_equal(second, thing(0, 2, 24))
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match=r"holds no \.png or \.webp"):
        read_objects(tmp_path / "none")


def test_things_of_the_world_are_the_same_for_the_same_numbers_and_tight():
    for number in range(12):
        one = thing(3, number, 48)
        assert one.tobytes() == thing(3, number, 48).tobytes()
        assert one.dtype == np.uint8
        assert 46 <= max(one.shape[:2]) <= 48
        alpha = one[..., 3]
        assert alpha.any(1)[[0, -1]].all()
        assert alpha.any(0)[[0, -1]].all()
        assert alpha.max() == 255
    assert thing(3, 0).tobytes() != thing(4, 0).tobytes()
    with pytest.raises(ValueError, match="side must be at least 8 px, not 0"):
        thing(0, 0, 0)


def test_dropping_needs_nobody_in_particular():
    """A region that draws its own place falls on whoever is there."""
    batches = hidden_by(dropping(LEFT, fills.black))
    assert not batches.batch(0, 0)[0][:, :, :24].any()
