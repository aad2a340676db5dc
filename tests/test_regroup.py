"""Grouping anew by the command line: anybody's loose keypoints to people, by a network, by tags, by affinities."""

import json

import numpy as np
import pytest

from posewright.cli import main
from posewright.skeleton import CROWDPOSE

torch = pytest.importorskip("torch")

from posewright.codecs.bottom_up.residual_grouping import LoosePeaks, blurred, drawn_in_box  # noqa: E402
from posewright.estimators.runtimes.residual import load  # noqa: E402
from posewright.models import prn  # noqa: E402
from posewright.models.report import WeightsError  # noqa: E402
from posewright.train.export.residual import export_prn  # noqa: E402
from posewright.train.residual import Course, Example, examples, order  # noqa: E402

KEYPOINTS = len(CROWDPOSE)
BOXES = ([20.0, 20, 40, 100], [130.0, 30, 40, 100])
"""x, y, width, height of two people who stand apart."""


def people(rng):
    """Draw two people's keypoints (2, 14, 2) px inside their boxes."""
    return np.array([np.array(box[:2]) + rng.uniform(0.05, 0.95, (KEYPOINTS, 2)) * box[2:] for box in BOXES])


def results(xy, scores=0.9, **more):
    """Write keypoints as results of COCO, each with its box."""
    return [
        {"image_id": 7, "category_id": 1, "score": 0.8, "bbox": box, **{name: value[n] for name, value in more.items()},
         "keypoints": np.column_stack([one, np.full(len(one), scores)]).ravel().tolist()}
        for n, (one, box) in enumerate(zip(xy, BOXES, strict=True))
    ]  # fmt: skip


def exchanged(xy):
    """Give every second keypoint of either person to the other."""
    mixed = xy.copy()
    mixed[:, ::2] = xy[::-1, ::2]
    return mixed


def annotated(tmp_path, rng, count=6):
    """Write a file of annotations of several pictures of two people."""
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 150} for n in range(1, count + 1)]
    told = []
    for image in images:
        for one, box in zip(people(rng), BOXES, strict=True):
            told.append({"id": len(told) + 1, "image_id": image["id"], "category_id": 1, "bbox": box, "iscrowd": 0,
                         "keypoints": np.column_stack([one, np.full(KEYPOINTS, 2)]).ravel().tolist()})  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": list(CROWDPOSE.keypoints), "skeleton": []}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": told, "categories": [category]}))
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small network, trained by the command line for two epochs, and exported."""
    folder = tmp_path_factory.mktemp("prn")
    data = annotated(folder, np.random.default_rng(3))
    command = ["regroup", "train", "--data", str(data), "--out", str(folder), "--nodes", "8", "--epochs", "2"]
    assert main(command) == 0
    assert main(["regroup", "export", str(folder / "last.pt"), "--out", str(folder / "prn.onnx")]) == 0
    return folder


def written(tmp_path, content):
    path = tmp_path / "found.json"
    path.write_text(json.dumps(content))
    return path


def grouped(tmp_path, content, *options):
    out = tmp_path / "regrouped.json"
    code = main(["regroup", str(written(tmp_path, content)), "--out", str(out), "--skeleton", "crowdpose", *options])
    assert code == 0
    found = sorted(json.loads(out.read_text()), key=lambda one: one["keypoints"][0])
    return np.array([np.reshape(one["keypoints"], (-1, 3)) for one in found]), found


@pytest.mark.parametrize("file", ["prn.onnx", "last.pt"])
def test_a_network_gives_boxes_their_keypoints_back(network, tmp_path, rng, file):
    xy = people(rng)
    found, told = grouped(tmp_path, results(exchanged(xy)), "--model", str(network / file))
    np.testing.assert_allclose(found[..., :2], xy, atol=1e-9)
    np.testing.assert_allclose(found[..., 2], 0.9)
    assert [one["bbox"] for one in told] == [list(box) for box in BOXES]
    assert [one["score"] for one in told] == pytest.approx([0.8 * 0.9] * 2)
    assert {one["image_id"] for one in told} == {7}


def test_boxes_may_come_from_a_file_and_one_keypoint_found_twice_counts_once(network, tmp_path, rng):
    xy = people(rng)
    content = [dict(one) for one in results(exchanged(xy))] + results(xy + 0.2, 0.5)[:1]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 7, "category_id": 1, "bbox": BOXES[1], "score": 0.5}]))
    found, told = grouped(tmp_path, content, "--model", str(network / "prn.onnx"), "--boxes", str(boxes))
    np.testing.assert_allclose(found[..., :2], xy[1:], atol=1e-9)
    assert told[0]["score"] == pytest.approx(0.5 * 0.9)


def test_tags_group_without_boxes(tmp_path, rng):
    xy = people(rng)
    tags = np.zeros((2, KEYPOINTS))
    tags[0, ::2], tags[1, 1::2] = 5, 5
    for given in (tags.tolist(), np.stack([tags, tags + 1], -1).tolist()):
        found, _ = grouped(tmp_path, results(exchanged(xy), tags=given), "--by", "tags")
        np.testing.assert_allclose(found[..., :2], xy, atol=1e-9)


def test_affinities_group_without_boxes(tmp_path, rng):
    """Each limb of the skeleton is sure between a person's own keypoints, and unsure between strangers'."""
    xy = people(rng)
    whose = np.array([np.arange(KEYPOINTS) % 2, 1 - np.arange(KEYPOINTS) % 2])
    names = list(CROWDPOSE.keypoints)
    rows = [[], []]
    for start, end in CROWDPOSE.limbs:
        k, kind = names.index(start), names.index(end)
        for r in (0, 1):
            rows[r] += [[k, o, kind, 0.9 if whose[r, k] == whose[o, kind] else 0.1] for o in (0, 1)]
    found, _ = grouped(tmp_path, results(exchanged(xy), affinities=rows), "--by", "affinity")
    np.testing.assert_allclose(found[..., :2], xy, atol=1e-9)


def test_people_who_are_not_there_are_not_told(network, tmp_path):
    nowhere = np.zeros((2, KEYPOINTS, 2))
    found, told = grouped(tmp_path, results(nowhere, 0.0), "--model", str(network / "prn.onnx"))
    assert told == []
    assert not len(found)


def refused(capfd, tmp_path, content, *options):
    out = tmp_path / "regrouped.json"
    path = content if hasattr(content, "suffix") else written(tmp_path, content)
    assert main(["regroup", str(path), "--out", str(out), "--skeleton", "crowdpose", *options]) == 2
    assert not out.exists()
    (line,) = capfd.readouterr().err.strip().splitlines()
    return line


def test_what_lacks_is_said_in_one_line(network, tmp_path, rng, capfd):
    told = results(people(rng))
    model = ["--model", str(network / "prn.onnx")]
    assert "needs a pose residual network: name its exported file" in refused(capfd, tmp_path, told)
    assert "a tag a keypoint, which only the network that found them can tell" in refused(
        capfd, tmp_path, told, "--by", "tags"
    )
    assert "how sure limbs are, which only the network" in refused(capfd, tmp_path, told, "--by", "affinity")
    assert "a model and boxes are for --by prn" in refused(capfd, tmp_path, told, "--by", "tags", *model)
    assert "holds no results" in refused(capfd, tmp_path, [], *model)
    assert "must be COCO results, a list" in refused(capfd, tmp_path, {"images": []}, *model)
    assert "no such file" in refused(capfd, tmp_path, told, "--model", str(tmp_path / "nobody.onnx"))
    bare = [{key: value for key, value in one.items() if key != "bbox"} for one in told]
    assert "result at place 0: has no bbox; name a file of boxes by --boxes" in refused(capfd, tmp_path, bare, *model)
    short = results(people(rng), tags=[[1.0] * 3] * 2)
    assert "tags: must be 14 numbers" in refused(capfd, tmp_path, short, "--by", "tags")
    text = results(people(rng), tags=[["a"] * 14] * 2)
    assert "tags" in refused(capfd, tmp_path, text, "--by", "tags")
    beyond = results(people(rng), affinities=[[[0, 9, 1, 0.5]], []])
    assert "row 0 must be a keypoint below 14, a result below 2" in refused(capfd, tmp_path, beyond, "--by", "affinity")
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"\x08\x07nothing")
    assert "junk.onnx: ONNX Runtime refuses it" in refused(capfd, tmp_path, told, "--model", str(junk))
    wide = [{**one, "keypoints": [1.0, 2.0, 0.5] * 17} for one in told]
    out = str(tmp_path / "regrouped.json")
    assert main(["regroup", str(written(tmp_path, wide)), "--out", out, *model]) == 2
    assert "knows 14 keypoints, not 17" in capfd.readouterr().err


def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path, rng, capfd):
    data, base = annotated(tmp_path, rng, 4), ["regroup", "train", "--nodes", "4", "--batch", "3", "--data"]
    once, twice = tmp_path / "once", tmp_path / "twice"
    assert main([*base, str(data), "--out", str(once), "--epochs", "2"]) == 0
    assert main([*base, str(data), "--out", str(twice), "--epochs", "1"]) == 0
    assert main([*base, str(data), "--out", str(twice), "--epochs", "2"]) == 2
    assert "go on from it with --resume" in capfd.readouterr().err
    assert main([*base, str(data), "--out", str(twice), "--epochs", "2", "--resume"]) == 0
    ours, theirs = (torch.load(folder / "last.pt", weights_only=True) for folder in (once, twice))
    for name, value in ours["network"].items():
        torch.testing.assert_close(theirs["network"][name], value, rtol=0, atol=0)
    lines = [json.loads(line) for line in (once / "log.jsonl").read_text().splitlines()]
    assert lines == ours["history"] == theirs["history"]
    assert main([*base, str(data), "--out", str(twice), "--epochs", "3", "--resume", "--seed", "1"]) == 2
    assert "was trained with seed 0, not 1" in capfd.readouterr().err
    assert main([*base, str(data), "--out", str(tmp_path / "none"), "--resume"]) == 2
    assert main([*base, str(data), "--out", str(tmp_path / "none"), "--nodes", "0"]) == 2
    assert not (tmp_path / "none").exists()


def test_an_epoch_goes_from_easy_to_hard():
    some = [Example(np.zeros(0, int), np.zeros(0, int), (-n, -area)) for n, area in ((3, 9.0), (14, 5.0), (14, 8.0))]
    assert order(some, Course(), 0, 0) == [2, 1, 0]
    mixed = [tuple(order(some, Course(curriculum=False), 0, epoch)) for epoch in range(20)]
    assert len(set(mixed)) > 1


def test_people_with_few_keypoints_are_shown_but_not_learnt(tmp_path, rng):
    from posewright.datasets.truth import read_truth

    path = annotated(tmp_path, rng, 1)
    content = json.loads(path.read_text())
    content["annotations"][0]["keypoints"][6:] = [0] * (3 * KEYPOINTS - 6)
    content["annotations"][0]["keypoints"][0] = 131.0
    path.write_text(json.dumps(content))
    (one,) = examples(read_truth(str(path)))
    assert len(one.own) == KEYPOINTS
    assert len(one.shown) == KEYPOINTS + 1
    with pytest.raises(ValueError, match="nobody has 15 labelled keypoints or more"):
        examples(read_truth(str(path)), 15)


@pytest.mark.parametrize("build", [prn.prn, prn.prn_two_layers, lambda k, n: prn.ReleasedPRN(k, n)])
def test_a_folded_first_layer_is_exact_and_whole_numbers_are_near(build, tmp_path):
    torch.manual_seed(0)
    network = build(5, 16)
    names = tuple("abcde")
    assert export_prn(network, names, tmp_path / "a.onnx") < 1e-5
    assert export_prn(network, names, tmp_path / "b.onnx", int8=True) < 0.05
    rng = np.random.default_rng(1)
    box = np.array([0.0, 0, 36, 56])
    peaks = LoosePeaks(rng.uniform(-4, 40, (30, 2)), rng.integers(0, 5, 30), np.ones(30))
    marks = drawn_in_box(peaks, box, 5)[None]
    with torch.inference_mode():
        wanted = network.eval()(torch.from_numpy(blurred(marks)))[-1].maps.numpy()
    found = load(tmp_path / "a.onnx", 5)
    assert found.keypoints == names
    np.testing.assert_allclose(found.respond(marks), wanted, rtol=1e-4, atol=1e-8)


def test_the_authors_weights_load_by_their_names(tmp_path):
    network = prn.ReleasedPRN(5, 8)
    theirs = {"hidden.0": "dens1", "hidden.3": "bneck", "out": "dens2"}
    state = {f"module.{theirs[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value
             for key, value in network.state_dict().items()}  # fmt: skip
    torch.save(state, tmp_path / "theirs.pth")
    marks = np.full((1, 5, 56, 36), -1)
    marks[0, 2, 30, 20] = 0
    with torch.inference_mode():
        wanted = network.eval()(torch.from_numpy(blurred(marks)))[-1].maps.numpy()
    found = load(tmp_path / "theirs.pth", 5)
    np.testing.assert_allclose(found.respond(marks), wanted, rtol=1e-5)
    assert found.keypoints == ()
    with pytest.raises(WeightsError, match="a pose residual network of 5 keypoints, not 6"):
        load(tmp_path / "theirs.pth", 6)
    torch.save({"prn": {"nodes": "8"}, "network": {}}, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match="prn must say nodes, layers, dropout, residual"):
        load(tmp_path / "odd.pt", 5)
