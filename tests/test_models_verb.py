"""What `list --models` and `show` say of networks: counted, not remembered."""

from dataclasses import replace

import pytest

from posewright.cli import main, models
from posewright.cli.show import parts_of
from posewright.recipes import RECIPES, recipe_named, sizes
from posewright.recipes.published import PUBLISHED, published

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_says_what_its_network_is_held_to(recipe):
    assert any(recipe.name.startswith(name) for name in PUBLISHED)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cpn_r50_coco", "6.20"),
        ("cpn_r50_coco_384x288", "-"),
        ("hrnet_w48_coco_384x288_udp", "33.0"),
        ("hrnet_w32_coco_keypoint_aware_s1", "-"),
    ],
)
def test_the_longest_name_that_fits_counts(name, said):
    assert published(recipe_named(name)).gflops == said


@pytest.mark.parametrize(
    ("name", "counted"),
    [("hrnet_w32_coco", ("28.54", "7.65")), ("rsn18_coco", ("9.16", "2.25")), ("default", ("2.79", "0.60"))],
)
def test_sizes_are_counted_without_drawing_a_weight(name, counted):
    assert models.size(recipe_named(name)) == counted


def test_a_size_is_kept_for_the_library_s_own_recipes_alone():
    recipe = recipe_named("default")
    assert sizes.kept(recipe) == sizes.counted(recipe)
    assert sizes.kept(replace(recipe, source="my_file.py:mine")) is None


def test_the_list_has_a_row_a_recipe(capsys, monkeypatch):
    some = tuple(recipe_named(name) for name in ("default", "simple_baseline_r50_coco"))
    monkeypatch.setattr("posewright.recipes.RECIPES", some)
    assert main(["list", "--models"]) == 0
    shown = capsys.readouterr().out
    assert "34.00" in shown
    assert "34.1" in shown
    assert "8.9 or 5.21" in shown
    assert "256x192" in shown
    assert shown.rstrip().endswith("twice as many for EfficientPose and PyraNet.")
    assert "simple_baseline_r50, 4e-7" in shown


def test_a_network_is_shown_part_by_part_with_shapes():
    rows = dict(parts_of(recipe_named("hrnet_w32_coco")))
    assert any("17x64x48" in text for text in rows.values())
    stem = [text for name, text in rows.items() if name.strip().startswith("stem")]
    assert stem
    assert "64x64x48" in stem[0]
