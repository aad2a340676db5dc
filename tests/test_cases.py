"""Files as people have them, each with what it must give; they lie beside the real data."""

import re
import shutil
from pathlib import Path

import pytest

from posewright.cli import main

SCORED = "score pred.json --truth truth.json --metric oks_ap --draws 0"
WHOLE = 0.7456
"""AP of the plain files that most cases were made from, here as in pycocotools."""
CASES = {
    "pred_nan_absent": (SCORED, 0.6853),
    "truth_nan_absent": (SCORED, 0.7597),
    "category_with_empty_keypoints": (SCORED, WHOLE),
    "two_skeletons": (SCORED, WHOLE),
    "category_five": (SCORED, WHOLE),
    "boxes_category_zero": ("evaluate default --data coco:data --split val --boxes boxes.json --out out", 0.4245),
    "alphapose_cmu": (SCORED, WHOLE),
    "annotations_with_confidence": (SCORED, WHOLE),
    "mmpose_inferencer": ("score predictions --truth truth.json --metric oks_ap --draws 0", WHOLE),
    "nested_triples": (SCORED, WHOLE),
    "wrapped_in_object": (SCORED, WHOLE),
    "names_initials": (SCORED, WHOLE),
    "layout_annotations_and_images": ("evaluate default --data coco:data --split val --out out", 0.4307),
    "layout_label_studio_windows": ("evaluate default --data coco:data --split val --out out", 0.4307),
    "layout_roboflow": ("evaluate default --data coco:data --split valid --out out", 0.4307),
    "layout_windows_names_coco": ("evaluate default --data coco:data --split val --out out", 0.4307),
    "evaluate_zero_box": ("evaluate default --data coco:data --split val --out out", 0.4307),
    "halpe26": (SCORED, WHOLE),
    "cvat_track_empty_keypoints": (SCORED, WHOLE),
    "no_person_score": (SCORED, WHOLE),
    "negative_keypoint_score": (SCORED, WHOLE),
    "deeplabcut_csv": ("score pred.csv --truth truth.json --metric oks_ap --draws 0", 0.2669),
    "table_extra_column": ("score pred.csv --truth truth.json --metric oks_ap --draws 0", 0.2669),
    "mmpose_custom_list": (SCORED, 0.9284),
    "no_keypoint_names": (f"{SCORED} --skeleton coco", WHOLE),
}


@pytest.fixture
def case(data_dir, tmp_path, monkeypatch):
    def copied(name: str) -> Path:
        folder = data_dir.parent / "cases" / name
        if not folder.is_dir():
            pytest.skip(f"{folder} not found: the cases lie beside the real data")
        shutil.copytree(folder, tmp_path / name, copy_function=shutil.copyfile)
        monkeypatch.chdir(tmp_path / name)
        return tmp_path / name

    return copied


@pytest.mark.parametrize("name", CASES)
def test_a_file_gives_its_number(case, capsys, name):
    command, expected = CASES[name]
    case(name)
    assert main(command.split()) == 0
    found = re.search(r"^ *AP +(\d\.\d+)", capsys.readouterr().out, re.MULTILINE)
    assert float(found[1]) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "command", "complaint"),
    [
        ("pred_shares_of_picture", SCORED, "so they are no pixels"),
        ("jpeg_half_grey", "evaluate default --data coco:data --split val --out out", "data/000001.jpg: damaged"),
        (
            "pictures_resized",
            "evaluate default --data coco:data --split val --out out",
            "its annotations are of 256x256",
        ),
    ],
)
def test_a_file_is_refused_in_one_line(case, capsys, name, command, complaint):
    case(name)
    assert main(command.split()) == 2
    assert complaint in capsys.readouterr().err


def test_limbs_that_do_not_fit_are_not_drawn(case, capsys):
    case("limbs_from_zero")
    assert main("score pred.json --truth truth.json --metric epe --draws 0".split()) == 0
    assert re.search(r"EPE +1\.8478", capsys.readouterr().out)


def test_frames_behind_a_hole_keep_their_numbers(case, capsys):
    case("video_with_a_hole")
    assert main("predict numbers.avi --single --out out".split()) == 0
    assert "of its 24 frames 7 to 12 are lost" in capsys.readouterr().err
    assert "numbers.avi#23" in Path("out/predictions.json").read_text()
