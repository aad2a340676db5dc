"""Distance metrics of single people against the numbers of the evaluators that published ones come from."""

import json

import numpy as np
import pytest

from posewright.metrics.distance.heatmaps import heatmap_accuracy, peaks
from posewright.metrics.distance.nme import auc, epe, nme
from posewright.metrics.distance.pck import pck, pckh
from posewright.metrics.distance.pcp import correct, pcp
from posewright.metrics.distance.pdj import pdj
from posewright.scene import Person, Scene
from posewright.skeleton import LSP, MPII, Skeleton

SETS = ["lsp_pc", "flic_oc"]
PARTS = ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"]


def alone(skeleton, keypoints, **fields):
    return [
        Scene("", skeleton, (Person(xy.astype(np.float64), **{k: v[i] for k, v in fields.items()}),))
        for i, xy in enumerate(keypoints)
    ]


def of_set(vector, name):
    """The skeleton, predicted and true scenes, and what the evaluation says of the set."""
    meta = json.loads(str(vector["meta"]))["sets"][name]
    names = tuple(meta["joints"])
    skeleton = LSP if names == LSP.keypoints else Skeleton("flic_oc", names, ())
    predicted, truth = (alone(skeleton, vector[f"input_{name}_{kind}"]) for kind in ("pred", "gt"))
    return skeleton, predicted, truth, meta


@pytest.mark.parametrize("name", SETS)
def test_the_curve_of_pck_and_its_area(name, reference):
    vector = reference("pck_lsp")
    skeleton, predicted, truth, _ = of_set(vector, name)
    thresholds = 0.01 * np.arange(21)
    score = pck(predicted, truth, thresholds)
    keys = [*(f"/{k}" for k in skeleton.keypoints), ""]
    found = [[100 * score[f"PCK@{t:g}{key}"] for key in keys] for t in thresholds]
    np.testing.assert_allclose(found, vector[f"output_{name}_pck"], rtol=1e-14)
    assert 100 * score["PCK_AUC"] == pytest.approx(float(vector[f"output_{name}_auc"]), abs=2e-4)


@pytest.mark.parametrize("name", SETS)
def test_pdj_along_its_curve(name, reference):
    vector = reference("pdj")
    skeleton, predicted, truth, meta = of_set(reference("pck_lsp"), name)
    thresholds = 0.01 * np.arange(51)
    score = pdj(predicted, truth, thresholds)
    columns = [k for k, other in enumerate(meta["symmetric"]) if other >= k]
    stems = [skeleton.keypoints[k].removeprefix("left_").removeprefix("right_") for k in columns]
    groups = ["head" if stem in ("neck", "nose", "head_top") else stem for stem in stems]
    found = [[score[f"PDJ@{t:g}/{group}"] for group in groups] for t in thresholds]
    np.testing.assert_allclose(found, vector[f"output_{name}_pdj"], rtol=1e-14)
    assert {key.partition("/")[2] for key in score if key.startswith("PDJ@0.2")} == {"", *groups}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("rule", ["strict", "loose", "average"])
def test_pcp_of_given_sticks(name, rule, reference):
    vector = reference("pcp")
    found, true = vector[f"input_{name}_pred_sticks"], vector[f"input_{name}_gt_sticks"]
    right = correct(found, true, rule)
    if rule == "strict":
        length = np.linalg.norm(true[:, :, 1] - true[:, :, 0], axis=-1)
        known = length > 0
        away = np.linalg.norm(found - true, axis=-1)[known] / length[known][:, None]
        np.testing.assert_allclose(away, vector[f"output_{name}_strict_distance"][known], rtol=1e-12)
        assert not right[~known].any()
    else:
        sure = ~vector[f"output_{name}_pcp_loose_undecided"] if rule == "loose" else np.ones_like(right)
        np.testing.assert_array_equal(right[sure], vector[f"output_{name}_pcp_{rule}_hit"][sure])
        right = np.where(sure, right, vector[f"output_{name}_pcp_{rule}_hit"])
    per_cent = 100 * np.append(right.mean(0), right.mean())
    np.testing.assert_allclose(per_cent, vector[f"output_{name}_pcp_{rule}"], rtol=1e-13)


def sticks_in(meta):
    """The sticks of a set by the places of their ends, which may be the middle of two: "mean(2,3)"."""

    def end(place):
        if isinstance(place, int):
            return meta["joints"][place]
        return tuple(meta["joints"][int(k)] for k in place.removeprefix("mean(").removesuffix(")").split(","))

    return {str(i): (end(a), end(b)) for i, (a, b) in enumerate(meta["sticks"])}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("rule", ["strict", "loose", "average"])
def test_pcp_of_people(name, rule, reference):
    vector = reference("pcp")
    _, predicted, truth, meta = of_set(reference("pck_lsp"), name)
    score = pcp(predicted, truth, rule, sticks_in(meta))
    key, count = f"PCP_{rule}@0.5", len(meta["sticks"])
    found = [100 * score[f"{key}/{i}"] for i in range(count)] + [100 * score[key]]
    undecided = 100 * vector[f"output_{name}_pcp_loose_undecided"].mean(0) if rule == "loose" else np.zeros(count)
    away = np.abs(found - vector[f"output_{name}_pcp_{rule}"])
    assert (away <= np.append(undecided, undecided.mean()) + 1e-11).all()


def test_the_ten_sticks_of_lsp_are_there_by_name(reference):
    vector = reference("pcp")
    _, predicted, truth, _ = of_set(reference("pck_lsp"), "lsp_pc")
    score = pcp(predicted, truth)
    order = ["right_lower_leg", "right_upper_leg", "left_upper_leg", "left_lower_leg", "right_lower_arm",
             "right_upper_arm", "left_upper_arm", "left_lower_arm", "head", "torso"]  # fmt: skip
    found = [100 * score[f"PCP_strict@0.5/{stick}"] for stick in order] + [100 * score["PCP_strict@0.5"]]
    np.testing.assert_allclose(found, vector["output_lsp_pc_pcp_strict"], rtol=1e-13)


def mpii(name, data_dir):
    with np.load(data_dir / "mpii" / "detections.npz") as file:
        annotated = file["jnt_missing"][..., None] == 0
        truth = alone(MPII, np.where(annotated, file["gt"], np.nan), head=file["headboxes"].reshape(-1, 4))
        found = file["pred_tompson"]
    if name != "tompson":
        with np.load(data_dir / "mpii" / "predictions.npz") as file:
            found = file[name]
    return alone(MPII, found), truth


@pytest.mark.parametrize("name", ["tompson", "hg_s1_b1", "hg_s2_b1"])
def test_pckh_of_the_three_evaluators(name, reference, data_dir):
    vector = reference("pckh_mpii")
    predicted, truth = mpii(name, data_dir)
    thresholds = np.arange(0, 0.51, 0.01)

    official = vector[f"output_{name}_official_curve"]
    places = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9]
    score = pckh(predicted, truth, 0.01 * np.arange(51))
    keys = [*(f"/{MPII.keypoints[k]}" for k in places), "/upper_body", ""]
    found = [[100 * score[f"PCKh@{t:g}{key}"] for key in keys] for t in thresholds]
    np.testing.assert_allclose(found, official, rtol=1e-13)
    assert 100 * score["PCKh_AUC"] == pytest.approx(float(vector[f"output_{name}_official_auc"]), abs=2e-4)

    hrnet = [score[f"PCKh@0.5/{part}"] for part in ("head_top", *PARTS)] + [score["PCKh@0.5"], score["PCKh@0.11"]]
    np.testing.assert_allclose(100 * np.array(hrnet), vector[f"output_{name}_hrnet_table"], rtol=1e-13)

    for threshold, tag in ((0.5, "05"), (0.1, "01")):
        below, key = pckh(predicted, truth, threshold, rule="<"), f"PCKh@{threshold:g}"
        each = [100 * below[f"{key}/{k}"] for k in MPII.keypoints]
        counted = vector[f"output_{name}_pckh{tag}_joints"] > 0
        np.testing.assert_allclose(
            np.array(each)[counted], vector[f"output_{name}_pckh{tag}_joints"][counted], rtol=1e-13
        )
        table = [100 * below[f"{key}/{part}"] for part in ("head_top", *PARTS, "mean_of_keypoints")]
        np.testing.assert_allclose(table, vector[f"output_{name}_pckh{tag}_table"], rtol=1e-13)
    below = pckh(predicted, truth, np.arange(0, 0.5, 0.01), rule="<")
    curve = [[100 * below[f"PCKh@{t:g}/{k}"] for k in MPII.keypoints] for t in np.arange(0, 0.5, 0.01)]
    np.testing.assert_allclose(curve, vector[f"output_{name}_curve_bearpaw"], rtol=1e-13)


@pytest.mark.parametrize("by", ["bbox", "head"])
def test_pck_and_nme_by_given_lengths_are_mmposes(by, reference):
    vector = reference("pck_nme_auc_epe")
    predicted = alone(MPII, vector["input_pred"])
    truth = alone(MPII, np.where(vector["input_mask"][..., None], vector["input_gt"], np.nan))
    lengths = vector[f"input_norm_{by}"]
    np.testing.assert_array_equal(lengths[:, 0], lengths[:, 1])
    for threshold, tag in ((0.05, "005"), (0.2, "020"), (0.5, "050")):
        score, expected = pck(predicted, truth, threshold, lengths[:, 0], "<"), vector[f"output_pck_{by}_{tag}"]
        keys = [*MPII.keypoints, "mean_of_keypoints"]
        found = [score[f"PCK@{threshold:g}/{key}"] for key in keys]
        np.testing.assert_allclose(found, expected[:-1], rtol=1e-14)
    assert nme(predicted, truth, lengths[:, 0])["NME"] == pytest.approx(float(vector[f"output_nme_{by}"]), rel=1e-5)


def test_epe_and_auc_are_mmposes(reference):
    vector = reference("pck_nme_auc_epe")
    predicted = alone(MPII, vector["input_pred"])
    truth = alone(MPII, np.where(vector["input_mask"][..., None], vector["input_gt"], np.nan))
    assert epe(predicted, truth)["EPE"] == pytest.approx(float(vector["output_epe"]), rel=1e-5)
    assert auc(predicted, truth)["AUC"] == pytest.approx(float(vector["output_auc_30"]), rel=1e-14)
    assert auc(predicted, truth, 100.0, 10)["AUC"] == pytest.approx(float(vector["output_auc_100_10"]), rel=1e-14)


def test_accuracy_on_heatmaps_is_hrnets(reference):
    vector = reference("heatmap_accuracy")
    found = heatmap_accuracy(vector["input_heatmaps"], vector["input_targets"])
    expected = vector["output_accuracy"][1:]
    np.testing.assert_array_equal(found.each, np.where(expected < 0, np.nan, expected))
    assert found.mean == vector["output_accuracy"][0] == vector["output_average"]
    assert np.isfinite(found.each).sum() == vector["output_count"]
    np.testing.assert_array_equal(peaks(vector["input_heatmaps"]), vector["output_pred"])
