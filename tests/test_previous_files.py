"""Files that the version before this layout wrote still load: a checkpoint, an exported network, a study."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import posewright
from posewright.cli import main
from posewright.estimators.runtimes import load
from posewright.robustness import read_study

PREVIOUS = Path(__file__).parent / "previous"
RECIPE = f"{PREVIOUS / 'mini.py'}:mini"
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)


def test_an_exported_network_answers():
    network = load(PREVIOUS / "mini.onnx", backend="onnxruntime")
    assert network(PIXELS)[-1].maps.shape == (2, 14, 16, 16)
    assert network.card["recipe"] == "mini"


def test_a_checkpoint_answers_as_its_export():
    pytest.importorskip("torch")
    trained = posewright.load(PREVIOUS / "last.pt", recipe=RECIPE)
    exported = load(PREVIOUS / "mini.onnx", backend="onnxruntime")
    np.testing.assert_allclose(trained.network(PIXELS)[-1].maps, exported(PIXELS)[-1].maps, atol=1e-4)


def test_a_training_is_gone_on_with(tmp_path):
    pytest.importorskip("torch")
    shutil.copy(PREVIOUS / "last.pt", tmp_path)
    said = ["train", RECIPE, "--data", ".", "--out", str(tmp_path), "--resume"]
    assert main([*said, "--machine.device", "cpu"]) == 0


def test_a_study_is_read_and_compared(tmp_path, capsys):
    study = PREVIOUS / "study"
    assert read_study(study).protocol["people"] == 2
    shutil.copytree(study, tmp_path / "again")
    assert (
        main(["occlude", "compare", str(study), str(tmp_path / "again"), "--draws", "20", "--out", str(tmp_path)]) == 0
    )
    assert "keypoints" in capsys.readouterr().out


def test_a_study_is_gone_on_with_from_its_answers(tmp_path):
    shutil.copytree(PREVIOUS / "study", tmp_path / "study")
    (tmp_path / "study" / "answers" / "keypoints-neck-blackout-6.npz").unlink()
    words = "--model default --people 2 --attacks keypoints --fills blackout --draws 50 --out"
    assert main(["occlude", *words.split(), str(tmp_path / "study")]) == 0
    assert (tmp_path / "study" / "answers" / "keypoints-neck-blackout-6.npz").exists()
