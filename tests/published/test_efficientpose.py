"""EfficientPose with its authors' weights against what their own programs answered, on drawn and on real pictures."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from posewright import picture  # noqa: E402
from posewright.cli import main  # noqa: E402
from posewright.codecs.efficientpose import SURE, EfficientPose  # noqa: E402
from posewright.datasets import coco, mpii  # noqa: E402
from posewright.fields import Affinities, Heatmaps  # noqa: E402
from posewright.models import efficientpose, efficientpose_lite  # noqa: E402
from posewright.models.count import macs, numbers, parameters  # noqa: E402
from posewright.models.load import load_into, load_original, ordered  # noqa: E402
from posewright.models.pixels import FromPixels, Normal  # noqa: E402
from posewright.models.report import WeightsError, renamed  # noqa: E402
from posewright.scene import Person, each_person  # noqa: E402
from posewright.skeleton import COCO, MPII  # noqa: E402
from posewright.verbs.load import load  # noqa: E402

ORDER = efficientpose.ORIGINAL.orders[0][1]
OUTPUTS = ("pass1_skeleton_pafs", "pass2_detection1_confs", "pass3_detection2_confs", "upscaled_confs")
SIZES = {"rt": efficientpose.RT, "i": efficientpose.I, "ii": efficientpose.II}
NETWORKS = {
    "rt": efficientpose.efficientpose_rt,
    "i": efficientpose.efficientpose_i,
    "ii": efficientpose.efficientpose_ii,
    "iii": efficientpose.efficientpose_iii,
    "iv": efficientpose.efficientpose_iv,
    "rt_lite": efficientpose_lite.efficientpose_rt_lite,
    "i_lite": efficientpose_lite.efficientpose_i_lite,
    "ii_lite": efficientpose_lite.efficientpose_ii_lite,
}
either = pytest.mark.parametrize("name", ["rt", "i"])


@pytest.fixture(scope="module")
def weighted(data_dir):
    """Build a network with its authors' weights, and return it with the report of what fitted."""

    def build(name):
        model = NETWORKS[name]()
        path = data_dir / "weights" / f"efficientpose_{name}.npz"
        side = SIZES[name].side
        return model.eval(), load_into(
            model, path, efficientpose.RENAMES, efficientpose.ORIGINAL.orders, size=(side, side)
        )

    return build


def in_our_order(maps, name):
    """Put maps (1, maps, h, w) of the authors into MPII's order."""
    return maps if name == OUTPUTS[0] else maps[:, list(ORDER)]


def recorded(vector, case, name):
    """Return what the original answered, in our order, and NaN where only a sample of it is kept."""
    key = f"output_{case}_{name}"
    if key in vector:
        return in_our_order(vector[key], name)
    maps = np.full(vector[f"{key}_shape"], np.nan, np.float32)
    maps.reshape(-1)[vector[f"{key}_index"]] = vector[f"{key}_sample"]
    return in_our_order(maps, name)


@either
def test_answers_as_the_original(name, weighted, waves, reference):
    vector = reference(f"efficientpose_{name}")
    model, report = weighted(name)
    assert (report.missing, report.unused, report.misfits) == ((), (), ())
    assert len(report.matched) == len(json.loads(str(vector["names"])))
    images = {f"fill{seed}": torch.from_numpy(waves(seed, *vector[f"input_fill{seed}_size"])) for seed in (3, 4)}
    looked = FromPixels(model)
    with torch.inference_mode():
        answers = {case: model(image) for case, image in images.items()}
        for number in range(4):
            pixels = torch.from_numpy(vector[f"input_image{number}_uint8"])
            answers[f"image{number}"] = looked(pixels[None])
    for case, stages in answers.items():
        assert [type(stage) for stage in stages] == [Affinities, Heatmaps, Heatmaps, Heatmaps]
        for output, stage in zip(OUTPUTS, stages, strict=True):
            expected = recorded(vector, case, output)
            assert stage.maps.shape == expected.shape
            assert np.nanmax(np.abs(stage.maps.numpy() - expected)) < 2e-5 * np.nanmax(np.abs(expected))


def unpadded(person, size, side):
    """Return keypoints (K, 2) of a padded square as parts of the picture, moved to its border, as the authors do.

    They count the padding as though the resized picture had not been rounded to whole pixels; `Crop.back` undoes what
    was done, up to 0.7 px of the square apart.
    """
    shown = np.array(size) / max(size)
    parts = ((person.keypoints + 0.5) / side - (1 - shown) / 2) / shown
    return np.where(parts < 0, -0.5 / side, np.where(parts > 1, 1.0, parts))


@either
def test_both_decoders_read_as_the_original(name, weighted, reference):
    vector = reference(f"efficientpose_{name}")
    model, _ = weighted(name)
    side = SIZES[name].side
    still = EfficientPose(MPII, (side, side))
    live = replace(still, smoothing=0.0, least=SURE)
    unsure = 0
    for number, about in enumerate(json.loads(str(vector["meta"]))["images"]):
        height, width = about["size"]
        with torch.inference_mode():
            answer = FromPixels(model)(torch.from_numpy(vector[f"input_image{number}_uint8"])[None])[-1]
        fields = Heatmaps(answer.maps.numpy())
        (person,), (seen,) = still.decode(fields), live.decode(fields)
        np.testing.assert_allclose(person.scores, vector[f"output_image{number}_peak"][list(ORDER)], rtol=1e-4)
        joints = vector[f"output_image{number}_joints"][list(ORDER)]
        np.testing.assert_allclose(unpadded(person, (width, height), side), joints, rtol=0, atol=1e-6)
        expected = vector[f"output_image{number}_joints_realtime"][list(ORDER)]
        sure = seen.labelled
        np.testing.assert_array_equal(sure, person.scores >= SURE)
        np.testing.assert_allclose(unpadded(seen, (width, height), side)[sure], expected[sure], rtol=0, atol=1e-6)
        np.testing.assert_allclose(expected[~sure] * side, -0.5)
        unsure += (~sure).sum()
        warp = EfficientPose.around((width / 2 - 0.5, height / 2 - 0.5), (width, height), (side, side))
        apart = (warp.inverse((width, height)).points(person.keypoints) + 0.5) / (width, height) - joints
        assert np.abs(apart * (width, height)).max() * side / max(width, height) < 0.7
    assert unsure


@pytest.mark.parametrize("case", range(4))
def test_resizes_pads_and_cuts_as_the_original(case, reference):
    vector = reference("efficientpose_preprocess")
    pixels, side = vector[f"input_{case}"], int(vector[f"input_{case}_resolution"])
    size = (pixels.shape[1], pixels.shape[0])
    resized = EfficientPose.around((np.array(size) - 1) / 2, size, (side, side)).image(pixels)
    assert np.abs(resized.astype(int) - vector[f"output_{case}_uint8"]).max() <= 1
    assert (resized != vector[f"output_{case}_uint8"]).mean() < 0.002
    for name, module in (("", efficientpose), ("_lite", efficientpose_lite)):
        entering = []
        network = torch.nn.Module()
        network.forward = entering.append
        FromPixels(network, *module.ORIGINAL.normal)(torch.from_numpy(resized)[None])
        same = (resized == vector[f"output_{case}_uint8"]).all(-1)
        ours = entering[0][0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(ours[same], vector[f"output_{case}{name}"][same], rtol=0, atol=1e-5)


@either
def test_photographs_enter_as_in_the_original(name, data_dir, reference):
    vector = reference(f"efficientpose_{name}")
    side = SIZES[name].side
    for number, about in enumerate(json.loads(str(vector["meta"]))["images"]):
        (path,) = (data_dir / "samples").rglob(about["file"])
        pixels = picture.read(path)
        x0, y0, x1, y1 = about["box"] or (0, 0, pixels.shape[1], pixels.shape[0])
        rim = max(x1 - x0, y1 - y0)
        shown = np.pad(pixels, ((rim, rim), (rim, rim), (0, 0)))[y0 + rim : y1 + rim, x0 + rim : x1 + rim]
        size = (x1 - x0, y1 - y0)
        entered = EfficientPose.around((np.array(size) - 1) / 2, size, (side, side)).image(shown)
        assert np.abs(entered.astype(int) - vector[f"input_image{number}_uint8"]).max() <= 1


LITE_SIDES = {"rt_lite": 224, "i_lite": 256}
lite = pytest.mark.parametrize("name", LITE_SIDES)


def folded(model):
    """Fold each normalisation into the convolution before it and round both to half precision, as TFLite's files do."""
    for row in list(model.modules()):
        layers = list(row.children()) if isinstance(row, torch.nn.Sequential) else []
        for number, (convolution, norm) in enumerate(pairwise(layers)):
            if isinstance(norm, torch.nn.BatchNorm2d):
                fused = torch.nn.utils.fuse_conv_bn_weights(
                    convolution.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                )
                convolution.weight, convolution.bias = fused
                row[number + 1] = torch.nn.Identity()
    for value in model.parameters():
        value.data = value.half().float()
    return model


@pytest.fixture(scope="module")
def lite_weighted(data_dir):
    """Build a LITE network with its authors' weights."""

    def build(name):
        model, side = NETWORKS[name](), LITE_SIDES[name]
        report, normal = load_original(model, data_dir / "weights" / f"efficientpose_{name}.npz", size=(side, side))
        assert (report.missing, report.unused, report.misfits) == ((), (), ())
        assert normal == Normal((0.5,) * 3, (0.5,) * 3)
        return model.eval()

    return build


@lite
@pytest.mark.parametrize(("prepare", "tolerance"), [(lambda model: model, 1.5e-2), (folded, 5e-4)],
                         ids=["single precision", "half precision, folded"])  # fmt: skip
def test_lite_answers_as_the_original(name, prepare, tolerance, lite_weighted, reference):
    vector = reference(f"efficientpose_{name}")
    side = LITE_SIDES[name]
    noise = np.random.default_rng(int(vector["input_seed"])).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)
    with torch.inference_mode():
        answer = prepare(lite_weighted(name))(torch.from_numpy(noise).permute(0, 3, 1, 2))[-1].maps.numpy()
    assert answer.shape == tuple(vector["output_upscaled_confs_shape"])
    theirs = np.empty_like(answer)  # in their order, as the samples are
    theirs[:, list(ORDER)] = answer
    away = np.abs(theirs.reshape(-1)[vector["output_upscaled_confs_index"]] - vector["output_upscaled_confs_sample"])
    assert away.max() < tolerance * float(vector["output_upscaled_confs_absmax"])


def test_lite_renames_leave_our_own_names_alone():
    with torch.device("meta"):
        names = list(NETWORKS["ii_lite"]().state_dict())
    assert [renamed(name, efficientpose_lite.RENAMES) for name in names] == names


def test_lite_weights_load_as_keras_saves_them(data_dir, tmp_path):
    h5py = pytest.importorskip("h5py")
    with np.load(data_dir / "weights" / "efficientpose_rt_lite.npz") as arrays, h5py.File(tmp_path / "w.h5", "w") as h5:
        for name, values in arrays.items():
            h5[f"model_weights/{name.rpartition('/')[0]}/{name}:0"] = values
    report, _ = load_original(NETWORKS["rt_lite"](), tmp_path / "w.h5", size=(224, 224))
    assert (report.missing, report.unused, report.misfits) == ((), (), ())


# all numbers, those that training changes, multiply-accumulates; then the authors' parameters (M) and FLOPs (G)
COUNTS = {
    "rt": (224, 465_608, 441_000, 432_431_872),
    "i": (256, 726_116, 696_260, 827_051_648),
    "ii": (368, 1_740_380, 1_691_900, 3_800_145_760),
    "iii": (480, 3_238_264, 3_166_104, 11_522_198_848),
    "iv": (600, 6_571_542, 6_458_870, 36_029_040_400),
}
LITE = {"rt_lite": (224, 0.40, 0.86), "i_lite": (256, 0.59, 1.54), "ii_lite": (368, 1.46, 7.25)}


@pytest.mark.parametrize("name", COUNTS)
def test_is_as_large_as_the_original(name):
    side, *counts = COUNTS[name]
    with torch.device("meta"):
        model = NETWORKS[name]()
    assert [numbers(model), parameters(model), macs(model, (side, side))] == counts


@pytest.mark.parametrize("name", LITE)
def test_lite_is_as_large_as_the_authors_say(name):
    side, millions, flops = LITE[name]
    with torch.device("meta"):
        model = NETWORKS[name]()
        assert model(torch.zeros(2, 3, 64, 96))[-1].maps.shape == (2, 16, 64, 96)
    assert round(numbers(model) / 1e6, 2) == millions
    assert round(2 * macs(model, (side, side)) / 1e9, 2) == flops


def test_renames_leave_our_own_names_alone():
    with torch.device("meta"):
        names = list(NETWORKS["iii"]().state_dict())
    assert [renamed(name, efficientpose.RENAMES) for name in names] == names
    value = torch.arange(16)
    assert all(torch.equal(ordered(value, name, efficientpose.ORIGINAL.orders), value) for name in names)


def test_doublings_are_the_published_ones_and_stay(weighted):
    fresh = NETWORKS["rt"]()
    loaded, _ = weighted("rt")
    for ours, theirs in zip(fresh.upscale.parameters(), loaded.upscale.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert not any(value.requires_grad for value in (ours, theirs))


@pytest.mark.parametrize(("name", "right"), [("rt", 75), ("i", 74), ("ii", 76), ("rt_lite", 67), ("i_lite", 73)])
def test_finds_people_in_photographs(name, right, data_dir):
    """Of 76 joints of five people of MPII so many are within half a head and neck of the truth."""
    file = data_dir / "weights" / f"efficientpose_{name}.npz"
    estimator = load(file, recipe=f"efficientpose_{name}_mpii")
    near = []
    for scene in each_person(mpii.read(data_dir / "samples" / "mpii", "test")):
        truth = scene.people[0]
        (found,) = estimator(scene, [truth.box])
        assert found.box is not None
        head, neck = (truth.keypoints[MPII.keypoints.index(name)] for name in ("head_top", "upper_neck"))
        away = np.linalg.norm(found.keypoints - truth.keypoints, axis=-1)[truth.labelled]
        near += list(away < np.linalg.norm(head - neck) / 2)
    assert (sum(near), len(near)) == (right, 76)


def test_a_photograph_is_predicted_from_the_command_line(data_dir, tmp_path, capsys):
    (photo,) = (data_dir / "samples").rglob("000000000785.jpg")
    weights = data_dir / "weights" / "efficientpose_rt.npz"
    asked = ["predict", str(photo), "--model", str(weights), "--recipe", "efficientpose_rt_mpii", "--single"]
    assert main([*asked, "--out", str(tmp_path)]) == 0
    assert "matched    278 of 278" in capsys.readouterr().err
    (result,) = json.loads((tmp_path / "predictions.json").read_text())
    (scene,) = (scene for scene in coco.read(photo.parent, "test") if str(scene.image).endswith(photo.name))
    skier = max(scene.people, key=lambda person: person.area)
    found = Person(np.array(result["keypoints"]).reshape(-1, 3)[:, :2]).to(MPII, COCO)
    away = np.linalg.norm(found.keypoints - skier.keypoints, axis=-1)
    assert np.nanmean(away) < 0.05 * np.ptp(skier.box[1::2])


def test_an_archive_with_objects_is_refused(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, **{"stem_conv_res1/kernel": np.array([{}], object)})
    with pytest.raises(WeightsError, match=r"objects\.npz: cut off, damaged or not weights") as caught:
        load_into(NETWORKS["rt"](), path, efficientpose.RENAMES)
    assert "\n" not in str(caught.value)


def test_weights_of_another_size_are_refused(data_dir):
    path = data_dir / "weights" / "efficientpose_i.npz"
    with pytest.raises(WeightsError, match=r"does not fit; .* there and .* here"):
        load_into(NETWORKS["rt"](), path, efficientpose.RENAMES, efficientpose.ORIGINAL.orders)
