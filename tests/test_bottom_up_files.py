"""Files of bottom-up networks: what is exported or kept is loaded again as an estimator that finds everybody."""

import json
from itertools import chain

import numpy as np
import pytest

import posewright
from posewright.codecs.bottom_up.associative_embedding import AssociativeEmbedding
from posewright.codecs.bottom_up.deepercut import DeeperCut
from posewright.codecs.bottom_up.higher_hrnet import HigherHRNet
from posewright.codecs.bottom_up.multiposenet import MultiPoseNet
from posewright.codecs.bottom_up.openpose import LightweightOpenPose, OpenPose
from posewright.codecs.bottom_up.residual_grouping import unary
from posewright.codecs.bottom_up.simplepose import SimplePose
from posewright.codecs.bottom_up.tag_grouping import Rules
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.runtimes import Network, metadata
from posewright.skeleton import COCO, LSP
from posewright.verbs.load import recipe_by
from posewright.warp import around

CODECS = (AssociativeEmbedding, HigherHRNet, OpenPose, LightweightOpenPose, SimplePose, MultiPoseNet, DeeperCut)


@pytest.mark.parametrize("kind", CODECS)
def test_a_codec_of_whole_pictures_is_written_down_and_read_back(kind):
    codec = kind(LSP if kind is DeeperCut else COCO, size=(128, 96))
    again = metadata.codec_from(json.loads(json.dumps(metadata.described(codec))))
    assert again == codec
    assert repr(again) == repr(codec)
    assert [type(value) for value in vars(again).values()] == [type(value) for value in vars(codec).values()]


def test_what_a_stranger_wrote_into_rules_is_checked():
    said = metadata.described(HigherHRNet(COCO))
    assert metadata.codec_from({**said, "rules": [3, 0.2]}).rules == Rules(3, 0.2), "what an earlier version wrote"
    for rules in (["5"], "abc", [5, 0.1, 1.0, "30", True, False, False, False], [5, 0.1, 1.0, 30, 1, 0, 0, 0]):
        with pytest.raises(ValueError, match="Rules must be"):
            metadata.codec_from({**said, "rules": rules})


def test_a_function_of_ones_own_cannot_be_written_down():
    with pytest.raises(TypeError, match="not JSON serializable"):
        metadata.described(MultiPoseNet(COCO, respond=unary(np.ones((17, 56, 36)))))


torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from posewright.estimators.runtimes.torch import network_of  # noqa: E402
from posewright.models import higher_hrnet, openpose  # noqa: E402
from posewright.models.original import original_of  # noqa: E402
from posewright.models.pixels import FromPixels  # noqa: E402
from posewright.train import export  # noqa: E402
from posewright.train.export.checkpoint import export_checkpoint  # noqa: E402
from posewright.train.export.parity import Bound, Drift, trial_pictures  # noqa: E402

SIZE = (96, 64)
RECIPE = """
from dataclasses import replace

from posewright.codecs.bottom_up.openpose import OpenPose
from posewright.models import openpose
from posewright.recipes import default
from posewright.skeleton import COCO

mine = replace(default, name="mine", codec=OpenPose(COCO, size=(96, 64)),
               network=lambda: openpose.OpenPose(18, 19, stages=2))
"""


def shaken(network):
    """Move every weight far enough for a network to find people where nobody is."""
    draw = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            value.copy_(torch.randn(value.shape, generator=draw) * (2.5 / value[0].numel()) ** 0.5)
        elif name.endswith("bias"):
            value.copy_(0.1 * torch.randn(value.shape, generator=draw))
    return network.eval()


def narrow(patch):
    """Let OpenPose be built narrower."""
    patch.setattr(openpose, "WIDTH", 16)
    patch.setattr(openpose, "VGG", (8, 8, 0, 8, 8, 0, 16, 16, 16, 16, 0, 16, 16))


@pytest.fixture(scope="module", params=["higher_hrnet", "openpose"])
def built(request):
    """A published network, as narrow as it can be made, and its codec."""
    torch.manual_seed(0)
    if request.param == "higher_hrnet":
        return shaken(higher_hrnet.HigherHRNet(4, 17)), HigherHRNet(COCO, size=SIZE)
    with pytest.MonkeyPatch.context() as patch:
        narrow(patch)
        network = openpose.OpenPose(18, 19, stages=2)
    return shaken(network), OpenPose(COCO, size=SIZE)


def test_an_exported_network_is_loaded_as_one_that_finds_everybody(built, tmp_path):
    network, codec = built
    drift = export.onnx(network, codec, {"recipe": "mine"}, tmp_path / "file.onnx")
    assert drift.fields < 1e-4
    assert drift.people == 0
    assert drift.pictures == 16
    estimator = posewright.load(tmp_path / "file.onnx", backend="onnxruntime")
    assert isinstance(estimator, BottomUp)
    assert estimator.codec == codec
    assert repr(estimator) == "BottomUp(mine, 17 keypoints of coco, pictures of 96x64)"
    pictures = list(trial_pictures(codec, around, 1.25))
    same = BottomUp(network_of(FromPixels(network, *original_of(network).normal), codec), codec)
    people = list(estimator.many(pictures))
    assert sum(map(len, people)) > 0
    assert list(map(len, people)) == list(map(len, same.many(pictures)))
    for person in chain.from_iterable(people):
        assert person.labelled.any()
        assert 0 <= person.score <= 1


def test_the_gate_counts_people(built):
    network, codec = built
    assert trial_pictures(codec, around, 1.25, count=2).shape == (2, 64, 96, 3)
    assert Drift(2, 0, 0.0, None, None, 0.0, people=1).exceeds(Bound()) == "people is 1, allowed is 0"
    assert Drift(2, 0, 0.0, None, None, 0.0).exceeds(Bound()) is None

    seeing = network_of(FromPixels(network), codec)

    def blind(pixels):
        *stages, last = seeing.run(pixels)
        return [*stages, last._replace(maps=0 * last.maps)]

    assert export.drift(seeing, Network(blind, codec), trial_pictures(codec, around, 1.25)).people > 0


def test_a_checkpoint_is_loaded_as_one_that_finds_everybody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    narrow(monkeypatch)
    (tmp_path / "my.py").write_text(RECIPE)
    torch.save(shaken(openpose.OpenPose(18, 19, stages=2)).state_dict(), tmp_path / "weights.pth")
    estimator = posewright.load("weights.pth", recipe="my.py:mine")
    assert isinstance(estimator, BottomUp)
    drift = export_checkpoint(tmp_path / "weights.pth", tmp_path / "out.onnx", recipe=recipe_by("my.py:mine"))
    assert drift.people == 0
    pictures = list(trial_pictures(estimator.codec, around, 1.25))
    counts = list(map(len, estimator.many(pictures)))
    assert sum(counts) > 0
    assert list(map(len, posewright.load("out.onnx").many(pictures))) == counts
