"""The fast way through files in COCO's format says and refuses what the way record by record does."""

import copy
import gzip
import io
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posewright.columns import Columns
from posewright.datasets import DataError, coco, crowdpose, documents, parts, quick, records
from posewright.datasets.annotations import Dialect, read_annotations
from posewright.scene import Scene
from posewright.skeleton import COCO

ODD = [None, True, 0, 1, 2, 3, -1, 1.0, 1.5, -0.0, 1e300, 10**400, 2**70, float("nan"), float("inf"), "", "1", "x\0",
       [], [1, 2, 3, 4], [1, 2, -3, 4], [1.5] * 51, [1, 2, 2] * 17, {}, {"id": 4}]  # fmt: skip
"""What may stand in a field, right or wrong."""
PEOPLE = {
    "images": [{"id": 5, "file_name": "a.jpg", "width": 64, "height": 48}, {"id": "b", "file_name": "sub/b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": "b", "category_id": 1, "bbox": [1, 2.5, 4, 5], "area": 9.5, "iscrowd": 0,
         "keypoints": [1.25, 2, 1] * 16 + [0, 0, 0], "segmentation": [[1, 1, 5, 1, 5, 5]]},
        {"id": 2, "image_id": 5, "category_id": 2},
        {"id": 3, "image_id": 5, "category_id": 1, "keypoints": [3, 4, 2] * 17, "iscrowd": 1},
    ],
    "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints), "skeleton": []},
                   {"id": 2, "name": "ball"}],
}  # fmt: skip
RESULTS = [
    {"image_id": "b", "category_id": 1, "keypoints": [1.5, 2, 0.5] * 17, "score": 0.5, "bbox": [1.1, 2, 3, 4]},
    {"image_id": 5, "category_id": 1, "keypoints": [1, 2, 0.25] * 16 + [0, 0, 0], "score": 1},
    {"image_id": "b", "category_id": 1, "keypoints": [7, 8, 2] * 17, "score": 0},
]
SCENES = [Scene("a", COCO, id=5), Scene("b", COCO, id="b"), Scene("c", COCO, id=6)]
FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def said(read):
    """What a reader returns, in plain values that compare; or its refusal."""
    try:
        return [
            (str(scene.image), scene.skeleton.keypoints, scene.size, scene.id,
             [{name: _plain(value) for name, value in vars(person).items()} for person in scene.people])
            for scene in read()
        ]  # fmt: skip
    except DataError as error:
        return str(error)


def _plain(value):
    return (value.dtype.str, repr(value.tolist())) if isinstance(value, np.ndarray) else repr(value)


@pytest.fixture
def both(monkeypatch):
    """Read the same twice, and refuse the fast way the second time."""

    def read(call):
        first = said(call)
        with monkeypatch.context() as patched:
            patched.setattr(quick, "check", _refuse)
            return first, said(call)

    return read


def _refuse(*_):
    raise quick.UnusualError


def _changed(data, content):
    """Draw a field of one of the records, and put something else there, or nothing."""
    content = copy.deepcopy(content)
    kind = data.draw(st.sampled_from(["images", "annotations"])) if isinstance(content, dict) else None
    entries = content[kind] if kind else content
    for _ in range(data.draw(st.integers(0, 2))):
        entry = data.draw(st.sampled_from(entries))
        known = ["posewright", "is_labeled", "score", "area", "iscrowd", "bbox", *entry]
        field = data.draw(st.sampled_from(known))
        if data.draw(st.booleans()):
            entry[field] = data.draw(st.sampled_from(ODD))
        else:
            entry.pop(field, None)
    return content


@pytest.mark.filterwarnings("ignore::posewright.datasets.records.DataWarning")
@FUZZ
@given(data=st.data())
def test_annotations_are_read_alike(both, tmp_path, data):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(_changed(data, PEOPLE)))
    dialect = Dialect(shift=data.draw(st.sampled_from([0.0, -1.0])))
    first, second = both(lambda: read_annotations(path, tmp_path, dialect))
    assert first == second


@pytest.mark.filterwarnings("ignore::posewright.datasets.records.DataWarning")
@FUZZ
@given(data=st.data())
def test_results_are_read_alike(both, tmp_path, data):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(_changed(data, RESULTS)))
    first, second = both(lambda: coco.read_results(path, SCENES))
    assert first == second


def test_what_is_in_order_goes_the_fast_way(write, tmp_path, monkeypatch):
    def slow(*_):
        raise AssertionError("record by record")

    monkeypatch.setattr(records.Record, "numbers", slow)
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    assert isinstance(coco.read_results(tmp_path / "results.json", SCENES), Columns)
    assert len(read_annotations(write(PEOPLE), tmp_path, Dialect())) == 2


def test_gzipped_files_are_read(tmp_path):
    (tmp_path / "results.json").write_bytes(gzip.compress(json.dumps(RESULTS).encode()))
    assert [len(scene.people) for scene in coco.read_results(tmp_path / "results.json", SCENES)] == [1, 2, 0]


def test_results_of_two_categories_are_refused(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps([RESULTS[0], RESULTS[1] | {"category_id": 2}]))
    with pytest.raises(DataError, match=r"result at place 1: category_id: 2, but the first result's is 1"):
        coco.read_results(tmp_path / "results.json", SCENES)


NONSENSE = {
    b"\0": "not JSON|malformed",
    b"[garbage": "malformed.*byte 1",
    b'[{"image_id": 5, "keypoints": 3}': "malformed",
    b"[1, 2": "malformed.*byte 5",
    b"{}": "malformed: trailing characters",
}


@pytest.mark.parametrize("start", NONSENSE)
def test_two_gigabytes_of_nonsense_are_one_line_and_no_memory(tmp_path, start):
    path = tmp_path / "results.json"
    with path.open("wb") as file:
        file.write(start)
        file.truncate(2 << 30)
    tracemalloc.start()
    with pytest.raises(DataError, match=NONSENSE[start]) as error:
        coco.read_results(path, SCENES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert peak < 1 << 20
    with pytest.raises(DataError, match=str(path)):
        crowdpose.read(tmp_path, "", annotations=path)


def test_a_huge_file_in_order_is_read(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(RESULTS))
    expected = said(lambda: coco.read_results(path, SCENES))
    monkeypatch.setattr(documents, "HUGE", 10)
    assert said(lambda: coco.read_results(path, SCENES)) == expected
    path.write_text(json.dumps([RESULTS[0] | {"category_id": [3]}]))
    with pytest.raises(DataError, match=r"results.json: Expected .*category_id"):
        coco.read_results(path, SCENES)


@pytest.mark.parametrize("space", ["", " ", "\n\n\t"])
def test_a_list_is_read_alike_wherever_it_is_cut(space, tmp_path, monkeypatch):
    """Objects inside of records and texts that look like the border of two are no place to cut."""
    odd = {"segmentation": {"counts": "}, {"}, "parts": {}, "track_id": 3}
    records = [record | odd for record in RESULTS * 5]
    path = tmp_path / "results.json"
    path.write_text("[" + f"{space},{space}".join(map(json.dumps, records)) + "]" + space)
    expected = said(lambda: coco.read_results(path, SCENES))
    assert sum(len(people) for *_, people in expected) == len(records)
    for size in (16, 100, 400, 1000):
        monkeypatch.setattr(parts, "PART", size)
        assert said(lambda: coco.read_results(path, SCENES)) == expected


def test_an_error_in_a_later_part_is_told_by_its_place_in_the_whole(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([*RESULTS, RESULTS[0] | {"score": "high"}]))
    monkeypatch.setattr(parts, "PART", 64)
    monkeypatch.setattr(documents, "HUGE", 10)
    with pytest.raises(DataError, match=r"got `str` - at `\$\[3\].score`"):
        coco.read_results(path, SCENES)


@pytest.mark.parametrize("text", ["[{}, ]", "[{},, {}]", "[{} {}]", "[{}, {}", "[{}, {}]]", "[{}, {}] {}"])
def test_what_is_no_list_is_none_in_parts_either(text, monkeypatch):
    monkeypatch.setattr(parts, "PART", 3)
    with pytest.raises(quick.UNUSUAL):
        list(parts.parts_of(io.BytesIO(text.encode()), dict))
