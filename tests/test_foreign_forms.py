"""Files of other programs, Caffe's and Keras's: read whole, by their names and shapes, and refused where damaged."""

import struct

import numpy as np
import pytest
import torch

from posewright.models import cpm
from posewright.models.caffe import read_caffe
from posewright.models.keras import from_keras
from posewright.models.load import load_original, read, weights_in
from posewright.models.pixels import Normal
from posewright.models.report import WeightsError
from posewright.train.export import checkpoint as checkpoints

LAYERS = {"conv1_stage1": (8, 3, 9, 9), "conv2_stage1": (8, 8, 9, 9)}


def number(value):
    """Write a whole number, seven bits a byte."""
    more, rest = value >> 7, value & 127
    return bytes([rest | 128]) + number(more) if more else bytes([rest])


def said(field, content):
    """Write a field that holds a text, a message or packed numbers."""
    return number(field << 3 | 2) + number(len(content)) + content


def blob(values, old):
    data = said(5, values.astype("<f4").tobytes())
    if old:
        sides = (1,) * (4 - values.ndim) + values.shape
        return b"".join(number(field << 3) + number(side) for field, side in enumerate(sides, 1)) + data
    return said(7, said(1, b"".join(map(number, values.shape)))) + data


def caffemodel(state, old=False):
    """Write a net as Caffe does: a name, layers with and without weights; since 2014 (field 100) or before (2)."""
    field, name, blobs = (2, 4, 6) if old else (100, 1, 7)
    layers = said(field, said(name, b"image") + (number(5 << 3) + number(33) if old else said(2, b"Slice")))
    for layer in dict.fromkeys(key.rpartition(".")[0] for key in state):
        held = (state[f"{layer}.{leaf}"] for leaf in ("weight", "bias") if f"{layer}.{leaf}" in state)
        rate = number(7 << 3 | 5) + struct.pack("<f", 0.5) if old else said(6, number(1 << 3 | 5) + bytes(4))
        content = said(name, layer.encode()) + b"".join(said(blobs, blob(values, old)) for values in held)
        layers += said(field, content + rate)
    return said(1, b"a net") + number(5 << 3) + number(1) + layers


@pytest.fixture
def state(rng):
    weights = {f"{name}.weight": rng.standard_normal(shape, np.float32) for name, shape in LAYERS.items()}
    return weights | {f"{name}.bias": rng.standard_normal(8, np.float32) for name in LAYERS}


@pytest.mark.parametrize("old", [False, True])
def test_caffes_layers_are_read(state, tmp_path, old):
    (tmp_path / "a.caffemodel").write_bytes(caffemodel(state, old))
    found = read(tmp_path / "a.caffemodel")
    assert found.keys() == state.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values.numpy(), state[name])


def test_what_googles_writer_writes_is_read(state, tmp_path):
    """The messages are described as caffe.proto has them (BVLC/caffe, src/caffe/proto/caffe.proto at 00733bbb)."""
    protobuf = pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    assert protobuf
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    kinds = {"string": 9, "message": 11, "float": 2, "int64": 3}
    for message, rows in {
        "BlobShape": [("dim", 1, "int64", True, "")],
        "BlobProto": [("shape", 7, "message", False, "BlobShape"), ("data", 5, "float", True, ""),
                      ("diff", 6, "float", True, "")],
        "LayerParameter": [("name", 1, "string", False, ""), ("type", 2, "string", False, ""),
                           ("blobs", 7, "message", True, "BlobProto")],
        "NetParameter": [("name", 1, "string", False, ""), ("layer", 100, "message", True, "LayerParameter")],
    }.items():  # fmt: skip
        described = file.message_type.add(name=message)
        for name, tag, kind, repeated, of in rows:
            row = described.field.add(name=name, number=tag, type=kinds[kind], label=3 if repeated else 1)
            if of:
                row.type_name = f".caffe.{of}"
            if repeated and kind in ("float", "int64"):
                row.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    net = message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))(name="net")
    for layer in LAYERS:
        written = net.layer.add(name=layer, type="Convolution")
        for leaf in ("weight", "bias"):
            values = state[f"{layer}.{leaf}"]
            array = written.blobs.add(data=values.ravel().tolist(), diff=values.ravel().tolist())
            array.shape.dim.extend(values.shape)
    (tmp_path / "a.caffemodel").write_bytes(net.SerializeToString())
    found = read_caffe(tmp_path / "a.caffemodel")
    assert found.keys() == state.keys()
    assert all(np.array_equal(found[name].numpy(), values) for name, values in state.items())


def test_a_file_of_caffes_that_is_cut_off_is_one_clear_line(state, tmp_path):
    content, path = caffemodel(state), tmp_path / "cut.caffemodel"
    for length in range(10, len(content) - 1, len(content) // 61):
        path.write_bytes(content[:length])
        told = outcome(path, state)
        assert told is None or told.startswith(f"{path}: cut off, damaged or not weights (")
        assert "\n" not in str(told)


def outcome(path, state):
    """Return the refusal; None where the file ends between two layers, and has those before."""
    try:
        found = read(path)
    except WeightsError as error:
        return str(error)
    assert found.keys() < state.keys()
    return None


@pytest.mark.parametrize(("content", "reason"), [
    (b"\xa2\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "no end to the number"),
    (b"\xa2\x06\xff\xff\xff\xff\x0fa", "a field of 4294967295 bytes where 1 are left"),
    (b"\xa3\x06a", "a field of kind 3"),
    (said(1, b"\x80 a net without layers"), "no layer in it has weights"),
    (said(100, said(1, b"\x63") + 3 * said(7, blob(np.zeros(2), False))), "layer c has 3 arrays"),
    (2 * said(100, said(1, b"\x63") + said(7, blob(np.zeros(2), False))), "two layers are called c"),
    (said(100, said(1, b"c") + said(7, said(7, said(1, b"\x05")) + said(5, bytes(8)))), "2 numbers for a shape"),
    (said(100, said(1, b"c") + said(7, said(7, said(1, b"\x05")) + said(5, bytes(7)))), "damaged"),
])  # fmt: skip
def test_what_is_no_net_of_caffes_is_refused(content, reason, tmp_path):
    (tmp_path / "a.caffemodel").write_bytes(content)
    with pytest.raises(WeightsError) as error:
        read(tmp_path / "a.caffemodel")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_cpms_layers_cover_it_and_are_turned_to_take_red_first(filled_cpm, tmp_path):
    """Names as training/genProto.py makes them (shihenw/convolutional-pose-machines-release at e6268f92)."""
    network = cpm.ConvolutionalPoseMachine(3, stages=6, width=8)
    (tmp_path / "pose.caffemodel").write_bytes(caffemodel(filled_cpm))
    report, normal = load_original(network, tmp_path / "pose.caffemodel", size=(64, 64))
    assert (report.missing, report.unused, report.misfits) == ((), (), ())
    assert len(report.matched) == len(filled_cpm) == len(network.state_dict())
    assert set(report.turned) == {"conv1_stage1.weight", "conv1_stage2.weight"}
    assert "to RGB     2: conv1_stage1.weight, conv1_stage2.weight" in str(report)
    assert normal == Normal((128 / 255,) * 3, (256 / 255,) * 3)
    own = network.state_dict()
    assert torch.equal(own["features.0.weight"], torch.from_numpy(filled_cpm["conv1_stage2.weight"]).flip(1))
    assert torch.equal(own["heads.5.bias"], torch.from_numpy(filled_cpm["Mconv5_stage6.bias"]))


@pytest.fixture
def filled_cpm(rng):
    """The authors' layers, narrow: stage 1, the shared features and evidence of stage 2 on, each stage's context."""
    wide = [(3, 8, 9), (8, 8, 9), (8, 8, 9)]
    first = [*wide, (8, 32, 5), (32, 512, 9), (512, 512, 1), (512, 4, 1)]
    shapes = {f"conv{n}_stage1": row for n, row in enumerate(first, 1)}
    shapes |= {f"conv{n}_stage2": row for n, row in enumerate([*wide, (8, 32, 5)], 1)}
    shapes |= {f"conv1_stage{t}": (8, 32, 5) for t in range(3, 7)}
    later = [(32 + 4 + 1, 8, 11), (8, 8, 11), (8, 8, 11), (8, 8, 1), (8, 4, 1)]
    shapes |= {f"Mconv{n}_stage{t}": row for t in range(2, 7) for n, row in enumerate(later, 1)}
    state = {}
    for name, (inputs, outputs, kernel) in shapes.items():
        weight = rng.standard_normal((outputs, inputs, kernel, kernel), np.float32) / kernel / inputs**0.5
        state |= {f"{name}.weight": weight.astype(np.float32), f"{name}.bias": np.zeros(outputs, np.float32)}
    return state


KERAS = {
    "stem/kernel": (3, 3, 3, 8),
    "norm/gamma": (8,),
    "norm/moving_mean": (8,),
    "depth/depthwise_kernel": (3, 3, 8, 1),
}


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py")


@pytest.mark.parametrize("whole", [True, False])
def test_keras_h5_is_read_as_its_arrays_are(h5py, rng, tmp_path, whole):
    arrays = {name: rng.standard_normal(shape, np.float32) for name, shape in KERAS.items()}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        home = file.create_group("model_weights") if whole else file
        for name, values in arrays.items():
            home[f"{name.partition('/')[0]}/{name}:0"] = values
        home.create_group("activation")
        if whole:
            file["optimizer_weights/Adam/iter:0"] = 3
    found, wanted = read(tmp_path / "a.h5"), from_keras(arrays)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_an_h5_that_is_not_keras_or_points_elsewhere_is_refused(h5py, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["layers/conv/vars/0"] = np.zeros(3)
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["model_weights"] = h5py.ExternalLink("other.h5", "layers")
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.create_dataset("stem/stem/bias:0", (3,), "f4", external=[(str(tmp_path / "other.h5"), 0, 12)])
    (tmp_path / "cut.h5").write_bytes((tmp_path / "other.h5").read_bytes()[:700])
    reasons = {
        "other": "not named as Keras",
        "links": "not named as Keras",
        "outside": "another file",
        "cut": "cut off",
    }
    for name, reason in reasons.items():
        with pytest.raises(WeightsError, match=reason):
            read(tmp_path / f"{name}.h5")


def test_a_form_that_is_not_known_says_so(tmp_path):
    """Torch7's files begin with whole numbers, and are no PyTorch's."""
    (tmp_path / "hourglass.t7").write_bytes(struct.pack("<iiii", 4, 1, 3, 0) + bytes(200))
    with pytest.raises(WeightsError, match="cut off, damaged or not weights") as error:
        checkpoints.load(tmp_path / "hourglass.t7")
    assert "\n" not in str(error.value)
    assert weights_in({"a": torch.zeros(1), "b": "text"}, "x").keys() == {"a"}
