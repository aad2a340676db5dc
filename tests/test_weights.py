"""Foreign weights: what fits loads, what does not is refused in one line, and nothing in a file ever runs."""

import json
import os
import pickle
import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import save_file  # noqa: E402

from posewright.models import hrnet, simple_baseline  # noqa: E402
from posewright.models.load import load_into, read, self_test  # noqa: E402
from posewright.models.report import WeightsError, renamed  # noqa: E402

SMALL = (64, 64)  # the self-test picture's size here


@pytest.fixture
def model():
    torch.manual_seed(0)
    return simple_baseline.simple_baseline_r50()


def snapshot(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(model, before):
    return all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def load(model, source, **options):
    return load_into(model, source, simple_baseline.RENAMES, size=SMALL, **options)


def refusal(action, *arguments, **options):
    """Return the one line that an action is refused with."""
    with pytest.raises(WeightsError) as caught:
        action(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def mmpose_names(name, head):
    return f"{head}.{name}" if re.match("deconv_layers|final_layer", name) else f"backbone.{name}"


ENVELOPES = {
    "authors": lambda state: state,
    "authors, data parallel": lambda state: {"module." + key: value for key, value in state.items()},
    "authors, whole checkpoint": lambda state: {"epoch": 210, "state_dict": state, "optimizer": {"lr": 1e-3}},
    "compiled": lambda state: {"model": {"_orig_mod." + key: value for key, value in state.items()}},
    "mmpose 0": lambda state: {"state_dict": {mmpose_names(key, "keypoint_head"): v for key, v in state.items()}},
    "mmpose 1": lambda state: {
        "meta": {"dataset_meta": {"sigmas": np.ones(17, np.float32), "scale": np.float64(2), "names": np.array(["a"])}},
        "state_dict": {mmpose_names(key, "head"): value for key, value in state.items()},
    },
}


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_every_published_form_loads_whole(envelope, original, model, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(ENVELOPES[envelope](original), path)
    report = load(model, path)
    assert len(report.matched) == len(original) == len(model.state_dict())
    assert report.missing == report.unused == report.misfits == ()
    own = model.state_dict()
    assert torch.equal(own["backbone.stem.0.weight"], original["conv1.weight"])
    assert torch.equal(own["backbone.stage3.2.second.1.running_var"], original["layer3.2.bn2.running_var"])
    assert torch.equal(own["deconvolutions.3.weight"], original["deconv_layers.3.weight"])
    assert torch.equal(own["head.bias"], original["final_layer.bias"])
    assert model.training


def test_hrnet_of_mmpose_has_our_names(reference):
    names = json.loads(str(reference("hrnet_w32")["names"]))
    with torch.device("meta"):
        own = list(hrnet.hrnet_w32().state_dict())
    for head in ("head", "keypoint_head"):
        foreign = [f"{head}.{name}" if name.startswith("final_layer") else f"backbone.{name}" for name in names]
        assert sorted(renamed(name, hrnet.RENAMES) for name in foreign) == sorted(own)


def test_old_files_load(original, model, tmp_path):
    """Before 1.6 PyTorch wrote plain pickles, before 0.4.1 batch normalisation counted nothing."""
    old = {key: value for key, value in original.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    report = load(model, tmp_path / "old.pth")
    assert len(report.matched) == len(old)
    assert report.missing == ()


def test_safetensors_and_our_own_names_load(original, model, tmp_path):
    save_file(original, tmp_path / "weights.safetensors")
    load(model, tmp_path / "weights.safetensors")
    torch.save(model.state_dict(), tmp_path / "ours.pt")
    again = simple_baseline.simple_baseline_r50()
    load(again, tmp_path / "ours.pt")
    assert same(again, model.state_dict())


def test_half_precision_is_widened(original, model):
    load(model, {key: value.half() if value.is_floating_point() else value for key, value in original.items()})
    assert model.head.weight.dtype == torch.float32
    assert torch.equal(model.head.weight, original["final_layer.weight"].half().float())


def test_the_report_fits_a_screen(original, model):
    extra = {f"fc{i}.weight": torch.zeros(3) for i in range(200)}
    report = load(model, original | extra)
    assert len(report.unused) == 200
    lines = str(report).splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 120
    assert "338 of 338" in lines[1]
    assert "200: fc0.weight, fc1.weight, fc2.weight, and 197 more" in lines[3]
    assert re.search(r"\(1, 17, 16, 16\) from -?\d", lines[5])


def test_a_backbone_alone_needs_to_be_asked_for(original, model):
    backbone = {key: value for key, value in original.items() if not re.match("deconv|final", key)}
    imagenet = backbone | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    before = snapshot(model)
    line = refusal(load, model, imagenet)
    assert "deconvolutions.0.weight (2048, 256, 4, 4)" in line
    assert "partial=True" in line
    assert same(model, before)
    report = load(model, imagenet, partial=True)
    assert report.unused == ("fc.weight", "fc.bias")
    assert set(report.missing) == {key for key in before if re.match("deconv|head", key) and "tracked" not in key}
    assert torch.equal(model.head.weight, before["head.weight"])
    assert torch.equal(model.backbone.stem[0].weight, original["conv1.weight"])


def test_another_skeleton_is_refused_unless_its_head_is_left_out(original):
    model = simple_baseline.simple_baseline_r50(keypoints=14)
    before = snapshot(model)
    line = refusal(load, model, original, partial=True)
    assert "head.weight is (17, 256, 1, 1) there and (14, 256, 1, 1) here" in line
    assert same(model, before)
    report = load(model, original, skip="head")
    assert report.unused == ("final_layer.weight", "final_layer.bias")
    assert torch.equal(model.head.weight, before["head.weight"])
    assert torch.equal(model.deconvolutions[0].weight, original["deconv_layers.0.weight"])


def test_another_network_is_refused(original, model):
    assert "nothing fits" in refusal(load, model, {"encoder.weight": torch.zeros(2)}, partial=True)
    assert "nothing fits" in refusal(load, model, {"encoder.weight": torch.zeros(2)})
    deeper = original | {"layer3.22.conv1.weight": torch.zeros(256, 1024, 1, 1)}
    assert load(model, deeper).unused == ("layer3.22.conv1.weight",)


def test_quantised_weights_are_refused(original, model):
    line = refusal(load, model, original | {"conv1.weight": original["conv1.weight"].to(torch.int8)})
    assert "(64, 3, 7, 7) int8 there and (64, 3, 7, 7) here" in line


def test_two_names_for_one_parameter_are_refused(original, model):
    line = refusal(load, model, original | {"head.final_layer.bias": torch.zeros(17)})
    assert "head.bias stands there twice, as final_layer.bias and head.final_layer.bias" in line


@pytest.mark.parametrize(("spoil", "reason"), [
    (lambda value: value * torch.nan, "not finite"),
    (lambda value: value * 0, "constant"),
])  # fmt: skip
def test_a_senseless_answer_is_refused_and_undone(original, model, spoil, reason):
    before = snapshot(model)
    spoilt = original | {"final_layer.weight": spoil(original["final_layer.weight"])}
    assert reason in refusal(load, model, spoilt)
    assert same(model, before)
    assert model.training


def test_the_self_test_is_the_same_every_time(model):
    assert self_test(model, SMALL) == self_test(model, SMALL)


class Malicious:
    """Would leave a file behind if anything in it ran."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


WRITERS = {
    "zip": lambda content, path: torch.save(content, path),
    "legacy": lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
    "pickle": lambda content, path: path.write_bytes(pickle.dumps(content)),
    "pickle, protocol 2": lambda content, path: path.write_bytes(pickle.dumps(content, 2)),
    "pickle, protocol 0": lambda content, path: path.write_bytes(pickle.dumps(content, 0)),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"state_dict": {"w": x}}, lambda x: np.array([x, 1], object)])
def test_a_malicious_file_is_refused_and_does_not_run(tmp_path, writer, wrap):
    mark, path = tmp_path / "ran", tmp_path / "evil.pth"
    WRITERS[writer](wrap(Malicious(mark)), path)
    line = refusal(read, path)
    assert line.startswith(str(path))
    assert len(line) < 300 + len(str(tmp_path))
    assert not mark.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.load(path, weights_only=False) if writer in ("zip", "legacy") else pickle.loads(path.read_bytes())
    assert mark.exists(), "the file would not have done anything"


def test_the_refusal_names_what_the_file_asks_for(tmp_path):
    torch.save({"w": Malicious(tmp_path / "ran")}, tmp_path / "evil.pth")
    assert re.search(r"asks for (posix|nt)\.mkdir", refusal(read, tmp_path / "evil.pth"))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    assert "asks for torch.nn.modules.linear.Linear" in refusal(read, tmp_path / "whole.pth")


@pytest.mark.parametrize("writer", ["zip", "legacy"])
@pytest.mark.parametrize("kept", [0.01, 0.2, 0.5, 0.95, 0.999])
def test_a_truncated_file_is_refused(tmp_path, writer, kept):
    path = tmp_path / "cut.pth"
    WRITERS[writer]({"w": torch.ones(5000)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert "cut off, damaged" in refusal(read, path)


def test_a_truncated_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file({"w": torch.ones(500)}, path)
    path.write_bytes(path.read_bytes()[:-4])
    assert "cut off, damaged" in refusal(read, path)


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    (tmp_path / "page.pth").write_text("<!DOCTYPE html>\n<title>404</title> and so on, é" * 9)
    (tmp_path / "empty.pth").touch()
    (tmp_path / "noise.pth").write_bytes(np.random.default_rng(0).bytes(999))
    torch.save(torch.ones(3), tmp_path / "tensor.pth")
    assert "a text that begins '<!DOCTYPE html>" in refusal(read, tmp_path / "page.pth")
    assert "empty" in refusal(read, tmp_path / "empty.pth")
    assert "damaged or not weights" in refusal(read, tmp_path / "noise.pth")
    assert "no such file" in refusal(read, tmp_path / "none.pth")
    assert "a folder" in refusal(read, tmp_path)
    assert "a Tensor, not a state dict" in refusal(load_into, torch.nn.Linear(2, 2), tmp_path / "tensor.pth")
