"""Networks that look at whole pictures: exported they say the same, all of what they have is learnt, or masked out."""

import re
from inspect import signature

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

from posewright.fields import Everybody, Heatmaps, Limbs, Parts, Tagged, TaggedTwice, Tags  # noqa: E402
from posewright.losses import boxes, everybody, limbs, parts, tags  # noqa: E402
from posewright.models import (  # noqa: E402
    associative_embedding,
    deepercut,
    higher_hrnet,
    lightweight_openpose,
    multiposenet,
    openpose,
    prn,
    resnet,
    simplepose,
)
from posewright.models.original import original_of  # noqa: E402
from posewright.models.pixels import FromPixels  # noqa: E402
from posewright.train.export.graph import graph_of  # noqa: E402

KEYPOINTS, LIMBS = 5, 4
SKELETON = {"keypoints", "limbs"}
SIDE = 64
NETWORKS = {
    "associative_embedding": lambda: associative_embedding.AssociativeEmbedding(2, KEYPOINTS, dimensions=2, width=16),
    "higher_hrnet": lambda: higher_hrnet.HigherHRNet(4, KEYPOINTS),
    "openpose": lambda: openpose.OpenPose(KEYPOINTS, LIMBS, stages=2),
    "lightweight_openpose": lambda: lightweight_openpose.LightweightOpenPose(KEYPOINTS, LIMBS),
    "simplepose": lambda: simplepose.SimplePose(2, KEYPOINTS, LIMBS),
    "multiposenet": lambda: multiposenet.MultiPoseNet(resnet.ResNet((1, 1, 1, 1)), KEYPOINTS),
    "deepercut": lambda: deepercut.DeeperCut(resnet.ResNet((1, 1, 13, 1)), KEYPOINTS),
}
"""The published networks, as shallow as they can be made, and narrow ones where a fixture makes them so."""
SHAPES = {
    "associative_embedding": 2 * [[(5, 16, 16), (2, 5, 16, 16)]],
    "higher_hrnet": [[(5, 16, 16), (1, 5, 16, 16)], [(5, 32, 32)], [(5, 32, 32), (1, 5, 32, 32)]],
    "openpose": 2 * [[(6, 8, 8), (8, 8, 8)]],
    "lightweight_openpose": 2 * [[(6, 8, 8), (8, 8, 8)]],
    "simplepose": 2 * [[(7, side, side), (4, side, side)] for side in (1, 2, 4, 8, 16)],
    "multiposenet": [*4 * [[(6, 16, 16)]], [(5, 16, 16), (1, 16, 16), (774,), (774, 4)]],
    "deepercut": [[(5, 8, 8)], [(5, 8, 8), (5, 2, 8, 8), (20, 2, 8, 8)]],
}
"""Of one picture, of each stage: what is said."""


def targets(batch: int) -> dict:
    """Draw a target for each network's loss, of two people."""
    draw = torch.Generator().manual_seed(0)

    def some(*shape):
        return torch.rand(batch, *shape, generator=draw)

    places = torch.randint(0, 256, (batch, 2, KEYPOINTS), generator=draw)
    positive = (some(774) > 0.9).float()
    one = torch.ones(batch, 1, 1, 1)
    return {
        "associative_embedding": Tagged(some(5, 16, 16), one, places),
        "higher_hrnet": TaggedTwice(some(5, 16, 16), one, places, some(5, 32, 32), one),
        "openpose": Limbs(some(6, 8, 8), some(8, 8, 8), one),
        "lightweight_openpose": Limbs(some(6, 8, 8), some(8, 8, 8), one),
        "simplepose": Limbs(some(7, 16, 16), some(4, 16, 16), one.expand(-1, -1, 16, 16)),
        "multiposenet": Everybody(
            some(5, 16, 16), some(1, 16, 16), positive, some(774, 4), one, torch.ones(batch, 774)
        ),
        "deepercut": Parts(
            (some(5, 8, 8) > 0.5).float(), some(5, 2, 8, 8), some(20, 2, 8, 8), torch.ones(batch, 20, 8, 8), one
        ),
    }


def two_steps(stages, target):
    """MultiPoseNet's steps at once."""
    return everybody.keypoints_and_silhouettes(stages, target) + boxes.scores_and_boxes(stages, target)


LOSSES = {
    "associative_embedding": tags.associative_embedding,
    "higher_hrnet": tags.higher_hrnet,
    "openpose": limbs.fields_and_heatmaps,
    "lightweight_openpose": limbs.fields_and_heatmaps,
    "simplepose": limbs.focal_squares,
    "multiposenet": two_steps,
    "deepercut": parts.parts_and_ways,
}


@pytest.fixture(scope="module", params=NETWORKS)
def built(request, narrow):
    torch.manual_seed(0)
    with narrow():
        network = NETWORKS[request.param]()
    return request.param, network


def test_says_as_much_as_its_docstring(built):
    name, network = built
    with torch.inference_mode():
        stages = network.eval()(torch.zeros(2, 3, SIDE, SIDE))
    assert [[tuple(array.shape[1:]) for array in stage if array is not None] for stage in stages] == SHAPES[name]
    assert {len(array) for stage in stages for array in stage if array is not None} == {2}


def test_an_exported_graph_says_the_same(built):
    """Of a batch of another size than it was traced with."""
    _, network = built
    module = FromPixels(network).eval()
    graph = graph_of(module, (SIDE, SIDE))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    with torch.inference_mode():
        wanted = [array for stage in module(torch.from_numpy(pixels)) for array in stage if array is not None]
    found = session.run(None, {"pixels": pixels})
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * max(float(other.abs().max()), 1e-3))


def test_all_of_it_learns(built):
    """Every parameter has a gradient, and a small step along all of them lowers the loss."""
    name, network = built
    images, target = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)), targets(4)[name]
    network.train()
    first = LOSSES[name](network(images), target)
    first.backward()
    gradients = {key: one.grad for key, one in network.named_parameters()}
    assert [key for key, one in gradients.items() if one is None or not one.any()] == []
    length = torch.stack([one.square().sum() for one in gradients.values()]).sum().sqrt()
    with torch.no_grad():
        for one in network.parameters():
            one -= 1e-4 * one.grad / length
        assert LOSSES[name](network(images), target) < first


@pytest.mark.parametrize("build", [
    associative_embedding.associative_embedding, higher_hrnet.higher_hrnet_w32, openpose.openpose_coco,
    lightweight_openpose.lightweight_openpose, simplepose.simplepose, multiposenet.multiposenet_r50,
    deepercut.deepercut_r101, prn.prn, prn.prn_released,
], ids=lambda build: build.__name__)  # fmt: skip
def test_the_head_is_all_that_hangs_on_the_skeleton(build):
    """What is left out where weights of another skeleton are taken: whole layers, each with something that differs."""
    counts = [(size,) * len(SKELETON & signature(build).parameters.keys()) for size in (13, 14)]
    with torch.device("meta"):
        here, there = (build(*count) for count in counts)
    shapes = there.state_dict()
    differs = {key for key, value in here.state_dict().items() if value.shape != shapes[key].shape}
    found = {key: re.match(original_of(here).head, key) for key in shapes}
    assert differs <= {key for key, part in found.items() if part}
    assert {part[0] for part in found.values() if part} == {found[key][0] for key in differs}


def test_ablations_of_multiposenet_leave_out_what_they_name():
    small = resnet.ResNet((1, 1, 1, 1))
    plain = multiposenet.MultiPoseNet(small, KEYPOINTS, intermediate=False, concatenated=False).eval()
    with torch.inference_mode():
        (answer,) = plain(torch.zeros(1, 3, SIDE, SIDE))
    assert isinstance(answer, Everybody)
    assert [tuple(layer.weight.shape) for layer in plain.keypoint_head.smooth if isinstance(layer, nn.Conv2d)] == [
        (256, 128, 3, 3)
    ]


def test_the_boxes_of_a_dilated_multiposenet_are_at_the_same_places():
    torch.manual_seed(0)
    straight, dilated = (multiposenet.MultiPoseNet(resnet.ResNet((1, 1, 1, 2)), KEYPOINTS).eval() for _ in range(2))
    dilated.load_state_dict(straight.state_dict())
    resnet.dilated(dilated.backbone)
    with torch.inference_mode():
        images = torch.randn(1, 3, SIDE, SIDE)
        wanted, found = straight(images)[-1], dilated(images)[-1]
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.deltas, wanted.deltas, rtol=1e-4, atol=1e-4)


def test_a_score_starts_near_the_prior(narrow):
    with narrow():
        network = NETWORKS["multiposenet"]().eval()
    with torch.inference_mode():
        scores = network(torch.zeros(1, 3, SIDE, SIDE))[-1].scores
    np.testing.assert_allclose(scores, 0.01, rtol=0.2)


def test_a_doubled_map_is_that_of_tensorflows_same_padding():
    """Pixel (2 i + k, 2 j + l) of it hears pixel (i, j) through the kernel's (k, l), and what hangs over is cut off."""
    layer = deepercut.Doubled(1, 1).double()
    x = torch.arange(12, dtype=torch.float64).reshape(1, 1, 3, 4)
    wanted = np.zeros((7, 9))
    for i in range(3):
        for j in range(4):
            wanted[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += x[0, 0, i, j].item() * layer.weight[0, 0].detach().numpy()
    with torch.inference_mode():
        np.testing.assert_allclose(layer(x)[0, 0], wanted[:6, :8] + layer.bias.item(), rtol=1e-12)


def test_openposes_squares_are_those_of_the_formula():
    target = targets(2)["openpose"]._replace(mask=(torch.rand(2, 1, 8, 8) > 0.5).float())
    stages = [Limbs(torch.rand(2, 6, 8, 8), torch.rand(2, 8, 8, 8)) for _ in range(2)]
    mask = target.mask.numpy().astype(np.float64)
    wanted = sum(
        ((mask * (np.asarray(found, np.float64) - truth.numpy())) ** 2).sum()
        for stage in stages for found, truth in zip(stage[:2], target[:2], strict=True)
    ) / 4  # fmt: skip
    assert float(limbs.fields_and_heatmaps(stages, target)) == pytest.approx(wanted, rel=1e-6)


def test_deepercuts_loss_is_that_of_the_formula():
    target = targets(2)["deepercut"]
    joined = (torch.rand(2, 20, 8, 8) > 0.5).float()
    target = target._replace(joined=joined, mask=(torch.rand(2, 1, 8, 8) > 0.3).float())
    early, maps = torch.randn(2, 5, 8, 8), torch.randn(2, 5, 8, 8)
    offsets, pairs = torch.randn(2, 5, 2, 8, 8), torch.randn(2, 20, 2, 8, 8)
    truth, mask = (one.numpy().astype(np.float64) for one in (target.maps, target.mask.expand(2, 5, 8, 8)))
    wanted = 0.0
    for logits in (early, maps):
        likely = 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))
        wanted += (mask * -(truth * np.log(likely) + (1 - truth) * np.log(1 - likely))).sum() / mask.sum()
    near = truth * mask
    starts = np.repeat(near, 4, 1) * joined.numpy()
    for found, true, weights in ((offsets, target.offsets, near), (pairs, target.pairs, starts)):
        away = np.abs(np.asarray(found, np.float64) - true.numpy())
        huber = np.where(away <= 1, away**2 / 2, away - 0.5)
        wanted += 0.05 * (weights[:, :, None] * huber).sum() / (2 * weights.sum())
    stages = [Heatmaps(early), Parts(maps, offsets, pairs)]
    assert float(parts.parts_and_ways(stages, target)) == pytest.approx(wanted, rel=1e-5)


STAGES = {
    "associative_embedding": 2 * [Tags],
    "higher_hrnet": [Tags, Heatmaps, Tags],
    "openpose": 2 * [Limbs],
    "lightweight_openpose": 2 * [Limbs],
    "simplepose": 10 * [Limbs],
    "multiposenet": [*4 * [Heatmaps], Everybody],
    "deepercut": [Heatmaps, Parts],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_people_without_labels_are_not_learnt(name):
    """Where the mask is 0 no answer has a gradient, elsewhere all have one; tags know of labelled people alone."""
    target = targets(2)[name]
    blind = {}
    for field, width in (("mask", target.maps.shape[-1]), ("finer_mask", 2 * target.maps.shape[-1])):
        if field in target._fields:
            blind[field] = (torch.arange(width) >= width // 2).float().expand(2, 1, width, width)
    draw = torch.Generator().manual_seed(3)
    stages = [
        kind(*(torch.rand(2, *shape, generator=draw).requires_grad_() for shape in shapes))
        for kind, shapes in zip(STAGES[name], SHAPES[name], strict=True)
    ]
    LOSSES[name](stages, target._replace(**blind)).backward()
    learnt = stages[:2] if name == "higher_hrnet" else stages
    for array in (
        getattr(stage, field)
        for stage in learnt
        for field in ("maps", "limbs", "offsets", "pairs", "silhouettes")
        if hasattr(stage, field)
    ):
        left, right = array.grad.tensor_split(2, -1)
        if right.numel():  # a single cell is half seen
            assert not left.any()
            assert right.any()
