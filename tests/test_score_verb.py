"""The verbs `score` and `diagnose`: from files to numbers, JSON and pages."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posewright.cli import main
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.metrics import Score, kinds, oks_ap
from posewright.metrics.trust.confidence import Difference, Interval, intervals
from posewright.metrics.trust.outcomes import Outcomes
from posewright.report import diagnosis, results, scores, tables
from posewright.skeleton import AIC, COCO, CROWDPOSE, LSP, MPII
from posewright.verbs import score as scoring


def moved(scenes, rng, by, inverted=0.0, lost=0.0):
    """The people of scenes with their keypoints off by a share of their height, some turned, some lost."""
    found = []
    for scene in scenes:
        people = []
        for person in scene.people:
            if rng.random() < lost or not person.labelled.any():
                continue
            xy = person.keypoints + by * (person.box[3] - person.box[1]) * rng.normal(size=person.keypoints.shape)
            xy = xy[scene.skeleton.mirror] if rng.random() < inverted else xy
            scores = np.where(np.isfinite(xy).all(1), rng.uniform(0.4, 0.9, len(xy)), 0)
            people.append(replace(person, keypoints=xy, visible=None, cause=None, scores=scores,
                                  score=float(rng.uniform(0.3, 0.9))))  # fmt: skip
        found.append(replace(scene, people=tuple(people)))
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Drawn truth of many people a picture, of one, and predictions of each: good, bad, none."""
    place = tmp_path_factory.mktemp("score")
    rng = np.random.default_rng(0)
    scenes = world(12, 1, size=(160, 128), people=(2, 4))
    coco.write(scenes, place / "many")
    coco.write_results(moved(scenes, rng, 0.01), place / "good.json")
    coco.write_results(moved(scenes, rng, 0.05, inverted=0.4, lost=0.3), place / "bad.json")
    (place / "none.json").write_text("[]")
    singles = world(4, 2, skeleton=LSP, size=(96, 96), people=(1, 1))
    coco.write(singles, place / "one")
    coco.write_results(moved(singles, rng, 0.01), place / "one.json")
    for skeleton in (CROWDPOSE, AIC, MPII):
        scenes = [with_heads(scene) for scene in world(8, 3, skeleton=skeleton, size=(160, 128), people=(2, 3))]
        coco.write(scenes, place / skeleton.name)
        coco.write_results(moved(scenes, rng, 0.02), place / f"{skeleton.name}.json")
    return place


def with_heads(scene):
    """A scene as those of AI Challenger, CrowdPose and MPII are: no areas, but MPII's head boxes."""

    def changed(person):
        x0, y0, x1, _ = person.box
        return replace(person, area=None, head=np.array([x0, y0, x1, y0 + 0.2 * (x1 - x0)]))

    return replace(scene, people=tuple(map(changed, scene.people)))


def run(place, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    return main(line.format(place=place).split())


def read(path):
    return json.loads(path.read_text())


TRUTH = "--truth {place}/many/annotations.json --draws 200"


def test_score_says_what_the_metrics_say_with_interval_protocol_and_warnings(place, tmp_path, monkeypatch, capsys):
    assert run(place, tmp_path, monkeypatch, f"score {{place}}/bad.json {TRUTH} --out .") == 0
    shown = capsys.readouterr().out
    truth = scoring.truth_of(str(place / "many" / "annotations.json"))
    expected = oks_ap(coco.read_results(place / "bad.json", truth), truth)
    written = read(tmp_path / "scores.json")
    (file,) = written["files"]
    assert list(file["metrics"]) == ["oks_ap", "ap_by_visibility", "ap_by_keypoint"]
    ours = file["metrics"]["oks_ap"]
    for name, value in expected.items():
        assert ours["scores"][name]["value"] == (None if value == -1 else value)
        assert tables.spoken(value) in shown
    assert ours["scores"]["AP"]["low"] < expected["AP"] < ours["scores"]["AP"]["high"]
    assert ours["protocol"]["sigmas"] == "COCO"
    assert ours["protocol"]["sigma_values"].startswith("nose 0.026, left_eye 0.025, ")
    assert ours["protocol"]["boxes"] == "not recorded"
    assert file["warnings"]
    assert all(" ".join(f"warning: {w}".split()) in " ".join(shown.split()) for w in file["warnings"])
    assert len(file["sha256"]) == 64
    assert written["intervals"]["draws"] == 200
    assert written["versions"]["posewright"]


def test_without_draws_there_are_no_intervals_and_without_out_no_files(place, tmp_path, monkeypatch, capsys):
    assert run(place, tmp_path, monkeypatch, f"score {{place}}/bad.json {TRUTH} --metric oks_ap --draws 0") == 0
    assert "interval" not in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_many_numbers_take_a_quarter_of_the_draws_and_tell_it(place):
    truth = scoring.truth_of(str(place / "many" / "annotations.json"))
    found = scoring.score_file(place / "bad.json", truth, ["oks_ap", "ap_by_keypoint"], draws=700)
    assert "draws" not in found.scores["oks_ap"].protocol
    assert found.scores["ap_by_keypoint"].protocol["draws"] == 500
    for name, draws in (("oks_ap", 700), ("ap_by_keypoint", 500)):
        assert str(found.intervals[name]) == str(intervals(found.scores[name], draws))


def test_without_draws_the_file_says_values_alone(place, tmp_path, monkeypatch):
    assert run(place, tmp_path, monkeypatch, f"score {{place}}/bad.json {TRUTH} --metric oks_ap --draws 0 --out .") == 0
    assert read(tmp_path / "scores.json")["files"][0]["metrics"]["oks_ap"]["scores"]["AP"].keys() == {"value"}


def test_a_page_of_scores_needs_nothing_from_elsewhere(place, tmp_path, monkeypatch):
    assert run(place, tmp_path, monkeypatch, f"score {{place}}/bad.json {TRUTH} --out page") == 0
    page = (tmp_path / "page" / "report.html").read_text()
    assert self_contained(page)
    assert page.count("<svg") == 3
    assert "left knee" in page
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == ["report.html", "scores.json"]


def self_contained(page):
    """No address but data and parts of the page itself, and no id twice: figures share one page."""
    ids = re.findall(r'\bid="([^"]+)"', page)
    sources = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r"url\(([^)]+)\)", page)
    own = [source for source in sources if source.startswith("#")]
    assert {source[1:] for source in own} <= set(ids)
    return len(ids) == len(set(ids)) and all(source.startswith(("#", "data:image/")) for source in sources)


def test_two_files_are_compared_on_the_same_pictures(place, tmp_path, monkeypatch, capsys):
    assert run(place, tmp_path, monkeypatch, f"score {{place}}/bad.json {{place}}/good.json {TRUTH} --out p") == 0
    written = read(tmp_path / "p" / "scores.json")
    found = written["second_minus_first"]["oks_ap"]["AP"]
    values = [file["metrics"]["oks_ap"]["scores"]["AP"]["value"] for file in written["files"]]
    assert found["value"] == pytest.approx(values[1] - values[0])
    assert 0 < found["low"] < found["value"] < found["high"]
    assert 0 < found["p"] < 0.05, "of few pictures it is Student's, no longer the draws' least, 2 / 201"
    shown = capsys.readouterr().out
    assert "second - first" in shown
    assert "Holm's p" in shown
    page = (tmp_path / "p" / "report.html").read_text()
    assert "Two predictions compared" in page
    assert "These are 17 numbers: where nothing differs, 0.9 of them have p &lt; 0.05 by chance" in page


@pytest.mark.parametrize("files", ["bad", "bad good"])
def test_scores_are_drawn_beside_what_came_true(place, tmp_path, monkeypatch, files):
    paths = " ".join(f"{{place}}/{name}.json" for name in files.split())
    names = "keypoint_calibration,person_calibration,visibility_auc"
    assert run(place, tmp_path, monkeypatch, f"score {paths} {TRUTH} --metric {names} --out p") == 0
    page = (tmp_path / "p" / "report.html").read_text()
    assert self_contained(page)
    for name in files.split():
        for title in ("Reliability of keypoint scores", "Reliability of person scores", "ROC"):
            assert f">{title}, {name}.json<" in page
    assert page.count(">bins of equal counts<") == 2 * len(files.split())


def test_a_long_roc_is_drawn_with_few_points(monkeypatch, rng):
    outcomes = Outcomes.of(rng.random(5000), rng.integers(0, 2, 5000))
    drawn = []
    monkeypatch.setattr(scores, "curve", lambda *told: drawn.append((told[0], told[1][0])) or "")
    assert scores.curves(
        "visibility_auc", results.Result(Path("a.json"), {}, {}, [], {"visibility_auc": outcomes})
    ) == [""]
    ((title, (_, false, true, count)),) = drawn
    assert (title, count) == ("ROC, a.json", None)
    assert len(false) == len(true) == scores.POINTS
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    nothing = results.Result(Path("a.json"), {}, {}, [], {"visibility_auc": Outcomes.of([], [])})
    assert scores.curves("visibility_auc", nothing) == scores.curves("pck", nothing) == []


def test_of_many_groups_only_those_are_clear_that_hold_beside_all_others():
    p = {"AP/a": 0.01, "AP/b": 0.02, "AP/c": 0.04, "AP/d": float("nan")}
    score = Score(dict.fromkeys(p, 0.5), {})
    found = {name: Difference(0.1, 0.01, 0.2, one) for name, one in p.items()}
    assert [row[-2:] for row in tables.differences_of([score, score], found)] == [
        ["p", "Holm's p"], ["0.0100", "0.0300"], ["0.0200", "0.0400"], ["0.0400", "0.0400"], ["-", "-"],
    ]  # fmt: skip
    found["AP/a"] = Difference(0.1, 0.01, 0.2, 0.03)
    assert scores.verdict(score, found) == "AP: no group differs clearly"
    found["AP/a"] = Difference(0.2, 0.01, 0.2, 0.01)
    assert scores.verdict(score, found) == "AP: 3 of 4 differ clearly, most a, +0.200"
    (head, _) = tables.differences_of([Score({"AP": 0.5}, {})] * 2, {"AP": Difference(0.1, 0.01, 0.2, 0.01)})
    assert head[-1] == "p"


def test_a_file_beside_itself_does_not_differ(place, tmp_path, monkeypatch):
    assert (
        run(place, tmp_path, monkeypatch, f"score {{place}}/bad.json {{place}}/bad.json {TRUTH} --metric kinds --out .")
        == 0
    )
    for found in read(tmp_path / "scores.json")["second_minus_first"]["kinds"].values():
        assert found in ({"value": 0, "low": 0, "high": 0, "p": 1}, dict.fromkeys(("value", "low", "high", "p")))


def test_people_alone_are_scored_as_their_data_set_is(place, tmp_path, monkeypatch, capsys):
    truth = "--truth {place}/one/annotations.json --draws 50"
    assert run(place, tmp_path, monkeypatch, f"score {{place}}/one.json {truth} --out .") == 0
    assert "PCK@0.2" in capsys.readouterr().out
    assert list(read(tmp_path / "scores.json")["files"][0]["metrics"]) == ["pck"]


DATA = dict.fromkeys(results.NAMES, "many") | dict.fromkeys(results.OF_DISTANCE, "one")
DATA |= {"crowdpose_ap": "crowdpose", "aic_map": "aic", "mpii_map": "mpii", "pckh": "mpii"}


@pytest.mark.parametrize("name", results.NAMES)
def test_every_metric_answers_to_its_name_with_intervals_and_a_whole_protocol(place, tmp_path, monkeypatch, name):
    data = DATA[name]
    line = f"score {{place}}/{'bad' if data == 'many' else data}.json --truth {{place}}/{data}/annotations.json"
    assert run(place, tmp_path, monkeypatch, f"{line} --draws 20 --metric {name} --out page") == 0
    found = read(tmp_path / "page" / "scores.json")["files"][0]["metrics"][name]
    known = [one for one in found["scores"].values() if one["value"] is not None]
    assert any(abs(one["value"]) > 0 for one in known)
    assert all(one["low"] <= one["high"] for one in known if one["low"] is not None)
    assert any(one["low"] is not None for one in known)
    assert self_contained((tmp_path / "page" / "report.html").read_text())
    protocol = found["protocol"]
    assert protocol.keys() >= {"metric", "scenes", "boxes", "pictures_without_prediction"}
    assert protocol["scenes"] == {"many": 12, "one": 4}.get(data, 8)
    if name not in results.OF_DISTANCE:
        assert protocol.keys() >= {"sigmas", "sigma_values", "area"}
    if name not in (*results.OF_DISTANCE, "aic_map") and "correct" not in protocol:
        assert protocol.keys() >= {"predicted_area", "people", "people_ignored", "predictions"}


def test_the_default_of_a_data_set_is_its_own_evaluator(place, tmp_path, monkeypatch):
    asked = {"crowdpose": "crowdpose_ap", "aic": "aic_map", "mpii": "pckh"}
    for name, metric in asked.items():
        line = f"score {{place}}/{name}.json --truth {{place}}/{name}/annotations.json --draws 0 --out {name}"
        assert run(place, tmp_path, monkeypatch, line) == 0
        assert next(iter(read(tmp_path / name / "scores.json")["files"][0]["metrics"])) == metric
    protocol = read(tmp_path / "crowdpose" / "scores.json")["files"][0]["metrics"]["crowdpose_ap"]["protocol"]
    assert protocol["area"] == "0.53 of the box's"


def test_the_page_on_predictions_names_every_metric_and_no_other():
    page = (Path(__file__).parents[1] / "docs" / "predictions.md").read_text()
    section = page.partition("**Metrics**")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"`([a-z_]+)`", section)) == sorted(results.NAMES)


def test_boxes_are_told_by_what_predict_writes(place, tmp_path):
    (tmp_path / "protocol.json").write_text(json.dumps({"boxes": "mine.json"}))
    assert results.boxes_of(tmp_path / "predictions.json") == "mine.json"
    assert results.boxes_of(tmp_path / "other.json") == "not recorded"
    assert results.boxes_of(place / "good.json") == "not recorded"


def test_diagnose_writes_a_page_with_figures_and_the_worst_cases_drawn(place, tmp_path, monkeypatch):
    assert run(place, tmp_path, monkeypatch, f"diagnose {{place}}/bad.json {TRUTH} --out page") == 0
    page = (tmp_path / "page" / "report.html").read_text()
    assert self_contained(page)
    assert page.count("<svg") >= 5
    assert "Inversions: left and right change places" in page
    assert "data:image/jpeg;base64," in page
    truth = scoring.truth_of(str(place / "many" / "annotations.json"))
    expected = kinds(coco.read_results(place / "bad.json", truth), truth)
    metrics = read(tmp_path / "page" / "diagnosis.json")["files"][0]["metrics"]
    assert list(metrics) == ["kinds", "repairs", "mistakes", "sensitivity"]
    assert metrics["kinds"]["scores"]["inversion"]["value"] == expected["inversion"] > 0.1
    assert f"{expected['good']:.0%} of keypoints are good" in page


def test_diagnose_says_so_where_nobody_is_predicted_or_no_picture_is_there(place, tmp_path, monkeypatch):
    content = read(place / "many" / "annotations.json")
    (tmp_path / "alone.json").write_text(json.dumps(content))
    line = "diagnose {place}/none.json --truth alone.json --draws 20 --out page"
    assert run(place, tmp_path, monkeypatch, line) == 0
    page = (tmp_path / "page" / "report.html").read_text()
    assert "No prediction means anybody" in page
    assert "The worst cases are not drawn" in page
    assert "100% of people are not found" in page


def test_an_interrupted_diagnosis_leaves_nothing(place, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(diagnosis, "worst_cases", interrupted)
    assert run(place, tmp_path, monkeypatch, f"diagnose {{place}}/bad.json {TRUTH} --out page") == 130
    assert not list(tmp_path.iterdir())


def test_the_customary_metrics_follow_from_the_truth():
    def asked(skeleton, visible=2):
        scene = world(1, 0, people=(1, 1), size=(64, 64), skeleton=skeleton)[0]
        seen = [replace(p, visible=np.where(p.labelled, visible, 0).astype(np.uint8)) for p in scene.people]
        return scoring.chosen(None, [replace(scene, people=tuple(seen))])

    assert asked(LSP) == ["pck"]
    assert asked(COCO) == ["oks_ap", "ap_by_keypoint"]
    assert asked(replace(LSP, name="mine")) == ["oks_ap", "ap_by_keypoint", "sigma_band"]
    assert asked(replace(COCO, sigmas_source="somebody's")) == ["oks_ap", "ap_by_keypoint", "sigma_band"]
    assert asked(COCO, visible=1) == ["oks_ap", "ap_by_visibility", "ap_by_keypoint"]
    assert scoring.chosen("pck, oks_ap,pck", []) == ["pck", "oks_ap"]


def test_groups_with_several_numbers_become_rows():
    numbers = {"AP": 0.4, "AP/nose": 0.5, "AP/ear": -1.0, "AR/nose": 0.6, "AR/ear": -1.0, "score_errors": 0.25}
    score = Score(numbers, {"people/nose": 1234})
    rows = tables.table_of(score, {"AP/nose": Interval(0.4, 0.6)})
    assert rows == [
        ["", "AP", "95% interval", "AR", "of"],
        ["all", "0.4000", "", "", ""],
        ["nose", "0.5000", "0.4000 to 0.6000", "0.6000", "1,234 people"],
        ["ear", "-", "", "-", ""],
        ["score_errors", "0.2500", "", "", ""],
    ]
    assert tables.firsts(score) == ["AP", "AP/nose", "AP/ear"]


def test_counts_are_of_what_a_number_rests_on():
    score = Score({}, {"people": 7, "people_meant_by_several": 3, "scenes/easy": 2})
    of = {"AP": "7 people", "AP/easy": "2 pictures", "score_errors": "3 people", "false_positives": "", "AP/x": ""}
    assert {name: tables.count_of(score, name) for name in of} == of


def test_a_plain_score_has_a_row_a_number_and_no_empty_column():
    rows = tables.table_of(Score({"AP": 0.5, "AR": 0.25}, {}), {})
    assert rows == [["number", "value"], ["AP", "0.5000"], ["AR", "0.2500"]]


@pytest.mark.parametrize(
    ("ends", "heading"),
    [
        ([(0.1, 0.2, 0.3), (0.35, 0.4, 0.5), (0.2, 0.45, 0.9)], "AP by size: 0.20 for a, 0.40 for b"),
        ([(0.1, 0.2, 0.3), (0.25, 0.4, 0.5), (0.2, 0.45, 0.9)], "AP by size: no clear difference, 0.20 to 0.45"),
    ],
)
def test_a_heading_says_a_difference_only_where_intervals_are_apart_and_groups_large(ends, heading):
    names = ["a", "b", "c"]
    score = Score({f"AP/{n}": value for n, (_, value, _) in zip(names, ends, strict=True)} | {"AP/few": 0.0},
                  {f"people/{n}": 99 for n in names} | {"people/few": 3})  # fmt: skip
    drawn = {f"AP/{n}": Interval(low, high) for n, (low, _, high) in zip(names, ends, strict=True)}
    told = diagnosis.Told(results.Result(None, {"x": score}, {"x": drawn}, [], {}), "x")
    assert diagnosis.contrast(told, [*names, "few"], "AP by size") == heading
    assert diagnosis.contrast(told, ["a", "few"], "AP by size") == "AP by size"
