"""Diagnosis against the program of Ronchi and Perona."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from posewright.metrics.diagnosis.kinds import (
    AREAS,
    KINDS,
    diagnose,
    everybody,
    find_kinds,
    kinds,
    meant_people,
    similarity,
)
from posewright.metrics.diagnosis.repair import (
    BASELINE,
    KEYPOINTS,
    average_precision,
    best_oks,
    best_scores,
    counting,
    repaired,
    repairs,
    stages,
)
from posewright.scene import Person, Scene
from posewright.skeleton import COCO

VECTORS = Path(__file__).parent / "vectors"
STAGES = {name: name for name in (BASELINE, *KEYPOINTS, "score")} | {"false_positives": "bckgd_false_pos"}


def read_json(path):
    if not path.exists():
        pytest.skip(f"{path.name} not found: set POSEWRIGHT_DATA to the data folder beside the reference vectors")
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


def true_person(annotation):
    triples = np.array(annotation["keypoints"], np.float64).reshape(-1, 3)
    x, y, width, height = annotation["bbox"]
    return Person(
        np.where(triples[:, 2:] > 0, triples[:, :2], np.nan),
        triples[:, 2].astype(np.uint8),
        box=np.array([x, y, x + width, y + height], np.float64),
        area=annotation["area"],
        crowd=bool(annotation["iscrowd"]),
        id=annotation["id"],
    )


def predicted_person(result):
    return Person(np.array(result["keypoints"], np.float64).reshape(-1, 3)[:, :2], score=result["score"])


class Published:
    """The vector, the scenes, and tables from our places to the original's ids of predictions."""

    def __init__(self, vector, annotations, results):
        self.vector = vector
        people, found, self.ids = ({image["id"]: [] for image in annotations["images"]} for _ in range(3))
        for record in annotations["annotations"]:
            people[record["image_id"]].append(true_person(record))
        renamed = {int(place): i + 1 for i, place in enumerate(vector["input_kept"])}
        for place, record in enumerate(results):
            found[record["image_id"]].append(predicted_person(record))
            self.ids[record["image_id"]].append(renamed.get(place, 0))
        self.truth = [Scene("", COCO, tuple(p), id=image) for image, p in people.items()]
        self.predicted = [Scene("", COCO, tuple(p), id=image) for image, p in found.items()]

    def identities(self, scene, predicted):
        return np.array([self.ids[self.truth[s].id][p] for s, p in zip(scene, predicted, strict=True)])


@pytest.fixture(scope="module", params=["coco_mini", "crowd17"])
def published(request, reference):
    vector = reference(f"coco_analyze_{request.param}")
    if request.param == "crowd17":
        return Published(
            vector, *(read_json(VECTORS / str(vector[f"input_{k}"])) for k in ("annotations", "detections"))
        )
    data = request.getfixturevalue("data_dir")
    annotations = read_json(data.parent / str(vector["input_annotations"]))
    return Published(vector, annotations, read_json(data.parent / "reference" / str(vector["input_detections"])))


def test_every_keypoint_is_what_the_original_says(published):
    found, vector = diagnose(published.predicted, published.truth), published.vector
    ours = published.identities(found.scene, found.predicted)
    mine, theirs = np.argsort(ours), np.argsort(vector["output_match_dt_id"])
    np.testing.assert_array_equal(ours[mine], vector["output_match_dt_id"][theirs])
    people = [published.truth[s].people[p].id for s, p in zip(found.scene, found.truth, strict=True)]
    np.testing.assert_array_equal(np.array(people)[mine], vector["output_match_gt_id"][theirs])
    np.testing.assert_allclose(found.similarity[mine], vector["output_match_oks"][theirs], rtol=0, atol=1e-15)
    flags = np.stack([found.kind == kind for kind in KINDS], axis=1)
    np.testing.assert_array_equal(flags[mine], vector["output_flags"][theirs])

    score = kinds(published.predicted, published.truth)
    total = int(vector["output_total_keypoints"])
    shares = [score[kind.name.lower()] for kind in KINDS]
    np.testing.assert_allclose(shares, vector["output_counts"] / total, rtol=1e-15)
    each = [[score[f"{kind.name.lower()}/{name}"] for name in COCO.keypoints] for kind in KINDS]
    counts = vector["output_counts_per_keypoint"]
    whole = np.where(counts.sum(0) > 0, counts.sum(0), np.nan)
    np.testing.assert_allclose(each, counts / whole, rtol=1e-15)
    assert [score.protocol[f"keypoints/{kind.name.lower()}"] for kind in KINDS] == vector["output_counts"].tolist()


def test_keypoints_are_repaired_and_scores_are_best_as_in_the_original(published):
    vector = published.vector
    people = everybody(published.predicted, published.truth)
    xy = people.predictions.keypoints
    ours = published.identities(people.scene[people.predictions.image], people.predicted)
    found = find_kinds(people, meant_people(people, similarity(people, xy))[list(AREAS).index("all")])
    corrected = xy
    for kind in KEYPOINTS.values():
        corrected = repaired(people, found, kind, corrected)
    mine, theirs = np.argsort(ours[found.guess]), np.argsort(vector["output_match_dt_id"])
    expected = vector["output_corrected_keypoints"][theirs].reshape(-1, 17, 3)[..., :2]
    np.testing.assert_allclose(corrected[found.guess][mine], expected, rtol=1e-13)

    mine, theirs = np.argsort(ours), np.argsort(vector["output_opt_score_dt_id"])
    for area, name in enumerate(AREAS):
        best = best_oks(people, xy, counting(people, area)[0])
        np.testing.assert_allclose(best[mine], vector[f"output_max_oks_{name}"][theirs], rtol=0, atol=1e-15)
        scores = best_scores(people, [best], xy)[0]
        np.testing.assert_allclose(scores[mine], vector[f"output_opt_score_{name}"][theirs], rtol=0, atol=1e-15)


def test_average_precision_after_every_repair_is_the_original_s(published):
    vector = published.vector
    people = everybody(published.predicted, published.truth)
    alone, sequence = stages(people)
    assert list(AREAS) == ["all", "medium", "large"]
    assert alone.keys() == sequence.keys() == STAGES.keys()
    for ours, theirs in STAGES.items():
        np.testing.assert_allclose(average_precision(alone[ours]), vector[f"output_ap_{theirs}"], rtol=1e-14)
        np.testing.assert_allclose(average_precision(sequence[ours]), vector[f"output_seq_ap_{theirs}"], rtol=1e-14)
    # the original counts ignored predictions and ignored people as well
    unmatched = np.stack([(matches.person[0] < 0).sum(1) for matches in alone[BASELINE]])
    np.testing.assert_array_equal(unmatched, vector["output_false_pos_count"])
    taken = np.array([[len(np.unique(row[row >= 0])) for row in matches.person[0]] for matches in alone[BASELINE]])
    np.testing.assert_array_equal(len(people.truths.area) - taken, vector["output_false_neg_count"])


def test_the_score_holds_the_original_s_means(published):
    vector, score = published.vector, repairs(published.predicted, published.truth)
    assert score["AP"] == pytest.approx(vector["output_ap_baseline"][:, 0].mean(), abs=1e-14)
    assert score["AP75"] == pytest.approx(vector["output_ap_baseline"][5, 0], abs=1e-14)
    assert score["APM"] == pytest.approx(vector["output_ap_baseline"][:, 1].mean(), abs=1e-14)
    assert score["APL"] == pytest.approx(vector["output_ap_baseline"][:, 2].mean(), abs=1e-14)
    assert score["sequence/false_negatives"] == vector["output_seq_ap_false_neg"][:, 0].mean() == 1
    for ours, theirs in list(STAGES.items())[1:]:
        after = vector[f"output_ap_{theirs}"][:, 0].mean()
        assert score[f"AP/{ours}"] == pytest.approx(after, abs=1e-14)
        assert score[f"gain/{ours}"] == pytest.approx(after - vector["output_ap_baseline"][:, 0].mean(), abs=1e-14)
        assert score[f"sequence/{ours}"] == pytest.approx(vector[f"output_seq_ap_{theirs}"][:, 0].mean(), abs=1e-14)
