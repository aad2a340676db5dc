"""Networks in int8: what they lose is measured, told and bounded, and their files are networks like any other."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posewright import datasets
from posewright.cli import main
from posewright.codecs.distribution import Distribution
from posewright.datasets import coco
from posewright.estimators import runtimes
from posewright.estimators.embedded import embedded_file
from posewright.estimators.runtimes import metadata
from posewright.metrics.trust.confidence import Difference
from posewright.scene import SEEN, Person, Scene
from posewright.skeleton import Skeleton
from posewright.verbs import quantize as quantizing
from posewright.verbs.held_out import looks, occluded, parted
from posewright.verbs.losses import Loss
from posewright.verbs.quantize import LossError, Plan, _refuse, quantize
from posewright.warp import around

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from posewright.estimators.runtimes.int8 import kept_single  # noqa: E402
from posewright.train import export  # noqa: E402

DOTS = Skeleton("dots", ("red", "green", "blue"), ())
CODEC = Distribution(DOTS, (64, 64))
NEAR = {"onnxruntime": 0.25, "openvino": 0.25}
"""px of a crop of 64 that a dot's place may move by, and that two runtimes may differ by."""
QUICK = Plan(calibrating=12, judging=24, draws=50)


def dotted(number, rng):
    """A dark noisy picture with a dot of each colour, far from each other."""
    pixels = rng.integers(0, 40, (64, 64, 3)).astype(np.uint8)
    places = rng.permutation([(18.0, 18.0), (45.0, 20.0), (30.0, 46.0)]) + rng.uniform(-4, 4, (3, 2))
    for colour, (x, y) in zip(np.eye(3) * 255, places, strict=True):
        cv2.circle(pixels, (round(x), round(y)), 4, colour.tolist(), -1)
    box = np.array([8.0, 8.0, 56.0, 56.0])
    person = Person(np.rint(places), np.full(3, SEEN, np.uint8), box=box, area=2304.0)
    return Scene(pixels, DOTS, (person,), (64, 64), id=number)


class Dots(torch.nn.Module):
    """Find dots by their colours, three layers deep; on what the middle layer says rides a constant."""

    def __init__(self, riding: float = 0.0) -> None:
        super().__init__()
        conv = torch.nn.Conv2d
        self.colour, self.mean, self.answer = conv(3, 3, 1), conv(3, 3, 9, stride=4, padding=4), conv(3, 3, 1)
        with torch.no_grad():
            self.colour.weight.copy_((1.5 * torch.eye(3) - 0.5)[..., None, None])
            self.colour.bias.fill_(-0.2)
            self.mean.weight.copy_(torch.eye(3)[..., None, None] / 81)
            self.mean.bias.fill_(riding)
            self.answer.weight.copy_(30 * torch.eye(3)[..., None, None])
            self.answer.bias.fill_(0.0 - 30 * riding)

    def forward(self, images):
        from posewright.fields import Heatmaps

        return [Heatmaps(self.answer(self.mean(self.colour(images).relu()).relu()))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a data set, a network that finds its dots, one that int8 breaks, and one that finds nothing."""
    place = tmp_path_factory.mktemp("int8")
    rng = np.random.default_rng(0)
    coco.write([dotted(number, rng) for number in range(45)], place / "data")
    normal = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    for name, network in {"dots": Dots(), "riding": Dots(3000.0), "blind": Dots()}.items():
        if name == "blind":
            network.answer.weight.data.neg_()
        export.onnx(network, CODEC, {"data": "dots"}, place / f"{name}.onnx", **normal)
    return place


@pytest.fixture(scope="module")
def made(place):
    """The network in int8, and what was found on the way."""
    return quantize(place / "dots.onnx", f"coco:{place}/data", place / "int8.onnx", plan=QUICK)


def crops(place):
    scenes = datasets.read(f"coco:{place}/data", "val")
    return np.stack([look.crop.pixels for look in looks(scenes, CODEC, around, 1.25)])


def test_a_network_of_whole_numbers_finds_what_the_network_finds(place, made):
    plain, whole = (runtimes.load(place / name, "onnxruntime", threads=1) for name in ("dots.onnx", "int8.onnx"))
    people = [network.codec.decode(network(crops(place))[-1]) for network in (plain, whole)]
    first, second = (np.stack([person.keypoints for person in some]) for some in people)
    assert np.abs(first - second).max() < NEAR["onnxruntime"]
    assert not np.array_equal(first, second)
    assert made.losses[0].before > 0.5
    assert all(abs(loss.change.value) < 0.01 for loss in made.losses)
    assert [loss.shown for loss in made.losses] == ["clean", "occluded"]
    assert made.losses[1].before < made.losses[0].before


@pytest.mark.usefixtures("made")
def test_both_runtimes_say_the_same(place):
    pytest.importorskip("openvino")
    networks = [runtimes.load(place / "int8.onnx", backend, threads=1) for backend in NEAR]
    one, other = ([p.keypoints for p in CODEC.decode(network(crops(place))[-1])] for network in networks)
    assert np.abs(np.stack(one) - np.stack(other)).max() < NEAR["openvino"]
    assert [network.protocol["precision"] for network in networks] == ["int8", "int8"]
    assert runtimes.load(place / "int8.onnx", "openvino", "bf16").protocol["precision"] == "int8, else bf16"


@pytest.mark.usefixtures("made")
def test_weights_are_whole_numbers_between_the_first_and_the_last_layer(place):
    stored = {one.name: one.data_type for one in onnx.load(place / "int8.onnx").graph.initializer}
    assert stored["network.mean.weight_quantized"] == onnx.TensorProto.INT8
    assert stored["network.colour.weight"] == stored["network.answer.weight"] == onnx.TensorProto.FLOAT


def test_the_file_says_what_it_is_and_what_was_lost(place, made, capsys):
    facts, before = (metadata.facts(place / name) for name in ("int8.onnx", "dots.onnx"))
    said = facts.card["int8"]
    assert facts.precision == "int8"
    assert (metadata.described(facts.codec), facts.card["data"]) == (metadata.described(before.codec), "dots")
    assert facts.weights != before.weights == said["of"]
    assert said["ranges"].startswith("24 pictures of 12 people of data, split val")
    assert said["judged"].startswith("24 other people")
    assert f"AP {made.losses[0].before:.4f} to {made.losses[0].after:.4f}" in said["clean"]
    assert main(["show", str(place / "int8.onnx")]) == 0
    assert "bound: 1 points" in capsys.readouterr().out


@pytest.mark.usefixtures("made")
def test_what_is_scored_with_it_says_int8(place, tmp_path):
    data = ["--data", f"coco:{place}/data", "--split", "val", "--draws", "0"]
    assert main(["evaluate", str(place / "int8.onnx"), *data, "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "protocol.json").read_text())["estimator"]["precision"] == "int8"


def test_the_table_fits_a_terminal_of_80_columns(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    words = [f"{place}/dots.onnx", "--data", f"coco:{place}/data", "--calibrate", "12", "--people", "24"]
    assert main(["quantize", *words, "--out", str(tmp_path / "x.onnx")]) == 0
    said = capsys.readouterr().out
    assert "…" not in said
    assert "95% interval" in said
    assert f"{tmp_path}/x.onnx: " in said.splitlines()[-1]


@pytest.mark.usefixtures("made")
def test_the_same_seed_gives_the_same_bytes(place, tmp_path):
    quantize(place / "dots.onnx", f"coco:{place}/data", tmp_path / "again.onnx", plan=QUICK)
    assert (tmp_path / "again.onnx").read_bytes() == (place / "int8.onnx").read_bytes()


def test_a_loss_above_the_bound_is_refused_and_nothing_is_written(place, tmp_path, capsys):
    kept = tmp_path / "kept.onnx"
    kept.write_bytes(b"an older file")
    words = ["quantize", f"{place}/riding.onnx", "--data", f"coco:{place}/data", "--calibrate", "12", "--people", "24"]
    assert main([*words, "--draws", "50", "--out", str(kept)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "kept.onnx: not written, int8 loses " in line
    assert "points of AP on clean people" in line
    assert line.endswith("allowed are 1")
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_bytes() == b"an older file"


@pytest.mark.parametrize(("after", "refused"), [(0.5, False), (0.491, False), (0.489, True), (float("nan"), True)])
@pytest.mark.parametrize("which", [0, 1])
def test_the_bound_holds_for_people_as_they_are_and_occluded(tmp_path, after, refused, which):
    fine = Loss("some", 0.5, 0.5, Difference(0.0, 0.0, 0.0, 1.0), 0.1, (0.1, 0.1))
    lossy = fine._replace(shown="other", after=after, change=Difference(after - 0.5, -1.0, 1.0, 0.1))
    found = [lossy, fine] if which else [fine, lossy]
    if refused:
        with pytest.raises(LossError, match=r"int8 loses (1\.10|nan) points of AP on other people"):
            _refuse(tmp_path / "x.onnx", "AP", found, 1.0)
    else:
        _refuse(tmp_path / "x.onnx", "AP", found, 1.0)


MISTAKES = {
    "nowhere.onnx --data {data}": "nowhere.onnx: no such file",
    "{place}/dots.onnx --data nowhere": "nowhere: no such folder",
    "{place}/dots.onnx --data {data} --bound 0": "the bound must be above 0 points and at most 100, not 0",
    "{place}/dots.onnx --data {data} --people 0": "must be 1 or more",
    "{place}/dots.onnx --data {data} --backend torch": "--backend: must be auto or onnxruntime or openvino",
    "{place}/dots.onnx --data {data} --recipe default": "says itself what it is",
    "{place}/dots.onnx --data {data} --out {place}/x.bin": "x.bin: must be the .onnx file to write",
    "{place}/dots.onnx --data {place}/few": "4 people are labelled, in 4 pictures or groups of them: int8 needs 30",
    "{place}/blind.onnx --data {data}": "so that a loss of 1 points could not be seen",
    "{place}/int8.onnx --data {data}": "int8.onnx: is in int8 already",
    "{place}/text.onnx --data {data}": "text.onnx: no ONNX file",
    "movenet:{place}/dots.onnx --data {data}": "int8 is for networks of posewright's own",
}


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("command", MISTAKES)
def test_every_mistake_is_one_clear_line_and_nothing_is_written(place, tmp_path, command, capsys):
    (place / "text.onnx").write_text("no network")
    if not (place / "few").exists():
        coco.write([dotted(number, np.random.default_rng(number)) for number in range(4)], place / "few")
    words = [word.format(place=place, data=f"coco:{place}/data") for word in command.split()]
    out = [] if "--out" in words else ["--out", str(tmp_path / "x.onnx")]
    capsys.readouterr()
    assert main(["quantize", *words, *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert MISTAKES[command] in line
    assert list(tmp_path.iterdir()) == []


def test_torch_cannot_judge(place, tmp_path):
    with pytest.raises(ValueError, match="torch runs no file in int8"):
        quantize(place / "dots.onnx", f"coco:{place}/data", tmp_path / "x.onnx", backend="torch")


def test_an_interrupt_leaves_nothing_behind(place, tmp_path, monkeypatch):
    def interrupted(*given):
        usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
        try:
            os.kill(os.getpid(), signal.SIGINT)
            return before(*given)
        finally:
            signal.signal(signal.SIGINT, usual)

    before = quantizing.losses
    monkeypatch.setattr(quantizing, "losses", interrupted)
    words = [f"{place}/dots.onnx", "--data", f"coco:{place}/data", "--out", str(tmp_path / "x.onnx")]
    assert main(["quantize", *words]) == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("made")
def test_weights_that_were_changed_are_refused(place, tmp_path):
    model = onnx.load(place / "int8.onnx")
    (weight,) = (one for one in model.graph.initializer if one.name == "network.mean.weight_quantized")
    weight.raw_data = bytes([weight.raw_data[0] ^ 1]) + weight.raw_data[1:]
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(metadata.ModelFileError, match="its weights are not those that its metadata name"):
        runtimes.load(tmp_path / "changed.onnx", "onnxruntime")


@pytest.mark.usefixtures("made")
def test_a_precision_that_there_is_not_is_refused(place, tmp_path):
    about = metadata.read(place / "int8.onnx") | {"precision": "int4"}
    (tmp_path / "x.onnx").write_bytes(metadata.sealed(onnx.load(place / "int8.onnx"), about))
    with pytest.raises(metadata.ModelFileError, match="its precision must be fp32 or int8, not 'int4'"):
        metadata.facts(tmp_path / "x.onnx")


def test_a_network_of_whole_pictures_is_judged_by_the_boxes(tmp_path):
    from posewright.datasets.synthetic import world

    coco.write(world(36, 5, size=(320, 320), people=(1, 2)), tmp_path / "data")
    plan = QUICK._replace(bound=5)
    found = quantize(embedded_file("person"), f"coco:{tmp_path}/data", tmp_path / "x.onnx", plan=plan)
    assert found.number == "AP"
    assert np.isnan(found.losses[0].px)
    assert found.losses[0].before > 0.1
    detector = runtimes.load(tmp_path / "x.onnx", "onnxruntime", threads=1)
    assert detector.protocol["precision"] == "int8"


@pytest.mark.usefixtures("made")
def test_torch_says_that_it_does_not_take_it(place):
    with pytest.raises(metadata.ModelFileError, match=r"int8\.onnx: is in int8, which torch neither runs nor learns"):
        runtimes.load(place / "int8.onnx", "torch", build=Dots)


def test_an_exported_network_needs_no_torch(place, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nsys.modules['torch'] = None\n"
        "from posewright.verbs.quantize import Plan, quantize\n"
        f"quantize({str(place / 'dots.onnx')!r}, 'coco:{place}/data', Path({str(tmp_path / 'x.onnx')!r}), "
        "plan=Plan(12, 24, draws=50))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert metadata.facts(tmp_path / "x.onnx").precision == "int8"


def test_nobody_who_judges_has_set_the_ranges(place):
    scenes = datasets.read(f"coco:{place}/data", "val")
    learning, judging = parted(scenes, 12, 100, seed=3)
    first, second = ({scene.id for scene in some} for some in (learning, judging))
    assert (len(first), len(second), first & second) == (12, 33, set())
    assert [scene.id for scene in parted(scenes, 12, 100, seed=3)[0]] == [scene.id for scene in learning]
    assert {scene.id for scene in parted(scenes, 12, 100, seed=4)[0]} != first
    assert len(parted(scenes, 100, 100, seed=0)[0]) == 15


def test_pictures_of_one_group_stay_together(place):
    scenes = [replace(s, group=n // 9) for n, s in enumerate(datasets.read(f"coco:{place}/data", "val"))]
    groups = [{scene.group for scene in some} for some in parted(scenes, 12, 100, seed=0)]
    assert [len(some) for some in groups] == [2, 3]
    assert not groups[0] & groups[1]
    with pytest.raises(ValueError, match="45 people are labelled, in 1 pictures or groups"):
        parted([replace(scene, group="one") for scene in scenes], 12, 100, seed=0)


def test_occlusion_covers_a_keypoint_of_everybody(place, rng):
    (look, *_) = looks(datasets.read(f"coco:{place}/data", "val"), CODEC, around, 1.25)
    covered = occluded(look.crop, rng)
    assert (covered.pixels != look.crop.pixels).any(-1).sum() > 20
    assert covered.people[0].visible.sum() < look.crop.people[0].visible.sum()
    assert look.crop.source_size == (64, 64)


def test_first_and_last_layers_of_every_stage_stay_as_they_are():
    node, tensor = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    row = "Cast pixels a, Conv a b, Relu b c, Conv c d, Clip d e, Conv e top, Conv e f, Add f g, Conv g h, Mul h end"
    ways = [words.split() for words in row.split(", ")]
    nodes = [node(kind, [above], [below], name=f"{kind}.{below}") for kind, above, below in ways]
    ends = [tensor(name, onnx.TensorProto.FLOAT, None) for name in ("pixels", "top", "end")]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:])
    kept = kept_single(onnx.helper.make_model(graph))
    assert kept == {"Cast.a", "Conv.b", "Conv.top", "Conv.h", "Mul.end"}
