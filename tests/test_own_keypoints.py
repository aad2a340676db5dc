"""Keypoints of one's own: names joined, sides asked for, losses that stop, the commands of the docs page."""

import json
import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import posewright
from posewright import datasets
from posewright.cli import main
from posewright.codecs.gaussian import Gaussian
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.fields import Heatmaps
from posewright.metrics import by_person, nme, pck, pckh
from posewright.models.load import load_into, read
from posewright.recipes import recipe_named
from posewright.recipes.own import joined, on_data, with_skeleton
from posewright.recipes.recipe import Phase
from posewright.scene import each_person, translated
from posewright.skeleton import COCO, Skeleton
from posewright.train import LossError, train
from posewright.train.loader import Batches

DOG = Skeleton("dog", ("tail", "snout", "ear_left", "ear_right", "l_paw", "RPaw"), (("tail", "snout"),))
GUIDE = Path(__file__).parents[1] / "docs" / "own-keypoints.md"


class Small(nn.Module):
    def __init__(self, keypoints=6):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(8, keypoints, 1)

    def forward(self, pictures):
        return [Heatmaps(self.head(self.body(pictures)))]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five drawn pictures whose shoulders, hips, ... are called a dog's; the same pictures for every split."""
    folder = tmp_path_factory.mktemp("dogs")
    source = ("left_hip", "nose", "left_ear", "right_ear", "left_wrist", "right_wrist")
    body = Skeleton("body", source, ())
    scenes = [replace(s, skeleton=DOG) for s in translated(world(5, seed=2, size=(96, 96), skeleton=COCO), body)]
    coco.write(scenes, folder)
    return folder


def mine(**said):
    base = recipe_named("simple_baseline_r50_coco")
    given = {"network": Small, "codec": Gaussian(DOG, (48, 64), sigma=1), "phases": (Phase(1, 1e-3),), "batch": 4,
             "metric": by_person(nme), "source": "mine.py:mine", "name": "mine"}  # fmt: skip
    return replace(base, **given | said)


def relabelled(data, out, names, order=None, boxes=None):
    """Write the labels again under other names, in another order."""
    labels = json.loads((data / "annotations.json").read_text())
    category = labels["categories"][0]
    order = order or list(range(len(category["keypoints"])))
    category["keypoints"], category["skeleton"] = [names[k] for k in order], []
    category.pop("posewright", None)
    for annotation in labels["annotations"]:
        annotation["keypoints"] = np.reshape(annotation["keypoints"], (-1, 3))[order].ravel().tolist()
        annotation.pop("posewright", None)
        if boxes is not None:
            annotation["bbox"] = boxes
    out.mkdir(parents=True, exist_ok=True)
    (out / "images").symlink_to(data / "images")
    (out / "annotations.json").write_text(json.dumps(labels))
    return out


def test_keypoints_are_joined_by_name(data, tmp_path):
    names = ["tail", "snout", "LEar", "Right Ear", "paw_left", "rpaw"]
    other = relabelled(data, tmp_path, names, order=[5, 3, 0, 1, 4, 2])
    found = joined(coco.read(other, "train"), DOG, str(other))
    for a, b in zip(found, coco.read(data, "train"), strict=True):
        for one, two in zip(a.people, b.people, strict=True):
            assert np.array_equal(one.keypoints, two.keypoints, equal_nan=True)
    with pytest.raises(ValueError, match="the recipe needs tail as well"):
        joined(coco.read(relabelled(data, tmp_path / "b", ["spine", *names[1:]]), "train"), DOG, "b")


@pytest.mark.parametrize("names", [DOG.keypoints, ("tail", "snout", "LEar", "REar", "l_paw", "r_paw")])
def test_mirrored_views_swap_sides_in_any_spelling(data, names):
    dog = Skeleton("dog", tuple(names), ())
    scenes = each_person([replace(s, skeleton=dog) for s in coco.read(data, "train")])
    crops = [Batches(scenes, Gaussian(dog, (48, 64), sigma=1), replace(mine().jitter, scale=0, turn=0, mirror=m), 4)
             for m in (0.0, 1.0)]  # fmt: skip
    (plain, straight), (turned, swapped) = (batches.batch(0, 0) for batches in crops)
    assert not np.array_equal(plain, turned)
    assert np.array_equal(straight.weights, swapped.weights[:, dog.mirror])
    assert dog.mirror.tolist() == [0, 1, 3, 2, 5, 4]


@pytest.mark.parametrize("names", ["a b c d e f", "tail snout ear_left ear_right l_paw wing", "t s LEar REar p1 p2"])
def test_sides_that_names_do_not_tell_are_asked_for(data, tmp_path, names):
    dog = Skeleton("dog", tuple(names.split()), ())
    folder = relabelled(data, tmp_path / "data", names.split())
    recipe = mine(codec=Gaussian(dog, (48, 64), sigma=1))
    with pytest.raises(ValueError, match=r"views are mirrored, and the names do not tell .* say --sides ear1:ear2"):
        train(recipe, str(folder), tmp_path / "run")
    assert not (tmp_path / "run" / "last.pt").exists()
    train(replace(recipe, jitter=replace(recipe.jitter, mirror=0.0)), str(folder), tmp_path / "straight")
    last = dog.keypoints[-2:]
    told = on_data(recipe, str(folder), f"{last[0]}:{last[1]}")
    assert told.codec.skeleton.mirror.tolist() == [0, 1, 2, 3, 5, 4]
    train(told, str(folder), tmp_path / "told")
    assert on_data(recipe, str(folder), "none").codec.skeleton.mirror.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="sides: dog has no keypoint 'x'"):
        on_data(recipe, str(folder), "x:y")


@pytest.mark.parametrize("rate", [1e12, 1e30])
def test_a_loss_that_is_not_finite_stops(data, tmp_path, rate):
    wild = mine(phases=(Phase(1, 1e-3), Phase(9, rate)))
    with pytest.raises(LossError, match=r"not finite|the loss is (inf|nan) at step"):
        train(wild, str(data), tmp_path)
    weights = torch.load(tmp_path / "last.pt", weights_only=True)["network"]
    assert all(value.isfinite().all() for value in weights.values())
    lines = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[0]["epoch"] == 1


@pytest.mark.parametrize("metric", [pckh, pck])
def test_a_metric_that_cannot_judge_is_refused_before_the_first_step(data, tmp_path, metric):
    with pytest.raises(ValueError, match=r"test: mine's metric cannot judge it: "):
        train(mine(metric=metric, judged_on="test"), str(data), tmp_path)
    assert not (tmp_path / "log.jsonl").exists()


def test_a_checkpoint_is_saved_before_it_is_judged(data, tmp_path):
    def stumble(predicted, _truth):
        if predicted[0].people[0].scores is not None:
            raise ValueError("stumbled")
        return {"NME": 0.0}

    with pytest.raises(ValueError, match="stumbled"):
        train(mine(metric=stumble), str(data), tmp_path)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] > 0


@pytest.mark.parametrize("box", [[5, 5, 0, 0], [5, 5, 10, 0], []])
def test_a_box_without_area_gives_way_to_the_keypoints(data, tmp_path, box):
    folder = relabelled(data, tmp_path / "data", DOG.keypoints, boxes=box)
    assert train(mine(), str(folder), tmp_path / "run").exists()


def test_a_librarys_recipe_takes_the_skeleton_of_the_data(data, capsys):
    recipe = on_data(recipe_named("simple_baseline_r50_coco"), f"coco:{data}")
    assert recipe.codec.skeleton.spelt == DOG.spelt
    assert recipe.network().head.out_channels == 6 if hasattr(recipe.network(), "head") else True
    assert "keypoints of dog, from the data: tail, snout, left_ear" in capsys.readouterr().err
    assert (recipe.reported, recipe.parameters) == ({}, None)
    with pytest.raises(ValueError, match="its network is for the keypoints of mpii alone"):
        with_skeleton(recipe_named("efficientpose_rt_mpii"), DOG)
    own = recipe_named("hrnet_w32_coco")
    assert on_data(own, str(data)).codec.skeleton.spelt == DOG.spelt


def commands(text):
    """The shell commands of a page, line by line."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_guide_goes_from_five_pictures_to_a_scored_exported_network(data, tmp_path, monkeypatch, capsys):
    relabelled(data, tmp_path / "dogs", DOG.keypoints)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSEWRIGHT_PICTURES", str(data))
    run = [line for line in commands(GUIDE.read_text()) if line[0] == "posewright"]
    assert [line[1] for line in run] == ["draw", "train", "evaluate", "score", "export", "predict"]
    for line in run:
        arguments = ["1" if before == "--epochs" else one for before, one in pairwise(line)]
        if arguments[0] == "predict":
            arguments[1] = str(next((data / "images").iterdir()))
        assert main(arguments) == 0, (arguments, capsys.readouterr().err)
    assert json.loads((tmp_path / "answers" / "protocol.json").read_text())["keypoints"][2] == "left_ear"
    assert (tmp_path / "answers" / "predictions.csv").exists()


def test_help_fits_a_screen_and_help_all_has_the_rest(capsys):
    assert main(["train", "hrnet_w32_coco", "--help"]) == 0
    short = capsys.readouterr().out
    assert main(["train", "hrnet_w32_coco", "--help-all"]) == 0
    whole = capsys.readouterr().out
    assert len(short.splitlines()) <= 40 < len(whole.splitlines())
    assert "--help-all" in short
    assert "--codec.sigma" in whole


class HistoryBuffer:
    def __init__(self):
        self.history = np.zeros(3)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": {f"model.{k}": v for k, v in s.items()}, "epoch": 1},
        lambda s: {"state_dict": {f"module.net.{k}": v for k, v in s.items()}, "hyper_parameters": {"lr": 1}},
        lambda s: {"model": {f"_orig_mod.student.{k}": v for k, v in s.items()}},
        lambda s: {"net": s},
        lambda s: {"params": {f"posenet.{k}": v for k, v in s.items()} | {"loss.weight": torch.ones(2)}},
    ],
)
def test_weights_behind_any_prefix_or_envelope(tmp_path, wrap):
    torch.manual_seed(0)
    source, target = Small(), Small()
    torch.save(wrap(source.state_dict()), tmp_path / "a.ckpt")
    report = load_into(target, tmp_path / "a.ckpt")
    assert not report.missing
    assert all(
        torch.equal(a, b) for a, b in zip(source.state_dict().values(), target.state_dict().values(), strict=True)
    )


def test_a_second_set_of_weights_is_told(tmp_path):
    state = Small().state_dict()
    torch.save({"model": state, "ema": state}, tmp_path / "a.pth")
    assert "left out   more weights: 1: ema" in str(load_into(Small(), tmp_path / "a.pth"))


def test_foreign_classes_are_read_as_dead_stubs_and_dangerous_ones_refused(tmp_path):
    import sys
    import types

    module = types.ModuleType("engine_of_somebody")
    module.HistoryBuffer = HistoryBuffer
    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = module.__name__, "HistoryBuffer"
    sys.modules[module.__name__] = module
    try:
        torch.save({"state_dict": Small().state_dict(), "log": {"lr": HistoryBuffer()}}, tmp_path / "a.pth")
    finally:
        del sys.modules[module.__name__]
    content = read(tmp_path / "a.pth")
    assert (type(content["log"]["lr"]).__name__, vars(content["log"]["lr"])) == ("HistoryBuffer", {})


def test_epochs_are_shared_among_the_phases(data, tmp_path):
    out = tmp_path / "run"
    assert main(["train", "default", "--data", f"coco:{data}", "--out", str(out), "--epochs", "1",
                 "--machine.workers", "0"]) == 0  # fmt: skip
    assert len((out / "log.jsonl").read_text().splitlines()) == 1
    assert datasets.read(f"coco:{data}", "any")[0].skeleton.spelt == DOG.spelt


def test_the_embedded_network_is_a_start_for_any_keypoints(data, tmp_path):
    out = tmp_path / "run"
    assert main(["train", "pose", "--data", f"coco:{data}", "--start", "pose", "--out", str(out), "--epochs", "1",
                 "--machine.workers", "0"]) == 0  # fmt: skip
    estimator = posewright.load(out / "last.pt")
    assert estimator.skeleton.spelt == DOG.spelt
    assert len(next(estimator.many([np.zeros((64, 64, 3), np.uint8)], [[[8, 8, 56, 56]]]))[0]) == len(DOG)
