"""CPN, MSPN and RSN against their originals: the same weights and input give the same maps at every stage."""

import json
import re
from functools import partial

import numpy as np
import pytest
import torch

from posewright.models import cpn, mspn, rsn
from posewright.models.count import macs, parameters
from posewright.models.load import load_into
from posewright.models.report import renamed
from posewright.recipes import recipe_named
from posewright.train.export.checkpoint import foreign

NETWORKS = {
    "cpn_r50": (cpn.cpn_r50, cpn, ["global0", "global1", "global2", "global3", "refine"]),
    "mspn": (partial(mspn.mspn, 2), mspn, [f"stage{stage}_unit{unit}" for stage in (0, 1) for unit in range(4)]),
    "rsn18": (rsn.rsn18, rsn, [f"stage0_unit{unit}" for unit in range(4)]),
    "rsn50": (rsn.rsn50, rsn, [f"stage0_unit{unit}" for unit in range(4)]),
    "rsn50x2": (partial(rsn.rsn50, 2), rsn, [f"stage{stage}_unit{unit}" for stage in (0, 1) for unit in range(4)]),
}
each = pytest.mark.parametrize("name", NETWORKS)
# parameters; multiply-accumulates of a picture of 192x256 (width, height)
SIZES = [
    (cpn.cpn_r50, (), 27_406_826, 7_315_550_208),
    (cpn.cpn_r101, (), 46_398_954, 10_952_011_776),
    (cpn.cpn_r152, (), 62_042_602, 14_588_473_344),
    (mspn.mspn, (1,), 25_141_708, 5_072_646_144),
    (mspn.mspn, (2,), 56_867_032, 11_262_812_160),
    (mspn.mspn, (3,), 88_592_356, 17_452_978_176),
    (mspn.mspn, (4,), 120_317_680, 23_643_144_192),
    (rsn.rsn18, (), 9_159_072, 2_245_441_536),
    (rsn.rsn50, (1,), 19_355_132, 4_067_801_088),
    (rsn.rsn50, (2,), 39_316_920, 8_215_031_808),
    (rsn.rsn50, (3,), 59_278_708, 12_362_262_528),
    (rsn.rsn50, (4,), 79_240_496, 16_509_493_248),
]


@each
def test_answers_as_the_original_at_every_stage(name, reference, filled, waves):
    network, paper, outputs = NETWORKS[name]
    vector = reference(name)
    model = network().eval()
    report = load_into(model, filled(vector), paper.RENAMES, size=(64, 64))
    assert not report.missing
    assert not report.unused
    with torch.inference_mode():
        stages = model(torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"])))
    assert len(stages) == len(outputs)
    for output, stage in zip(outputs, stages, strict=True):
        expected = vector[f"output_{output}_sample"]
        assert stage.maps.shape == tuple(vector[f"output_{output}_shape"])
        error = np.abs(stage.maps.numpy().ravel()[vector[f"output_{output}_index"]] - expected).max()
        assert error < 3e-6 * np.abs(expected).max()


@each
def test_renames_leave_our_own_names_alone(name):
    network, paper, _ = NETWORKS[name]
    with torch.device("meta"):
        keys = list(network().state_dict())
    assert [renamed(key, paper.RENAMES) for key in keys] == keys


@pytest.mark.parametrize(("network", "stages", "count", "products"), SIZES)
def test_is_as_large_as_the_original(network, stages, count, products):
    with torch.device("meta"):
        model = network(*stages)
        assert (parameters(model), macs(model, (192, 256))) == (count, products)


def test_four_stages_of_mspn_are_as_large_as_published():
    """The paper says 120 M; its 19.9 "GFLOPs" leave out a tenth of what its authors' code multiplies."""
    with torch.device("meta"):
        model = mspn.mspn(4)
        assert parameters(model) / 1e6 == pytest.approx(120, abs=0.5)
        assert macs(model, (192, 256)) / 2**30 == pytest.approx(19.9 * 1.106, rel=0.001)


@each
def test_a_head_for_other_keypoints_is_all_that_differs(name):
    network, paper, _ = NETWORKS[name]
    with torch.device("meta"):
        ours, others = network().state_dict(), network(keypoints=14).state_dict()
    assert ours.keys() == others.keys()
    differing = {key for key in ours if ours[key].shape != others[key].shape}
    heads = {key for key in ours if re.match(paper.ORIGINAL.head, key)}
    assert differing == heads - {key for key in heads if key.endswith("num_batches_tracked")}


def test_steps_hear_the_same_step_of_the_column_beside(rng):
    """y11 = f11(s1), y21 = f21(s2 + y11), y22 = f22(y21), y32 = f32(y31 + y22), and so on (section 3.1)."""
    block = rsn.ResidualSteps(64, 64).eval()
    f = [list(column) for column in block.columns]
    x = torch.from_numpy(rng.normal(size=(1, 64, 8, 8)).astype(np.float32))
    with torch.inference_mode():
        s1, s2, s3, s4 = block.first(x).split(26, 1)
        y11 = f[0][0](s1)
        y21 = f[1][0](s2 + y11)
        y22 = f[1][1](y21)
        y31 = f[2][0](s3 + y21)
        y32 = f[2][1](y31 + y22)
        y33 = f[2][2](y32)
        y41 = f[3][0](s4 + y31)
        y42 = f[3][1](y41 + y32)
        y43 = f[3][2](y42 + y33)
        y44 = f[3][3](y43)
        wanted = torch.relu(x + block.third(torch.cat([y11, y22, y33, y44], 1)))
        assert torch.equal(block(x), wanted)


def test_the_pose_refine_machine_weighs_by_channel_and_by_place(rng):
    machine = rsn.PoseRefineMachine(5).eval()
    x = torch.from_numpy(rng.normal(size=(2, 5, 16, 12)).astype(np.float32))
    with torch.inference_mode():
        local, refined = machine.local(x), machine(x)
        gain = torch.where(local > 0, refined / local - 1, torch.nan)
    assert refined.shape == x.shape
    assert torch.equal(refined == 0, local == 0)
    known = gain[~gain.isnan()]
    assert ((known > 1 / 4 - 1e-5) & (known < 1 + 1e-5)).all()  # each weight lies in 1/2 to 1


def test_the_pose_refine_machine_is_as_the_authors_write_it(rng):
    """Six convolutions, each normalised and rectified; a map of weights for each channel; 5,100 parameters of 17."""
    machine = rsn.PoseRefineMachine(17)
    assert parameters(machine) == 5_100
    values = iter(machine.eval().named_parameters())
    x = torch.from_numpy(rng.normal(size=(2, 17, 16, 12)).astype(np.float32))

    def conv_bn_relu(x, groups=1):
        (weight, bias, *norm) = (next(values)[1] for _ in range(4))
        y = torch.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=groups)
        return torch.relu(torch.batch_norm(y, *norm, torch.zeros(17), torch.ones(17), False, 0.1, 1e-5, False))

    with torch.no_grad():
        local = conv_bn_relu(x)
        channel = conv_bn_relu(conv_bn_relu(local.mean((-2, -1), keepdim=True))).sigmoid()
        place = conv_bn_relu(conv_bn_relu(local), groups=17).sigmoid()
        assert next(values, None) is None
        torch.testing.assert_close(machine(x), local * (1 + channel * place))
        assert place.std(1).min() > 0


def test_only_the_last_maps_are_refined(rng):
    torch.manual_seed(0)
    model = rsn.RSN((1, 1, 1, 1), 2, 14, refine=True).eval()
    images = torch.from_numpy(rng.normal(size=(1, 3, 64, 64)).astype(np.float32))
    with torch.inference_mode():
        stages = model(images)
        before = super(rsn.RSN, model).forward(images)
        assert len(stages) == len(before) == 8
        assert all(torch.equal(a.maps, b.maps) for a, b in zip(stages[:-1], before[:-1], strict=True))
        assert torch.equal(stages[-1].maps, model.refine(before[-1].maps))
        assert parameters(model) - parameters(rsn.RSN((1, 1, 1, 1), 2, 14)) == parameters(model.refine)


@pytest.mark.parametrize(("network", "paper"), [(cpn.cpn_r50, cpn), (partial(mspn.mspn, 2), mspn)])
def test_ways_down_start_from_resnets_of_imagenet(network, paper, reference):
    names, shapes = (json.loads(str(reference("cpn_r50")[key])) for key in ("names", "shapes"))
    theirs = {name.removeprefix("resnet."): tuple(shape) for name, shape in zip(names, shapes, strict=True)
              if name.startswith("resnet.")}  # fmt: skip
    with torch.device("meta"):
        own = {name: tuple(value.shape) for name, value in network().state_dict().items()}
    taken = {renamed(name, paper.RENAMES): shape for name, shape in theirs.items()}
    assert len(taken) == len(theirs) == 318
    assert all(own[name] == shape for name, shape in taken.items())


@pytest.mark.parametrize(("recipe", "vector"), [("rsn18_coco", "rsn18"), ("cpn_r50_coco", "cpn_r50")])
def test_the_authors_files_answer_as_they_did_for_them(recipe, vector, reference, filled, rng, tmp_path):
    """RSN takes blue first, less ImageNet's mean and over its deviation; CPN red first, less a mean of its own."""
    network, paper, _ = NETWORKS[vector]
    state = filled(reference(vector))
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "theirs.pth")
    module = foreign(tmp_path / "theirs.pth", recipe_named(recipe)).module
    model = network().eval()
    load_into(model, state, paper.RENAMES, size=(64, 64))
    pixels = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    red_first = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    if vector == "rsn18":
        mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in ((0.406, 0.456, 0.485), (0.225, 0.224, 0.229)))
        seen = (red_first.flip(1) - mean) / std
    else:
        seen = red_first - torch.tensor([122.7717, 115.9465, 102.9801]).reshape(3, 1, 1) / 255
    with torch.inference_mode():
        wanted, found = model(seen)[-1].maps, module(torch.from_numpy(pixels))[-1].maps
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
