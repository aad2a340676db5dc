"""Refining: a second look moves keypoints and nothing else, is told the right pose, and is an estimator like others."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from posewright import picture
from posewright.augment.jitter import Jitter
from posewright.augment.proposals import ALPHAPOSE
from posewright.augment.synthesis import Synthesis, synthesised, with_neighbours
from posewright.codecs.posefix import FourPixels
from posewright.datasets.synthetic import world
from posewright.estimators import runtimes
from posewright.estimators.refine import ROOM, Refined, box_of, refine
from posewright.estimators.runtimes.network import Network
from posewright.estimators.runtimes.torch import network_of
from posewright.estimators.top_down import TopDown
from posewright.fields import Heatmaps
from posewright.metrics import oks_ap
from posewright.models.pixels import FromPixels
from posewright.models.posefix import PoseFix
from posewright.models.resnet import ResNet
from posewright.recipes.posefix import posefix_r50_coco
from posewright.recipes.recipe import Apart, Phase
from posewright.robustness import standard_attacks, study
from posewright.scene import Person, Scene, region
from posewright.skeleton import COCO, LSP
from posewright.train import Machine, export, prepared, scores, steps, train
from posewright.train.export import checkpoint
from posewright.train.loader import Batches, kept
from posewright.verbs.evaluate import evaluate
from posewright.verbs.predict import predict_to

CODEC = FourPixels(COCO, (96, 128))
STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)


def moving(by, told=None):
    """A network that moves every pose it is told by so many px of its crop, and keeps what it was told in `told`."""

    def run(pixels, poses):
        if told is not None:
            told.append((pixels, poses))
        return [CODEC.encode([Person(np.clip(pose + by, 4, np.array(CODEC.size) - 9)) for pose in poses])]

    return Network(run, CODEC, aim=CODEC.around, protocol={"backend": "a test", "weights": "none"})


class Poor:
    """Answer with the truth moved by (4, 0) px; without boxes, with everybody."""

    skeleton = COCO

    def protocol(self):
        return {"estimator": "poor", "flip": "never"}

    def __call__(self, image, boxes=None):
        return next(self.many([image], None if boxes is None else [boxes]))

    def many(self, images, boxes=None):  # noqa: ARG002
        for image in images:
            people = image.people if isinstance(image, Scene) else []
            yield [Person(np.add(p.keypoints, (4, 0)), scores=np.full(17, 0.5), score=0.4, box=p.box) for p in people]


@pytest.fixture(scope="module")
def scenes():
    return world(5, 2, size=(160, 200), people=(1, 3))


def scale_of(person, network):
    warp = network.aim(*region(box_of(person), network.padding), network.codec.size)
    return warp.scale


def test_keypoints_move_and_all_else_stays(scenes):
    network = moving((2.0, 0.0))
    for scene, found in zip(scenes, Refined(Poor(), network).many(scenes), strict=True):
        for before, after in zip(Poor()(scene), found, strict=True):
            known = before.labelled
            moved = (after.keypoints - before.keypoints)[known] * scale_of(before, network)
            np.testing.assert_allclose(moved, [(2, 0)] * known.sum(), atol=1e-3)
            assert after.score == before.score
            np.testing.assert_array_equal(after.scores, before.scores)
            np.testing.assert_array_equal(after.box, before.box)


def test_the_crop_is_cut_around_the_pose_and_the_pose_is_told_in_its_pixels(scenes):
    told = []
    person = Poor()(scenes[0])[0]
    next(refine(moving((0.0, 0.0), told), [replace(scenes[0], people=(person,))]))
    ((pixels, poses),) = told
    assert pixels.shape == (1, 128, 96, 3)
    assert poses.dtype == np.float32
    low, high = np.nanmin(poses[0], 0), np.nanmax(poses[0], 0)
    shares = (high - low) / CODEC.size
    assert shares.max() == pytest.approx(1 / (1.25 * ROOM), rel=1e-5)
    np.testing.assert_allclose((low + high) / 2, (48, 64), atol=1e-4)


def test_flip_takes_the_mean_of_both_looks(scenes):
    """A network that errs to the right of what it sees errs to the left in the mirror."""
    person = Poor()(scenes[0])[0]
    found = replace(scenes[0], people=(person,))
    told = []
    (once,), (twice,) = (
        next(refine(moving((3.0, 1.0), t), [found], flip)).people for flip, t in ((False, None), (True, told))
    )
    (pixels, poses), (mirrored, turned) = told
    np.testing.assert_array_equal(mirrored, pixels[:, :, ::-1])
    np.testing.assert_allclose(turned[0, :, 0], 95 - poses[0][COCO.mirror][:, 0], rtol=1e-5)
    scale = scale_of(person, moving((0, 0)))
    known = person.labelled
    for found, by in ((once, (3, 1)), (twice, (0, 1))):
        moved = (found.keypoints - person.keypoints)[known] * scale
        np.testing.assert_allclose(moved, [by] * known.sum(), atol=1e-3)


def test_people_come_back_in_order_whatever_the_batch(scenes):
    network = moving((1.0, 1.0))
    wanted = [scene.people for scene in refine(network, synthesised(scenes), batch=1)]
    for batch in (2, 3, 100):
        found = [scene.people for scene in refine(network, iter(synthesised(scenes)), batch=batch)]
        for one, other in zip(wanted, found, strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(a.keypoints, b.keypoints, atol=1e-6)


def test_absent_keypoints_and_absent_people_stay_absent(scenes):
    person = Poor()(scenes[0])[0]
    person.keypoints[[3, 9]] = np.nan
    nobody = replace(person, keypoints=np.full((17, 2), np.nan))
    found = next(refine(moving((1.0, 0.0)), [replace(scenes[0], people=(nobody, person))])).people
    assert found[0] is nobody
    np.testing.assert_array_equal(np.isnan(found[1].keypoints), np.isnan(person.keypoints))
    unread = Scene("nowhere.jpg", COCO, (nobody,))
    assert next(refine(moving((1.0, 0.0)), [unread])).people == (nobody,)


def test_a_pose_of_one_place_has_a_box_all_the_same():
    keypoints = np.full((17, 2), np.nan)
    keypoints[4] = (50, 60)
    np.testing.assert_allclose(box_of(Person(keypoints)), (38, 48, 62, 72))


def test_other_keypoints_are_refused(scenes):
    lsp = moving((0.0, 0.0))
    other = Poor()
    other.skeleton = LSP
    with pytest.raises(ValueError, match="keypoints of lsp"):
        Refined(other, lsp)
    with pytest.raises(ValueError, match="keypoints of lsp"):
        list(refine(lsp, [replace(scenes[0], skeleton=LSP)]))


def test_it_says_who_estimated_and_who_refined():
    said = Refined(Poor(), moving((0.0, 0.0)), flip=True).protocol()
    assert said["estimator"] == "poor"
    assert said["flip"] == "never"
    assert said["refined/backend"] == "a test"
    assert said["refined/flip"] is True
    assert said["refined/padding"] == pytest.approx(1.5)
    json.dumps(said)


def test_evaluate_takes_it(scenes, tmp_path):
    """The poor estimator is 4 px off to the right; the network puts that right in the mean."""
    people = [person for scene in scenes for person in Poor()(scene)]
    network = moving((-4 * np.mean([scale_of(person, moving((0, 0))) for person in people]), 0.0))
    better = Refined(Poor(), network)
    before = evaluate(Poor(), scenes, tmp_path / "poor", "oks_ap", draws=0)
    after = evaluate(better, scenes, tmp_path / "refined", "oks_ap", better.protocol(), draws=0)
    assert after.scores["oks_ap"]["AP"] > before.scores["oks_ap"]["AP"]
    said = json.loads((tmp_path / "refined" / "scores.json").read_text())["files"][0]["metrics"]["oks_ap"]["protocol"]
    assert said["refined/weights"] == "none"


def tiny():
    """A PoseFix that looks at 64x64 px over one block a stage."""
    torch.manual_seed(0)
    return PoseFix(ResNet((1, 1, 1, 1)), 17, sigma=3.0)


def tiny_recipe(**more):
    codec = replace(posefix_r50_coco.codec, size=(64, 64))
    return replace(posefix_r50_coco, network=tiny, codec=codec, jitter=STILL, batch=2, **more)


def test_predict_and_occlude_take_it(scenes, tmp_path):
    """With networks that know nothing: what they say is no matter here."""
    codec = replace(CODEC, size=(64, 64))
    network = network_of(FromPixels(tiny()), codec, aim=codec.around)
    both = Refined(TopDown(network, codec), network)
    picture.write(tmp_path / "a.png", scenes[0].pixels())
    assert predict_to(tmp_path / "out", [tmp_path / "a.png"], both) == 0
    assert "refined/codec" in (tmp_path / "out" / "protocol.json").read_text()
    found = study(both, scenes[:2], standard_attacks(COCO, ("keypoints",), ["blackout"], (6,))[:2], draws=20)
    assert found.clean["all"].asked > 0


def test_one_picture_is_learnt_by_heart():
    """Told the same wrong poses again and again, it learns to answer the true one."""
    recipe = tiny_recipe(phases=(Phase(40, 2e-3),), apart=Apart(given=Synthesis()))
    truth = world(1, seed=5, size=(128, 128), people=(1, 1))
    batches = Batches(with_neighbours(truth), recipe.codec, STILL, 2, 0, recipe.aim, given=recipe.apart.given)
    state = prepared(recipe, 0, Machine(device="cpu"))
    losses = list(steps(recipe, batches, state, Machine(device="cpu", workers=0)))
    (pixels, poses), target = batches.batch(0, 0)
    shown = target.weights[0] > 0
    wanted = recipe.codec.decode(target)[0].keypoints[shown]
    with torch.no_grad():
        answer = state.module.eval()(torch.from_numpy(pixels), torch.from_numpy(poses))[-1]
    found = recipe.codec.decode(Heatmaps(answer.maps.numpy()))[0].keypoints[shown]
    assert losses[-1] < losses[0] / 2
    assert shown.sum() > 8
    assert np.linalg.norm(found - wanted, axis=-1).mean() < recipe.codec.stride / 2
    assert 0 <= scores(recipe, state, truth)["AP"] <= 1


def test_what_a_network_is_told_is_drawn_by_number(tmp_path):
    """Epochs differ, the same batch does not, and views are the same with it and without, from kept crops too."""
    recipe = tiny_recipe()
    people = with_neighbours(world(3, seed=6, size=(96, 96), people=(2, 2)))
    told = Batches(people, recipe.codec, STILL, 4, 0, recipe.aim, given=recipe.apart.given)
    plain = Batches(people, recipe.codec, STILL, 4, 0, recipe.aim)
    (pixels, poses), target = told.batch(0, 0)
    np.testing.assert_array_equal(pixels, plain.batch(0, 0)[0])
    np.testing.assert_array_equal(target.maps, plain.batch(0, 0)[1].maps)
    np.testing.assert_array_equal(poses, told.batch(0, 0)[0][1])
    assert not np.array_equal(poses, told.batch(1, 0)[0][1], equal_nan=True)
    stored = kept(people, tmp_path / "crops.npy", recipe.codec, each=list)
    assert [[p.id for p in scene.people] for scene in stored] == [[p.id for p in scene.people] for scene in people]
    again = Batches(stored, recipe.codec, STILL, 4, 0, recipe.aim, given=recipe.apart.given)
    assert np.isfinite(again.batch(0, 0)[0][1]).any()


def test_the_exported_file_is_told_poses_too(tmp_path):
    codec = replace(CODEC, size=(64, 64))
    module = FromPixels(tiny().eval())
    drift = export.onnx(module, codec, {}, tmp_path / "tiny.onnx", aim=codec.around)
    assert drift.fields < 1e-3
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    poses = rng.uniform(0, 64, (3, 17, 2)).astype(np.float32)
    poses[1, 4] = np.nan
    wanted = network_of(module, codec)(pixels, poses)[-1].maps
    blind = network_of(module, codec)(pixels)[-1].maps
    assert np.abs(wanted - blind).max() > 1e-2 * np.abs(wanted).max()
    for backend, build in (("onnxruntime", None), ("openvino", None), ("torch", tiny)):
        if backend == "openvino":
            pytest.importorskip("openvino")
        network = runtimes.load(tmp_path / "tiny.onnx", backend, build=build)
        for told, answer in (((poses,), wanted), ((), blind)):
            found = network(pixels, *told)[-1].maps
            np.testing.assert_allclose(found, answer, rtol=0, atol=1e-3 * np.abs(answer).max())


def test_a_training_goes_from_wrong_poses_to_a_file_that_refines(tmp_path):
    """With detector-like boxes in the second epoch, so that the log must hold those too, and kept crops."""
    jitter = replace(STILL, proposal=ALPHAPOSE)
    recipe = tiny_recipe(
        name="tiny_posefix",
        read=lambda _folder, split: world({"train": 4, "val": 2}[split], seed=len(split), size=(96, 96), people=(1, 2)),
        phases=(Phase(1, 1e-3), Phase(1, 1e-3, jitter=jitter)),
    )
    machine = Machine(device="cpu", precision="fp32", workers=0, keep=True)
    last = train(recipe, ".", tmp_path / "run", machine=machine)
    history = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in history] == [1, 2]
    assert all("AP" in line for line in history)
    with pytest.raises(FileExistsError):
        train(recipe, ".", tmp_path / "run", machine=machine)
    train(recipe, ".", tmp_path / "run", resume=True, machine=machine)
    network = checkpoint.load(last, recipe=recipe)
    truth = recipe.read(".", "val")
    found = list(refine(network, synthesised(truth), flip=True))
    assert [len(scene.people) for scene in found] == [len(scene.people) for scene in synthesised(truth)]
    assert oks_ap(list(refine(network, synthesised(truth))), truth)["AP"] == pytest.approx(history[-1]["AP"])
