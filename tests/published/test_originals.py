"""Originals' checkpoints: their networks see the same pixels when they predict, are exported, and start a training."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from posewright.models import cpn, efficientpose_lite, mspn, resnet, rsn, simple_baseline
from posewright.models.load import load_into, load_original
from posewright.models.original import original_of
from posewright.models.pixels import Normal
from posewright.models.report import renamed
from posewright.recipes import RECIPES, recipe_named
from posewright.train import Machine, first_weights, prepared
from posewright.train.export import checkpoint as checkpoints

ALONE = Machine(device="cpu", workers=0, threads=1)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
AUTHORS = {
    "cpm": ("cpm_mpii", lambda rgb: rgb[..., ::-1] / 256 - 0.5),
    "hourglass": ("hourglass_2_mpii", lambda rgb: rgb / 255),
    "cpn_r50": ("cpn_r50_coco", lambda rgb: (rgb - np.array([122.77174, 115.94646, 102.97818])) / 255),
    "simple_baseline_r50": ("simple_baseline_r50_coco", lambda rgb: (rgb[..., ::-1] / 255 - MEAN) / STD),
    "rsn18": ("rsn18_coco", lambda rgb: (rgb[..., ::-1] / 255 - MEAN[::-1]) / STD[::-1]),
    "fastpose": ("fastpose_r50_coco", lambda rgb: rgb / 255 - np.array([0.406, 0.457, 0.480])),
}
"""By vector: the recipe, and what the authors' code makes of pixels."""


@pytest.mark.parametrize("name", AUTHORS)
def test_prediction_and_training_see_what_the_authors_networks_saw(name, reference, filled, tmp_path):
    """Each path's network on RGB pixels, and the original on what the authors' code makes of them."""
    recipe_name, seen = AUTHORS[name]
    recipe = recipe_named(recipe_name)
    recipe = replace(recipe, codec=replace(recipe.codec, size=(64, 64)))
    state = filled(reference(name))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    network = recipe.network().eval()
    paper = __import__(type(network).__module__, fromlist=["RENAMES"])
    load_into(network, state, paper.RENAMES, size=(64, 64))
    torch.save({"state_dict": state}, tmp_path / "original.pth")
    predicting = checkpoints.trained_in(tmp_path / "original.pth", recipe).module
    training = prepared(recipe, 0, ALONE)
    training.begin_with(*first_weights(str(tmp_path / "original.pth"), recipe, str))
    with torch.inference_mode():
        images = torch.from_numpy(seen(pixels.astype(np.float64)).astype(np.float32)).permute(0, 3, 1, 2)
        wanted = network(images)[-1].maps
        answers = [module.eval()(torch.from_numpy(pixels))[-1].maps for module in (predicting, training.module)]
    for answer in answers:
        assert (answer - wanted).abs().max() < 1e-4 * wanted.abs().max()


OWN = {
    "associative_embedding": ((0.0,) * 3, (1.0,) * 3),
    "cpm": ((128 / 255,) * 3, (256 / 255,) * 3),
    "cpn": ((0.481458, 0.454692, 0.403836), (1.0,) * 3),
    "efficientpose_lite": ((0.5,) * 3, (0.5,) * 3),
    "fastpose": ((0.406, 0.457, 0.480), (1.0,) * 3),
    "hourglass": ((0.0,) * 3, (1.0,) * 3),
    "lightweight_openpose": ((128 / 255,) * 3, (256 / 255,) * 3),
    "multi_context_attention": ((0.5,) * 3, (1.0,) * 3),
    "openpose": ((128 / 255,) * 3, (256 / 255,) * 3),
    "pyranet": ((0.406, 0.457, 0.480), (1.0,) * 3),
    "simplepose": ((0.0,) * 3, (1.0,) * 3),
    "sstn": ((0.0,) * 3, (1.0,) * 3),
}
"""By a model's file: what its networks are trained with, where that is not ImageNet's."""


def test_every_paper_is_trained_on_its_own_pixels():
    found = {}
    for recipe in {
        (recipe.paper, "lite" in recipe.name, "proposals" in recipe.name): recipe for recipe in RECIPES
    }.values():
        with torch.device("meta"):
            network = recipe.network()
        found[type(network).__module__.rpartition(".")[2]] = tuple(map(tuple, original_of(network).normal))
    assert {name: normal for name, normal in found.items() if normal != tuple(Normal())} == OWN


def test_training_says_how_it_sees_and_goes_on_so(tmp_path):
    """LITE's pictures are scaled to -1..1: in training, from its checkpoint alone, resumed and as a start."""
    recipe = recipe_named("efficientpose_rt_lite_mpii")
    state = prepared(recipe, 0, ALONE)
    seen = [((torch.tensor([[0, 255]]) - values.flatten()[0]) / std.flatten()[0]).tolist()
            for values, std in [(state.module.mean, state.module.std)]]  # fmt: skip
    assert seen == [[[-1.0, 1.0]]]
    state.save(tmp_path / "last.pt", recipe=recipe.name)
    trained = checkpoints.trained_in(tmp_path / "last.pt").module
    other = prepared(replace(recipe, network=efficientpose_lite.efficientpose_rt_lite), 1, ALONE)
    other.module.see(MEAN, STD)
    other.restore(tmp_path / "last.pt")
    started = first_weights(str(tmp_path / "last.pt"), recipe, str)
    for module in (trained, other.module):
        assert torch.equal(module.mean, state.module.mean)
        assert torch.equal(module.std, state.module.std)
    assert started.normal == state.module.normal == Normal([0.5] * 3, [0.5] * 3)


def test_a_checkpoint_that_does_not_say_was_shown_pictures_as_imagenets(tmp_path):
    recipe = recipe_named("efficientpose_rt_lite_mpii")
    state = prepared(recipe, 0, ALONE)
    state.save(tmp_path / "last.pt", recipe=recipe.name)
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    del content["normal"]
    torch.save(content, tmp_path / "old.pt")
    assert checkpoints.trained_in(tmp_path / "old.pt").module.normal.mean == pytest.approx(MEAN)
    assert first_weights(str(tmp_path / "old.pt"), recipe, str).normal == Normal()
    state.restore(tmp_path / "old.pt")
    assert state.module.normal.mean == pytest.approx(MEAN)


@pytest.mark.parametrize(("build", "first"), [
    (cpn.cpn_r50, "backbone.stem.0.weight"), (simple_baseline.simple_baseline_r50, "backbone.stem.0.weight"),
    (lambda: mspn.mspn(1), "stem.0.weight"),
])  # fmt: skip
def test_imagenets_resnets_are_shown_pictures_as_imagenets(build, first):
    """torchvision's take red first and have no biases; conv1 is what the simple baseline's authors call theirs, too."""
    network, ours = build(), resnet.resnet50()
    theirs = {f"module.{torchvision(name)}": value for name, value in ours.state_dict().items()}
    theirs |= {"module.fc.weight": torch.zeros(1000, 2048), "module.fc.bias": torch.zeros(1000)}
    report, normal = load_original(network, theirs, partial=True, size=(64, 64))
    assert normal == Normal()
    assert report.turned == ()
    assert torch.equal(network.state_dict()[first], ours.stem[0].weight)
    assert report.unused == ("module.fc.weight", "module.fc.bias")
    assert all(not network.state_dict()[name].any() for name in report.zeros)
    assert len(report.zeros) == (53 if build()._get_name() == "MSPN" else 0)


def torchvision(name):
    """Name a ResNet's parameter as torchvision does."""
    for ours, theirs in (
        ("stem.0.", "conv1."),
        ("stem.1.", "bn1."),
        ("stage", "layer"),
        (".shortcut.", ".downsample."),
    ):
        name = name.replace(ours, theirs)
    for number, word in enumerate(("first", "second", "third"), 1):
        name = name.replace(f"{word}.0.", f"conv{number}.").replace(f"{word}.1.", f"bn{number}.")
    return name


def module(name, inputs, outputs, kernel):
    """List a ConvModule's parameters: a convolution without bias, and its normalisation."""
    yield f"{name}.conv.weight", (outputs, inputs, kernel, kernel)
    yield from norm(f"{name}.bn", outputs)


def norm(name, width):
    yield from ((f"{name}.{leaf}", (width,)) for leaf in ("weight", "bias", "running_mean", "running_var"))
    yield f"{name}.num_batches_tracked", ()


def bottleneck(name, inputs, width):
    for number, (entering, leaving, kernel) in enumerate(
        [(inputs, width, 1), (width, width, 3), (width, 4 * width, 1)], 1
    ):
        yield f"{name}.conv{number}.weight", (leaving, entering, kernel, kernel)
        yield from norm(f"{name}.bn{number}", leaving)


def residual_steps(name, inputs, outputs):
    width = inputs * 26 // 64
    yield from module(f"{name}.conv_bn_relu1", inputs, 4 * width, 1)
    for part in range(1, 5):
        for step in range(1, part + 1):
            yield from module(f"{name}.conv_bn_relu2_{part}_{step}", width, width, 3)
    yield from module(f"{name}.conv_bn3", 4 * width, outputs, 1)


def mmpose(kind, stages, depths, head="keypoint_head"):
    """List the parameters of MMPose's MSPN or RSN, as its modules' text has them.

    Sources (open-mmlab/mmpose): mmpose/models/backbones/mspn.py at 06414701, rsn.py at 13a988b0, resnet.py at
    019ad706 (blocks); the head is keypoint_head of heads/topdown_heatmap_multi_stage_head.py at 2c4e7af1 in MMPose
    0.x, head of heads/heatmap_heads/mspn_head.py at 0157784e in 1.x.
    """
    block, expansion = {"mspn": (bottleneck, 4), "rsn": (residual_steps, 1)}[kind]
    yield from module("backbone.top.top.0", 3, 64, 7)
    for stage in range(stages):
        name, inputs = f"backbone.multi_stage_{kind}.{stage}", 64
        for layer, depth in enumerate(depths):
            width = 64 * 2**layer
            for number in range(depth):
                own = f"{name}.downsample.layer{layer + 1}.{number}"
                yield from block(own, inputs, width)
                if number == 0 and (layer or inputs != width * expansion):
                    yield from module(f"{own}.downsample", inputs, width * expansion, 1)
                inputs = width * expansion
        for unit, width in enumerate(64 * expansion * 2**layer for layer in (3, 2, 1, 0)):
            own = f"{name}.upsample.up{unit + 1}"
            yield from module(f"{own}.in_skip", width, 256, 1)
            if unit:
                yield from module(f"{own}.up_conv", 256, 256, 1)
            if stage < stages - 1:
                yield from module(f"{own}.out_skip1", width, width, 1)
                yield from module(f"{own}.out_skip2", 256, width, 1)
                if unit == 3:
                    yield from module(f"{own}.cross_conv", 256, 64, 1)
    for number in range(4 * stages):
        yield from module(f"{head}.predict_layers.{number}.conv_layers.0", 256, 256, 1)
        yield from module(f"{head}.predict_layers.{number}.conv_layers.1", 256, 17, 3)


@pytest.mark.parametrize(("build", "said"), [
    (lambda: mspn.mspn(2), ("mspn", 2, (3, 4, 6, 3))),
    (rsn.rsn18, ("rsn", 1, (2, 2, 2, 2), "head")),
])  # fmt: skip
def test_mmposes_names_cover_the_megvii_networks(build, said, filled):
    """Nothing is missing and nothing unused; convolutions have no bias there, so that ours become 0."""
    named = list(mmpose(*said))
    names, shapes = zip(*named, strict=True)
    state = filled({"names": json.dumps(names), "shapes": json.dumps(shapes)})
    network = build()
    report, normal = load_original(network, state, size=(64, 64))
    assert (report.missing, report.unused, report.misfits, report.turned) == ((), (), (), ())
    assert len(report.matched) == len(state)
    assert {*report.matched, *report.zeros} == set(network.state_dict())
    assert all(not network.state_dict()[name].any() for name in report.zeros)
    assert normal == Normal()
    last = 4 * said[1] - 1
    head = said[3] if len(said) > 3 else "keypoint_head"
    answer = state[f"{head}.predict_layers.{last}.conv_layers.1.conv.weight"]
    assert torch.equal(network.stages[-1].units[3].head[3].weight, answer)


def test_all_stages_of_mmposes_names_are_known():
    with torch.device("meta"):
        network = mspn.mspn(4)
    own = set(network.state_dict())
    ours = {renamed(name, mspn.RENAMES) for name, _ in mmpose("mspn", 4, (3, 4, 6, 3))}
    assert ours <= own
    assert all(name.endswith(".bias") for name in own - ours)
