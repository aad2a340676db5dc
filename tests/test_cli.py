"""The command line: every verb from end to end on tiny data, and one line for every mistake."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

from posewright import picture
from posewright.cli import VERBS, main
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.estimators.embedded import embedded_file
from posewright.estimators.runtimes.network import Network
from posewright.recipes import RECIPES
from posewright.skeleton import LSP

RECIPE = """
from dataclasses import replace
from posewright.augment import Jitter
from posewright.codecs.distribution import Distribution
from posewright.datasets import coco
from posewright.metrics import by_person, pck
from posewright.recipes.recipe import Phase
from posewright.recipes import default
from posewright.skeleton import LSP


def network():
    from torch import nn
    from posewright.fields import Heatmaps

    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(3, 14, 5, stride=4, padding=2)

        def forward(self, images):
            return [Heatmaps(self.head(images))]

    return Tiny()


tiny = replace(
    default, name="tiny", summary="one layer", network=network, read=coco.read, codec=Distribution(LSP, (64, 64)),
    metric=by_person(pck), phases=(Phase(2, 1e-3),), batch=4, judged_on="val", parameters=None, reported={"PCK": 0.5},
)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a drawn data set, a stranger's recipe, and what training and export made of them."""
    place = tmp_path_factory.mktemp("cli")
    coco.write(world(3, 0, skeleton=LSP), place / "data")
    (place / "mine.py").write_text(RECIPE)
    options = ["--machine.workers", "0", "--machine.threads", "1", "--machine.device", "cpu"]
    run = ["train", f"{place}/mine.py:tiny", "--data", f"coco:{place}/data", "--out", f"{place}/run", *options]
    assert main([*run, "--phases.0.epochs", "1", "--codec.sigma", "2", "--jitter.turn", "10"]) == 0
    by = ["--recipe", f"{place}/mine.py:tiny"]
    assert main(["export", f"{place}/run/last.pt", "--out", f"{place}/tiny.onnx", *by]) == 0
    return place


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name, scene in zip(("a.jpg", "more/a.jpg"), world(2, 4), strict=True):
        picture.write(folder / name, scene.pixels())
    (folder / "text.jpg").write_text("no picture")
    return folder


def said(capsys):
    """What stands on standard error, as lines."""
    return capsys.readouterr().err.splitlines()


def test_training_leaves_a_checkpoint_and_a_log_with_what_was_changed(place):
    (line,) = (place / "run" / "log.jsonl").read_text().splitlines()
    assert {"epoch", "loss", "PCK@0.2"} <= json.loads(line).keys()
    torch = pytest.importorskip("torch")
    content = torch.load(place / "run" / "last.pt", weights_only=True)
    assert json.loads(content["codec"])["sigma"] == 2.0
    assert content["jitter"]["turn"] == 10.0
    assert [phase["epochs"] for phase in content["phases"]] == [1]


@pytest.mark.parametrize("model", ["run/last.pt", "tiny.onnx"])
def test_evaluate_takes_a_checkpoint_and_an_exported_file_alike(place, tmp_path, model, capsys):
    arguments = ["evaluate", f"{place}/{model}", "--data", f"{place}/data", "--split", "val", "--out", str(tmp_path)]
    by = ["--recipe", f"{place}/mine.py:tiny"] if model.endswith(".pt") else []
    assert main([*arguments, *by]) == 0
    assert "PCK@0.2" in capsys.readouterr().out
    written = json.loads((tmp_path / "scores.json").read_text())["files"][0]["metrics"]["pck"]
    assert written["protocol"]["split"] == "val"
    assert written["protocol"]["codec"].startswith("Distribution(")
    assert written["scores"]["PCK@0.2"]["value"] == json.loads((place / "run" / "log.jsonl").read_text())["PCK@0.2"]
    assert json.loads((tmp_path / "predictions.json").read_text())


def test_evaluate_finds_a_recipe_s_own_run(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "hrnet_w32_coco", "--data", f"{place}/data"]) == 2
    assert "runs/hrnet_w32_coco/last.pt: no such file; train hrnet_w32_coco first" in said(capsys)[0]


@pytest.mark.parametrize("options", [[], ["--flip"], ["--backend", "onnxruntime"]])
def test_predict_writes_results_and_an_overlay_an_input(place, photos, tmp_path, options, capsys):
    out = tmp_path / "out"
    assert main(["predict", str(photos), "--out", str(out), "--model", f"{place}/tiny.onnx", *options]) == 0
    assert said(capsys) == [f"posewright: {photos}/text.jpg: not a picture that can be decoded"]
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["a.jpg", "more-a.jpg"]
    about = json.loads((out / "protocol.json").read_text())
    assert about["keypoints"] == list(LSP.keypoints)
    assert about["overlays"].keys() == {f"{photos}/a.jpg", f"{photos}/more/a.jpg"}
    assert about["unreadable"] == {f"{photos}/text.jpg": "not a picture that can be decoded"}
    assert about["estimator"]["flip"] == ("--flip" in options)
    assert isinstance(json.loads((out / "predictions.json").read_text()), list)


def boxes_file(path, entries):
    path.write_text(json.dumps([{"category_id": 1, "bbox": box, "image_id": name} for name, box in entries]))
    return str(path)


def test_predict_answers_each_box_that_it_is_given_and_carries_it(place, photos, tmp_path):
    boxes = [("a.jpg", [10, 20, 100, 150]), ("a.jpg", [60, 20, 50, 60]), (f"{photos}/more/a.jpg", [5, 5, 40, 90])]
    given = boxes_file(tmp_path / "boxes.json", boxes)
    out = tmp_path / "out"
    arguments = ["predict", str(photos), "--out", str(out), "--boxes", given, "--model", f"{place}/tiny.onnx"]
    assert main(arguments) == 0
    results = json.loads((out / "predictions.json").read_text())
    assert [(r["image_id"], r["bbox"]) for r in results] == [
        (f"{photos}/a.jpg", [10, 20, 100, 150]), (f"{photos}/a.jpg", [60, 20, 50, 60]),
        (f"{photos}/more/a.jpg", [5, 5, 40, 90]),
    ]  # fmt: skip
    assert all(len(result["keypoints"]) == 42 for result in results)


def test_predict_takes_boxes_from_coco_annotations(place, tmp_path):
    out = tmp_path / "out"
    data = place / "data"
    arguments = ["predict", f"{data}/images", "--boxes", f"{data}/annotations.json", "--out", str(out)]
    assert main([*arguments, "--model", f"{place}/tiny.onnx"]) == 0
    truth = json.loads((data / "annotations.json").read_text())
    results = json.loads((out / "predictions.json").read_text())
    np.testing.assert_allclose([r["bbox"] for r in results], [a["bbox"] for a in truth["annotations"]])


def test_predict_answers_every_frame_of_a_video_and_draws_a_video(place, tmp_path):
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 5, (96, 64))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for tone in (0, 120, 240):
        writer.write(np.full((64, 96, 3), tone, np.uint8))
    writer.release()
    out = tmp_path / "out"
    given = boxes_file(tmp_path / "boxes.json", [(f"{clip}#{n}", [8, 8, 40, 40]) for n in range(3)])
    assert main(["predict", str(clip), "--out", str(out), "--boxes", given, "--model", f"{place}/tiny.onnx"]) == 0
    results = json.loads((out / "predictions.json").read_text())
    assert [result["image_id"] for result in results] == [f"{clip}#{n}" for n in range(3)]
    drawn = cv2.VideoCapture(str(out / "overlays" / "clip.webm"))
    assert drawn.get(cv2.CAP_PROP_FPS) == pytest.approx(5)
    assert [drawn.read()[0] for _ in range(4)] == [True, True, True, False]
    assert not list(out.rglob("*partial*"))


def test_predict_reads_no_overlay_of_an_earlier_run_and_nothing_twice(place, photos, capsys):
    (photos / "text.jpg").unlink()
    for _ in range(2):
        inputs = [str(photos), f"{photos}/a.jpg", str(photos)]
        assert main(["predict", *inputs, "--out", str(photos), "--model", f"{place}/tiny.onnx"]) == 0
        assert " in 2 pictures" in capsys.readouterr().out
    named = f"{photos}/overlays/a.jpg"
    assert main(["predict", named, "--out", str(photos), "--model", f"{place}/tiny.onnx"]) == 2
    assert said(capsys) == [f"posewright: {named}: lies where the overlays go; name another folder with --out"]


def test_an_overlay_of_a_huge_picture_is_scaled_down_and_its_keypoints_are_not(place, tmp_path):
    pixels = cv2.resize(world(1, 4)[0].pixels(), (3000, 2000))
    picture.write(tmp_path / "huge.png", pixels)
    given = boxes_file(tmp_path / "boxes.json", [("huge", [1500, 500, 1400, 1400])])
    arguments = ["predict", f"{tmp_path}/huge.png", "--out", f"{tmp_path}/out", "--boxes", given]
    assert main([*arguments, "--model", f"{place}/tiny.onnx"]) == 0
    assert picture.read(tmp_path / "out" / "overlays" / "huge.jpg").shape == (1280, 1920, 3)
    (result,) = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert max(result["keypoints"][::3]) > 1500 - 0.25 * 1400


def test_predict_fails_only_where_nothing_can_be_read(place, photos, tmp_path, capsys):
    model = ["--model", f"{place}/tiny.onnx", "--out", str(tmp_path / "out")]
    assert main(["predict", f"{photos}/text.jpg", f"{photos}/none.jpg", *model]) == 2
    lines = said(capsys)
    assert lines[0] == f"posewright: {photos}/text.jpg: not a picture that can be decoded"
    assert lines[1].startswith(f"posewright: {photos}/none.jpg: ")
    assert lines[2:] == ["posewright: no input could be read, so nothing is written"]
    assert not (tmp_path / "out" / "predictions.json").exists()


def test_draw_writes_the_world_and_a_sheet_of_any_data(place, tmp_path):
    assert main(["draw", "world", "--out", f"{tmp_path}/a", "--count", "2", "--seed", "3"]) == 0
    assert main(["draw", "world", "--out", f"{tmp_path}/b", "--count", "2", "--seed", "3"]) == 0
    files = [path.relative_to(tmp_path / "a") for path in sorted((tmp_path / "a").rglob("*.*"))]
    assert Path("annotations.json") in files
    assert Path("sheet.png") in files
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert main(["draw", f"coco:{place}/data", "--out", f"{tmp_path}/c", "--count", "2"]) == 0
    assert picture.read(tmp_path / "c" / "sheet.png").shape[2] == 3


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_can_be_shown(recipe, monkeypatch):
    show = import_module("posewright.cli.show")
    monkeypatch.setattr(show, "_network", lambda _: "counted elsewhere")
    rows = dict(show.recipe_rows(recipe))
    assert rows["loss"]
    assert "<" not in rows["loss"]


def test_list_names_every_recipe_and_show_explains_each_without_its_insides(place, capsys):
    assert main(["list"]) == 0
    assert "simple_baseline_r50_lsp" in capsys.readouterr().out
    for name in ("simple_baseline_r50_lsp", f"{place}/mine.py:tiny"):
        assert main(["show", name]) == 0
        shown = capsys.readouterr().out
        assert "parameters" in shown
        assert "epochs at 0.001" in shown
        assert "Skeleton(" not in shown
        assert "<function" not in shown
    assert main(["show", f"{place}/tiny.onnx"]) == 0
    assert "tiny" in capsys.readouterr().out


MISTAKES = {
    "fly": "no verb 'fly'; there are demo, app, predict",
    "show fly": "no recipe 'fly'; `posewright list` names",
    "show fly.onnx": "fly.onnx: no such file",
    "train fly --data x": "no recipe 'fly'",
    "train": "posewright: train: missing RECIPE",
    "train {place}/mine.py:yours --data x": "has no recipe 'yours'",
    "train {place}/broken.py:tiny --data x": "broken.py, line 2: ZeroDivisionError: division by zero",
    "train {place}/wrong.py:tiny --data x": "wrong.py, line 1: SyntaxError",
    "train {place}/mine.py:tiny --data nowhere": "nowhere",
    "train {place}/mine.py:tiny": "tiny: missing --data DIR",
    "train {place}/mine.py:tiny --data {place}/data --out {place}/run": "--resume",
    "train {place}/mine.py:tiny --data {place}/data --codec.sigmoid 3": "no such option: --codec.sigmoid 3",
    "train {place}/mine.py:tiny --data {place}/data --phases.0.epochs two": "--phases.0.epochs",
    "evaluate {place}/tiny.onnx": "posewright: evaluate: missing --data DIR",
    "evaluate {place}/tiny.onnx --data nowhere": "nowhere: no such folder",
    "evaluate {place}/tiny.onnx --data lsp:{place}/data": "data: holds neither",
    "evaluate {place}/none.onnx --data {place}/data": "none.onnx: no such file",
    "evaluate {place}/mine.py --data {place}/data": "mine.py: ",
    "evaluate {place}/broken.pt --data {place}/data": "broken.pt: ",
    "evaluate {place}/run/last.pt --data {place}/data --backend onnxruntime": "a checkpoint runs with torch",
    "evaluate {place}/tiny.onnx --data {place}/data --precision bf16 --backend onnxruntime": "fp32, not bf16",
    "evaluate {place}/run/last.pt --data {place}/data": "run only where you name it, with --recipe",
    "score": "posewright: score: missing --truth DATA",
    "score --truth {place}/data": "name one file of predictions, or two to compare, not 0",
    "score a b c --truth {place}/data": "name one file of predictions, or two to compare, not 3",
    "score {place}/none.json --truth {place}/data": "none.json: no such file",
    "score {place}/mine.py --truth {place}/data": "mine.py: neither JSON",
    "score {place}/others.json --truth {place}/data": "record at place 0: keypoints: missing",
    "score {place}/others.json --truth nowhere": "nowhere: no such file or folder",
    "score {place}/others.json --truth {place}/others.json": "are truth and predictions exchanged?",
    "score {place}/others.json --truth {place}/data --metric apples": "no metric apples; there are oks_ap",
    "score {place}/others.json --truth {place}/data --metric ,": "no metric ','; there are oks_ap",
    "score {place}/others.json --truth {place}/data --skeleton octopus": "no skeleton 'octopus'; there are coco",
    "score {place}/others.json --truth {place}/data --draws -1": "--draws must be 0 or more, not -1",
    "score {place}/others.json --truth {place}/data --out {place}/mine.py": "mine.py: a file, not a folder",
    "diagnose {place}/others.json --truth {place}/data": "posewright: diagnose: missing --out DIR",
    "diagnose {place}/others.json --truth {place}/data --out {place}/mine.py": "mine.py: a file, not a folder",
    "export {place}/none.pt --out {place}/x.onnx": "none.pt",
    "export {place}/broken.pt --out {place}/x.onnx": "broken.pt",
    "quantize {place}/run/last.pt --recipe {place}/mine.py:tiny --data {place}/data --out x.onnx": "needs 30 people",
    "quantize {place}/broken.pt --data {place}/data --out {place}/x.onnx": "broken.pt",
    "predict --model {place}/tiny.onnx": "name at least one photograph, folder or video",
    "predict {place} --model {place}/broken.onnx": "broken.onnx: ",
    "predict {place} --end soon": "--end: could not convert string to float: 'soon'",
    "predict {place} --scales 1 big": "--scales: could not convert string to float: 'big'",
    "predict {place} --mdoel default": "no such option: --mdoel default; did you mean --model?",
    "predict {place} --model {place}/tiny.onnx --boxes {place}/none.json": "none.json: no such file",
    "predict {place} --model {place}/tiny.onnx --boxes {place}/mine.py": "mine.py: not JSON",
    "predict {place}/data --model {place}/tiny.onnx --boxes {place}/others.json": "no box is of a picture",
    "predict {place}/data --model {place}/tiny.onnx --boxes {place}/flat.json": "bbox: has no area",
    "predict {place}/data --model {place}/tiny.onnx --out {place}/mine.py": "mine.py",
    "draw": "posewright: draw: missing WHAT, --out DIR",
    "draw world --out x --count many": "--count: ",
    "draw world --out x --count 0": "--count must be 1 or more, not 0",
    "draw nowhere --out x": "nowhere: no such folder",
    "demo {place}/none.jpg --model {place}/tiny.onnx --out {place}/demo": "none.jpg: no such file",
}  # fmt: skip


@pytest.mark.parametrize("command", MISTAKES)
def test_every_mistake_is_one_clear_line_and_exit_code_2(place, tmp_path, monkeypatch, command, capfd):
    monkeypatch.chdir(tmp_path)
    for name in ("broken.pt", "broken.onnx"):
        (place / name).write_bytes(b"neither weights nor anything else")
    (place / "broken.py").write_text("one = 1\nmany = one / 0\n")
    (place / "wrong.py").write_text("def :\n")
    boxes_file(place / "others.json", [("somebody else.jpg", [1, 1, 5, 5])])
    boxes_file(place / "flat.json", [("000001.png", [1, 1, 0, 5])])
    assert main([word.format(place=place) for word in command.split()]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("posewright: ")
    assert MISTAKES[command] in lines[0]


def test_what_runs_the_network_in_torch_is_found_by_its_card(place, photos, tmp_path):
    arguments = ["predict", f"{photos}/a.jpg", "--model", f"{place}/run/last.pt", "--backend", "torch"]
    arguments += ["--recipe", f"{place}/mine.py:tiny"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    about = json.loads((tmp_path / "out" / "protocol.json").read_text())
    assert about["estimator"]["backend"].startswith("torch ")


def fresh(code, **extra):
    """Run Python code in a fresh interpreter; returns what it prints."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | extra
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout


WITHOUT_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'torch':
            raise ModuleNotFoundError("No module named 'torch'", name='torch')
sys.meta_path.insert(0, Refuse())
"""
HEAVY = "[name for name in ('torch', 'cv2', 'numpy', 'matplotlib') if name in sys.modules]"


def test_importing_posewright_imports_nothing_heavy():
    assert fresh(f"import sys, posewright; print({HEAVY})").strip() == "[]"


@pytest.mark.parametrize("verb", [[], *[[verb] for verb in VERBS]])
def test_help_imports_no_torch_and_says_what_there_is(verb):
    shown = fresh(f"import sys; from posewright.cli import main; print(main({[*verb, '--help']})); print({HEAVY})")
    assert shown.splitlines()[-2] == "0"
    assert "torch" not in shown.splitlines()[-1]
    assert "usage: posewright" in shown
    assert "{None}" not in shown


def test_a_network_is_loaded_without_what_only_statistics_and_grouping_need():
    heavy = ("scipy.optimize", "scipy.special", "scipy.stats", "torch")
    shown = fresh(
        f"import sys; from posewright.verbs.load import load; print([m for m in {heavy} if m in sys.modules])"
    )
    assert shown.splitlines()[-1] == "[]"


def test_help_of_a_recipe_shows_what_can_be_changed(place, capsys):
    assert main(["train", f"{place}/mine.py:tiny", "--help-all"]) == 0
    shown = capsys.readouterr().out
    for option in ("--codec.sigma", "--jitter.turn", "--phases.0.epochs", "--machine.precision", "--resume", "--start"):
        assert option in shown
    assert "skeleton" not in shown


def test_the_program_itself_answers_with_an_exit_code():
    code = "import sys; from posewright.cli import main; sys.argv = ['posewright', 'fly']; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("posewright: no verb 'fly'")
    assert not done.stdout


def test_predicting_with_an_exported_network_needs_no_torch(place, photos, tmp_path):
    arguments = ["predict", f"{photos}/a.jpg", "--model", f"{place}/tiny.onnx", "--out", str(tmp_path / "out")]
    code = f"{WITHOUT_TORCH}from posewright.cli import main; print(main({[*arguments, '--backend', 'onnxruntime']}))"
    assert fresh(code).splitlines()[-1] == "0"


def test_a_training_without_torch_says_what_to_install(place, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("posewright.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["train", "default", "--data", f"{place}/data"]) == 2
    assert said(capsys) == ['posewright: torch is not installed: pip install "posewright[train]"']


def test_version_and_nothing_at_all(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("posewright ")
    assert main([]) == 0
    assert "usage: posewright" in capsys.readouterr().out


def test_an_interrupt_is_said_and_has_its_exit_code(monkeypatch, capsys):
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(VERBS, "list", interrupted)
    assert main(["list"]) == 130
    assert said(capsys) == ["posewright: interrupted"]


def test_the_embedded_default_estimates_and_shows_its_card(photos, tmp_path, capsys):
    if not embedded_file("default").is_file():
        pytest.skip("the embedded network is not there yet")
    import posewright

    assert isinstance(posewright.load().network, Network)
    assert main(["predict", f"{photos}/a.jpg", "--out", str(tmp_path / "out")]) == 0
    assert main(["show", "default"]) == 0
    assert "the embedded network" in capsys.readouterr().out


def test_a_reader_that_closes_early_is_no_mistake():
    told = subprocess.run(
        f"{sys.executable} -c 'from posewright.cli import main; import sys; sys.exit(main([\"list\"]))' | head -c 10",
        shell=True, capture_output=True, text=True, check=False, executable="/bin/bash",
    )  # fmt: skip
    assert told.stdout.startswith("default")
    assert "Broken" not in told.stderr
