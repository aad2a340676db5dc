"""Integral pose from training to a picture lifted: learnt by heart, exported, asked, drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from posewright import picture
from posewright.augment.jitter import Jitter
from posewright.cli import main
from posewright.codecs.depth import with_depths
from posewright.codecs.integral import Integral
from posewright.datasets.points import read_poses
from posewright.datasets.synthetic import world
from posewright.estimators import runtimes
from posewright.fields import Volume
from posewright.metrics.threed.mpjpe import mpjpe
from posewright.models.compact import Compact
from posewright.models.integral_pose import IntegralPose, soft_argmax
from posewright.models.resnet import ResNet
from posewright.recipes.epipolar_pose import epipolar_pose_r50_fs
from posewright.recipes.recipe import Phase
from posewright.skeleton import H36M
from posewright.train import train
from posewright.train.export.checkpoint import export_checkpoint

DEPTH = 8


class Small(nn.Module):
    """Integral pose over a network that a test can train."""

    def __init__(self):
        super().__init__()
        self.network = Compact(len(H36M) * DEPTH, (8, 16, 32, 48), (1, 1, 1))

    def forward(self, images):
        return [soft_argmax(Volume(self.network(images)[0].maps.unflatten(1, (-1, DEPTH))))]


ONE = [replace(scene, id="S1/Walking/0/0") for scene in world(1, 3, (96, 96), H36M, (1, 1))]
tiny = replace(
    epipolar_pose_r50_fs,
    name="tiny",
    read=lambda root, split: 40 * ONE if split == "train" else ONE,  # noqa: ARG005
    network=Small,
    codec=Integral(H36M, (64, 64)),
    phases=(Phase(1, 4e-3), Phase(1, 2e-3)),
    batch=1,
    jitter=Jitter(scale=0, turn=0, turn_chance=0, mirror=0, half_body=0),
)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A checkpoint of the tiny recipe, one picture known by heart, and its exported file."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    checkpoint = train(tiny, "", folder / "run")
    file = folder / "tiny.onnx"
    return checkpoint, file, export_checkpoint(checkpoint, file, recipe=tiny)


def test_one_picture_is_learnt_by_heart(learnt):
    history = torch.load(learnt[0], weights_only=True)["history"]
    assert history[-1]["MPJPE"] < 60
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]


def test_the_exported_file_tells_depths_as_torch_does(learnt):
    _, file, drift = learnt
    assert drift.fields < 1e-4
    network = runtimes.load(file, backend="onnxruntime")
    (answer,) = network(np.zeros((2, 64, 64, 3), np.uint8))
    assert answer.places.shape == (2, 17, 3)
    people = network.codec.decode(answer)
    assert all(np.isfinite(one.depths).all() for one in people)


def test_a_picture_is_lifted_and_drawn(learnt, tmp_path, capsys):
    photo = tmp_path / "one.png"
    photo.write_bytes(picture.encoded(ONE[0].pixels(), ".png"))
    box = [f"{v:.2f}" for v in with_depths(ONE[0]).people[0].box]
    out = tmp_path / "out"
    assert main(["lift", str(photo), "--model", str(learnt[1]), "--out", str(out), "--box", *box]) == 0
    assert "1 in space" in capsys.readouterr().out
    poses = read_poses(out / "points.npz")
    assert poses.sequence.tolist() == ["one.png"]
    scene = ONE[0]
    truth = replace(poses, xyz=scene.camera.view(scene.people[0].points3d)[None])
    assert mpjpe(poses, truth)["NMPJPE"] < 80
    assert picture.read(out / "one.png").shape[1] > 800


def test_what_cannot_be_lifted_is_one_line(learnt, tmp_path, capsys):
    photo = tmp_path / "one.png"
    photo.write_bytes(picture.encoded(ONE[0].pixels(), ".png"))
    for arguments, message in (
        (["lift", str(photo), "--model", "default"], "has no pelvis"),
        (["lift", "--model", str(learnt[1])], "at least one photograph"),
        (["lift", str(tmp_path / "no.png"), "--model", str(learnt[1])], "no.png"),
        (["label", f"h36m:{tmp_path}", "--model", "default", "--split", "train", "--out", "x.npz"], "Human3.6M"),
    ):
        assert main([*arguments, *(["--out", str(tmp_path / "o")] if arguments[0] == "lift" else [])]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


def test_a_picture_network_of_depth_one_says_nothing_of_depth():
    model = IntegralPose(ResNet((1, 1, 1, 1)), 16, depth=1).eval()
    with torch.inference_mode():
        (answer,) = model(torch.zeros(1, 3, 64, 64))
    assert torch.equal(answer.places[..., 2], torch.full((1, 16), -0.5))
