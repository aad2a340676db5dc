"""Views that are videos or folders of pictures: a network looks at them first, and what it says is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from posewright.cli.options import Model

Network = Annotated[Model, arg(help="the network that looks at VIEWS that are videos or folders of pictures")]
Poses = Annotated[Path, arg(metavar="DIR", help="where what it finds in them is kept, a folder a camera")]
MADE_BY = "views.json"


def estimated(paths: Sequence[Path], model: str, poses: Path) -> tuple[Path, ...]:
    """Put in place of each video or folder of pictures a folder of what a network finds in it, `poses`/NAME.

    A run that is ended goes on where it stopped; what was found by the same network in the same files is taken as it
    lies. Other paths stay as they are. Raises ValueError for two of one name, or one in which nothing can be read.
    """
    spread = _spread(paths)
    filmed = [path for path in spread if is_filmed(path)]
    names = [path.stem if path.is_file() else path.name for path in filmed]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two views have the name {twice}; give videos or folders that differ by theirs")
    places = {path: poses / name for path, name in zip(filmed, names, strict=True)}
    if filmed:
        _look(places, model)
    return tuple(places.get(path, path) for path in spread)


def is_filmed(path: Path) -> bool:
    """Whether a path is a video, or a folder that holds pictures and no keypoints."""
    from posewright.datasets.inputs import PICTURE_SUFFIXES, VIDEO_SUFFIXES

    if path.is_file():
        return path.suffix.lower() in VIDEO_SUFFIXES
    if not path.is_dir() or any(path.glob("*.json")):
        return False
    return any(inside.suffix.lower() in PICTURE_SUFFIXES for inside in path.iterdir())


def _spread(paths: Sequence[Path]) -> list[Path]:
    """Replace a lone folder by the videos or folders of pictures in it, where it holds some."""
    if len(paths) != 1 or not paths[0].is_dir() or is_filmed(paths[0]):
        return list(paths)
    return sorted(path for path in paths[0].iterdir() if is_filmed(path)) or list(paths)


def _look(places: dict[Path, Path], model: str) -> None:
    from posewright import load
    from posewright.cli.estimate import told_apart
    from posewright.datasets.documents import read_json, write_json
    from posewright.datasets.records import DataError
    from posewright.verbs.kept import PASSING
    from posewright.verbs.predict import predict_to

    estimator = load(model)
    own = {key: str(value) for key, value in estimator.protocol().items() if key not in PASSING}
    for path, folder in places.items():
        about = {"estimator": own, "asked": told_apart(model), "files": _stamps(path)}
        if (folder / MADE_BY).is_file() and (folder / "predictions.json").is_file():
            try:
                if read_json(folder / MADE_BY) == about:
                    continue
            except DataError:
                pass
        (folder / MADE_BY).unlink(missing_ok=True)
        if predict_to(folder, [path], estimator, about=told_apart(model)):
            raise ValueError(f"{path}: no picture of it can be read")
        write_json(folder / MADE_BY, about)


def _stamps(path: Path) -> list[list[str | int]]:
    """Return name, size and time of each file, as JSON has them."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
