"""An exported file says everything about itself, every runtime answers alike, and a stranger's file runs nothing."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import onnxruntime
import pytest

from posewright.codecs.dark import Dark
from posewright.codecs.distribution import Distribution
from posewright.codecs.gaussian import Gaussian
from posewright.codecs.megvii import Megvii
from posewright.codecs.udp import Udp, UdpOffsets
from posewright.datasets.synthetic import world
from posewright.estimators import runtimes
from posewright.estimators.runtimes import ModelFileError, free_cores, metadata
from posewright.estimators.runtimes.network import rebuilt
from posewright.estimators.top_down import TopDown
from posewright.fields import Heatmaps, Offsets
from posewright.skeleton import COCO, LSP, SKELETONS, Skeleton
from posewright.verbs.load import load
from posewright.warp import around

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from torch import nn  # noqa: E402

from posewright.estimators.runtimes import torch as torch_runtime  # noqa: E402
from posewright.models.pixels import FromPixels  # noqa: E402
from posewright.train import export  # noqa: E402

STAR = Skeleton("star", ("head", "left_hand", "right_hand"), (("head", "left_hand"),), (0.1, 0.2, 0.3), "a choice")
CODEC = Distribution(STAR, size=(32, 48))


class Small(nn.Module):
    """Two stages, one with a running mean and a count that the answer does not need."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Conv2d(8, 3, 3, 2, 1)

    def forward(self, images):
        x = self.first(images)
        maps = self.second(x)
        return [Heatmaps(maps), Heatmaps(2 * maps + 1)]


def small() -> Small:
    torch.manual_seed(3)
    network = Small()
    network.train()
    network.first(torch.rand(4, 3, 48, 32))  # so that the statistics are no defaults
    return network.eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    export.onnx(small(), CODEC, {"data": "none", "seed": 3}, path, padding=1.1)
    return path


@pytest.fixture
def crops(rng):
    return rng.integers(0, 256, (5, 48, 32, 3)).astype(np.uint8)


BACKENDS = (
    ("onnxruntime", "fp32", 1e-5),
    ("torch", "fp32", 1e-5),
    ("torch", "bf16", 0.05),
    ("openvino", "fp32", 1e-5),
    ("openvino", "bf16", 0.05),
)


@pytest.mark.parametrize(("backend", "precision", "tolerance"), BACKENDS)
def test_every_runtime_answers_as_the_module(file, crops, backend, precision, tolerance):
    if backend == "openvino":
        pytest.importorskip("openvino")
    network = runtimes.load(file, backend, precision, threads=1, build=Small)
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    images = ((torch.from_numpy(crops) / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = [stage.maps.numpy() for stage in small()(images)]
    for answer in (network(crops), network(crops)):
        assert [type(stage) for stage in answer] == [Heatmaps, Heatmaps]
        for stage, maps in zip(answer, expected, strict=True):
            assert stage.maps.dtype == np.float32
            np.testing.assert_allclose(stage.maps, maps, atol=tolerance * np.abs(maps).max())
    np.testing.assert_allclose(network(crops[:1])[0].maps, expected[0][:1], atol=tolerance * np.abs(expected[0]).max())
    assert network.codec == CODEC or metadata.described(network.codec) == metadata.described(CODEC)
    assert (network.card, network.padding, network.aim) == ({"data": "none", "seed": 3}, 1.1, around)
    assert network.protocol["precision"] == precision
    assert network.protocol["backend"].startswith(backend)
    assert len(network.protocol["weights"]) == 64


def test_a_padding_of_two_numbers_comes_back_and_cuts_so(tmp_path):
    path = tmp_path / "two.onnx"
    export.onnx(small(), CODEC, {"data": "none"}, path, padding=(1.09, 1.135))
    network = runtimes.load(path, "onnxruntime", threads=1)
    assert network.padding == (1.09, 1.135)
    estimator = TopDown(network, network.codec)
    assert estimator.protocol()["padding"] == [1.09, 1.135]
    warp = estimator._warp((10, 20, 50, 180))
    assert warp.matrix[0, 0] == pytest.approx(CODEC.size[1] / (1.135 * 160))
    np.testing.assert_allclose(warp.points([[30.0, 100.0]]), (np.array([CODEC.size]) - 1) / 2, atol=0.51)


def test_answers_stay_as_they_were_when_the_next_are_asked(file, crops):
    for backend in ("onnxruntime", "openvino"):
        pytest.importorskip(backend)
        network = runtimes.load(file, backend, threads=1)
        first = network(crops)[0].maps
        kept = first.copy()
        network(255 - crops)
        np.testing.assert_array_equal(first, kept)


def test_a_compiled_network_is_kept_and_answers_the_same_bits(file, crops, tmp_path, monkeypatch):
    compiled = pytest.importorskip("openvino").Core.compile_model
    asked = []
    monkeypatch.setattr("openvino.Core.compile_model", lambda *given: asked.append(given) or compiled(*given))
    monkeypatch.setenv("POSEWRIGHT_CACHE", str(tmp_path))

    def answer(precision="fp32"):
        network = runtimes.load(file, "openvino", precision, threads=1)
        return [stage.maps for some in (crops, crops[:1]) for stage in network(some)]

    first, again = answer(), answer()
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(asked) == 2  # for one crop, and for any number
    answer("bf16")
    assert len(asked) == len(list((tmp_path / "openvino").glob("*.blob"))) == 4
    for blob in (tmp_path / "openvino").glob("*.blob"):
        blob.write_bytes(blob.read_bytes()[:-1000])
    for one, other in zip(first, answer(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(asked) == 6


def test_a_cache_that_cannot_be_written_is_none(file, crops, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    (tmp_path / "openvino").write_text("a file where the folder should be")
    monkeypatch.setenv("POSEWRIGHT_CACHE", str(tmp_path))
    assert runtimes.load(file, "openvino", threads=1)(crops)[0].maps.any()


def test_compiled_networks_that_were_used_longest_ago_make_room(tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    from posewright.estimators.runtimes import openvino

    monkeypatch.setattr(openvino, "LARGEST", 25)
    for age, name in enumerate(("newest", "second", "oldest")):
        (tmp_path / f"{name}.blob").write_bytes(bytes(10))
        os.utime(tmp_path / f"{name}.blob", (1000 - age, 1000 - age))
    openvino._make_room(tmp_path)
    assert {one.stem for one in tmp_path.iterdir()} == {"newest", "second"}
    monkeypatch.setattr(openvino, "LARGEST", 1)
    openvino._make_room(tmp_path)
    assert {one.stem for one in tmp_path.iterdir()} == {"newest"}


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="signals of Unix")
def test_signals_are_heard_when_networks_are_gone(file):
    """Two Cores of OpenVINO left a stack for signals that was no more."""
    pytest.importorskip("openvino")
    code = f"""
import gc, os, signal
from posewright.estimators.runtimes import load
networks = [load({str(file)!r}, "openvino", threads=1) for _ in range(2)]
while networks:
    networks.pop(0)
    gc.collect()
signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGUSR1)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "heard\n"


def test_combinations_that_there_are_not_are_refused(file):
    with pytest.raises(ValueError, match="onnxruntime computes in fp32"):
        runtimes.load(file, "onnxruntime", "bf16")
    with pytest.raises(ValueError, match="no backend"):
        runtimes.load(file, "elsewhere")
    with pytest.raises(ValueError, match="what makes the network"):
        runtimes.load(file, "torch")


def test_weights_that_do_not_fit_the_module_are_refused(file):
    with pytest.raises(ModelFileError, match="do not fit"):
        runtimes.load(file, "torch", build=lambda: nn.Conv2d(3, 3, 1))


CODECS = (
    Distribution(LSP, sigma=1.5),
    Gaussian(COCO),
    Dark(COCO, sigma=3.0),
    Udp(COCO),
    UdpOffsets(COCO),
    Megvii(COCO),
    CODEC,
)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
def test_a_codec_is_written_and_read_back(codec):
    written = json.dumps(metadata.described(codec))
    read = metadata.codec_from(json.loads(written))
    assert type(read) is type(codec)
    assert json.dumps(metadata.described(read)) == written


@pytest.mark.parametrize("skeleton", [*SKELETONS, STAR], ids=lambda s: s.name)
def test_a_skeleton_is_written_in_full_and_read_back(skeleton):
    read = metadata.skeleton_from(json.loads(json.dumps(metadata.skeleton_described(skeleton))))
    assert read is skeleton if skeleton is not STAR else read is not skeleton
    assert metadata.skeleton_described(read) == metadata.skeleton_described(skeleton)


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "posewright.codecs.distribution:np.load",
        "posewright.codecs.distribution:Sequence",
        "posewright.codecs.distribution:Person",
        "posewright.codecs.distribution:__builtins__.eval",
        "posewright.codecs.maps:cv2.imread",
        "posewright.codecs...os:system",
        "posewright.codecs:none",
        "posewright.codecs.none:None",
        "posewright.codecsos:system",
        "posewright.warp:cv2.around",
        "posewright.warp:flipped",
        "",
    ],
)
def test_a_file_names_nothing_but_codecs_and_aims(name):
    with pytest.raises(ValueError, match="name"):
        metadata.found(name)
    with pytest.raises(ValueError, match=r"codec|name"):
        metadata.codec_from({"codec": name})


def test_a_codec_of_elsewhere_cannot_be_written():
    @dataclass(frozen=True)
    class Mine:
        skeleton: Skeleton = COCO

    with pytest.raises(ValueError, match="names nothing inside"):
        metadata.described(Mine())


@pytest.mark.parametrize(
    "values", [{"strange": 1}, {"size": 3, "skeleton": {"name": "x"}}, {"sigma": "x", "skeleton": 4, "k": 1}]
)
def test_a_codec_with_wrong_fields_is_refused(values):
    with pytest.raises(ValueError, match=r"Distribution|skeleton"):
        metadata.codec_from({"codec": "posewright.codecs.distribution:Distribution", **values})


def test_a_published_aim_travels_by_name():
    assert metadata.found(metadata.named(Gaussian.around)) is Gaussian.around
    assert metadata.found(metadata.named(around)) is around
    assert metadata.found(metadata.named(Udp.around)) is Udp.around


def test_what_is_no_exported_network_is_refused_in_one_line(tmp_path, file):
    import onnx

    (tmp_path / "text.onnx").write_text("this is no network\n" * 50)
    (tmp_path / "empty.onnx").write_bytes(b"")
    whole = file.read_bytes()
    (tmp_path / "short.onnx").write_bytes(whole[: len(whole) // 2])
    stranger = onnx.load(file)
    del stranger.metadata_props[:]
    onnx.save(stranger, tmp_path / "stranger.onnx")
    for key, value in (("format", "99"), ("codec", '{"codec": "os:system"}'), ("card", "{")):
        changed = onnx.load(file)
        properties = {one.key: one.value for one in changed.metadata_props} | {f"posewright.{key}": value}
        onnx.helper.set_model_props(changed, properties)
        onnx.save(changed, tmp_path / f"{key}.onnx")
    paths = [*sorted(tmp_path.glob("*.onnx")), tmp_path / "missing.onnx", tmp_path]
    assert len(paths) == 9
    for path in paths:
        for backend in ("onnxruntime", "openvino"):
            pytest.importorskip(backend)
            with pytest.raises(ModelFileError) as refused:
                runtimes.load(path, backend)
            assert str(refused.value).startswith(f"{path}: ")
            assert "\n" not in str(refused.value)


def test_fields_are_rebuilt_from_the_names_of_outputs():
    names = ["0.Heatmaps.maps", "1.Offsets.y", "1.Offsets.disks", "1.Offsets.x"]
    assert rebuilt(names, [1, 2, 3, 4]) == [Heatmaps(1), Offsets(disks=3, x=4, y=2)]


def test_there_is_always_a_core():
    assert free_cores() >= 1


@pytest.mark.parametrize("kind", ["noise", "edges"])
def test_crops_of_a_device_are_those_of_opencv(rng, kind):
    """Turned, mirrored, partly and wholly outside, enlarged and shrunk: the worst pixels there are, to a level."""
    pixels = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    pixels = pixels if kind == "noise" else np.where(pixels > 127, np.uint8(255), np.uint8(0))
    spots = [(rng.uniform(-20, 180, 2), rng.uniform(10, 300, 2), rng.normal(), rng.random() < 0.5) for _ in range(40)]
    warps = [around(middle, extent, (48, 64), turn, bool(mirror)) for middle, extent, turn, mirror in spots]
    warps += [around((80, 60), (160 * times, 120 * times), (48, 64)) for times in (2, 3, 20)]
    warps += [around((9000, 60), (40, 40), (48, 64))]
    assert {warp.shrinks == 1 for warp in warps} == {True, False}
    found = torch_runtime.crops(pixels, warps, "cpu").astype(int)
    away = np.abs(found - np.stack([warp.image(pixels) for warp in warps]))
    assert away.max() <= (torch_runtime.CLOSE if int(cv2.__version__.split(".")[0]) >= 5 else 9)
    assert found[:-1].max() > 250
    assert not found[-1].any()


def test_people_are_answered_alike_from_crops_of_a_device():
    """By the path that a GPU takes, on a processor: the network sees the same to a level."""
    plain = load("default", backend="onnxruntime").estimator
    device = replace(plain, network=replace(plain.network, cut=partial(torch_runtime.crops, device="cpu")))
    for scene in world(3, 1, size=(160, 128), skeleton=LSP, people=(1, 3)):
        boxes = [person.box for person in scene.people]
        there, here = device(scene, boxes), plain(scene, boxes)
        for one, other in zip(there, here, strict=True):
            np.testing.assert_allclose(one.scores, other.scores, atol=0.01)
            assert np.median(np.abs(one.keypoints - other.keypoints)) < 0.1
    assert device(scene, []) == []


SESSION = onnxruntime.InferenceSession


class OnCuda:
    """A session of ONNX Runtime with CUDA, as far as one that looks for it can tell; it computes on the processor."""

    def __init__(self, path, options, providers):
        self.asked = providers
        self.real = SESSION(path, options, providers=["CPUExecutionProvider"])

    def get_providers(self):
        return self.asked

    def __getattr__(self, name):
        return getattr(self.real, name)


def test_onnxruntime_takes_a_gpu_where_it_has_one_and_says_so(file, monkeypatch):
    assert "device" not in runtimes.load(file, "onnxruntime").protocol
    both = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    monkeypatch.setattr(onnxruntime, "InferenceSession", OnCuda)
    monkeypatch.setattr(runtimes, "_has_cuda", lambda: True)
    network = runtimes.load(file)
    assert network.protocol["device"] == "cuda"
    assert network.protocol["backend"].startswith("onnxruntime")
    pixels = np.zeros((1, 48, 32, 3), np.uint8)
    assert len(network(pixels)) == 2


def test_torch_says_where_a_network_runs():
    assert torch_runtime.device() == ("cuda" if torch.cuda.is_available() else "cpu")
    module = FromPixels(small()).to("meta")
    network = torch_runtime.network_of(module, CODEC)
    assert network.protocol["device"] == "meta"
    assert network.cut is not None
    assert torch_runtime.network_of(FromPixels(small()), CODEC).cut is None
