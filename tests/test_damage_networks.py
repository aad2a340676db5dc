"""Networks: threads that ask at once, files whose facts, graph and weights do not fit, checkpoints of other kinds."""

import json
import os
import threading

import numpy as np
import pytest

import posewright
from posewright.cli import main
from posewright.estimators.arrived import why_not
from posewright.estimators.embedded import embedded_file
from posewright.estimators.runtimes import ModelFileError
from posewright.estimators.weights import fetch, named_hash
from posewright.models.report import WeightsError

onnx = pytest.importorskip("onnx")
BOX = [20, 10, 220, 230]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch"])
def test_every_thread_gets_the_answer_to_its_own_picture(backend):
    if backend != "onnxruntime":
        pytest.importorskip(backend)
    estimator = posewright.load(backend=backend, threads=1)
    pictures = [np.random.default_rng(n).integers(0, 255, (240, 320, 3), np.uint8) for n in range(4)]
    alone = [estimator(one, [BOX])[0].keypoints for one in pictures]
    same = []

    def ask(first):
        for n in range(first, first + 8):
            same.append(np.array_equal(estimator(pictures[n % 4], [BOX])[0].keypoints, alone[n % 4]))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(same) == 32
    assert all(same)


def test_torch_in_a_forked_process_is_said_not_waited_for():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        estimator = posewright.load(backend="torch")
        picture = np.zeros((240, 320, 3), np.uint8)
        estimator(picture, [BOX])
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                estimator(picture, [BOX])
                said = b"answered"
            except RuntimeError as error:
                said = str(error).encode()
            os.write(writer, said)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as told:
            assert "load after the fork" in told.read()
        os.waitpid(child, 0)
    finally:
        torch.set_num_threads(before)


def changed(path, change):
    model = onnx.load(embedded_file("default"))
    change(model, {entry.key.removeprefix("posewright."): entry for entry in model.metadata_props})
    onnx.save(model, path)
    return path


def rewritten(name, value):
    def change(_, said):
        before = json.loads(said[name].value) if said[name].value[:1] in "[{" else None
        said[name].value = value if isinstance(value, str) else json.dumps(before | value)

    return change


def other_weights(model, _):
    largest = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    largest.raw_data = bytes(len(largest.raw_data))


def one_bit(model, _):
    smallest = next(one for one in model.graph.initializer if one.name.startswith("network.") and one.raw_data)
    smallest.raw_data = bytes([smallest.raw_data[0] ^ 1]) + smallest.raw_data[1:]


def no_weight(model, _):
    kept = [one for one in model.graph.initializer if one.name.startswith("network.")]
    kept[0].name = "network.other"


def other_output(model, _):
    model.graph.node[-1].output[0] = model.graph.output[0].name = "0.Nothing.maps"


def other_field(model, _):
    model.graph.node[-1].output[0] = model.graph.output[0].name = "0.Heatmaps.shape"


DAMAGE = {
    "weights": (other_weights, "its weights are not those that its metadata name"),
    "a bit": (one_bit, "its weights are not those that its metadata name"),
    "a name": (no_weight, "its weights are not those that its metadata name"),
    "codec": (rewritten("codec", "1"), "its codec must be an object"),
    "codec's field": (rewritten("codec", {"sigmoid": 1}), "has no field sigmoid"),
    "codec's kind": (rewritten("codec", {"sigma": "x"}), "its codec"),
    "codec's name": (rewritten("codec", {"codec": "os:system"}), "names nothing inside posewright.codecs"),
    "size": (rewritten("codec", {"size": [64, 64]}), r"but its codec's crops are \(64, 64, 3\)"),
    "size's kind": (rewritten("codec", {"size": "big"}), "its codec's size must be"),
    "stride": (rewritten("codec", {"stride": 8}), "but its codec reads"),
    "no stride": (rewritten("codec", {"stride": 0}), "its codec"),
    "card": (rewritten("card", "[1]"), "its card must be an object"),
    "view": (rewritten("view", {"padding": "x"}), "padding: must be a number"),
    "aim": (rewritten("view", {"aim": 5}), "aim: must name a function"),
    "normal": (rewritten("normal", {"std": [1, 0, 1]}), "its normal must be"),
    "hash": (rewritten("weights", "abc"), "must be a SHA-256"),
    "state": (rewritten("state", "7"), "its state must be an object"),
    "output": (other_output, "is no field that this posewright knows"),
    "field": (other_field, "is no field that this posewright knows"),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_an_exported_file_that_does_not_fit_itself_is_refused_on_loading(tmp_path, name, backend):
    if backend == "openvino" and name not in ("weights", "stride", "output"):
        pytest.skip("the checks are the same")
    change, reason = DAMAGE[name]
    with pytest.raises(ModelFileError, match=reason) as caught:
        posewright.load(changed(tmp_path / "m.onnx", change), backend=backend)
    assert "\n" not in str(caught.value)


def test_the_protocol_tells_the_file_s_own_hash(tmp_path):
    def note(model, _):
        model.doc_string = "another"

    here = posewright.load("default", backend="onnxruntime").protocol()
    there = posewright.load(changed(tmp_path / "m.onnx", note), backend="onnxruntime").protocol()
    assert here["weights"] == there["weights"]
    assert here["file"] != there["file"]


def test_show_says_what_is_wrong_with_a_card(tmp_path, capsys):
    path = changed(tmp_path / "card.onnx", rewritten("card", '"x"'))
    assert main(["show", str(path)]) == 2
    assert "card.onnx: its card must be an object" in capsys.readouterr().err


FACTS = {
    "normal": 7, "average": 5, "codec": [1], "history": "x", "recipe": ["x"], "step": -1, "network": {"a": 1},
    "source": 3, "seed": "x", "settings": [], "losses": ["x"], "optimiser": [],
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_a_checkpoint_s_facts_of_another_kind_are_one_line(tmp_path, name, capsys):
    torch = pytest.importorskip("torch")
    from posewright.recipes import recipe_named

    whole = {"network": recipe_named("default").network().state_dict(), "average": {}, "optimiser": {}, "step": 1,
             "recipe": "default", "source": None, "codec": None, "history": []}  # fmt: skip
    torch.save(whole | {name: FACTS[name]}, tmp_path / "m.pt")
    np.save(tmp_path / "nothing.npy", np.zeros(1))
    assert (
        main(["predict", str(tmp_path / "nothing.npy"), "--model", str(tmp_path / "m.pt"), "--out", str(tmp_path)]) == 2
    )
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"posewright: {tmp_path}/m.pt: ")
    assert name in lines[0]


@pytest.mark.parametrize(
    ("suffix", "data", "reason"),
    [
        (".pth", b"<!DOCTYPE html>\n<html>log in", "a text that begins"),
        (".onnx", embedded_file("default").read_bytes()[:9000], "cut off"),
        (".onnx", b"\x08\x07\xff", "cut off"),
        (".safetensors", (100).to_bytes(8, "little") + b"{}", "cut off"),
        (".pth", b"PK\x03\x04" + bytes(500), "cut off"),
        (".pt", b"\x80\x02" + bytes(40), ""),
        (".pth", b"", "empty"),
    ],
)
def test_what_arrives_and_is_no_whole_file_of_weights_is_not_kept(tmp_path, suffix, data, reason):
    pytest.importorskip("torch")
    (tmp_path / f"m{suffix}").write_bytes(data)
    assert reason in why_not(tmp_path / f"m{suffix}", suffix)
    assert why_not(tmp_path / f"m{suffix}", suffix)
    with pytest.raises(WeightsError, match="it was not kept"):
        fetch((tmp_path / f"m{suffix}").as_uri(), cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_hash_behind_the_address_and_in_the_name_is_held(tmp_path):
    from posewright.files import sha256_of

    source = tmp_path / "n.onnx"
    source.write_bytes(embedded_file("default").read_bytes())
    right = sha256_of(source)
    assert fetch(f"{source.as_uri()}#sha256={right[:12]}", cache=tmp_path / "a").read_bytes() == source.read_bytes()
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch(f"{source.as_uri()}#sha256={'0' * 64}", cache=tmp_path / "b")
    for wrong in ("#sha256=xyz", "#sha256=", "#md5=0123456789"):
        with pytest.raises(ValueError, match=r"sha256|SHA-256"):
            fetch(source.as_uri() + wrong, cache=tmp_path / "b")
    (tmp_path / f"n-{right[:8]}.onnx").write_bytes(source.read_bytes())
    if named_hash((tmp_path / f"n-{right[:8]}.onnx").as_uri()):
        fetch((tmp_path / f"n-{right[:8]}.onnx").as_uri(), cache=tmp_path / "c")
    (tmp_path / "n-abcdef01.onnx").write_bytes(source.read_bytes())
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch((tmp_path / "n-abcdef01.onnx").as_uri(), cache=tmp_path / "c")


def test_what_came_first_is_remembered(tmp_path):
    source = tmp_path / "n.onnx"
    source.write_bytes(embedded_file("default").read_bytes())
    kept = fetch(source.as_uri(), cache=tmp_path / "cache")
    kept.write_bytes(b"damaged")
    assert fetch(source.as_uri(), cache=tmp_path / "cache").read_bytes() == source.read_bytes()
    kept.write_bytes(b"damaged")
    changed(source, other_weights)
    with pytest.raises(WeightsError, match=r"as the first time; .* delete .*\.sha256"):
        fetch(source.as_uri(), cache=tmp_path / "cache")


def test_a_download_has_limits(tmp_path, monkeypatch):
    from posewright.estimators import weights

    monkeypatch.setattr(weights, "LARGEST", 1000)
    with pytest.raises(WeightsError, match="more than 1,000 bytes"):
        fetch(embedded_file("default").as_uri(), cache=tmp_path)
    monkeypatch.setattr(weights, "LARGEST", 1 << 33)
    monkeypatch.setattr(weights, "LONGEST", 0.0)
    with pytest.raises(WeightsError, match="had not ended after 0 seconds"):
        fetch(embedded_file("default").as_uri(), cache=tmp_path)
