"""Checkpoints: used alone, exported, and taken as first weights, as files from elsewhere are."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import posewright
from posewright.codecs.distribution import Distribution
from posewright.models.compact import Compact
from posewright.models.load import WeightsError, load_into
from posewright.models.resnet import ResNet
from posewright.models.simple_baseline import RENAMES, SimpleBaseline, simple_baseline_r50
from posewright.recipes import recipe_named
from posewright.skeleton import COCO, LSP, Skeleton
from posewright.train import Machine, first_weights, prepared, train
from posewright.train.export import checkpoint as checkpoints
from posewright.train.export.checkpoint import export_checkpoint

ALONE = Machine(device="cpu", precision="fp32", workers=0, threads=1)
tiny = recipe_named(f"{Path(__file__).parent / 'tiny.py'}:tiny")
wide = replace(tiny, codec=Distribution(LSP, (64, 64), sigma=1.5), phases=tiny.phases[1:])


@pytest.fixture(scope="module")
def last(tmp_path_factory):
    """The checkpoint of a recipe whose codec was changed."""
    return train(wide, ".", tmp_path_factory.mktemp("run"), seed=3, machine=ALONE)


@pytest.fixture(scope="module")
def exported(last):
    drift = export_checkpoint(last, last.parent / "tiny.onnx", data=".", recipe=tiny)
    assert drift.pictures == 16 + 3
    assert drift.fields < 1e-4
    return last.parent / "tiny.onnx"


def averages(last):
    return torch.load(last, weights_only=True)["average"]


def test_a_checkpoint_says_enough_to_be_used_alone(last, exported):
    network = checkpoints.load(last, recipe=tiny)
    assert network.codec == wide.codec
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    model = wide.network()
    model.load_state_dict(averages(last))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        wanted = model.eval()(((torch.from_numpy(pixels) / 255 - mean) / std).permute(0, 3, 1, 2))[-1].maps.numpy()
    np.testing.assert_allclose(network(pixels)[-1].maps, wanted, atol=1e-4)
    other = posewright.load(exported).network
    np.testing.assert_allclose(other(pixels)[-1].maps, wanted, atol=1e-4)
    assert other.codec == network.codec
    assert other.protocol["weights"] == network.protocol["weights"]


def test_the_card_says_where_it_comes_from(last, exported):
    card = posewright.load(exported).network.card
    history = [json.loads(line) for line in (last.parent / "log.jsonl").read_text().splitlines()]
    assert (card["recipe"], card["seed"], card["epochs"], card["steps"]) == ("tiny", 3, 1, 3)
    assert card["scores"]["PCK@0.2"] == history[-1]["PCK@0.2"]
    assert card["averaged"]
    assert "annotated boxes" in card["protocol"]
    assert {"posewright", "torch", "numpy"} <= card["trained_with"].keys()
    assert str(last.parent) not in json.dumps(card)


def test_an_unknown_recipe_is_one_clear_line(last, tmp_path):
    torch.save(torch.load(last, weights_only=True) | {"recipe": "gone", "source": None}, tmp_path / "last.pt")
    with pytest.raises(KeyError, match=r"gone"):
        checkpoints.load(tmp_path / "last.pt")


def test_a_checkpoint_never_says_which_code_to_run(last, tmp_path):
    stranger = tmp_path / "stranger.py"
    stranger.write_text("from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n")
    torch.save(torch.load(last, weights_only=True) | {"source": f"{stranger}:tiny"}, tmp_path / "last.pt")
    with pytest.raises(WeightsError, match=r"run only where you name it"):
        checkpoints.load(tmp_path / "last.pt")
    assert not stranger.with_suffix(".ran").exists()


def test_a_checkpoint_is_refused_to_another_recipe(last):
    with pytest.raises(WeightsError, match=r"trained by the recipe tiny, not by default"):
        checkpoints.load(last, recipe=recipe_named("default"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codec": '{"codec": "os:system"}'}, "its codec cannot be made"),
        ({"average": {}, "network": {"a": torch.zeros(1)}}, "does not fit the network of tiny"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_one_clear_line(last, tmp_path, change, reason):
    torch.save(torch.load(last, weights_only=True) | change, tmp_path / "last.pt")
    with pytest.raises(WeightsError, match=reason) as error:
        checkpoints.load(tmp_path / "last.pt", recipe=tiny)
    assert "\n" not in str(error.value)


def test_a_file_of_weights_is_no_checkpoint(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="say which network it is of"):
        checkpoints.load(tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_training_starts_from_our_files_to_the_bit(last, exported, suffix):
    told = []
    found = first_weights(str(last if suffix == ".pt" else exported), tiny, told.append).weights
    assert found.keys() == averages(last).keys()
    assert all(torch.equal(value, averages(last)[name]) for name, value in found.items())
    assert f"matched    {len(found)} of {len(found)}" in told[0]
    state = prepared(tiny, 0, ALONE)
    state.begin_with(found)
    for name, value in state.module.network.state_dict().items():
        assert torch.equal(value, found[name])
        assert torch.equal(state.average[name], found[name])


def test_a_start_moves_the_first_step(last, tmp_path):
    starts = [None, first_weights(str(last), tiny, lambda _: None)]
    first, second = (train(tiny, ".", tmp_path / str(i), start=start, machine=ALONE) for i, start in enumerate(starts))
    losses = [torch.load(one, weights_only=True)["history"][0]["loss"] for one in (first, second)]
    assert losses[0] != losses[1]


def baseline(keypoints):
    return SimpleBaseline(ResNet((1, 1, 1, 1)), keypoints)


def test_authors_weights_for_other_keypoints_leave_the_head_as_it_is(tmp_path, capsys):
    given = {
        "module.conv1.weight": torch.randn(64, 3, 7, 7),
        "module.layer1.0.conv1.weight": torch.randn(64, 64, 1, 1),
        "module.final_layer.weight": torch.randn(len(COCO), 256, 1, 1),
        "module.final_layer.bias": torch.randn(len(COCO)),
        "module.fc.bias": torch.randn(1000),
    }
    torch.save({"state_dict": given}, tmp_path / "w.pth")
    found = first_weights(str(tmp_path / "w.pth"), replace(tiny, network=lambda: baseline(len(LSP)))).weights
    assert torch.equal(found["backbone.stem.0.weight"], given["module.conv1.weight"].flip(1))  # blue first there
    assert torch.equal(found["backbone.stage1.0.first.0.weight"], given["module.layer1.0.conv1.weight"])
    assert len(found) == 2
    assert "matched    2 of" in capsys.readouterr().err
    found = first_weights(str(tmp_path / "w.pth"), replace(tiny, network=lambda: baseline(len(COCO)))).weights
    assert torch.equal(found["head.bias"], given["module.final_layer.bias"])


def test_a_head_begins_from_the_keypoints_of_the_same_names(last, tmp_path, capsys):
    swapped = Skeleton("swapped", ("tail", *reversed(LSP.keypoints)), ())
    network = partial(Compact, len(swapped), widths=(4, 8, 8, 8), depths=(1, 1, 1))
    recipe = replace(tiny, network=network, codec=replace(tiny.codec, skeleton=swapped))
    export_checkpoint(last, tmp_path / "tiny.onnx", recipe=tiny)
    torch.manual_seed(1)
    for start in (last, tmp_path / "tiny.onnx"):
        found, own = first_weights(str(start), recipe).weights, averages(last)
        for part in ("head.weight", "head.bias"):
            assert torch.equal(found[part][1:], own[part].flip(0))
        assert found["head.bias"][0] == 0
        assert found["head.weight"][0].abs().sum() > 0
    assert "misfits    none" in capsys.readouterr().err


def test_what_the_start_lacks_is_drawn_by_the_seed(last):
    some = {name: value for name, value in averages(last).items() if name.startswith("stem")}
    first, second, other = (prepared(tiny, seed, ALONE) for seed in (0, 0, 1))
    for state in (first, second, other):
        state.begin_with(some)
    heads = [state.module.network.head.weight for state in (first, second, other)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_a_start_that_does_not_fit_is_one_clear_line(last, tmp_path):
    torch.save({"a": torch.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="nothing fits"):
        first_weights(str(tmp_path / "w.pth"), tiny, lambda _: None)
    with pytest.raises(WeightsError, match="no such file"):
        first_weights(str(tmp_path / "gone.pth"), tiny, lambda _: None)
    with pytest.raises(WeightsError, match=f"{last}: nothing fits"):
        first_weights(str(last), replace(tiny, network=lambda: baseline(len(LSP))), lambda _: None)
    with pytest.raises(ValueError, match="first weights that do not fit"):
        prepared(tiny, 0, ALONE).begin_with({"stem.0.0.weight": torch.zeros(3)})


def test_the_authors_files_answer_as_they_did_for_them(original, tmp_path):
    """The authors' simple baseline takes blue first; MMPose's, the same but for names, takes red first."""
    network = simple_baseline_r50().eval()
    load_into(network, original, RENAMES, size=(64, 64))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 256, 192, 3), dtype=np.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for prefix, seen in (("", pixels[..., ::-1]), ("backbone.", pixels)):
        torch.save({"state_dict": {prefix + name: value for name, value in original.items()}}, tmp_path / "a.pth")
        found = checkpoints.load(tmp_path / "a.pth", recipe=recipe_named("simple_baseline_r50_coco"))
        with torch.no_grad():
            wanted = network(((torch.from_numpy(seen.copy()) / 255 - mean) / std).permute(0, 3, 1, 2))[-1].maps
        np.testing.assert_allclose(found(pixels)[-1].maps, wanted.numpy(), rtol=1e-3, atol=1e-4)
        assert found.card["weights_from"] == "a.pth"
