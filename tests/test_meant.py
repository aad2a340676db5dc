"""Data whose files mean something else than their format says: noticed before the first step, and read as one says."""

import json
import struct
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from posewright import datasets, picture
from posewright.cli import main
from posewright.datasets import coco
from posewright.datasets.detections import read_boxes
from posewright.datasets.records import DataError, DataWarning
from posewright.datasets.synthetic import world
from posewright.datasets.truth import read_truth
from posewright.picture import PictureError
from posewright.recipes import recipe_named
from posewright.recipes.own import folder_of, read_as
from posewright.scene import Scene
from posewright.skeleton import COCO
from posewright.train import doubt
from posewright.warp import oriented

TINY = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="module")
def drawn():
    return world(4, 5, size=(96, 128), skeleton=COCO, people=(1, 2))


@pytest.fixture
def data(tmp_path, drawn):
    coco.write(drawn, tmp_path / "data")
    labels = json.loads((tmp_path / "data" / "annotations.json").read_text())
    for one in (*labels["images"], *labels["annotations"]):
        one.pop("posewright", None)
    (tmp_path / "data" / "annotations.json").write_text(json.dumps(labels))
    return tmp_path / "data"


def rewrite(data, change):
    labels = json.loads((data / "annotations.json").read_text())
    change(labels)
    (data / "annotations.json").write_text(json.dumps(labels))


def repaint(data, change):
    """Change the pixels of every picture."""
    for file in (data / "images").iterdir():
        picture.write(file, np.ascontiguousarray(change(picture.read(file))))


def boxes(scenes):
    return np.array([person.box for scene in scenes for person in scene.people])


def points(scenes):
    return np.concatenate([person.keypoints for scene in scenes for person in scene.people])


def said(scenes, what="data"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        doubt(scenes, what)
    return [str(one.message) for one in caught]


FORMS = {
    "corners": lambda x, y, w, h: [x, y, x + w, y + h],
    "centres": lambda x, y, w, h: [x + w / 2, y + h / 2, w, h],
}


@pytest.mark.parametrize(("word", "sized"), list(product(FORMS, [True, False])))
def test_other_boxes_are_noticed_before_the_first_step_and_read_as_one_says(data, drawn, word, sized):
    def change(labels):
        for one in labels["annotations"]:
            one["bbox"] = FORMS[word](*one["bbox"])
        for one in labels["images"] if not sized else ():
            del one["width"], one["height"]

    assert said(coco.read(data, "train")) == []
    rewrite(data, change)
    (line,) = said(coco.read(data, "train"))
    assert f"coco+{word}:DIR says that they are" in line
    for found in (datasets.read(f"coco+{word}:{data}", "train"), read_truth(f"coco+{word}:{data}/annotations.json")):
        np.testing.assert_allclose(boxes(found), boxes(drawn), atol=1e-9)
        assert said(found) == []


def test_boxes_that_are_shares_are_noticed(data):
    def change(labels):
        for one in labels["annotations"]:
            one["bbox"] = [v / 200 for v in one["bbox"]]

    rewrite(data, change)
    assert "so they are no pixels but shares of the picture" in said(coco.read(data, "train"))[0]


@pytest.mark.parametrize("to", [(48, 64), (200, 260), (97, 128)])
def test_pictures_that_were_resized_are_refused_and_read_as_one_says(data, drawn, to):
    repaint(data, lambda pixels: cv2.resize(pixels, to, interpolation=cv2.INTER_AREA))
    with pytest.raises(PictureError, match=rf"is {to[0]}x{to[1]}, its annotations are of 96x128, .*coco\+resized:DIR"):
        doubt(coco.read(data, "train"), "data")
    found = datasets.read(f"coco+resized:{data}", "train")
    assert said(found) == []
    scale = np.array(to) / (96, 128)
    np.testing.assert_allclose(points(found), (points(drawn) + 0.5) * scale - 0.5, atol=1e-9)


@pytest.mark.parametrize(("way", "turn"), [("turned_left", 1), ("turned_right", -1)])
def test_pictures_that_were_turned_are_refused_and_read_as_one_says(data, drawn, way, turn):
    repaint(data, lambda pixels: np.rot90(pixels, turn))
    with pytest.raises(PictureError, match=rf"is 128x96, .*turned; .*coco\+{way}:DIR"):
        doubt(coco.read(data, "train"), "data")
    found = datasets.read(f"coco+{way}:{data}", "train")
    for scene, before in zip(found, drawn, strict=True):
        there = np.zeros((128, 96), bool)
        nose = before.people[0].keypoints[0].round().astype(int).clip(0, (95, 127))
        there[nose[1], nose[0]] = True
        y, x = np.argwhere(np.rot90(there, turn))[0]
        assert np.abs(scene.people[0].keypoints[0].clip(0, (127, 95)) - (x, y)).max() <= 0.5
        assert scene.pixels().shape == (96, 128, 3)


def test_width_and_height_alone_can_be_exchanged_and_pictures_stand_on_their_heads(data, drawn):
    def change(labels):
        for one in labels["images"]:
            one["width"], one["height"] = one["height"], one["width"]

    rewrite(data, change)
    with pytest.raises(PictureError, match=r"coco\+exchanged:DIR says that width and height alone are exchanged"):
        doubt(coco.read(data, "train"), "data")
    found = datasets.read(f"coco+exchanged:{data}", "train")
    np.testing.assert_array_equal(points(found), points(drawn))
    assert found[0].size == (96, 128)
    over = datasets.read(f"coco+exchanged+turned_around:{data}", "train")
    np.testing.assert_allclose(points(over), (95, 127) - points(drawn), atol=1e-9)


def with_orientation(pixels, suffix, orientation):
    """Return a file's bytes with EXIF's tag 274, in either order of bytes."""
    order = "<" if orientation % 2 else ">"
    tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IHHHIHH", 8, 1, 274, 3, 1, orientation, 0)
    tiff += b"\0\0\0\0"
    data = picture.encoded(pixels, suffix)
    if suffix == ".jpg":
        body = b"Exif\0\0" + tiff
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    import zlib

    chunk = b"eXIf" + tiff
    return data[:33] + struct.pack(">I", len(tiff)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


@pytest.mark.parametrize(("orientation", "suffix"), list(product(range(1, 9), [".jpg", ".png"])))
def test_headers_tell_how_pictures_are_turned(tmp_path, orientation, suffix):
    """A bright corner goes where OpenCV's decoder puts it; the header alone tells the same size."""
    pixels = np.zeros((16, 40, 3), np.uint8)
    pixels[:8, :8] = 255
    file = tmp_path / f"a{suffix}"
    file.write_bytes(with_orientation(pixels, suffix, orientation))
    upright = picture.read(file)
    assert picture.orientation_of(file) == orientation
    assert picture.size_of(file) == upright.shape[1::-1]
    x, y = oriented((40, 16), orientation).points([(3.5, 3.5)])[0].round().astype(int)
    assert upright[y, x].min() > 200


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_labels_of_stored_pixels_follow_the_turn_of_exif(data, drawn, orientation):
    for file in (data / "images").iterdir():
        file.write_bytes(with_orientation(picture.read(file), ".png", orientation))
    found = datasets.read(f"coco+stored:{data}", "train")
    expected = oriented((96, 128), orientation).points(points(drawn))
    np.testing.assert_allclose(points(found), expected, atol=1e-9)
    assert [scene.with_size().size for scene in found] == [scene.size for scene in found]
    assert said(found) == []


def test_what_cannot_be_done_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match=r"behind coco\+ may stand corners, .*, not 'corner'"):
        datasets.read(f"coco+corner:{data}", "train")
    rewrite(data, lambda labels: [one.pop("width") for one in labels["images"]])
    with pytest.raises(DataError, match="do not tell width and height"):
        datasets.read(f"coco+resized:{data}", "train")
    with pytest.raises(DataError, match="no such folder"):
        datasets.read(f"coco+corners:{tmp_path}/none", "train")


def test_a_recipe_reads_its_data_as_one_says(data, drawn):
    recipe = read_as(recipe_named("simple_baseline_r50_coco"), f"coco+turned_around:{data}")
    found = recipe.scenes(folder_of(f"coco+turned_around:{data}"), "train")
    np.testing.assert_allclose(points(found), (95, 127) - points(drawn), atol=1e-9)
    mine = read_as(
        replace(recipe, read=lambda *_: [replace(scene, camera=None) for scene in drawn]), f"lsp+turned_around:{data}"
    )
    np.testing.assert_allclose(points(mine.scenes(str(data), "train")), (95, 127) - points(drawn), atol=1e-9)


RECIPE = """
from dataclasses import replace
from tiny import tiny
from posewright.codecs.distribution import Distribution
from posewright.datasets import coco
from posewright.models.compact import Compact
from posewright.metrics import oks_ap
from posewright.recipes.recipe import Phase
from posewright.skeleton import COCO

mine = replace(tiny, read=coco.read, metric=oks_ap, codec=Distribution(COCO, (64, 64)), judged_on="val",
               phases=(Phase(1, 1e-3),),
               network=lambda: Compact(17, widths=(4, 8, 8, 8), depths=(1, 1, 1)))
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(TINY.parent)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(RECIPE)
    return "mine.py:mine"


def test_train_says_that_boxes_are_corners(data, mine, capsys):
    def change(labels):
        for one in labels["annotations"]:
            one["bbox"] = FORMS["corners"](*one["bbox"])

    rewrite(data, change)
    assert main(["train", mine, "--data", "data", "--out", "a"]) == 0
    err = capsys.readouterr().err
    assert "posewright: warning: data, train: " in err
    assert "all fit as corners x, y, x, y; coco+corners:DIR says that they are" in err
    assert main(["train", mine, "--data", "coco+corners:data", "--out", "b"]) == 0
    assert "corners" not in capsys.readouterr().err


def test_train_and_export_refuse_pictures_outside_of_their_data(data, mine, capsys, tmp_path, monkeypatch):
    assert main(["train", mine, "--data", "data", "--out", "run"]) == 0
    (data / "images").rename(tmp_path / "elsewhere")
    (data / "images").mkdir()
    rewrite(
        data, lambda labels: [one.update(file_name=f"../elsewhere/{one['file_name'][7:]}") for one in labels["images"]]
    )
    again = ["train", mine, "--data", "data", "--out", "other"]
    export = ["export", "run/last.pt", "--out", "a.onnx", "--data", "data", "--recipe", mine]
    capsys.readouterr()
    for command in (again, export, ["export", *export[1:-4], "--data", "coco:data/annotations.json", *export[-2:]]):
        assert main(command) == 2
        assert "lies outside of" in capsys.readouterr().err
    monkeypatch.setenv("POSEWRIGHT_PICTURES", str(tmp_path))
    assert main(again) == 0


@pytest.mark.parametrize("form", ["corners", "centres"])
def test_detected_boxes_are_read_as_one_says(tmp_path, form):
    rows = [{"image_id": i, "category_id": 1, "score": 0.9, "bbox": FORMS[form](20.0 + i, 30.0, 10.0, 20.0)}
            for i in range(3)]  # fmt: skip
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    found = read_boxes(tmp_path / "boxes.json", form=form)
    np.testing.assert_allclose([found[i][0].box for i in range(3)], [[20 + i, 30, 30 + i, 50] for i in range(3)])
    shares = [row | {"bbox": [0.2, 0.2, 0.3, 0.5]} for row in rows]
    (tmp_path / "boxes.json").write_text(json.dumps(shares))
    with pytest.raises(DataError, match="all boxes lie within 1, so they are no pixels"):
        read_boxes(tmp_path / "boxes.json", form=form)


def test_a_scene_without_a_picture_says_so():
    with pytest.raises(PictureError, match="no such file"):
        doubt([Scene("none.jpg", COCO, size=(3, 3))], "data")
