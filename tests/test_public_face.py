"""What `import posewright` offers, and what files written for the layout before go on finding."""

import subprocess
import sys
from importlib import import_module

import pytest

import posewright
from posewright.moved import MOVED


@pytest.mark.parametrize("name", posewright.__all__)
def test_every_public_name_is_there_explained_and_listed(name):
    assert name in dir(posewright)
    found = getattr(posewright, name)
    assert found.__name__ == name
    assert ">>>" in (found.__doc__ or "") or "::" in (found.__doc__ or ""), f"{name} has no example"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        posewright.laod  # noqa: B018


def test_no_package_hides_a_public_function():
    for name in posewright.__all__:
        with pytest.raises(ModuleNotFoundError):
            import_module(f"posewright.{name}.inside")


def test_importing_costs_nothing():
    code = "import sys, posewright; print([m for m in ('torch', 'cv2', 'numpy', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("name", MOVED)
def test_modules_are_found_under_the_names_that_they_had(name):
    old, new = import_module(f"posewright.{name}"), import_module(f"posewright.{MOVED[name]}")
    for attribute in vars(new):
        if not attribute.startswith("_"):
            assert getattr(old, attribute) is getattr(new, attribute)


def test_what_is_inside_a_moved_package_is_found_too():
    from posewright.adapters.rtm import load

    assert load is import_module("posewright.estimators.adapters.rtm").load
    with pytest.raises(ModuleNotFoundError, match="posewright"):
        import_module("posewright.adapters.nobody")


def test_estimators_are_shown_in_a_line():
    from posewright.estimators.adapters import Adapted, each_box, nobody

    shown = [
        repr(posewright.load()),
        repr(Adapted(each_box(lambda _: [nobody(Adapted.own)]), about={"package": "mine"})),
    ]
    assert shown[0] == "TopDown(pose, 19 keypoints of body, crops of 160x160)"
    assert shown[1] == "Adapted(mine, 17 keypoints of coco)"
