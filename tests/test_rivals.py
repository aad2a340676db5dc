"""MoveNet and BlazePose by their files: geometry on networks made by hand, and the real files where they lie."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import posewright
from posewright.cli import main
from posewright.datasets import coco, read
from posewright.estimators.adapters import Adapted, blazepose, each_crop, found, graphs, mediapipe, movenet
from posewright.estimators.estimator import View
from posewright.scene import Scene
from posewright.skeleton import COCO

onnx = pytest.importorskip("onnx")
BOX = np.array([50.0, 24.0, 90.0, 76.0])


def dot(at, size=(160, 120)):
    """A black picture with a white square of 3 px around a pixel."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[at[1] - 1 : at[1] + 2, at[0] - 1 : at[0] + 2] = 255
    return pixels


def middle(pixels):
    light = pixels.sum(2, dtype=float)
    y, x = np.indices(light.shape)
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


def finds(pixels):
    return [found(np.tile(middle(pixels), (17, 1)), np.full(17, 0.5))] if pixels.any() else []


def test_a_crop_is_square_of_the_view_s_size_and_what_is_found_comes_back():
    sizes = []
    view = View((64, 64), 1.25)
    estimator = Adapted(each_crop(lambda crop: sizes.append(crop.shape) or finds(crop), view), view=view)
    at = (70, 50)
    person, nobody = estimator(dot(at), [BOX, [0, 0, 30, 20]])
    np.testing.assert_allclose(person.keypoints, np.tile(at, (17, 1)), atol=0.2)
    assert not nobody.labelled.any()
    (alone,) = estimator(dot(at))
    np.testing.assert_allclose(alone.keypoints[0], at, atol=0.3)
    assert set(sizes) == {(64, 64, 3)}
    with pytest.raises(ValueError, match="must say the size"):
        each_crop(finds, View())


def graph(path, shape, outputs, integer=True):
    """Write a network that answers constant numbers, whatever it sees."""
    from onnx import TensorProto, helper, numpy_helper

    kind = TensorProto.INT32 if integer else TensorProto.FLOAT
    nodes = [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.float32(value)))
             for name, value in outputs.items()]  # fmt: skip
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, np.shape(v)) for n, v in outputs.items()]
    made = helper.make_graph(nodes, "constant", [helper.make_tensor_value_info("input", kind, shape)], infos)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_movenet_s_shares_are_of_its_square_from_edge_to_edge(tmp_path):
    rows = np.tile([0.25, 0.75, 0.6], (1, 1, 17, 1))
    file = graph(tmp_path / "one.onnx", [1, 64, 64, 3], {"out": rows})
    estimator = posewright.load(f"movenet:{file}", single=True)
    assert (estimator.view.size, estimator.view.padding) == ((64, 64), 1.25)
    (person,) = estimator(dot((70, 50)), [BOX])
    side = 1.25 * 52  # of the square around the box of 40x52, whose middle is (70, 50)
    np.testing.assert_allclose(person.keypoints[0], [70 + side / 4, 50 - side / 4])
    np.testing.assert_allclose(person.scores, 0.6)
    (alone,) = estimator(dot((70, 50)))
    np.testing.assert_allclose(alone.keypoints[0], [79.5 + 40, 59.5 - 40])


def test_multipose_s_people_are_of_the_whole_picture(tmp_path):
    rows = np.zeros((1, 6, 56))
    rows[0, 0, :51] = np.tile([0.25, 0.5, 0.7], 17)
    rows[0, 0, 51:] = 0.125, 0.25, 0.5, 0.75, 0.9
    rows[0, 1, :51] = np.tile([0.5, 0.5, 0.7], 17)
    rows[0, 1, 55] = 0.09
    file = graph(tmp_path / "six.onnx", [1, "h", "w", 3], {"out": rows})
    estimator = posewright.load(f"movenet:{file}")
    assert estimator.view.size is None
    (person,) = estimator(np.zeros((120, 160, 3), np.uint8))
    np.testing.assert_allclose(person.keypoints[0], [79.5, 39.5])
    np.testing.assert_allclose(person.box, [39.5, 19.5, 119.5, 79.5])
    assert person.score == pytest.approx(0.9)
    answered, nobody = estimator(np.zeros((120, 160, 3), np.uint8), [[30, 10, 130, 90], [0, 100, 20, 119]])
    assert answered.labelled.all()
    assert not nobody.labelled.any()


def landmarks(path, at=(64.0, 192.0), flag=0.9, maps=None):
    rows = np.tile([*at, 0.0, 2.0, 1.0], 39)[None]
    maps = np.full((1, 64, 64, 39), -9.0) if maps is None else maps
    outputs = {"places": rows, "flag": [[flag]], "mask": np.zeros((1, 256, 256, 1)), "maps": maps}
    return graph(path, [1, 256, 256, 3], outputs, integer=False)


def test_blazepose_at_a_box_keeps_presence_and_visibility_apart(tmp_path):
    estimator = posewright.load(f"blazepose:{landmarks(tmp_path / 'l.onnx')}")
    assert estimator.view.boxed
    (person,) = estimator(dot((70, 50)), [BOX])
    side = 1.25 * 52
    np.testing.assert_allclose(person.keypoints[0], [70 - side / 4, 50 + side / 4])
    np.testing.assert_allclose(person.scores, 1 / (1 + np.exp(-1)), rtol=1e-6)
    assert (person.visible == 2).all()
    nobody = posewright.load(f"blazepose:{landmarks(tmp_path / 'n.onnx', flag=0.4)}")
    assert not nobody(dot((70, 50)), [BOX])[0].labelled.any()


def test_a_landmark_moves_to_its_map_where_that_peaks():
    maps = np.full((64, 64, 2), 0.0)
    maps[20, 31:33, 0] = 0.9
    maps[20, 31:33, 1] = 0.4
    places = blazepose.refined(np.tile([120.0, 80.0], (2, 1)), maps)
    np.testing.assert_allclose(places, [[31.5 * 4, 20 * 4], [120, 80]])


def test_the_detector_s_square_is_turned_upright(tmp_path):
    """A body's circle whose end lies to the right: the square turns by a quarter, so that this is above."""
    hips, end = np.array([80.0, 60.0]), np.array([100.0, 60.0])
    warp = blazepose.square(hips, end)
    np.testing.assert_allclose(warp.points(hips), [127.5, 127.5])
    np.testing.assert_allclose(warp.points(end), [127.5, 127.5 - 256 / 2.5])
    rows = np.full((1, 2254, 13), -20.0)
    rows[..., 1:] = 0
    near = np.argsort(np.hypot(*(blazepose.anchors() - 0.5).T))[:2]
    for place, high in zip(near, (2.0, 1.0), strict=True):
        rows[0, place] = (high, 0, 0, 100, 100, 0, 0, 30, 0, *[0] * 4)
    points = graph(tmp_path / "d.onnx", [1, 224, 224, 3], {"rows": rows}, integer=False)
    estimator = posewright.load(f"blazepose:{landmarks(tmp_path / 'l.onnx', (128, 128))},{points}")
    assert not estimator.view.boxed
    (person,) = estimator(np.zeros((224, 224, 3), np.uint8))
    np.testing.assert_allclose(person.keypoints[0], [111.5, 111.5], atol=5)  # the nearest cells' middles


def test_the_anchors_are_the_detector_s():
    found = blazepose.anchors()
    assert found.shape == (2254, 2)
    np.testing.assert_allclose(found[[0, 1, 2, 1568, -1]], [[0.5 / 28] * 2, [0.5 / 28] * 2, [1.5 / 28, 0.5 / 28],
                                                           [0.5 / 14] * 2, [6.5 / 7] * 2])  # fmt: skip


@pytest.mark.parametrize(("name", "complaint"), [
    ("movenet:none.onnx", "none.onnx: no such file"),
    ("movenet:x.task", "name a network as .onnx or .tflite"),
    ("blazepose:none.onnx", "none.onnx: no such file"),
    ("movenet:text.onnx", "text.onnx: ONNX Runtime refuses it"),
    ("movenet:other.onnx", "other.onnx: no MoveNet: its output is [1, 3]"),
    ("blazepose:other.onnx", "other.onnx: no landmark network of BlazePose"),
    ("movenet:flat.onnx", "flat.onnx: takes [1, 3], not one picture"),
])  # fmt: skip
def test_a_wrong_file_is_one_line(name, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.onnx").write_text("no network")
    graph(tmp_path / "other.onnx", [1, 64, 64, 3], {"out": np.zeros((1, 3))})
    graph(tmp_path / "flat.onnx", [1, 3], {"out": np.zeros((1, 3))})
    assert main(["predict", "photo.jpg", "--model", name]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


class StubLite:
    """The documented interface of LiteRT's Interpreter, around MoveNet's form."""

    def __init__(self, model_path, num_threads):  # noqa: ARG002
        self.shape, self.given = (1, 64, 64, 3), None

    def get_input_details(self):
        return [{"index": 0, "shape": np.array(self.shape), "shape_signature": np.array(self.shape), "dtype": np.uint8}]

    def get_output_details(self):
        return [{"index": 9, "shape": np.array([1, 1, 17, 3])}]

    def allocate_tensors(self):
        self.given = None

    def set_tensor(self, index, array):
        assert (index, array.shape, array.dtype) == (0, self.shape, np.uint8)
        self.given = array

    def invoke(self):
        assert self.given is not None

    def get_tensor(self, index):
        assert index == 9
        y, x = np.array(np.unravel_index(self.given.sum(3).argmax(), self.given.shape[1:3]))
        return np.tile(np.float32([(y + 0.5) / 64, (x + 0.5) / 64, 0.5]), (1, 1, 17, 1))


def test_a_tflite_file_runs_where_litert_is_installed(tmp_path, monkeypatch):
    (tmp_path / "m.tflite").write_bytes(b"TFL3")
    module = ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = StubLite
    monkeypatch.setitem(sys.modules, "ai_edge_litert", ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    (person,) = movenet.load(tmp_path / "m.tflite")(dot((70, 50)), [BOX])
    np.testing.assert_allclose(person.keypoints[0], [70, 50], atol=2)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match="ai-edge-litert is not installed"):
        graphs.load(tmp_path / "m.tflite")


def test_mediapipe_s_own_network_is_asked_box_by_box(monkeypatch):
    class Pose:
        def __init__(self, static_image_mode):
            assert static_image_mode

        def process(self, pixels):
            if not pixels.any():
                return SimpleNamespace(pose_landmarks=None)
            x, y = (middle(pixels) + 0.5) / pixels.shape[1::-1]
            marks = [SimpleNamespace(x=x, y=y, visibility=0.9, presence=0.8)] * 33
            return SimpleNamespace(pose_landmarks=SimpleNamespace(landmark=marks))

    module = ModuleType("mediapipe")
    monkeypatch.setitem(sys.modules, "mediapipe", module)
    with pytest.raises(ImportError, match="carries no network"):
        mediapipe.load()
    module.solutions = SimpleNamespace(pose=SimpleNamespace(Pose=Pose))
    estimator = posewright.load("mediapipe")
    person, nobody = estimator(dot((70, 50)), [BOX, [0, 0, 30, 20]])
    np.testing.assert_allclose(person.keypoints, np.tile([70, 50], (17, 1)), atol=0.05)
    assert not nobody.labelled.any()


@pytest.fixture(scope="module")
def weights(data_dir):
    folder = data_dir / "weights"
    if not folder.is_dir():
        pytest.skip("no networks of others beside the data")
    return folder


def test_the_real_lightning_finds_people(weights, data_dir):
    """Eight pictures of coco_mini: mean similarity .39, and .09 with x and y changed round."""
    scenes = [s for s in read(f"coco:{data_dir / 'coco_mini'}", "val") if any(p.labelled.any() for p in s.people)][:8]
    estimator = posewright.load(f"movenet:{weights / 'movenet-lightning.onnx'}")
    told = estimator.protocol()
    json.dumps(told)
    assert len(told["weights sha256"]) == 64
    assert similarity_of(estimator, scenes) > 0.3


@pytest.mark.parametrize("name", ["movenet-multipose.onnx", "blazepose-full.onnx,blazepose-detector.onnx"])
def test_the_real_whole_picture_ones_find_the_person(weights, data_dir, name):
    scenes = read(f"lsp:{data_dir / 'lspet'}", "test")[:6]
    files = ",".join(str(weights / part) for part in name.split(","))
    estimator = posewright.load(("movenet:" if "movenet" in name else "blazepose:") + files)
    alone = [estimator(scene) for scene in scenes]
    assert sum(len(people) > 0 for people in alone) >= 4
    right = 0
    for scene, people in zip(scenes, alone, strict=True):
        truth = scene.people[0].to(scene.skeleton, COCO)
        for person in people[:1]:
            away = np.hypot(*(person.keypoints - truth.keypoints).T)
            right += int(np.nanmedian(away) < 0.15 * (truth.box[3] - truth.box[1]))
    assert right >= 3


def similarity_of(estimator, scenes):
    from posewright.metrics.oks.similarity import oks_sigmas

    sigmas, _ = oks_sigmas(COCO)
    found = []
    for scene in scenes:
        people = [p for p in scene.people if p.labelled.any() and not p.crowd]
        for person, truth in zip(estimator(scene, [p.box for p in people]), people, strict=True):
            away = ((person.keypoints - truth.keypoints) ** 2).sum(1)
            some = truth.labelled
            found.append(np.exp(-away[some] / (2 * sigmas[some]) ** 2 / truth.area / 2).mean())
    return np.mean(found)


def test_a_rival_is_scored_from_the_command_line(weights, data_dir, tmp_path, capsys):
    data = f"coco:{data_dir / 'coco_mini'}"
    scenes = read(data, "val")[:3]
    coco.write([Scene(s.pixels(), s.skeleton, s.people, s.size, id=s.id) for s in scenes], tmp_path / "data")
    name = f"movenet:{weights / 'movenet-lightning.onnx'}"
    assert main(["evaluate", name, "--data", f"coco:{tmp_path / 'data'}", "--out", str(tmp_path / "out")]) == 0
    assert "AP " in capsys.readouterr().out
