"""Other people's networks answer in this library's words: places, scores and absences, left and right, channels.

Stubs of the documented interfaces always run; the packages themselves run where they are installed. The networks here
are made by hand and find a bright dot, so that the right answer is known to a fraction of a pixel.
"""

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import posewright
from posewright.cli import main
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.estimators.adapters import (
    Adapted,
    each_box,
    found,
    mediapipe,
    nobody,
    rtm,
    ultralytics,
    vitpose,
    whole_picture,
)
from posewright.estimators.adapters.skeletons import BLAZEPOSE_33, BY_COUNT, HALPE_26, WHOLEBODY_23
from posewright.scene import HIDDEN, SEEN, Person
from posewright.skeleton import COCO, LSP
from posewright.skeleton.spelling import mirrored_name

DOT = (70.3, 52.6)
BOX = np.array([50.0, 24.0, 90.0, 76.0])
GUIDE = Path(__file__).parents[1] / "docs" / "estimators.md"


def dotted(at=DOT, size=(160, 120), colour=(255, 255, 255), sigma=4.0):
    """A black picture with a soft dot, whose middle is known to a fraction of a pixel."""
    y, x = np.mgrid[: size[1], : size[0]]
    light = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2))
    return np.rint(light[..., None] * colour).astype(np.uint8)


def centroid(pixels):
    light = pixels.sum(axis=2, dtype=float)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


def finds_the_dot(pixels):
    return [found(np.tile(centroid(pixels), (17, 1)), np.full(17, 0.5))] if pixels.any() else []


# Adapted


def test_scores_are_clipped_and_what_has_none_is_absent():
    xy = np.arange(10.0).reshape(5, 2)
    xy[4] = np.nan
    person = found(xy, np.array([1.7, 0.4, 0.0, -1.0, 0.9]))
    np.testing.assert_array_equal(person.scores, [1, 0.4, 0, 0, 0])
    np.testing.assert_array_equal(person.labelled, [True, True, False, False, False])
    assert person.score == pytest.approx(0.7)
    np.testing.assert_array_equal(xy[2], [4, 5], "what was given stays as it was")


def test_each_box_is_cut_out_and_answered_in_the_pictures_pixels():
    estimator = Adapted(each_box(finds_the_dot))
    (alone,) = estimator(dotted())
    boxes = [BOX, [0, 0, 30, 20], [-40, -40, -10, -10]]
    person, empty, outside = estimator(dotted(), boxes)
    np.testing.assert_allclose(person.keypoints, alone.keypoints, atol=0.05)
    np.testing.assert_allclose(person.keypoints[0], DOT, atol=0.05)
    assert not empty.labelled.any()
    assert not outside.labelled.any()
    assert empty.score == 0
    np.testing.assert_array_equal([p.box for p in (person, empty, outside)], boxes)


def test_moving_the_picture_moves_the_answer():
    estimator = Adapted(each_box(finds_the_dot))
    moved = np.roll(dotted(), (11, 23), axis=(0, 1))
    (person,), (other,) = estimator(dotted(), [BOX]), estimator(moved, [BOX + np.tile([23, 11], 2)])
    np.testing.assert_allclose(other.keypoints - person.keypoints, np.tile([23, 11], (17, 1)), atol=1e-9)


def person_at(x, y):
    return found(np.array([x, y]) + np.random.default_rng(0).uniform(-10, 10, (17, 2)), np.full(17, 0.5))


def test_whole_picture_gives_nobody_away_twice():
    near, far = person_at(30, 30), person_at(100, 60)
    estimator = Adapted(whole_picture(lambda _: [near, far]))
    boxes = [[20, 20, 40, 40], [90, 50, 110, 70], [22, 22, 44, 44], [140, 100, 150, 110]]
    answers = estimator(dotted(), boxes)
    np.testing.assert_array_equal(answers[0].keypoints, near.keypoints)
    np.testing.assert_array_equal(answers[1].keypoints, far.keypoints)
    assert not any(person.labelled.any() for person in answers[2:])
    assert len(estimator(dotted())) == 2
    assert estimator(dotted(), []) == []


def test_nobody_in_the_picture_is_nobody_in_each_box():
    people = Adapted(whole_picture(lambda _: []))(dotted(), [BOX, BOX])
    assert [person.labelled.any() for person in people] == [False, False]


def test_keypoints_are_mapped_by_name():
    person = found(np.arange(28.0).reshape(14, 2), np.full(14, 0.5))
    estimator = Adapted(lambda pixels, boxes: [person], own=LSP, about={"package": "mine"})  # noqa: ARG005
    (answer,) = estimator(dotted())
    np.testing.assert_array_equal(answer.keypoints[COCO.index("left_knee")], person.keypoints[LSP.index("left_knee")])
    assert not answer.labelled[COCO.index("nose")]
    assert answer.scores[COCO.index("nose")] == 0
    assert estimator.protocol() == {"package": "mine", "own keypoints": "lsp", "keypoints": "coco"}
    assert estimator.skeleton is COCO


def test_an_estimator_that_breaks_its_word_is_told_so():
    careless = Adapted(lambda pixels, boxes: [nobody(COCO)], about={"package": "mine"})  # noqa: ARG005
    with pytest.raises(ValueError, match="mine: answered 1 people for 2 boxes"):
        careless(dotted(), [BOX, BOX])
    with pytest.raises(ValueError, match=r"mine: answered \[17\] keypoints, lsp has 14"):
        Adapted(careless.look, own=LSP, about={"package": "mine"})(dotted())
    with pytest.raises(ValueError, match="box must be"):
        careless(dotted(), [[5, 5, 5, 9]])


def test_many_answers_like_one_after_the_other():
    estimator = Adapted(each_box(finds_the_dot))
    pictures = [dotted(), dotted((40, 30))]
    boxes = [[BOX], [[20, 10, 60, 50], BOX]]
    for people, picture, places in zip(estimator.many(pictures, boxes), pictures, boxes, strict=True):
        for one, other in zip(people, estimator(picture, places), strict=True):
            np.testing.assert_array_equal(one.keypoints, other.keypoints)
    assert [len(people) for people in estimator.many(pictures)] == [1, 1]


def test_skeletons_have_their_counts_and_sides():
    assert {count: skeleton.keypoints[0] for count, skeleton in BY_COUNT.items()} == dict.fromkeys(BY_COUNT, "nose")
    for skeleton in (WHOLEBODY_23, HALPE_26, BLAZEPOSE_33):
        assert len(skeleton) == int(re.search(r"\d+$", skeleton.name)[0])
        assert set(COCO.keypoints) <= set(skeleton.keypoints)
        assert {mirrored_name(name) for name in skeleton.keypoints} == set(skeleton.keypoints)
    assert WHOLEBODY_23.keypoints[17:20] == ("left_big_toe", "left_small_toe", "left_heel")
    assert HALPE_26.keypoints[17:22] == ("head_top", "neck", "pelvis", "left_big_toe", "right_big_toe")


# transformers


class DotMaps:
    """Stands for the network: its map is the picture's light, whatever the keypoint."""

    device = "cpu"

    def __init__(self, name="hand-made", experts=1):
        self.config = SimpleNamespace(name_or_path=name, backbone_config=SimpleNamespace(num_experts=experts))
        self.asked = []

    def __call__(self, pixel_values, **more):
        from torch.nn.functional import interpolate

        self.asked.append((len(pixel_values), more))
        light = pixel_values.mean(dim=1, keepdim=True)
        light = light - light.amin()
        maps = interpolate(light, (64, 48), mode="bilinear", align_corners=True)
        return SimpleNamespace(heatmaps=(1.5 * maps / maps.amax()).repeat(1, 17, 1, 1))


class StubProcessor:
    """The documented interface of VitPoseImageProcessor: boxes are x, y, width, height, one list a picture."""

    def __call__(self, images, boxes, input_data_format, return_tensors):
        import torch

        assert (input_data_format, return_tensors, len(boxes)) == ("channels_last", "pt", 1)
        return {"pixel_values": torch.rand(len(boxes[0]), 3, 256, 192) + float(images.mean())}

    def post_process_pose_estimation(self, outputs, boxes):
        import torch

        assert len(outputs.heatmaps) == len(boxes[0])
        scores = torch.tensor([1.5, 0.0, *[0.25] * 15])
        middles = [torch.tensor([[x + w / 2, y + h / 2]]).repeat(17, 1) for x, y, w, h in boxes[0]]
        return [[{"keypoints": middle, "scores": scores} for middle in middles]]


def test_vitpose_by_its_documented_interface():
    torch = pytest.importorskip("torch")
    model = DotMaps(experts=6)
    estimator = vitpose.adapt(model, StubProcessor(), batch=2)
    people = estimator(dotted(), [BOX, BOX + 3, BOX + 5])
    np.testing.assert_allclose(people[1].keypoints[0], [73, 53])
    np.testing.assert_array_equal(people[0].scores, [1, 0, *[0.25] * 15])
    assert not people[0].labelled[1]
    assert [count for count, _ in model.asked] == [2, 1]
    assert torch.equal(model.asked[0][1]["dataset_index"], torch.zeros(2, dtype=torch.int64))
    (whole,) = estimator(dotted())
    np.testing.assert_allclose(whole.keypoints[0], [79.5, 59.5])
    assert estimator.protocol()["weights"] == "hand-made"


def test_vitpose_without_transformers_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"posewright\[adapters\]"):
        vitpose.load("anything")


def the_processor():
    pytest.importorskip("torch")
    pytest.importorskip("transformers", minversion="4.48")
    try:
        from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil as Processor
    except ImportError:
        from transformers import VitPoseImageProcessor as Processor
    return Processor()


@pytest.mark.parametrize("at", [DOT, (60, 40), (81.5, 66.25)])
def test_vitpose_counts_pixels_as_this_library_does(at):
    """The package's own processor finds the dot where it is: no half pixel is lost between crop, map and picture."""
    (person,) = vitpose.adapt(DotMaps(), the_processor())(dotted(at), [BOX])
    np.testing.assert_allclose(person.keypoints, np.tile(at, (17, 1)), atol=0.15)
    np.testing.assert_array_equal(person.scores, np.ones(17))


@pytest.fixture(scope="module")
def tiny_vitpose(tmp_path_factory):
    """A ViTPose of two layers and random weights, as a folder."""
    processor = the_processor()
    import torch
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
    backbone = VitPoseBackboneConfig(image_size=[256, 192], patch_size=[16, 16], **sizes)
    model = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=17))
    folder = tmp_path_factory.mktemp("vitpose")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_a_vitpose_loads_from_disk_and_answers(tiny_vitpose):
    estimator = posewright.load(f"transformers:{tiny_vitpose}")
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    one, other = estimator(pixels, [BOX, BOX + 20])
    assert isinstance(one, Person)
    assert one.labelled.any()
    assert ((one.scores >= 0) & (one.scores <= 1)).all()
    (alone,) = estimator(pixels, [BOX + 20])
    np.testing.assert_allclose(other.keypoints, alone.keypoints, atol=0.02)
    protocol = estimator.protocol()
    assert protocol["package"] == "transformers"
    assert len(protocol["weights sha256"]) == 64
    json.dumps(protocol)


def test_a_vitpose_is_evaluated_from_the_command_line(tiny_vitpose, tmp_path, capsys):
    coco.write(world(2, 0, skeleton=COCO), tmp_path / "data")
    name = f"transformers:{tiny_vitpose}"
    assert main(["evaluate", name, "--data", f"coco:{tmp_path / 'data'}", "--out", str(tmp_path / "out")]) == 0
    assert "AP " in capsys.readouterr().out
    assert (
        json.loads((tmp_path / "out" / "scores.json").read_text())["files"][0]["metrics"]["oks_ap"]["protocol"][
            "package"
        ]
        == "transformers"
    )


# rtmlib


class StubRTMPose:
    """The documented interface of rtmlib's top-down networks; answers the light's middle in each box."""

    onnx_model, model_input_size, to_openpose = "pose.onnx", (192, 256), False
    mean = (123.675, 116.28, 103.53)

    def __init__(self, count=17):
        self.count, self.boxes, self.corner = count, None, None

    def __call__(self, image, bboxes=[]):  # noqa: B006
        self.boxes, self.corner = bboxes, image[0, 0].tolist()
        xy = np.tile(centroid(image), (len(bboxes), self.count, 1))
        scores = np.full((len(bboxes), self.count), 1.2)
        xy[:, 1], scores[:, 1] = -1, 0
        return xy, scores


class StubRTMO:
    """The documented interface of rtmlib's one-stage network, which resizes to a corner of its square input."""

    onnx_model, model_input_size, mean, to_openpose = "rtmo.onnx", (60, 60), None, False

    def __call__(self, image, nms_thr=None, score_thr=None):  # noqa: ARG002
        import cv2

        ratio = min(60 / image.shape[0], 60 / image.shape[1])
        small = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
        return np.tile(centroid(small) / ratio, (1, 17, 1)), np.full((1, 17), 0.9)


def red_corner():
    pixels = dotted()
    pixels[0, 0] = (200, 0, 0)
    return pixels


def test_rtmpose_by_its_documented_interface():
    network = StubRTMPose()
    estimator = rtm.adapt(network)
    person, _ = estimator(red_corner(), [BOX, BOX + 1])
    np.testing.assert_array_equal(network.boxes, [BOX, BOX + 1])
    assert network.corner == [200, 0, 0], "trained on RGB"
    np.testing.assert_allclose(person.keypoints[0], DOT, atol=0.3)
    assert not person.labelled[1]
    np.testing.assert_array_equal(person.scores, [1, 0, *[1] * 15])
    assert estimator.protocol()["channels"] == "RGB"
    rtm.adapt(network, order="bgr")(red_corner(), [BOX])
    assert network.corner == [0, 0, 200]


@pytest.mark.parametrize(("solution", "count"), [("Body", 17), ("BodyWithFeet", 26), ("Wholebody", 133)])
def test_rtmlibs_whole_ones_ask_their_detector_only_without_boxes(solution, count):
    seen = []
    detector = lambda image: seen.append(image[0, 0].tolist()) or [BOX]  # noqa: E731
    whole = type(solution, (), {})()
    whole.pose_model, whole.det_model = StubRTMPose(count), detector
    estimator = rtm.adapt(whole)
    assert len(estimator(red_corner(), [BOX, BOX])) == 2
    assert seen == []
    (person,) = estimator(red_corner())
    assert seen == [[0, 0, 200]], "the detector is trained on BGR"
    assert len(person) == 17
    assert len(estimator.own) == len(BY_COUNT[count])
    whole.det_model = lambda _: []
    assert estimator(red_corner()) != []
    assert rtm.adapt(whole)(red_corner()) == []


def test_a_network_of_another_body_is_refused_not_cut():
    with pytest.raises(ValueError, match=r"rtmlib: answered \[21\] keypoints, coco has 17"):
        rtm.adapt(StubRTMPose(21))(dotted(), [BOX])


@pytest.mark.parametrize("size", [(160, 120), (240, 480), (60, 60)])
def test_rtmos_answers_lie_on_pixel_centres(size):
    estimator = rtm.adapt(StubRTMO())
    at = (size[0] * 0.43, size[1] * 0.37)
    (person,) = estimator(dotted(at, size))
    np.testing.assert_allclose(person.keypoints[0], at, atol=0.1)
    assert estimator.protocol()["channels"] == "BGR"


def simcc(path):
    """Write a network of RTMPose's form by hand: red light's profile along each axis, two bins a pixel."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    consts = {
        "first": np.array([0], np.int64), "last": np.array([1], np.int64), "channel": np.array([1], np.int64),
        "up": np.array([1, 1, 2], np.float32), "people": np.array([1, 17, 1], np.int64),
    }  # fmt: skip
    nodes = [helper.make_node("Slice", ["input", "first", "last", "channel"], ["red"])]
    for name, axis in (("x", 2), ("y", 3)):
        nodes += [
            helper.make_node("ReduceMax", ["red"], [f"{name}_profile"], axes=[axis], keepdims=0),
            helper.make_node(
                "Resize", [f"{name}_profile", "", "up"], [f"{name}_fine"],
                mode="linear", coordinate_transformation_mode="asymmetric",
            ),
            helper.make_node("Tile", [f"{name}_fine", "people"], [f"simcc_{name}"]),
        ]  # fmt: skip
    values = {"input": (1, 3, 256, 192), "simcc_x": (1, 17, 384), "simcc_y": (1, 17, 512)}
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values.items()]
    known = [numpy_helper.from_array(value, name) for name, value in consts.items()]
    graph = helper.make_graph(nodes, "simcc", infos[:1], infos[1:], known)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("at", [(70, 53), (60, 40), (81, 66)])
def test_rtmlib_itself_finds_the_dot(at, tmp_path):
    """The real package with a network made by hand: its crops, its bins and its way back lose no half pixel."""
    pytest.importorskip("rtmlib")
    estimator = posewright.load(f"rtmlib:{simcc(tmp_path / 'dot.onnx')}")
    (person,) = estimator(dotted(at, colour=(255, 0, 0), sigma=1.5), [BOX])
    np.testing.assert_allclose(person.keypoints, np.tile(at, (17, 1)), atol=0.15)
    np.testing.assert_array_equal(person.scores, np.ones(17))
    assert len(estimator.protocol()["weights sha256"]) == 64
    blue = estimator(dotted(at, colour=(0, 0, 255)), [BOX])
    assert not blue[0].labelled.any(), "red is the first channel, as in training"


def test_rtmlib_without_the_file_is_one_line(tmp_path):
    pytest.importorskip("rtmlib")
    with pytest.raises(FileNotFoundError, match="no such file; name an RTMPose"):
        rtm.load(tmp_path / "none.onnx")


# MediaPipe


class StubLandmarker:
    """The documented interface of PoseLandmarker: shares of the picture, from edge to edge."""

    def __init__(self, make=SimpleNamespace, result=SimpleNamespace, pixels=lambda image: image.data):
        self.make, self.result, self.pixels = make, result, pixels

    def detect(self, image):
        pixels = self.pixels(image)
        if not pixels.any():
            return self.result(pose_landmarks=[], pose_world_landmarks=[])
        x, y = (centroid(pixels) + 0.5) / pixels.shape[1::-1]
        said = [self.make(x=x, y=y, z=0.0, visibility=0.9 if k % 2 else 0.2, presence=0.6) for k in range(33)]
        return self.result(pose_landmarks=[said], pose_world_landmarks=[])


@pytest.fixture
def stub_mediapipe(monkeypatch):
    module = ModuleType("mediapipe")
    module.Image, module.ImageFormat = SimpleNamespace, SimpleNamespace(SRGB=1)
    monkeypatch.setitem(sys.modules, "mediapipe", module)


def is_right(person):
    np.testing.assert_allclose(person.keypoints, np.tile(DOT, (17, 1)), atol=0.05)
    np.testing.assert_allclose(person.scores, 0.6)
    expected = [SEEN if BLAZEPOSE_33.index(name) % 2 else HIDDEN for name in COCO.keypoints]
    np.testing.assert_array_equal(person.visible, expected)


@pytest.mark.usefixtures("stub_mediapipe")
def test_mediapipe_keeps_place_presence_and_visibility_apart():
    estimator = mediapipe.adapt(StubLandmarker())
    person, empty = estimator(dotted(), [BOX, [0, 0, 30, 20]])
    is_right(person)
    assert not empty.labelled.any()
    is_right(estimator(dotted())[0])
    assert "visibility" in estimator.protocol()["visible"]


@pytest.mark.usefixtures("stub_mediapipe")
def test_mediapipe_without_presence_has_no_scores():
    bare = StubLandmarker(make=lambda **said: SimpleNamespace(**said | {"presence": None, "visibility": None}))
    (person,) = mediapipe.adapt(bare, BLAZEPOSE_33)(dotted())
    assert (person.scores, person.score, person.visible, len(person)) == (None, None, None, 33)


def test_mediapipes_own_types_are_understood():
    pytest.importorskip("mediapipe")
    from mediapipe.tasks.python.components.containers.landmark import NormalizedLandmark
    from mediapipe.tasks.python.vision import PoseLandmarkerResult

    landmarker = StubLandmarker(NormalizedLandmark, PoseLandmarkerResult, lambda image: image.numpy_view())
    is_right(mediapipe.adapt(landmarker)(dotted(), [BOX])[0])


def test_mediapipes_landmarks_have_our_names():
    pytest.importorskip("mediapipe")
    from mediapipe.tasks.python.vision import PoseLandmark

    theirs = [mark.name.lower().replace("mouth_left", "left_mouth").replace("mouth_right", "right_mouth")
              for mark in sorted(PoseLandmark)]  # fmt: skip
    assert tuple(theirs) == BLAZEPOSE_33.keypoints


def test_mediapipe_without_its_file_is_one_line(capsys, tmp_path):
    assert main(["predict", "photo.jpg", "--model", f"mediapipe:{tmp_path / 'none.task'}"]) == 2
    assert capsys.readouterr().err.endswith("none.task: no such file; name a pose landmarker's .task file\n")


# ultralytics-style results


def result(**changes):
    xy = np.array([[[30, 40], [0, 0], *[[35, 60]] * 15], [[80, 50], *[[85, 55]] * 16]], np.float32)
    conf = np.array([[0.9, 0.1, *[0.8] * 15], [1.1, *[0.7] * 16]], np.float32)
    boxes = SimpleNamespace(xyxy=np.array([[20, 30, 45, 70], [70, 40, 95, 65.0]]), conf=np.array([0.95, 0.6]))
    return SimpleNamespace(**{"keypoints": SimpleNamespace(xy=xy, conf=conf), "boxes": boxes} | changes)


def test_ultralytics_style_results(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"weights")
    asked = []
    estimator = ultralytics.adapt(lambda bgr: asked.append(bgr[0, 0].tolist()) or [result()], tmp_path / "w.pt")
    second, first = estimator(red_corner(), [[71, 40, 95, 66], [20, 30, 44, 70]])
    assert asked == [[0, 0, 200]], "it takes BGR"
    np.testing.assert_array_equal(first.keypoints[0], [30, 40])
    assert not first.labelled[1], "(0, 0) is absent"
    assert (first.scores[1], second.scores[0]) == (0, 1)
    assert (first.score, second.score) == (0.95, 0.6)
    assert [person.score for person in estimator(dotted())] == [0.95, 0.6]
    assert len(estimator.protocol()["weights sha256"]) == 64


def test_ultralytics_style_tensors_without_scores():
    torch = pytest.importorskip("torch")
    points = SimpleNamespace(xy=torch.tensor([[[3.0, 4.0]] * 17], requires_grad=True), conf=None)
    (person,) = ultralytics.adapt(lambda _: result(keypoints=points, boxes=None))(dotted())
    assert person.scores is None
    assert person.score is None


@pytest.mark.parametrize("nobody_there", [None, SimpleNamespace(xy=np.zeros((0, 17, 2)), conf=None),
                                          SimpleNamespace(xy=np.zeros((1, 0, 2)), conf=None)])  # fmt: skip
def test_ultralytics_style_nobody(nobody_there):
    assert ultralytics.adapt(lambda _: [result(keypoints=nobody_there, boxes=None)])(dotted()) == []


# The guide, and names


def guide_file(folder):
    """The guide's own example, as it tells to save it."""
    code = re.search(r"## Yours.*?```python\n(.*?)```", GUIDE.read_text(), re.S)[1]
    (folder / "mine.py").write_text(code)
    return folder / "mine.py"


def test_the_guides_example_runs(tmp_path, capsys):
    file = guide_file(tmp_path)
    assert len([line for line in file.read_text().splitlines() if line.strip()]) <= 10
    (person,) = posewright.load(f"{file}:my_estimator")(dotted(), [[10, 20, 110, 100]])
    np.testing.assert_allclose(person.keypoints, np.tile([60, 60], (17, 1)), atol=1)
    coco.write(world(2, 0, skeleton=COCO), tmp_path / "data")
    name, out = f"{file}:my_estimator", tmp_path / "out"
    assert main(["evaluate", name, "--data", f"coco:{tmp_path / 'data'}", "--out", str(out)]) == 0
    told = json.loads((out / "scores.json").read_text())["files"][0]["metrics"]["oks_ap"]["protocol"]
    assert told["weights"] == "none: the middle of the box"
    pictures = str(tmp_path / "data" / "images")
    assert main(["predict", pictures, "--model", name, "--out", str(out)]) == 0
    assert "2 people in 2 pictures" in capsys.readouterr().out


def test_an_adapted_estimator_is_studied_from_the_command_line(tmp_path, capsys):
    name = f"{guide_file(tmp_path)}:my_estimator"
    options = ["--people", "3", "--attacks", "parts", "--fills", "blackout", "--draws", "20", "--out", str(tmp_path)]
    assert main(["occlude", "--model", name, *options]) == 0, capsys.readouterr().err
    protocol = json.loads((tmp_path / "study.json").read_text())["protocol"]
    assert (protocol["weights"], protocol["skeleton"]) == ("none: the middle of the box", "coco")
    assert protocol["people"] == 3


@pytest.mark.parametrize(("text", "model", "complaint"), [
    ("x = 1\ny = 1 / 0", "y", "mine.py, line 2: ZeroDivisionError"),
    ("def my_function(pixels): ...", "my_function", "has no estimator 'my_function'; posewright.estimators.ad"),
    ("x = 1", "y", "has no estimator 'y'"),
])  # fmt: skip
def test_a_file_without_an_estimator_is_one_line(text, model, complaint, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(text)
    assert main(["predict", "photo.jpg", "--model", f"{tmp_path / 'mine.py'}:{model}"]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("raised", ["KeyError('pose')", "RuntimeError('no such layer')", "OSError('gone')"])
def test_a_mistake_while_it_is_asked_names_the_file_and_the_line(raised, tmp_path, capsys):
    lines = ("from posewright.estimators.adapters import Adapted", "def look(pixels, boxes):", f"    raise {raised}")
    text = "\n".join((*lines, "y = Adapted(look)"))
    (tmp_path / "mine.py").write_text(text)
    coco.write(world(1, 0, skeleton=COCO), tmp_path / "data")
    name = f"{tmp_path / 'mine.py'}:y"
    for verb in (["evaluate", name, "--data", f"coco:{tmp_path / 'data'}"],
                 ["occlude", "--model", name, "--people", "1", "--attacks", "parts"]):  # fmt: skip
        assert main([*verb, "--out", str(tmp_path / verb[0])]) == 2
        said = capsys.readouterr().err.splitlines()
        assert f"mine.py, line 3: {raised.partition('(')[0]}: " in said[-1]
        assert not any("Traceback" in line for line in said)


def test_flip_is_for_our_own_networks(tmp_path):
    with pytest.raises(ValueError, match="are for networks of posewright's own"):
        posewright.load(f"{guide_file(tmp_path)}:my_estimator", flip=True)
    with pytest.raises(FileNotFoundError, match=r"none\.py: no such file"):
        posewright.load("none.py:my_estimator")


def test_the_demo_takes_our_own_networks_only(tmp_path, capsys):
    assert main(["demo", "--model", f"{guide_file(tmp_path)}:my_estimator", "--out", str(tmp_path / "out")]) == 2
    assert "the demo shows networks of posewright's own" in capsys.readouterr().err
