"""Associative embedding and HigherHRNet: targets, grouping, and answers put together, against the authors' code."""

import json

import numpy as np
import pytest

from posewright.codecs.bottom_up import higher_hrnet
from posewright.codecs.bottom_up.associative_embedding import RULES, tag_heatmaps, tag_places
from posewright.codecs.bottom_up.higher_hrnet import input_size, over_scales, put_together, with_mirrored
from posewright.codecs.bottom_up.tag_grouping import Rules, adjust, find_peaks, group, match, order_of, refine
from posewright.fields import Heatmaps, Tags
from posewright.skeleton import COCO

SCENES = range(7)
CONFIGURATIONS = {
    "": Rules(published=True),
    "B_": Rules(window=3, most=6, by_score=False, closed=True, published=True),
    "ae_": RULES._replace(slipped=True),
}


def test_targets(reference):
    vector = reference("ae_targets")
    joints = vector["input_joints"]
    xy, labelled = joints[..., :2], joints[..., 2] > 0
    for name, sigma in (("sigma_auto", 1), ("sigma_2", 2), ("sigma_3", 3)):
        np.testing.assert_allclose(
            tag_heatmaps(xy, labelled, (64, 64), sigma), vector[f"output_heatmaps_{name}"], rtol=0, atol=1e-6
        )
    np.testing.assert_allclose(tag_heatmaps(xy, labelled, (64, 64), 1), vector["output_ae_heatmaps"], rtol=0, atol=1e-6)
    scaled = vector["input_joints_with_sigma"]
    maps = tag_heatmaps(scaled[..., :2], scaled[..., 2] > 0, (64, 64), scaled[:, 0, 3])
    np.testing.assert_allclose(maps, vector["output_heatmaps_scale_aware"], rtol=0, atol=1e-6)


def test_places(reference):
    vector = reference("ae_targets")
    joints = vector["input_joints"]
    places = tag_places(joints[..., :2], joints[..., 2] > 0, (64, 64), 30)
    theirs = vector["output_joints_shared_tag"]
    seen = [row[row[:, 1] > 0, 0] for row in theirs]
    ours = [row[row >= 0] for row in places]
    assert len(ours) == len(seen) == 30
    for mine, other in zip(ours, (row for row in seen), strict=True):
        np.testing.assert_array_equal(mine, other)
    for person, k in np.argwhere(places >= 0):
        listed = vector["output_joints_tag_per_joint"][person]
        assert k * 64 * 64 + places[person, k] in listed[listed[:, 1] > 0, 0]


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_grouping(reference, scene, name):
    vector = reference("ae_group")
    told = json.loads(str(vector["meta"]))["scenes"][scene]
    maps = vector[f"input_s{scene}_det"].astype(np.float32)
    tags = np.moveaxis(vector[f"input_s{scene}_tag"].astype(np.float32), -1, 0)
    rules = CONFIGURATIONS[name]
    peaks = find_peaks(maps, tags, rules)
    matched = match(peaks, order_of(COCO), rules)
    output = f"output_s{scene}_{name}"
    theirs = vector[f"{output}match"].reshape(-1, *matched.shape[1:])
    if not told["tie_free" + {"": "", "B_": "_B", "ae_": "_ae"}[name]]:
        # which of two equally good assignments is taken depends on the solver, and with it whose a peak is
        np.testing.assert_allclose(np.sort(matched[..., 2].ravel()), np.sort(theirs[..., 2].ravel()), rtol=0, atol=1e-6)
        return
    np.testing.assert_allclose(matched, theirs, rtol=0, atol=1e-6)
    adjusted = adjust(matched, maps)
    if f"{output}adjust" in vector:
        np.testing.assert_allclose(adjusted, vector[f"{output}adjust"].reshape(matched.shape), rtol=0, atol=1e-6)
    people, scores = group(maps, tags, order_of(COCO), rules)
    np.testing.assert_allclose(
        people[..., :3], vector[f"{output}final"].reshape(people.shape)[..., :3], rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(scores, vector[f"{output}scores"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(refine(adjusted, maps, tags, rules), people)


def test_peaks(reference):
    vector = reference("ae_group")
    for scene in SCENES:
        maps, tags = vector[f"input_s{scene}_det"], np.moveaxis(vector[f"input_s{scene}_tag"], -1, 0)
        found = find_peaks(maps.astype(np.float32), tags.astype(np.float32), Rules())
        for k, peaks in enumerate(found):
            kept = vector[f"output_s{scene}_top_val"][k] > 0.1
            np.testing.assert_array_equal(peaks.value, vector[f"output_s{scene}_top_val"][k][kept])
            rows = np.column_stack([peaks.x, peaks.y])
            theirs = vector[f"output_s{scene}_top_loc"][k][kept]
            np.testing.assert_array_equal(sorted(rows.tolist()), sorted(theirs.tolist()))


CASES = ("w32_flip", "w32_noflip", "w32_noproject", "multi_project", "multi_noproject", "two_ae")


@pytest.mark.parametrize("case", CASES)
def test_answers_are_put_together(reference, case):
    vector = reference("higher_hrnet_aggregate")
    told = next(one for one in json.loads(str(vector["meta"]))["cases"] if one["case"] == case)

    def stages(which, scale):
        maps = (vector[f"input_{case}_x{scale:g}_{which}{i}"].astype(np.float32) for i in (0, 1))
        return [Tags(m[:, :17], m[:, None, 17:]) if tagged else Heatmaps(m[:, :17])
                for m, tagged in zip(maps, told["with_ae"], strict=True)]  # fmt: skip

    answers = []
    for scale in told["scale_factor"]:
        answer = put_together(stages("a", scale))
        if told["flip"]:
            answer = with_mirrored(answer, put_together(stages("f", scale), COCO))
        answers.append((scale, answer))
    fields = over_scales(answers, tuple(told["base_size_wh"]) if told["project"] else None)
    tags = np.moveaxis(fields.tags, -4, -1)
    for name, ours in (("heatmaps", fields.maps), ("tags", tags)):
        assert ours.shape == tuple(vector[f"output_{case}_{name}_shape"])
        theirs = vector[f"output_{case}_{name}_sample"]
        np.testing.assert_allclose(ours.ravel()[vector[f"output_{case}_{name}_index"]], theirs, rtol=1e-5, atol=1e-6)


def test_input_sizes(reference):
    vector = reference("higher_hrnet_aggregate")
    for (h, w, base, scale, smallest), theirs in zip(vector["input_sizes"], vector["output_sizes"], strict=True):
        assert input_size((int(w), int(h)), int(base), scale, smallest) == tuple(theirs[:2].astype(int))


def test_the_way_back_to_the_picture(reference):
    vector = reference("higher_hrnet_aggregate")
    columns = ("input_project_images_hw", "input_project_points", "output_project_points")
    for (h, w), points, theirs in zip(*(vector[name] for name in columns), strict=True):
        size = (int(w), int(h))
        back = higher_hrnet.picture_to_input(size, 512).inverse(size)
        np.testing.assert_allclose(back.points(points[..., :2]), theirs[..., :2], rtol=1e-6, atol=1e-6)
