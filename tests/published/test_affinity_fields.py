"""Part affinity fields in both forms: targets and parsing, against two codes."""

import numpy as np
import pytest

from posewright.codecs.bottom_up.affinity_fields import (
    OPENPOSE,
    TENSORBOY,
    averaged_fields,
    drawn_keypoints,
    inside,
    limb_places,
    overwritten_fields,
    summed_bells,
    with_background,
)
from posewright.codecs.bottom_up.affinity_parsing import (
    assemble,
    assemble_lightly,
    connect,
    connect_lightly,
    reader,
    smoothed_peaks,
    thinned_peaks,
)
from posewright.codecs.bottom_up.openpose import evaluation_order
from posewright.codecs.bottom_up.whole import Everyone
from posewright.skeleton import COCO

SCENES = range(6)


def people_of(vector):
    keypoints = vector["input_keypoints"]
    labelled = keypoints[..., 2] > 0
    h, w = vector["input_size"].tolist()
    return Everyone(np.where(labelled[..., None], keypoints[..., :2], 0.0), labelled), (w, h)


def test_form_a(reference):
    vector = reference("paf_target")
    people, size = people_of(vector)
    drawn = inside(drawn_keypoints(people, COCO, TENSORBOY, rounded=True), size)
    map_size = (size[0] // 8, size[1] // 8)
    maps = with_background(summed_bells(drawn, map_size, 8))
    np.testing.assert_allclose(np.moveaxis(maps, 0, -1), vector["output_a_heatmaps"], rtol=0, atol=1e-6)
    fields = averaged_fields(drawn, limb_places(TENSORBOY), map_size, 8)
    np.testing.assert_allclose(np.moveaxis(fields, 0, -1), vector["output_a_pafs"], rtol=0, atol=1e-6)


def test_form_b(reference):
    vector = reference("paf_target")
    people, size = people_of(vector)
    drawn = inside(drawn_keypoints(inside(people, size), COCO, OPENPOSE, rounded=False), size)
    map_size = (size[0] // 8, size[1] // 8)
    theirs = vector["output_b_converted"]
    np.testing.assert_array_equal(drawn.labelled, theirs[..., 2] <= 1)
    np.testing.assert_allclose(drawn.xy[drawn.labelled], theirs[..., :2][drawn.labelled], rtol=0, atol=1e-6)
    maps = with_background(summed_bells(drawn, map_size, 8, boxed=True))
    np.testing.assert_allclose(maps, vector["output_b_keypoint_maps"], rtol=0, atol=1e-6)
    for width in (1, 2):
        fields = overwritten_fields(drawn, limb_places(OPENPOSE), map_size, 8, width)
        np.testing.assert_allclose(fields, vector[f"output_b_paf_maps_thickness_{width}"], rtol=0, atol=1e-6)


def scene_of(vector, scene):
    maps = np.moveaxis(vector[f"input_s{scene}_heatmap"].astype(np.float32), -1, 0)[:18]
    fields = np.moveaxis(vector[f"input_s{scene}_paf"].astype(np.float32), -1, 0)
    order = evaluation_order(OPENPOSE)
    limbs = [limb_places(OPENPOSE)[limb] for limb in order]
    fields = fields.reshape(-1, 2, *fields.shape[1:])[order].reshape(fields.shape)
    return np.ascontiguousarray(maps), fields, limbs


def rows_of(peaks):
    return np.concatenate([np.stack([p.x, p.y, p.score], -1) for p in peaks])


@pytest.mark.parametrize("scene", SCENES)
def test_parsing(reference, scene):
    vector = reference("paf_parse")
    maps, fields, limbs = scene_of(vector, scene)
    assert limbs == [(0 + a, b) for a, b in EVALUATED]
    peaks = smoothed_peaks(maps)
    theirs = vector[f"output_s{scene}_candidate"]
    np.testing.assert_allclose(rows_of(peaks), theirs[:, :3], rtol=0, atol=1e-6)
    found = connect(peaks, limbs, reader(fields), maps.shape[1])
    first = np.cumsum([0] + [len(p.x) for p in peaks])
    rows = [(limb, first[a] + i, first[b] + j, s) for limb, ((a, b), c) in enumerate(zip(limbs, found, strict=True))
            for i, j, s in zip(*c, strict=True)]  # fmt: skip
    np.testing.assert_allclose(np.array(rows).reshape(-1, 4), vector[f"output_s{scene}_connections"], atol=1e-6)
    people = assemble(peaks, limbs, found)
    theirs = vector[f"output_s{scene}_subset"]
    np.testing.assert_array_equal(people.peaks, theirs[:, :18])
    np.testing.assert_allclose(people.total, theirs[:, 18], atol=1e-6)
    np.testing.assert_array_equal(people.parts, theirs[:, 19])


@pytest.mark.parametrize("scene", SCENES)
def test_light_parsing(reference, scene):
    vector = reference("paf_parse")
    maps, fields, limbs = scene_of(vector, scene)
    peaks = thinned_peaks(maps)
    np.testing.assert_allclose(rows_of(peaks), vector[f"output_s{scene}_lw_keypoints"][:, :3], rtol=0, atol=1e-6)
    people = assemble_lightly(peaks, limbs, connect_lightly(peaks, limbs, reader(fields)))
    theirs = vector[f"output_s{scene}_lw_entries"].reshape(-1, 20)
    np.testing.assert_array_equal(people.peaks, theirs[:, :18])
    np.testing.assert_allclose(people.total, theirs[:, 18], atol=1e-5)
    np.testing.assert_array_equal(people.parts, theirs[:, 19])


EVALUATED = [(1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
             (1, 0), (0, 14), (14, 16), (0, 15), (15, 17), (2, 16), (5, 17)]  # fmt: skip
