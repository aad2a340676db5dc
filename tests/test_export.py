"""An exported file is the network, to the bit of its weights, or it is not written."""

import numpy as np
import pytest

from posewright.codecs.distribution import Distribution
from posewright.codecs.gaussian import Gaussian
from posewright.fields import Heatmaps
from posewright.skeleton import COCO, LSP

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from torch import nn  # noqa: E402

from posewright.estimators import runtimes  # noqa: E402
from posewright.models.compact import compact  # noqa: E402
from posewright.models.pixels import FromPixels  # noqa: E402
from posewright.models.simple_baseline import simple_baseline_r50  # noqa: E402
from posewright.train import export  # noqa: E402

CODEC = Distribution(LSP, size=(64, 64))


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Move every weight and statistic away from its first value, some of them to be equal to others."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if "num_batches" in name:
            value.fill_(7)
        elif "running_var" in name or name.endswith("1.weight"):
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
        elif value.ndim == 1:
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
    return network.eval()


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return lively(compact(14))


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "compact.onnx"
    export.onnx(network, CODEC, {"data": "none"}, path)
    return path


def same(state: dict, other: dict) -> bool:
    return list(state) == list(other) and all(
        torch.equal(state[name], other[name]) and state[name].dtype == other[name].dtype for name in state
    )


def test_the_weights_come_back_to_the_bit(network, file):
    weights = export.weights_of(file)
    assert same(weights, network.state_dict())
    compact(14).load_state_dict(weights)


def test_half_the_space_holds_the_rounded_weights_to_the_bit(network, file, tmp_path, rng):
    path = tmp_path / "half.onnx"
    drift = export.onnx(network, CODEC, {}, path, half=True)
    assert drift.fields < 1e-4
    assert path.stat().st_size < 0.52 * file.stat().st_size
    wanted = {name: v.half().float() if v.ndim > 1 else v for name, v in network.state_dict().items()}
    assert same(export.weights_of(path), wanted)
    assert not same(network.state_dict(), wanted)
    rebuilt = compact(14)
    rebuilt.load_state_dict(export.weights_of(path))
    crops = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    with torch.no_grad():
        expected = FromPixels(rebuilt).eval()(torch.from_numpy(crops))[-1].maps.numpy()
    maps = runtimes.load(path, "onnxruntime", threads=1)(crops)[-1].maps
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())


def test_equal_weights_keep_their_own_names(tmp_path):
    network = compact(14).eval()  # untrained: all biases are equal, all running means
    export.onnx(network, CODEC, {}, tmp_path / "fresh.onnx")
    assert same(export.weights_of(tmp_path / "fresh.onnx"), network.state_dict())


def test_batch_norms_stay_and_nothing_is_stored_twice(network, file):
    graph = onnx.load(file).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("BatchNormalization") == sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    assert "Identity" not in kinds
    names = [one.name for one in graph.initializer]
    assert len(names) == len(set(names))
    weights = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    assert file.stat().st_size < weights + 60_000
    assert file.stat().st_size < 12 * 2**20


def test_the_file_tells_nothing_of_where_it_was_made(file):
    data = file.read_bytes()
    assert not any(
        word.encode() in data for word in ("site-packages", "compact.py", "Traceback", "/torch/", str(file.parent))
    )


def test_the_file_is_sound_and_takes_any_batch(file):
    onnx.checker.check_model(onnx.load(file), full_check=True)
    run = runtimes.load(file, "onnxruntime", threads=1)
    for count in (1, 3):
        assert run(np.zeros((count, 64, 64, 3), np.uint8))[-1].maps.shape == (count, 14, 16, 16)


def test_the_hash_is_of_the_weights_alone(network, file, tmp_path):
    export.onnx(network, CODEC, {"another": "card"}, tmp_path / "again.onnx")
    changed = lively(compact(14), seed=1)
    export.onnx(changed, CODEC, {"data": "none"}, tmp_path / "changed.onnx")
    hashes = [
        runtimes.load(path, "onnxruntime", threads=1).protocol["weights"]
        for path in (file, tmp_path / "again.onnx", tmp_path / "changed.onnx")
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_normalisation_is_the_files_own(tmp_path, network, rng):
    crops = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    pixels = FromPixels(network, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    export.onnx(pixels, CODEC, {}, tmp_path / "knows.onnx")
    export.onnx(network, CODEC, {}, tmp_path / "told.onnx", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    with torch.no_grad():
        expected = pixels(torch.from_numpy(crops))[-1].maps.numpy()
    for name in ("knows", "told"):
        maps = runtimes.load(tmp_path / f"{name}.onnx", "onnxruntime", threads=1)(crops)[-1].maps
        np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())


def test_zeros_keep_their_signs_where_weights_are_equal(tmp_path):
    network = lively(compact(14)).eval()
    biases = [part.bias for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    with torch.no_grad():
        for place, bias in enumerate(biases):
            bias.fill_(-0.0 if place % 2 else 0.0)
    export.onnx(network, CODEC, {}, tmp_path / "x.onnx")
    weights = export.weights_of(tmp_path / "x.onnx")
    assert all(
        weights[name].numpy().tobytes() == value.numpy().tobytes() for name, value in network.state_dict().items()
    )


class Drifting(nn.Module):
    """Say something else to the tracer than to anybody else."""

    def __init__(self, network: nn.Module, by: float) -> None:
        super().__init__()
        self.network, self.by = network, by

    def forward(self, images):
        (stage,) = self.network(images)
        slope = self.by * torch.arange(16.0) if torch.jit.is_tracing() else 0.0
        return [Heatmaps(stage.maps + slope)]


@pytest.mark.parametrize(("by", "refused"), [(0.0, False), (1.0, True), (float("nan"), True)])
def test_a_file_that_says_something_else_is_not_written(network, tmp_path, by, refused):
    path = tmp_path / "drifting.onnx"
    if refused:
        with pytest.raises(export.ExportError, match=r"drifting\.onnx: not written"):
            export.onnx(Drifting(network, by), CODEC, {}, path)
        assert list(tmp_path.iterdir()) == []
    else:
        export.onnx(Drifting(network, by), CODEC, {}, path)
        assert list(tmp_path.iterdir()) == [path]


def test_an_older_file_survives_a_refused_export(network, tmp_path):
    path = tmp_path / "kept.onnx"
    export.onnx(network, CODEC, {}, path)
    before = path.read_bytes()
    with pytest.raises(export.ExportError):
        export.onnx(Drifting(network, 1.0), CODEC, {}, path)
    assert path.read_bytes() == before


def test_drift_sees_px_and_scores():
    places = np.array([[[20.0, 30.0]] * 14, [[40.0, 24.0]] * 14])

    def says(shift: float, weaker: float):
        from posewright.scene import Person

        maps = CODEC.encode([Person(np.add(xy, (shift, 0))) for xy in places]).maps * weaker
        return runtimes.Network(lambda pixels: [Heatmaps(maps[: len(pixels)])], CODEC)

    crops = np.zeros((2, 64, 64, 3), np.uint8)
    still = export.drift(says(0, 1), says(0, 1), crops)
    assert (still.px_max, still.score, still.fields, still.confident) == (0, 0, 0, 28)
    moved = export.drift(says(0, 1), says(3, 1), crops)
    assert moved.px_99 == pytest.approx(3, abs=0.01)
    assert "px_99" in moved.exceeds(export.Bound(fields=1e9, score=1))
    assert "score" in export.drift(says(0, 1), says(0, 0.2), crops).exceeds(export.Bound(fields=1e9, px=1e9))
    assert still.exceeds(export.Bound()) is None


def test_the_trial_hides_people_in_half_of_its_pictures():
    pictures = export.parity.trial_pictures(CODEC, Gaussian.around, 1.25, count=6)
    black = (pictures == 0).all(-1).mean((1, 2))
    assert pictures.shape == (6, 64, 64, 3)
    assert (black[1::2] > 0.03).all()


def test_a_published_network_and_codec_travel(tmp_path):
    network = simple_baseline_r50(17).eval()
    pictures = export.parity.trial_pictures(Gaussian(COCO), Gaussian.around, 1.25, count=2)
    found = export.onnx(network, Gaussian(COCO), {}, tmp_path / "r50.onnx", aim=Gaussian.around, pictures=pictures)
    assert found.fields < 1e-4
    loaded = runtimes.load(tmp_path / "r50.onnx", "onnxruntime", threads=1)
    assert loaded.codec == Gaussian(COCO)
    assert loaded.aim is Gaussian.around
    assert same(export.weights_of(tmp_path / "r50.onnx"), network.state_dict())


class Untraceable(nn.Module):
    """Ask for what ONNX has no operator for."""

    def forward(self, images):
        return [Heatmaps(torch.linalg.eigvalsh(images @ images.transpose(-1, -2)))]


def test_a_network_that_cannot_be_exported_is_one_line(tmp_path):
    with pytest.raises(export.ExportError, match="cannot export this network") as refused:
        export.onnx(Untraceable(), CODEC, {}, tmp_path / "x.onnx")
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_exporting_leaves_the_network_as_it_was(network, tmp_path):
    network.train()
    network.head.eval()
    modes = [module.training for module in network.modules()]
    export.onnx(network, CODEC, {}, tmp_path / "x.onnx")
    assert [module.training for module in network.modules()] == modes
    network.eval()
