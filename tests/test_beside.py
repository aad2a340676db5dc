"""What is read ahead and drawn behind comes in its order, and nothing that goes wrong there is lost."""

import json
import threading

import cv2
import numpy as np
import pytest

from posewright.datasets.synthetic import world
from posewright.estimators.adapters import Adapted
from posewright.report import drawing
from posewright.scene import Person
from posewright.verbs.beside import MOST_BYTES, ahead, behind, chunked
from posewright.verbs.load import load
from posewright.verbs.predict import predict_to


def test_chunks_are_bounded_by_their_bytes_too():
    sizes = [MOST_BYTES, 1, 2 * MOST_BYTES, 1, 1]
    assert list(chunked(sizes, lambda size: size)) == [[MOST_BYTES], [1], [2 * MOST_BYTES], [1, 1]]


def test_things_are_made_one_ahead_in_order():
    made = []
    with ahead(made.append(n) or n for n in range(9)) as things:
        for place, thing in enumerate(things):
            assert thing == place
            assert len(made) <= place + 2
    assert made == list(range(9))


def test_what_making_raises_comes_in_its_turn():
    def making():
        yield 1
        raise ValueError("at two")

    found = []
    with pytest.raises(ValueError, match="at two"), ahead(making()) as things:
        found.extend(things)
    assert found == [1]


def test_what_is_done_behind_is_done_at_the_end_and_raises():
    done = []
    with behind() as later:
        for n in range(30):
            later(1, lambda n: done.append((n, threading.get_ident())), n)
    assert [n for n, _ in done] == list(range(30))
    assert threading.get_ident() not in {thread for _, thread in done}
    with pytest.raises(OSError, match="no room"), behind() as later:
        later(1, _full)


def test_what_goes_wrong_stops_no_drawing_of_what_came_before():
    done = []

    def ended():
        with behind() as later:
            later(1, done.append, 1)
            raise KeyError

    with pytest.raises(KeyError):
        ended()
    assert done == [1]


def _look(pixels, boxes):  # noqa: ARG001
    return [Person(np.full((17, 2), 9.0))]


def _full():
    raise OSError("no room")


def test_a_folder_is_answered_as_its_pictures_one_by_one(tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = []
    for n, scene in enumerate(world(12, seed=2, people=(1, 2))):
        cv2.imwrite(str(folder / f"{n:02}.png"), scene.pixels())
        boxes = [] if n in (3, 4) else [person.box for person in scene.people]
        boxes += [np.array([900.0, 900, 950, 950])] * (n == 6)
        rows += [
            {"image_id": f"{n:02}.png", "category_id": 1, "bbox": [x, y, X - x, Y - y], "score": 1.0}
            for x, y, X, Y in (box.tolist() for box in boxes)
        ]
    (folder / "05.png").write_bytes(b"none")
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    estimator = load("default")
    assert predict_to(tmp_path / "whole", [folder], estimator, tmp_path / "boxes.json") == 0
    said = capsys.readouterr().err
    assert said.index("05.png: not a picture") < said.index("06.png: 1 of its")
    whole = json.loads((tmp_path / "whole/predictions.json").read_text())
    single = []
    for n in (0, 1, 2, 6, 7, 8, 9, 10, 11):
        out = tmp_path / f"{n}"
        assert predict_to(out, [folder / f"{n:02}.png"], estimator, tmp_path / "boxes.json") == 0
        single += json.loads((out / "predictions.json").read_text())
        name = f"overlays/{n:02}.jpg"
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    plain = [{key: value for key, value in row.items() if key != "id"} for row in single]
    assert [{key: value for key, value in row.items() if key != "id"} for row in whole] == plain
    assert len({row["image_id"] for row in whole}) == 9


def test_an_overlay_that_cannot_be_written_is_an_error(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "out/overlays/a.jpg").mkdir(parents=True)
    somebody = Adapted(_look)
    with pytest.raises(IsADirectoryError):
        predict_to(tmp_path / "out", [tmp_path / "a.png"], somebody)


def test_layers_are_laid_as_over_the_whole_window(rng):
    canvas = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    masks = [np.where(rng.random((8, 9)) < 0.4, rng.integers(0, 256, (8, 9)), 0).astype(np.uint8) for _ in range(2)]
    expected = canvas.copy()
    for mask, ink, opacity in zip(masks, ((20, 20, 20), (213, 94, 0)), (0.37, 0.81), strict=True):
        part = expected[4:12, 5:14]
        weight = mask[..., None].astype(np.float32) * np.float32(opacity / 255)
        part[:] = np.round(part + weight * (np.array(ink, np.float32) - part)).astype(np.uint8)
    layers = [(masks[0], (20, 20, 20), 0.37), (masks[1], (213, 94, 0), 0.81)]
    drawing._blend(canvas, np.array([5, 4]), layers)
    np.testing.assert_array_equal(canvas, expected)
