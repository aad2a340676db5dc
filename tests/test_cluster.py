"""Work shared out by Ray: the same bytes as here, in order, also where a worker is killed on the way."""

import os
import signal
import threading
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest

from posewright import pieces, robustness
from posewright.cli import main
from posewright.datasets import coco
from posewright.datasets.detections import Detected
from posewright.datasets.synthetic import scenes, world
from posewright.picture import write
from posewright.pieces import shared
from posewright.report.results import NAMES
from posewright.skeleton import LSP
from posewright.verbs import score as scoring
from posewright.verbs.evaluate import evaluate
from posewright.verbs.load import load
from posewright.verbs.predict import predict_to

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

DOOMED = """
import os, signal
from pathlib import Path
import numpy as np
from posewright.estimators.adapters import Adapted
from posewright.scene import Person
from posewright.skeleton import LSP

def look(pixels, boxes):
    if pixels[0, 0].tolist() == [255, 0, 0] and not Path("killed").exists():
        Path("killed").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    level = pixels.mean()
    return [Person(np.full((14, 2), level), scores=np.full(14, level / 255), score=level / 255)]

estimator = Adapted(look, LSP)
"""


@pytest.fixture(scope="module")
def share():
    """One cluster on this machine for all tests; its workers do not give way to those of other tests."""
    pytest.importorskip("ray")
    with patch.dict(os.environ, {"RAY_worker_niceness": "0"}), shared("auto") as over:
        yield over


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Twelve pictures with people, one of them twice and one broken; the third begins with a red pixel."""
    monkeypatch.chdir(tmp_path)
    for number, scene in zip(range(12), scenes(3, size=(96, 96)), strict=False):
        folder = Path("in") / str(number % 2)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = scene.pixels().copy()
        pixels[0, 0] = (255, 0, 0) if number == 2 else (0, 0, 0)
        write(folder / f"{number // 2}.png", pixels)
    (tmp_path / "in" / "0" / "2.png").write_bytes(b"broken")
    return ["in", "in/1/3.png"]


def written(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(Path(folder).rglob("*")) if f.is_file()}


def squared(number):
    return number * number, os.getpid()


def killed_once(folder, number):
    file = Path(folder) / "killed"
    if number == 5 and not file.exists():
        file.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_killed(number):  # noqa: ARG001
    os.kill(os.getpid(), signal.SIGKILL)


def wrong(number):
    raise ValueError(f"piece {number} is wrong")


def of_this_file(function):
    """Let a function of a test travel by its text: workers do not import tests."""
    function.__module__ = "__main__"
    return function


def test_results_come_in_order_from_other_processes(share):
    found = list(share(of_this_file(squared), range(40)))
    assert [value for value, _ in found] == [number * number for number in range(40)]
    assert os.getpid() not in {process for _, process in found}


def test_pieces_are_taken_as_their_turn_nears(share):
    taken = []
    done = share(of_this_file(squared), (taken.append(number) or number for number in range(10_000)))
    next(done)
    assert len(taken) <= 1 + pieces.AHEAD * (os.cpu_count() or 1)


def test_a_killed_worker_costs_its_piece_alone(share, tmp_path):
    work = partial(of_this_file(killed_once), str(tmp_path))
    assert list(share(work, range(12))) == list(range(12))
    assert int((tmp_path / "killed").read_text()) != os.getpid()


def test_a_piece_that_kills_whoever_does_it_is_given_up(share):
    with pytest.raises(RuntimeError, match="lost 4 times"):
        list(share(of_this_file(always_killed), [1]))


def test_what_goes_wrong_there_is_raised_here(share):
    with pytest.raises(ValueError, match=r"^piece 7 is wrong$"):
        list(share(of_this_file(wrong), [7]))


def test_what_cannot_travel_is_refused(share):
    lock = threading.Lock()
    with pytest.raises(ValueError, match="cannot be sent"):
        list(share(lambda number: (lock, number), [1]))


def test_predictions_are_the_same_bytes_though_a_worker_is_killed(share, pictures):
    Path("mine.py").write_text(DOOMED)
    Path("killed").write_text("")
    model = load("mine.py:estimator")
    assert predict_to(Path("here"), pictures, model) == 0
    Path("killed").unlink()
    assert predict_to(Path("there"), pictures, model, share=share) == 0
    assert int(Path("killed").read_text()) != os.getpid()
    assert written("there") == written("here")
    assert len(written("here")) == 13


def test_the_embedded_network_answers_the_same_there(share, pictures):
    model = load("pose")
    for out, over in (("here", None), ("there", share)):
        assert predict_to(Path(out), pictures, model, share=over) == 0
    there, here = written("there"), written("here")
    there.pop("protocol.json"), here.pop("protocol.json")  # how many threads were free
    assert there == here


def test_what_is_kept_is_not_asked_again(share, pictures):
    """A head that ended begins from disk: what it knew of pictures stands, though others would be answered now."""
    Path("mine.py").write_text(DOOMED)
    Path("killed").write_text("")
    model = load("mine.py:estimator")
    broken = [*pictures, "none/such.png"]

    def ends(work, some):
        with closing(share(work, some)) as done:
            for _ in range(5):
                yield next(done)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_to(Path("there"), broken, model, share=ends)
    assert not list(Path("there/overlays").glob(".piece-*"))
    asked = []
    counting = lambda work, some: share(work, (asked.append(one.source) or one for one in some))  # noqa: E731
    assert predict_to(Path("there"), broken, model, share=counting) == 0
    assert len(asked) == 13 - 4  # of five pieces that were done, the broken picture is no answer
    assert predict_to(Path("here"), broken, model) == 0
    assert written("there") == written("here")


def test_a_video_is_a_piece(share, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        writer = cv2.VideoWriter(f"{name}.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 96))
        for level in range(8):
            writer.write(np.full((96, 96, 3), 20 * level + 5, np.uint8))
        writer.release()
    Path("mine.py").write_text(DOOMED)
    model = load("mine.py:estimator")
    for out, over in (("here", None), ("there", share)):
        assert predict_to(Path(out), ["a.avi", "b.avi"], model, smooth=True, share=over) == 0
    there, here = written("there"), written("here")
    assert there.keys() == here.keys() == {
        "predictions.json", "protocol.json", "smoothed.json", "overlays/a.webm", "overlays/b.webm"
    }  # fmt: skip
    assert all(there[name] == here[name] for name in here if name.endswith(".json"))


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Drawn truth, and predictions of it that are off by some px."""
    folder, rng = tmp_path_factory.mktemp("scored"), np.random.default_rng(0)
    truth = world(5, 1, size=(160, 128), people=(1, 2))
    coco.write(truth, folder / "truth")

    def moved(person):
        xy = person.keypoints + rng.normal(scale=4, size=person.keypoints.shape)
        return replace(person, keypoints=xy, visible=None, cause=None, score=float(rng.uniform(0.3, 0.9)),
                       scores=np.where(np.isfinite(xy).all(1), rng.uniform(0.3, 0.9, len(xy)), 0))  # fmt: skip

    for name in ("a", "b"):
        found = [replace(scene, people=tuple(map(moved, scene.people))) for scene in truth]
        coco.write_results(found, folder / f"{name}.json")
    return folder


OF_COCO = sorted(set(NAMES) - {"crowdpose_ap", "aic_map", "mpii_map", "pckh", "mask_iou"})


def test_draws_of_every_metric_are_the_same_there(share, scored):
    """To the last bit, with more draws than one piece holds."""
    truth = scoring.truth_of(str(scored / "truth" / "annotations.json"))
    pair = [[scoring.score_file(scored / f"{name}.json", truth, OF_COCO, 260, share=over) for name in "ab"]
            for over in (map, share)]  # fmt: skip
    for here, there in zip(*pair, strict=True):
        assert repr(there.intervals) == repr(here.intervals)
        assert any(low < high for one in here.intervals.values() for low, high in one.values())
    compared = [
        repr(scoring.compare_files(*both, 260, share=over)) for both, over in zip(pair, (map, share), strict=True)
    ]
    assert compared[0] == compared[1]


@pytest.mark.parametrize("detected", [False, True])
def test_evaluation_is_the_same_bytes_there(share, monkeypatch, tmp_path, detected):
    """Of more pictures than one piece holds, at the boxes annotated and at a detector's, in two runtimes."""
    monkeypatch.chdir(tmp_path)
    coco.write(world(40, 1, size=(96, 96), people=(1, 3)), tmp_path / "truth")
    truth = scoring.truth_of("truth/annotations.json")
    boxes = [[Detected(person.box, 0.9) for person in scene.people] for scene in truth] if detected else None
    for backend in ("onnxruntime", "openvino") if not detected else ("onnxruntime",):
        if backend == "openvino":
            pytest.importorskip("openvino")
        model = load("pose", backend=backend)
        here, there = (
            evaluate(model, truth, Path(out, backend), detected=boxes, draws=50, share=over)
            for out, over in (("here", None), ("there", share))
        )
        assert repr(there.intervals) == repr(here.intervals)
        assert there.scores == here.scores
        found = [Path(out, backend, "predictions.json").read_bytes() for out in ("here", "there")]
        assert found[0] == found[1]
        assert len(found[0]) > 10_000


def test_a_study_is_the_same_bytes_there_and_goes_on(share, tmp_path):
    people = world(6, 1, size=(96, 96), skeleton=LSP, people=(1, 1))
    model = load("default", backend="onnxruntime")
    attacks = robustness.standard_attacks(LSP, ["keypoints"], ["blackout", "blur"])
    for out, over in (("here", map), ("there", share)):
        robustness.study(model, people, attacks, out=tmp_path / out, draws=50, share=over)
    there, here = written(tmp_path / "there"), written(tmp_path / "here")
    assert there == here
    assert len([name for name in here if name.startswith("answers/")]) == 1 + len(attacks)
    lost = sorted((tmp_path / "there" / "answers").glob("*.npz"))[3]
    lost.unlink()
    asked = []
    counting = lambda work, some: share(work, (asked.append(one.name) or one for one in some))  # noqa: E731
    robustness.study(model, people, attacks, out=tmp_path / "there", draws=50, share=counting)
    assert asked == [lost.stem]
    assert written(tmp_path / "there") == here


def test_a_function_of_anybodys_is_studied_there(share, tmp_path):
    people = world(3, 1, size=(96, 96), skeleton=LSP, people=(1, 1))

    def guess(pixels, boxes):
        return np.full((len(boxes), 14, 3), pixels.mean())

    attacks = robustness.standard_attacks(LSP, ["keypoints"], ["blackout"])
    for out, over in (("here", map), ("there", share)):
        robustness.study(of_this_file(guess), people, attacks, out=tmp_path / out, draws=50, share=over)
    assert written(tmp_path / "there") == written(tmp_path / "here")


def test_candidates_are_the_same_bred_there(share, tmp_path):
    pytest.importorskip("torch")
    from posewright.train.evolve import Search, evolve

    search = Search(generations=1, children=2, parents=1, first_epochs=1, epochs=1, size=(32, 32), width=0.1,
                    people=16, judged=8, batch=8)  # fmt: skip
    found = [
        [one._replace(seconds=0.0) for one in evolve(search, tmp_path / out, over)]
        for out, over in (("here", map), ("there", share))
    ]
    assert found[0] == found[1]
    weights = [sorted((tmp_path / out / "weights").iterdir()) for out in ("here", "there")]
    assert [file.read_bytes() for file in weights[0]] == [file.read_bytes() for file in weights[1]]


def test_a_cluster_that_does_not_answer_is_one_line(pictures, capsys):
    pytest.importorskip("ray")
    for address, said in (("127.0.0.1:9", "no Ray answers there"), ("nobody", "must be auto or an address")):
        assert main(["predict", *pictures, "--cluster", address]) == 2
        line = capsys.readouterr().err
        assert said in line
        assert line.count("\n") == 1
    assert not Path("out").exists()


def test_without_ray_the_line_says_what_to_install(pictures, capsys, monkeypatch):
    monkeypatch.setattr(pieces, "find_spec", lambda name: None)  # noqa: ARG005
    assert main(["predict", *pictures, "--cluster", "auto"]) == 2
    assert capsys.readouterr().err == 'posewright: ray is not installed: pip install "posewright[cluster]"\n'
    assert not Path("out").exists()
