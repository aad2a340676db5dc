"""Pasting objects against the released code of Sarandi et al. 2018 (isarandi/synthetic-occlusion), to the last bit."""

import json

import cv2
import numpy as np
import pytest

from posewright.occlusion.choices import Objects
from posewright.occlusion.objects import RIM, RIM_SIZE, cut_out, paste, resized
from posewright.scene import Crop, Person
from posewright.skeleton import COCO
from posewright.warp import around


@pytest.fixture
def vector(reference):
    return reference("synthetic_occlusion")


def things(vector):
    return [vector[f"input_occluder_{n}"] for n in range(3)]


def crop_of(pixels):
    height, width = pixels.shape[:2]
    nobody = Person(np.full((17, 2), np.nan), np.zeros(17, np.uint8))
    return Crop(pixels, (nobody,), around((0, 0), (1, 1), (width, height)), COCO, (width, height))


def test_pasting_is_theirs_also_over_the_border(vector, rng):
    image = vector["input_image"]
    for number, difference in enumerate(vector["output_paste_difference"]):
        thing = things(vector)[vector["input_paste_occluder"][number]]
        pasted = paste(thing, tuple(vector["input_paste_centre"][number]))(crop_of(image), rng)
        np.testing.assert_array_equal(pasted.pixels, image + difference)
    assert sum(difference.any() for difference in vector["output_paste_difference"]) == 7  # one lies outside


def test_resizing_is_theirs(vector):
    for number, factor in enumerate(vector["input_resize_factor"]):
        np.testing.assert_array_equal(
            resized(vector["input_occluder_0"], float(factor)), vector[f"output_resize_{number}"]
        )


def test_the_rim_is_theirs(vector):
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (RIM_SIZE, RIM_SIZE))
    np.testing.assert_array_equal(ellipse, vector["output_structuring_element"])
    mask = vector["input_mask"] > 0
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    found = cut_out(np.zeros((*mask.shape, 3), np.uint8), mask)[..., 3]
    assert set(np.unique(found)) <= {0, RIM, 255}
    np.testing.assert_array_equal(found, vector["output_mask"][window])


class Told:
    """Gives the numbers that it was told, for each draw in its turn, and checks what is asked for."""

    def __init__(self, draws, size, count):
        width, height = size
        self.answers = [("integers", (1, 8), len(draws))]
        for draw in draws:
            scale = draw["factor"] / (min(size) / 256)
            self.answers += [("integers", (count,), draw["occluder"]), ("uniform", (0.2, 1.0), scale)]
            self.answers += [("uniform", (0, width), draw["centre"][0]), ("uniform", (0, height), draw["centre"][1])]

    def _answer(self, kind, *asked):
        wanted, arguments, value = self.answers.pop(0)
        assert (kind, asked) == (wanted, arguments)
        return value

    def integers(self, *asked):
        return self._answer("integers", *asked)

    def uniform(self, *asked):
        return self._answer("uniform", *asked)


def test_the_whole_augmentation_is_theirs(vector, rng):
    """Also what is drawn, in which order and from which ranges: 1 to 7 objects, scales of 0.2 to 1, any place."""
    crop = crop_of(vector["input_image"])
    draws = json.loads(str(vector["meta"]))["draws"]
    told = Told(draws, (128, 96), 3)
    for occluder in Objects(things(vector))(crop, 0, told):
        crop = occluder(crop, rng)
    assert not told.answers
    np.testing.assert_array_equal(crop.pixels, vector["output_full"])
