"""docs/occlusion.md: its examples run, its table is complete, and the sheet shows every preset, region and fill."""

import doctest
import importlib.util
import inspect
from dataclasses import is_dataclass
from pathlib import Path

import cv2
import pytest

from posewright.occlusion import fills, presets, regions
from posewright.recipes.occlusion import OCCLUSIONS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "occlusion.md"


def test_the_examples_run():
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0


def test_the_table_names_every_occlusion_and_nothing_else():
    rows = [row for row in PAGE.read_text().splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in row.split("|")[1].replace("`", "").replace(" ", "").split(",")}
    removals = {name for name in OCCLUSIONS if name.endswith("_removal")}
    assert named == OCCLUSIONS.keys() - removals
    assert removals == {f"{name}_removal" for name in named if name.startswith("pytel_")}


@pytest.fixture(scope="module")
def sheet():
    spec = importlib.util.spec_from_file_location("occluders", DOCS / "occluders.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def own(module):
    """What a module defines and shows."""
    named = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return {name: value for name, value in named.items() if getattr(value, "__module__", "") == module.__name__}


def test_the_sheet_shows_every_preset_region_and_fill(sheet, monkeypatch):
    drawn = set()

    class Recording(dict):
        def __getitem__(self, name):
            drawn.add(name)
            return super().__getitem__(name)

    monkeypatch.setattr(sheet, "AUGMENTATIONS", Recording(presets.AUGMENTATIONS))
    attacks, augmented = list(sheet.attacks()), [*sheet.targeted(), *sheet.others()]
    assert drawn == presets.AUGMENTATIONS.keys()
    assert {tile.name.split()[1] for tile in attacks[1:]} == presets.ATTACKS.keys()
    assert {"objects", "half body"} <= {tile.name for tile in augmented}
    assert {tile.name for tile in sheet.every_region()} == {n for n, v in own(regions).items() if is_dataclass(v)}
    assert {tile.name for tile in sheet.every_fill()} | {"Colours"} == {n for n, v in own(fills).items() if callable(v)}
    assert "Colours" in inspect.getsource(sheet.every_region)
    changed = [(tile.crop.pixels != sheet.CROP.pixels).any() for tile in (*attacks[1:], *augmented)]
    assert all(changed)


def test_the_sheet_is_there_and_small():
    path = DOCS / "images" / "occluders.png"
    assert path.stat().st_size < 600_000
    assert cv2.imread(str(path)).shape[1] > 1000


def test_the_picture_of_the_study_is_there_and_small():
    path = DOCS / "images" / "study.png"
    assert path.stat().st_size < 250_000
    assert cv2.imread(str(path)).shape[1] > 900
    assert "docs/images/study.png" in (DOCS.parent / "README.md").read_text()
