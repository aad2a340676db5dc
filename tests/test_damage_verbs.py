"""Verbs that are killed, closed, misspelt, short of room, or fed with names that a terminal would obey."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from posewright.cli import main
from posewright.datasets.synthetic import world
from posewright.estimators.adapters import Adapted
from posewright.scene import Person
from posewright.text import apart, cell, printable
from posewright.verbs.evaluate import evaluate
from posewright.verbs.kept import FILE
from posewright.verbs.overlays import overlay_name
from posewright.verbs.predict import predict_to


def said(capsys):
    return capsys.readouterr().err.splitlines()


class Counting:
    """Find one person in the middle, count how often somebody asks, and stop after some."""

    def __init__(self, most=10**9):
        self.asked, self.most = 0, most

    def __call__(self, pixels, boxes):
        self.asked += 1
        if self.asked > self.most:
            raise KeyboardInterrupt
        middle = np.full((17, 2), (pixels.shape[1] / 3, pixels.shape[0] / 7))
        middle[3] = np.nan
        scores = np.where(np.isnan(middle[:, 0]), 0.0, 0.1 + 0.2)
        return [Person(middle, scores=scores, score=1 / 3) for _ in (boxes or [0])]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(5):
        cv2.imwrite(str(folder / f"{n}.png"), np.full((40 + n, 60, 3), 40 * n, np.uint8))
    return folder


def test_predict_goes_on_where_it_was_ended(tmp_path, photos, capsys):
    whole, first, second = Counting(), Counting(3), Counting()
    assert predict_to(tmp_path / "whole", [photos], Adapted(whole)) == 0
    with pytest.raises(KeyboardInterrupt):
        predict_to(tmp_path / "out", [photos], Adapted(first))
    assert "3 pictures are kept" in " ".join(capsys.readouterr().err.split())
    kept = tmp_path / "out" / FILE
    kept.write_bytes(kept.read_bytes() + b'{"id": "half')  # as if killed while it was written
    assert predict_to(tmp_path / "out", [photos], Adapted(second)) == 0
    assert (whole.asked, second.asked) == (5, 2)
    for name in ("predictions.json", "overlays/0.jpg", "overlays/4.jpg"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not kept.exists()


@pytest.mark.parametrize("change", ["picture", "estimator", "boxes", "file"])
def test_what_has_changed_is_asked_anew(tmp_path, photos, change):
    with pytest.raises(KeyboardInterrupt):
        predict_to(tmp_path / "out", [photos], Adapted(Counting(3)), about={"file": "a"})
    again = Counting()
    estimator = Adapted(again, about={"version": 2} if change == "estimator" else {})
    boxes = None
    if change == "picture":
        cv2.imwrite(str(photos / "0.png"), np.zeros((99, 99, 3), np.uint8))
    if change == "boxes":
        boxes = tmp_path / "boxes.json"
        rows = [{"image_id": f"{n}.png", "category_id": 1, "bbox": [1, 1, 30, 30], "score": 1.0} for n in range(5)]
        boxes.write_text(json.dumps(rows))
    predict_to(tmp_path / "out", [photos], estimator, boxes, about={"file": "b" if change == "file" else "a"})
    assert again.asked == (3 if change == "picture" else 5)


def test_evaluate_goes_on_where_it_was_ended(tmp_path):
    truth = [scene for scene in world(5, 0) if scene.people]
    people = sum(len(scene.people) for scene in truth)

    def run(look, out):
        return evaluate(Adapted(look), truth, tmp_path / out, "oks_ap", {"a": 1}, draws=0)

    whole, second = Counting(), Counting()
    run(whole, "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Counting(2), "out")
    run(second, "out")
    assert people
    assert second.asked == whole.asked - 2
    assert (tmp_path / "out/predictions.json").read_bytes() == (tmp_path / "whole/predictions.json").read_bytes()


def test_two_processes_do_not_write_into_one_folder(tmp_path, photos):
    inner = Adapted(Counting())

    def look(pixels, boxes):
        with pytest.raises(ValueError, match="another process writes there now"):
            predict_to(tmp_path / "out", [photos], inner)
        return Counting()(pixels, boxes)

    assert predict_to(tmp_path / "out", [photos / "0.png"], Adapted(look)) == 0


def test_an_overlay_of_an_earlier_run_does_not_stay(tmp_path, photos):
    predict_to(tmp_path / "out", [photos], Adapted(Counting()))
    (tmp_path / "out" / "overlays" / "mine.txt").write_text("mine")
    predict_to(tmp_path / "out", [photos / "1.png"], Adapted(Counting()))
    assert sorted(one.name for one in (tmp_path / "out" / "overlays").iterdir()) == ["1.jpg", "mine.txt"]


def test_boxes_that_nobody_meets_are_said(tmp_path, photos, capsys):
    rows = [("0.png", [1, 2, 30, 30]), ("0.png", [5000, 5000, 10, 10]), ("NONE.png", [1, 1, 9, 9])]
    entries = [{"image_id": name, "category_id": 1, "bbox": box, "score": 0.9} for name, box in rows]
    (tmp_path / "boxes.json").write_text(json.dumps(entries))
    predict_to(tmp_path / "out", [photos / "0.png", photos / "1.png"], Adapted(Counting()), tmp_path / "boxes.json")
    lines = "\n".join(said(capsys))
    assert "0.png: 1 of its 2 boxes lie outside of it" in lines
    assert "1 boxes are of pictures that were not read: NONE.png" in lines
    assert "1 pictures have no box" in lines
    assert len(json.loads((tmp_path / "out/predictions.json").read_text())) == 1


@pytest.mark.parametrize(
    "content", [{"images": 7, "annotations": []}, {"images": {}, "annotations": []}, {"images": [7]}]
)
def test_boxes_of_another_form_are_one_line(tmp_path, photos, content, capsys):
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    words = ["predict", str(photos), "--boxes", str(tmp_path / "boxes.json"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert said(capsys)[0].startswith(f"posewright: {tmp_path}/boxes.json: ")


def test_a_long_name_loses_nothing(tmp_path, photos):
    (photos / ("x" * 247 + ".png")).write_bytes((photos / "0.png").read_bytes())
    assert predict_to(tmp_path / "out", [photos], Adapted(Counting())) == 0
    assert len(json.loads((tmp_path / "out/predictions.json").read_text())) == 6
    names = {overlay_name("x" * 250 + end, set()) for end in ("a.png", "b.png")}
    assert len(names) == 2
    assert all(len(name) < 255 for name in names)


def limited(code, blocks, place):
    """Run the command line in a process whose files cannot be larger than some blocks of 1 kB."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = f"ulimit -f {blocks}; trap '' XFSZ; cd {place}; {sys.executable} -c '{code}'"
    return subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=environment, check=False)


def test_a_video_s_overlay_that_is_cut_has_no_name(tmp_path):
    video = cv2.VideoWriter(str(tmp_path / "noise.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (320, 240))
    for step in range(10):
        video.write(np.random.default_rng(step).integers(0, 255, (240, 320, 3), np.uint8))
    video.release()
    code = 'import sys; from posewright.cli import main; sys.exit(main(["predict", "noise.mp4", "--out", "out"]))'
    done = limited(code, 60, tmp_path)
    assert done.returncode == 2
    assert "out/overlays/noise.webm: " in done.stderr
    assert list((tmp_path / "out" / "overlays").iterdir()) == []
    assert main(["predict", str(tmp_path / "noise.mp4"), "--out", str(tmp_path / "out")]) == 0
    assert cv2.VideoCapture(str(tmp_path / "out/overlays/noise.webm")).get(cv2.CAP_PROP_FRAME_COUNT) == 10


MISSPELT = {
    "pedict a.jpg": "no verb 'pedict'; did you mean predict?",
    "scroe a.json": "did you mean score?",
    "occlude exprot": "no verb 'exprot' under occlude; did you mean export?",
    "show hrnet_w32_cooc": "did you mean hrnet_w32_coco",
    "predict a.jpg --model defualt": "did you mean default?",
    "evaluate hrnet_w32_coc --data x": "did you mean hrnet_w32_coco",
    "predict a.jpg --mdoel x": "no such option: --mdoel x; did you mean --model?",
    "predict a.jpg --backend onxruntime": "did you mean onnxruntime?",
    "predict a.jpg --recipe default": "a recipe is for a checkpoint",
    "evaluate default --data x --recipe hrnet_w32_coco": "a recipe is for a checkpoint",
    "draw": "posewright: draw: missing WHAT, --out DIR",
    "-V": "posewright: no such option before a verb: -V; options stand behind it, as in posewright VERB --help",
    "--boxes b.json predict a.jpg": "no such option before a verb: --boxes; options stand behind it",
    "multiview --fps 3": "options stand behind it, as in posewright multiview VERB --help",
}


@pytest.mark.parametrize("command", MISSPELT)
def test_a_misspelt_word_is_met_with_what_may_be_meant(command, capsys):
    assert main(command.split()) == 2
    lines = said(capsys)
    assert len(lines) == 1
    assert MISSPELT[command] in lines[0]


@pytest.mark.parametrize("name", ["[red]", "[/x]", "\x1b[31mred\x1b]0;owned\x07", "a\u202eb", "[link=http://x]y"])
def test_names_are_shown_as_they_are(tmp_path, name, capsys):
    from rich.console import Console
    from rich.table import Table

    table = Table(cell(name), title=cell(name))
    table.add_row(cell(name))
    Console(width=100).print(table)
    shown = capsys.readouterr().out
    assert shown.count(printable(name)) == 3
    assert main(["score", str(tmp_path / name.replace("/", "_")), "--truth", "x"]) == 2
    error = capsys.readouterr().err
    assert "\x1b" not in shown + error
    assert "\u202e" not in shown + error


def test_scores_of_a_stranger_s_keypoints_colour_no_terminal(tmp_path, capsys):
    names = ["[/x]", "\x1b[31mred", "c"]
    category = {"id": 1, "name": "thing", "keypoints": names, "skeleton": [],
                "posewright": {"skeleton": "thing", "sigmas": [0.1] * 3, "sigmas_source": "[bold]mine"}}  # fmt: skip
    points = [10, 10, 2, 20, 20, 2, 30, 30, 2]
    truth = {"images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 64}], "categories": [category],
             "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": points, "num_keypoints": 3,
                              "area": 900, "bbox": [5, 5, 30, 30], "iscrowd": 0}]}  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps(truth))
    result = {"image_id": 1, "category_id": 1, "keypoints": points, "score": 0.9}
    (tmp_path / "p.json").write_text(json.dumps([result]))
    words = ["score", str(tmp_path / "p.json"), "--truth", str(tmp_path / "t.json"), "--draws", "0"]
    assert main([*words, "--metric", "ap_by_keypoint"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "[bold]mine" in shown
    assert "31mred" in shown


def test_files_of_one_name_are_told_apart():
    assert apart([Path("a/p.json"), Path("b/p.json")]) == ["a/p.json", "b/p.json"]
    assert apart([Path("x/a/p.json"), Path("y/a/p.json"), Path("q.json")]) == ["x/a/p.json", "y/a/p.json", "q.json"]
    assert apart([Path("p.json"), Path("q.json")]) == ["p.json", "q.json"]


def test_a_pipe_that_closes_does_not_lose_what_is_written(tmp_path):
    code = (
        "import sys; from posewright.cli import VERBS, main\n"
        "def verb() -> int:\n"
        "    'Print much, then write.'\n"
        "    for n in range(100000): print(n)\n"
        f"    open({str(tmp_path / 'report')!r}, 'w').write('whole')\n"
        "    return 0\n"
        "VERBS['list'] = verb\n"
        "sys.exit(main(['list']))"
    )
    (tmp_path / "run.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = f"{sys.executable} {tmp_path}/run.py | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == ["0", "141"]
    assert (tmp_path / "report").read_text() == "whole"
    assert not done.stderr


MINE = """
from posewright.estimators.adapters import Adapted
from posewright.scene import Person

def look(pixels, boxes):
    return {body}

mine = Adapted(look)
"""


@pytest.mark.parametrize(
    ("body", "told"), [("1 / 0", "ZeroDivisionError"), ("None.x", "AttributeError"), ("[][3]", "IndexError")]
)
def test_an_estimator_of_the_user_s_that_raises_is_told_with_its_line(tmp_path, photos, body, told, capsys):
    (tmp_path / "my.py").write_text(MINE.format(body=body))
    words = ["predict", str(photos), "--model", f"{tmp_path}/my.py:mine", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    (line,) = said(capsys)
    assert line.startswith(f"posewright: {tmp_path}/my.py, line 6: {told}: ")


def test_help_names_the_version(capsys):
    assert main(["--help"]) == 0
    assert "posewright --version" in " ".join(capsys.readouterr().out.split())


def test_models_fit_a_narrow_terminal():
    from rich.console import Console

    from posewright.cli import models

    rows = [("recipe", "256x192", "28.54", "28.5", "7.69", "7.1", "AP: 0.744; " * 9, "the authors' outputs", "-")]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(models.blocks(rows))
    lines = console.export_text().splitlines()
    assert lines[0] == "recipe"
    assert all(len(line) <= 80 for line in lines)
    assert "parameters, M 28.54" in " ".join(" ".join(lines).split())
