"""Integral pose, its labels and losses, and the networks that lift poses, against the original authors' own."""

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from posewright.codecs.depth import lifted, with_depths
from posewright.codecs.integral import Integral, mean_place
from posewright.fields import Coordinates, Volume
from posewright.geometry import Camera
from posewright.losses.coordinates import absolute_error, smooth_absolute_error, standardised_error
from posewright.models import integral_pose, lifter, refinement_unit
from posewright.models.count import macs, parameters
from posewright.models.load import load_original
from posewright.scene import Person, Scene, region
from posewright.skeleton import H36M, MPII


def relative(found, expected):
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


def gained(state, factor):
    return {name: value * factor if value.dim() > 1 else value for name, value in state.items()}


@pytest.mark.parametrize(("name", "keypoints", "wrapped"), [
    ("integral_pose_r50", 16, lambda state: {"state_dict": {f"module.{key}": v for key, v in state.items()}}),
    ("integral_human_pose_r50", 18, lambda state: {"network": state}),
])  # fmt: skip
def test_integral_pose_answers_as_the_original(reference, filled, waves, name, keypoints, wrapped):
    vector = reference(name)
    model = integral_pose.integral_pose_r50(keypoints).eval()
    assert parameters(model) == json.loads(str(vector["meta"]))["parameters"]
    assert macs(model, (256, 256)) == json.loads(str(vector["meta"]))["macs"]
    images = torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"]))
    for prefix, factor in (("output", 1.0), ("output_gain", float(vector["weight_gain"]))):
        report, normal = load_original(model, wrapped(gained(filled(vector), factor)), size=(64, 64))
        assert not report.missing
        assert not report.unused
        assert not report.turned
        assert normal.mean[0] == 0.485
        with torch.inference_mode():
            volume, (answer,) = model.volume(images).logits, model(images)
        sample = volume.flatten()[vector[f"{prefix}_volume_index"]]
        assert relative(sample, vector[f"{prefix}_volume_sample"]) < 1e-5
        expected = vector[f"{prefix}_soft_argmax"].reshape(-1, 3)
        exact = mean_place(Volume(volume.numpy())).places[0]
        assert_allclose(answer.places[0], exact, atol=1e-6)
        near = 4e-5  # the original adds up a quarter of a million shares in single precision, one after the other
        assert_allclose(answer.places[0], expected, atol=near)
    if "output_gain_patch" in vector:
        (person,) = Integral(MPII).decode(Coordinates(answer.places.numpy()))
        assert_allclose(person.keypoints, vector["output_gain_patch"][0, :, :2], atol=1e-2)
        assert_allclose(person.depths, vector["output_gain_patch"][0, :, 2], atol=1e-2)


def test_soft_argmax(reference):
    vector = reference("soft_argmax_3d")
    side = int(vector["input_b_size"])
    z, y, x = np.mgrid[:side, :side, :side]
    bumps = np.zeros((2, 4, side, side, side), np.float32)
    for place in np.ndindex(2, 4):
        center = vector["input_b_centres_xyz"][place]
        away = (x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2
        bumps[place] = vector["input_b_amplitude"][place] * np.exp(-away / (2 * vector["input_b_sigma"][place] ** 2))
    volumes = {
        "a": vector["input_a"].reshape(2, 3, 8, 12, 10),
        "b": bumps,
        "c": vector["input_c"].reshape(1, 2, 6, 6, 6),
        "uniform": np.zeros((1, 1, 64, 64, 64), np.float32),
    }
    for name, volume in volumes.items():
        expected = vector[f"output_{name}"].reshape(*volume.shape[:2], 3)
        numbers, tensors = mean_place(Volume(volume)), integral_pose.soft_argmax(Volume(torch.from_numpy(volume)))
        assert_allclose(numbers.places, expected, atol=2e-6)
        assert_allclose(tensors.places, expected, atol=2e-6)
        assert_allclose(tensors.scores, numbers.scores, atol=1e-5)


def test_losses(reference):
    vector = reference("integral_loss")
    label, weight = (torch.from_numpy(vector[f"input_{name}"]).reshape(4, 3, 3) for name in ("label", "weight"))
    for loss, name in ((absolute_error, "l1"), (smooth_absolute_error, "smooth_l1")):
        logits = torch.from_numpy(vector["input_logits"]).requires_grad_()
        answer = integral_pose.soft_argmax(Volume(logits.reshape(4, 3, 8, 8, 8)))
        assert_allclose(answer.places.detach().reshape(4, 9), vector["output_pred"], atol=1e-6)
        plain = Coordinates(label, deep=torch.ones(4, 3), weights=torch.ones(4, 3))
        # the vector weighs each axis by itself: as many losses of one axis each
        total = sum(
            loss([Coordinates(answer.places * mask)], plain._replace(places=label * mask, weights=weight[..., axis]))
            for axis, mask in enumerate(torch.eye(3)[:, None, None])
        )
        assert float(total.detach()) == pytest.approx(float(vector[f"output_{name}"]), rel=1e-6)
        total.backward()
        assert relative(logits.grad, vector[f"output_{name}_grad"]) < 1e-5


def cameras(file):
    inner = file["intrinsics"]
    outer = file["extrinsics"]["S1"]
    names = ["54138969", "55011271", "58860488", "60457274"]
    return [
        Camera(np.array(inner[name]["calibration_matrix"]), np.array(outer[name]["R"]), np.ravel(outer[name]["t"]))
        for name in names
    ]


def test_labels_in_the_volume_and_back(reference, data_dir):
    vector = reference("volumetric_label")
    rig = cameras(json.loads((data_dir / "h36m_cameras.json").read_text()))
    codec = Integral(H36M)
    for n, world in enumerate(vector["input_world"]):
        camera = rig[n % 4]
        seen = Scene("none", H36M, (Person(camera.project(world), points3d=world),), camera=camera)
        (person,) = with_depths(seen).people
        assert_allclose(person.keypoints, vector["output_image_joints"][n, :, :2], atol=1e-6)
        center, extent = region(person.box)
        assert_allclose(np.concatenate([center, extent]), vector["output_box"][n], rtol=1e-6)
        scale, turn = float(vector["input_scale"][n]), float(vector["input_rot"][n])
        warp = codec.around(center, extent * scale, codec.size, -np.deg2rad(turn))
        assert_allclose(warp.matrix[:2], vector["output_affine"][n], atol=1e-4)
        label = codec.encode([person.moved(warp, H36M)])
        assert_allclose(label.places.reshape(51), vector["output_label"][n], atol=1.5e-7)
        assert label.deep.all()
        assert_allclose(vector["output_label_weight"][n], 1)
        (found,) = codec.decode(label)
        back = found.moved(warp.inverse((1000, 1000)), H36M)
        # what the authors' way back forgets, the augmentation's scale in depth, the warp undoes
        points = lifted(back, camera, camera.view(world[0])[2], 0)
        assert_allclose(points, vector["output_camera_joints"][n], atol=1e-4)
        if scale == 1:
            assert_allclose(points, vector["output_camera_back"][n], atol=1e-4)


@pytest.mark.parametrize("keypoints", [15, 16])
@pytest.mark.parametrize(("form", "build"), [("relu", refinement_unit.refinement_unit_relu),
                                             ("leaky", refinement_unit.refinement_unit)])  # fmt: skip
def test_refinement_unit(reference, filled, keypoints, form, build):
    vector = reference("refinement_unit")
    names, shapes = (vector[f"{what}_{keypoints}j"] for what in ("names", "shapes"))
    model = build(keypoints).eval()
    report, _ = load_original(model, filled({"names": names, "shapes": shapes}))
    assert not report.missing
    assert not report.unused
    with torch.inference_mode():
        stages = model(torch.from_numpy(vector[f"input_{keypoints}j"]).reshape(8, keypoints, 3))
    for stage, name in zip(stages, ("p1", "p2"), strict=True):
        assert relative(stage.places.reshape(8, -1), vector[f"output_{keypoints}j_{form}_{name}"]) < 1e-5


def test_refinement_unit_learns_as_the_original(reference, filled):
    vector = reference("refinement_unit")
    model = refinement_unit.refinement_unit(15).train()
    assert parameters(model) == 8_603_738
    load_original(model, filled({"names": vector["names_15j"], "shapes": vector["shapes_15j"]}))
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    stages = model(torch.from_numpy(vector["input_15j"]).reshape(8, 15, 3))
    for stage, name in zip(stages, ("p1", "p2"), strict=True):
        assert relative(stage.places.detach().reshape(8, -1), vector[f"output_train_{name}"]) < 1e-5
    loss = standardised_error(stages, Coordinates(torch.from_numpy(vector["input_target"]).reshape(8, 15, 3)))
    assert float(loss.detach()) == pytest.approx(float(vector["output_train_loss"]), rel=1e-5)
    loss.backward()
    gradient = model.enter[0].weight.grad.flatten()
    sample = vector["output_train_grad_w1_sample"]
    assert relative(gradient[:: -(-len(gradient) // len(sample))][: len(sample)], sample) < 1e-4


def test_lifter(reference, filled):
    vector = reference("lifter_martinez")
    model = lifter.Lifter().eval()
    assert parameters(model) == 4_291_632
    report, _ = load_original(model, filled(vector))
    assert not report.missing
    assert not report.unused
    with torch.inference_mode():
        (answer,) = model(torch.from_numpy(vector["input_x"]).reshape(8, 16, 2))
    assert relative(answer.places.reshape(8, 48), vector["output_y"]) < 1e-5
