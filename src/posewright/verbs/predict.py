"""Prediction of files: photographs, folders and videos in; COCO results and one overlay an input out.

Everything streams: a few pictures or frames are in memory at a time, so inputs of any length fit.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posewright.datasets import coco
from posewright.datasets.detections import Boxes, BoxForm, boxes_of, read_boxes
from posewright.datasets.documents import read_bytes, write_json
from posewright.datasets.exchange import FORMS
from posewright.datasets.inputs import Unreadable, files_in
from posewright.datasets.predictions import described
from posewright.datasets.records import DataError
from posewright.datasets.videos import ALL, Clip
from posewright.estimators.estimator import Estimator
from posewright.metrics.score import versions
from posewright.picture import undisturbed
from posewright.pieces import Share
from posewright.text import printable
from posewright.verbs.kept import PASSING, kept
from posewright.verbs.overlays import OVERLAYS, PLAIN, Style, drop_old
from posewright.verbs.run import UNNAMED, Found, Run


def predict(
    inputs: str | Path | Sequence[str | Path],
    out: Path | str = "out",
    model: Estimator | str | Path = "pose",
    boxes: Path | str | None = None,
) -> Path:
    """Estimate the people of photographs, folders and videos; returns the path of `predictions.json` in `out`.

    model: an estimator, or what `load` takes. boxes: a file of people's boxes in COCO's format. What is written, and
    errors, as of `predict_to`; ValueError where no input could be read.

    >>> predict("photo.jpg", "out")  # doctest: +SKIP
    PosixPath('out/predictions.json')
    """
    from posewright.verbs.load import load

    estimator = load(model) if isinstance(model, str | Path) else model
    listed = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if predict_to(Path(out), listed, estimator, None if boxes is None else Path(boxes)):
        raise ValueError("no input could be read, so nothing is written")
    return Path(out) / "predictions.json"


def predict_to(
    out: Path,
    inputs: Sequence[str | Path],
    estimator: Estimator,
    boxes: Path | None = None,
    box_score: float = 0.0,
    box_overlap: float = 1.0,
    form: str = "coco",
    about: Mapping[str, Any] | None = None,
    box_form: BoxForm = "sizes",
    clip: Clip = ALL,
    style: Style = PLAIN,
    smooth: bool = False,
    share: Share | None = None,
) -> int:
    """Estimate the people of files; returns the exit code: 0, or 2 where nothing could be read.

    Written into `out`: `predictions.json`, COCO results whose `image_id` is the path as it was named, with
    `#12` behind it for a video's thirteenth frame; `overlays/`, one picture or video an input; and
    `protocol.json`, which names the keypoints, the network, the overlays and what could not be read. What
    cannot be read is one line on standard error. Every answer is kept in `out` as it comes: where the run is ended,
    the same call goes on from there. boxes: as `detections.read_boxes` reads them, from a score and up to an overlap,
    of a form; without them the estimator finds people by itself. form: one of `exchange.FORMS` to
    write beside the COCO results. clip: which frames of videos, whose people keep an id (`track_id`). style: how people
    are drawn. smooth: write `smoothed.json` beside, with people of videos smoothed in time, and draw these. about:
    what else tells one run from another, as the hash of a user's file. share: what does the files side by side, as
    `pieces.shared` gives it for a cluster; None goes through them here. Raises ValueError without inputs,
    DataError for a file of boxes that is none or that names none of the pictures.
    """
    if not inputs:
        raise ValueError("name at least one photograph, folder or video")
    for path in inputs:
        if Path(path).resolve().is_relative_to((out / OVERLAYS).resolve()):
            raise ValueError(f"{path}: lies where the overlays go; name another folder with --out")
    given = None if boxes is None else read_boxes(boxes, box_score, box_overlap, box_form)
    (out / OVERLAYS).mkdir(parents=True, exist_ok=True)
    found = Found()
    with (
        kept(out, _of(estimator, boxes, {"kept": [box_score, box_overlap, box_form], **(about or {})})) as answers,
        _progress() as told,
    ):
        run = Run(estimator, given, out, found, answers, told, clip, style, smooth)
        try:
            run.all(list(_once(files_in(inputs), out)), share)
        except KeyboardInterrupt:
            told(f"posewright: {len(found.scenes)} pictures are kept in {out}; the same command goes on from there")
            raise
        finally:
            for name in (out / OVERLAYS).glob(f"{UNNAMED}*"):
                name.unlink(missing_ok=True)
        if given is not None and found.scenes:
            _tell_of_boxes(boxes, given, found, told)
        if not found.scenes:
            print("posewright: no input could be read, so nothing is written", file=sys.stderr)
            answers.forget()
            return 2
        looked = None if boxes is None else f"{boxes}, score >= {box_score:g}, overlap < {box_overlap:g}"
        _write(found, estimator, out, looked)
        if smooth:
            coco.write_results(found.smoothed, out / "smoothed.json", tracked=True)
        if form != "coco":
            FORMS[form](found.scenes, out, estimator.skeleton)
        answers.forget()
    return 0


def _of(estimator: Estimator, boxes: Path | None, about: Mapping[str, Any] | None) -> dict[str, Any]:
    """Say what answers are of: all on which they depend beside the picture."""
    asked = None if boxes is None else hashlib.sha256(read_bytes(boxes)).hexdigest()
    passing = {key: value for key, value in estimator.protocol().items() if key not in PASSING}
    return {"estimator": passing, "boxes": asked, "versions": versions(), **(about or {})}


def _tell_of_boxes(path: Path | None, boxes: Boxes, found: Found, told: Callable[[str], None]) -> None:
    """Say which boxes are of no picture, and which pictures have none; DataError where no box is of any picture."""
    ids = [str(scene.id) for scene in found.scenes]
    without = [name for name in ids if not boxes_of(name, boxes)]
    if len(without) == len(ids):
        raise DataError(f"{path}: no box is of a picture that was read; image_id must be a path or a file's name")
    used = {id(boxes_of(name, boxes)) for name in ids}
    strange = [str(name) for name, some in boxes.items() if id(some) not in used]
    for names, what in ((strange, "boxes are of pictures that were not read"), (without, "pictures have no box")):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            told(f"posewright: {path}: {len(names)} {what}: {', '.join(names[:3])}{more}")


def _write(found: Found, estimator: Estimator, out: Path, boxes: str | None) -> None:
    skeleton = estimator.skeleton
    coco.write_results(found.scenes, out / "predictions.json", tracked=True)
    about: dict[str, Any] = {
        **described(skeleton, boxes or "none: the estimator finds people by itself"),
        "estimator": estimator.protocol(),
        "overlays": {source: f"{OVERLAYS}/{name}" for source, name in found.overlays.items()},
        "unreadable": found.unreadable,
        "versions": versions(),
    }
    drop_old(out, set(found.overlays.values()))
    write_json(out / "protocol.json", about)
    people, pictures = sum(len(scene.people) for scene in found.scenes), len(found.scenes)
    said = f"{people} {'person' if people == 1 else 'people'} in {pictures} picture{'s' * (pictures != 1)}"
    print(f"{said}: {out / 'predictions.json'}, drawn in {out / OVERLAYS}")


def _once(files: Iterable[Path | Unreadable], out: Path) -> Iterator[Path | Unreadable]:
    """Leave out what is named twice, and the overlays of an earlier run."""
    overlays = (out / OVERLAYS).resolve()
    seen: set[str] = set()
    for file in files:
        name = file.source if isinstance(file, Unreadable) else str(file)
        if name not in seen and not Path(name).resolve().is_relative_to(overlays):
            seen.add(name)
            yield file


def _plain(line: str) -> None:
    """Say a line where no progress is shown."""
    if line:
        with undisturbed():
            print(printable(line), file=sys.stderr)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show how far it is on standard error; yields what counts one more, or says a line instead."""
    if not sys.stderr.isatty():
        yield _plain
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} pictures"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")

        def told(line: str) -> None:
            if line:
                with undisturbed():
                    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
            else:
                progress.advance(task)

        yield told
