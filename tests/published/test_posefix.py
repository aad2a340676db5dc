"""PoseFix against the authors' own functions: input, target, mean place, loss with its gradient."""

import numpy as np
import pytest
import torch

from posewright.augment.synthesis import synthesise
from posewright.codecs.posefix import FourPixels, mean_place, split
from posewright.fields import Heatmaps
from posewright.losses.distributions import cross_entropy_and_place
from posewright.models import posefix, resnet
from posewright.models.count import macs, parameters
from posewright.models.report import renamed
from posewright.scene import Person
from posewright.skeleton import COCO

SIZE = (288, 384)


def relative(found, expected):
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


@pytest.fixture
def vector(reference):
    return reference("posefix_functions")


@pytest.fixture
def target(vector):
    """The vector's people; who is not valid there is absent."""
    return FourPixels(COCO).encode(
        [Person(np.where(valid[:, None] > 0, xy, np.nan))
         for xy, valid in zip(vector["input_coord"], vector["input_valid"], strict=True)]
    )  # fmt: skip


def test_poses_are_drawn_as_the_authors_do(vector):
    poses = np.where(vector["input_valid"][..., None] > 0, vector["input_coord"], np.nan)
    drawn = posefix.gaussians(torch.from_numpy(poses), 384, 288, posefix.SIGMAS[384]).numpy()
    assert drawn.shape == tuple(vector["output_gaussian_shape"])
    sample = drawn.ravel()[vector["output_gaussian_index"]]
    assert relative(sample, vector["output_gaussian_sample"]) < 1e-6
    absent = np.argwhere(vector["input_valid"] == 0)
    assert len(absent)
    assert all(not drawn[b, k].any() for b, k in absent)
    assert drawn.max() <= posefix.PEAK


def test_targets_are_split_as_the_authors_do(vector):
    shares = split(vector["input_coord"] / 4.0, (72, 96))
    assert relative(shares, vector["output_onehot"]) < 1e-5


def test_targets_say_so_as_logits(vector, target):
    shares = np.exp(target.maps)
    valid = vector["input_valid"] > 0
    assert relative(shares[valid], vector["output_onehot"][valid]) < 1e-5
    np.testing.assert_array_equal(target.weights, vector["input_valid"])


def similar(away, area):
    """Return the similarities (..., K) of keypoints so far from a true one."""
    return np.exp(-(away**2).sum(-1) / (2 * area * (2 * np.array(COCO.sigmas)) ** 2))


def test_poses_are_wrong_as_often_and_as_far_as_the_authors(reference, rng):
    """Fractions of 4000 draws within 0.03, as the vector says: the deviation of two such samples is 0.01 at most."""
    vector = reference("posefix_synthesis")
    true, near = (np.where(a[..., 2:] > 0, a[..., :2], np.nan) for a in (vector["input_joints"], vector["input_near"]))
    area = float(vector["input_area"])
    made = np.array([synthesise(true, area, COCO, rng, near) for _ in range(4000)])
    close = similar(made - true, area)
    inverted = similar(made - true[COCO.mirror], area) >= 0.5
    inverted[:, COCO.mirror == np.arange(17)] = False
    fractions = {
        "good": close >= 0.85,
        "jitter": (close >= 0.5) & (close < 0.85),
        "below_half": close < 0.5,
        "swap": similar(made - near[0], area) >= 0.5,
        "inversion": inverted,
    }
    for name, found in fractions.items():
        np.testing.assert_allclose(found.mean(0), vector[f"output_fraction_{name}"], rtol=0, atol=0.03, err_msg=name)
    np.testing.assert_allclose(made.mean(0), vector["output_mean"], rtol=0, atol=3)


def test_places_are_read_as_the_authors_do(vector):
    place, _ = mean_place(vector["input_heatmap"])
    assert relative(4 * place, vector["output_coord"]) < 1e-5
    people = FourPixels(COCO).decode(Heatmaps(vector["input_heatmap"]))
    assert relative([person.keypoints for person in people], vector["output_coord"]) < 1e-5


def test_loss_and_its_gradient_are_the_authors(vector, target):
    maps = torch.from_numpy(vector["input_heatmap"]).requires_grad_()
    known = Heatmaps(*(torch.from_numpy(field) for field in target))
    loss = cross_entropy_and_place([Heatmaps(maps)], known)
    assert float(loss.detach()) == pytest.approx(float(vector["output_loss"]), rel=1e-5)
    loss.backward()
    gradient = maps.grad.numpy().ravel()[vector["output_grad_index"]]
    assert relative(gradient, vector["output_grad_sample"]) < 1e-5
    only = FourPixels(COCO).encode([Person(np.full((17, 2), np.nan))] * 2)
    nothing = Heatmaps(*(torch.from_numpy(field) for field in only))
    assert float(cross_entropy_and_place([Heatmaps(maps.detach())], nothing)) == 0


@pytest.mark.parametrize(("network", "baseline"), [
    (posefix.posefix_r50, 33_999_697), (posefix.posefix_r101, 52_991_825), (posefix.posefix_r152, 68_635_473),
])  # fmt: skip
def test_is_the_simple_baseline_with_an_input_channel_a_keypoint(network, baseline):
    with torch.device("meta"):
        assert parameters(network()) == baseline + 17 * 64 * 7 * 7


def test_computes_more_than_the_simple_baseline_by_those_channels():
    """12.699303936 G of the baseline at 256x192, of 4/9 as many pixels."""
    with torch.device("meta"):
        more = 17 * 64 * 7 * 7 * 144 * 192
        assert macs(posefix.posefix_r152(), SIZE) == 12_699_303_936 * 9 // 4 + more


def test_weights_of_a_resnet_and_of_a_simple_baseline_start_it():
    from posewright.models import simple_baseline

    with torch.device("meta"):
        ours = posefix.posefix_r50().state_dict()
        for theirs in (resnet.resnet50(), simple_baseline.simple_baseline_r50()):
            found = {renamed(key, posefix.RENAMES): value for key, value in theirs.state_dict().items()}
            assert found.keys() <= ours.keys()
            assert [key for key in found if found[key].shape != ours[key].shape] == ["baseline.backbone.stem.0.weight"]
    assert [renamed(key, posefix.RENAMES) for key in ours] == list(ours)
