"""What a name means: an estimator by whatever a user calls it, a file, a URL, a recipe."""

from __future__ import annotations

import runpy
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from posewright.codecs.codec import is_whole
from posewright.estimators import runtimes
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.detector import Detector
from posewright.estimators.embedded import EMBEDDED, embedded_file
from posewright.estimators.estimator import Boxes, Estimator, Image
from posewright.estimators.of_network import estimating
from posewright.estimators.runtimes import Backend, metadata
from posewright.estimators.top_down import TopDown
from posewright.scene import Person
from posewright.text import did_you_mean
from posewright.verbs.ask import asked

if TYPE_CHECKING:
    from posewright.recipes.recipe import Recipe

T = TypeVar("T")
WEIGHTS = (".pt", ".pth", ".tar", ".pkl", ".ckpt", ".pyth", ".th", ".bin", ".safetensors", ".npz", ".h5", ".hdf5",
           ".caffemodel")  # fmt: skip
"""Endings of checkpoints, posewright's and others'; docs/weights.md says whose."""

ADAPTERS = {
    "transformers": "vitpose",
    "rtmlib": "rtm",
    "mediapipe": "mediapipe",
    "movenet": "movenet",
    "blazepose": "blazepose",
}
"""Whose networks `package:NAME_OR_FILE` means, and the module of `estimators.adapters` that loads them."""


TOP_DOWN = ("transformers:",)
"""Packages whose networks take the whole picture for one person's box where none is given."""


@asked
def load(
    name: str | Path = "pose",
    *,
    flip: bool = False,
    batch: int = 8,
    backend: Backend = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    threads: int | None = None,
    recipe: str | None = None,
    scales: Sequence[float] = (1.0,),
    single: bool = False,
    detector: str | Path | None = None,
) -> Estimator:
    """Load an estimator by name.

    name: "pose", the network that comes with posewright, or "default", its first edition; an exported network (.onnx);
    a training's checkpoint (.pt); a URL of either; a recipe's name, which means its `runs/NAME/last.pt`; somebody
    else's network as transformers:NAME, rtmlib:FILE.onnx, mediapipe:FILE.task, movenet:FILE or blazepose:FILE; or
    `my_file.py:my_estimator`, a file that is run. The other arguments are for networks of posewright's own. flip:
    average with the mirrored picture, at twice the cost. batch: crops, or whole pictures of a bottom-up network, a
    call. backend: auto is openvino where it is installed, else onnxruntime, and torch for a checkpoint; where
    ONNX Runtime or torch has a GPU they run on it. precision:
    bf16 needs openvino or torch. scales: of a bottom-up network, see `BottomUp`. recipe: what a checkpoint is of
    where it does not say so itself, a name or my_file.py:my_recipe: those of the authors and MMPose
    (docs/weights.md). single: search for one person a picture where no boxes are given, instead of asking the
    embedded detector for everybody; detector: another exported network that finds people as boxes; these two also
    for others' networks. Raises FileNotFoundError where there is no such file, ModelFileError or WeightsError where
    it is no network of posewright's, ValueError for a combination that there is not, ImportError where what runs it
    is not installed.

    >>> people = load()("photo.jpg")  # doctest: +SKIP
    """
    other = other_named(str(name))
    if other is not None:
        if flip or tuple(scales) != (1.0,) or backend != "auto" or precision != "fp32" or recipe:
            raise ValueError(
                f"{name}: flip, scales, backend, precision and recipe are for networks of posewright's own"
            )
        return detecting_others(other(), str(name), single, detector)
    path = located(str(name))
    is_checkpoint = path.suffix.lower() in WEIGHTS or _is_checkpoint(path)
    if recipe is not None and not is_checkpoint:
        raise ValueError(f"{name}: says itself what it is; a recipe is for a checkpoint, which --model names")
    if is_checkpoint:
        if backend not in ("auto", "torch"):
            raise ValueError(f"{path}: a checkpoint runs with torch; `posewright export` makes a file for {backend}")
        from posewright.estimators.runtimes.torch import device
        from posewright.train.export import checkpoint

        network = checkpoint.load(path, precision, device(), recipe_by(recipe) if recipe else None)
        return detecting(estimating(network, flip, batch, scales), single, detector)
    build = maker(path) if backend == "torch" else None
    options: dict[str, Any] = {"backend": backend, "precision": precision, "threads": threads, "build": build}
    network = runtimes.load(path, **options)
    return detecting(estimating(network, flip, batch, scales), single, detector, backend, threads)


def detecting(
    estimator: TopDown | BottomUp, single: bool, detector: str | Path | None = None, backend: Backend = "auto",
    threads: int | None = None,
) -> TopDown | BottomUp:  # fmt: skip
    """Let a detector find a top-down network's people, the embedded one or a file's, unless one person is asked for.

    Raises ValueError where both, or a detector for a bottom-up network, are asked for, FileNotFoundError where there is
    no such file, ModelFileError where it is no network of posewright's.
    """
    if not _looked_for(isinstance(estimator, TopDown), single, detector) or isinstance(estimator, BottomUp):
        return estimator
    return replace(estimator, detector=_detector(detector, "auto" if backend == "torch" else backend, threads))


def detecting_others(
    estimator: Estimator, name: str, single: bool, detector: str | Path | None = None
) -> Estimator:  # fmt: skip
    """Let a detector find the people of somebody else's network where that one looks at one person at a time.

    What looks at whole pictures, as packages that find people by themselves and a function of yours do, stays as it is.
    Raises as `detecting` does.
    """
    from posewright.estimators.adapters.detector import Detecting

    top_down = estimator.view.size is not None or name.startswith(TOP_DOWN)
    if not _looked_for(top_down, single, detector):
        return estimator
    found = _detector(detector)
    return Detecting(estimator, lambda pixels: next(found.many([pixels])), found.protocol())


def _looked_for(top_down: bool, single: bool, detector: str | Path | None) -> bool:
    """Tell whether a detector is to look for people; raises ValueError where one is named that has nothing to do."""
    if detector is not None and (single or not top_down):
        raise ValueError("a detector is for top-down networks, and not for the search for a single person")
    return top_down and not single


def _detector(name: str | Path | None, backend: Backend = "auto", threads: int | None = None) -> Detector:
    """Return the embedded detector, or one by its file."""
    file = embedded_file("person") if name is None else located(str(name))
    if not is_whole(metadata.facts(file).codec):
        raise ValueError(f"{file}: its network looks at one person's crop, so it finds nobody in a picture")
    return Detector(file, backend, threads)


def _is_checkpoint(path: Path) -> bool:
    """Tell by its beginning whether a file of another ending is one of PyTorch's: a zip archive, or a pickle."""
    with path.open("rb") as file:
        return path.suffix.lower() != ".onnx" and file.read(4) in (b"PK\x03\x04", b"\x80\x02\x8a\x0a")


def other_named(name: str) -> Callable[[], Estimator] | None:
    """Return what loads somebody else's estimator, by its package or from a file; None for one of posewright's."""
    package, _, rest = name.partition(":")
    if package in ADAPTERS:
        adapter = import_module(f"posewright.estimators.adapters.{ADAPTERS[package]}")
        return lambda: adapter.load(rest)
    file, _, attribute = name.rpartition(":")
    return (lambda: _estimator_in(file, attribute)) if file.endswith(".py") else None


def _estimator_in(file: str, attribute: str) -> Estimator:
    """Run a user's file and return its estimator."""
    if not Path(file).is_file():
        raise FileNotFoundError(f"{file}: no such file")
    found: Any = _telling(file, lambda: runpy.run_path(file, run_name=Path(file).stem)).get(attribute)
    if not callable(found) or not all(hasattr(found, name) for name in ("skeleton", "many", "protocol")):
        raise ValueError(
            f"{file}: has no estimator {attribute!r}; posewright.estimators.adapters.Adapted makes one of a function"
        )
    return cast(Estimator, Telling(cast(Estimator, found), file))


@dataclass(frozen=True, repr=False)
class Telling:
    """Ask an estimator of a user's file; a mistake in that file, or in what it calls, is a ValueError with its line."""

    estimator: Estimator
    file: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.estimator, name)

    def __repr__(self) -> str:
        return repr(self.estimator)

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]:
        """Estimate the people of one picture."""
        return _telling(self.file, lambda: self.estimator(image, boxes))

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate picture after picture."""
        answers = _telling(self.file, lambda: iter(self.estimator.many(images, boxes)))
        while (people := _telling(self.file, lambda: next(answers, None))) is not None:
            yield people


def located(name: str) -> Path:
    """Return the file that a network's name means, fetched where it is a URL; raises FileNotFoundError."""
    if "://" in name:
        from posewright.estimators.weights import fetch

        return fetch(name)
    if name in EMBEDDED:
        path, hint = embedded_file(name), "this installation lacks the embedded network"
    elif Path(name).suffix and Path(name).is_file():  # no recipe's name has one
        return Path(name)
    elif name in (recipes := _recipes()):
        path, hint = Path("runs") / name / "last.pt", f"train {name} first, or name a checkpoint or an .onnx file"
    else:
        path, hint = Path(name), "name an .onnx file, a checkpoint (.pt), a URL, a recipe, or pose"
        hint = (did_you_mean(name, recipes) or f"; {hint}").removeprefix("; ")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; {hint}")
    return path


def _recipes() -> list[str]:
    """Name all recipes, whose modules take a fifth of a second to import."""
    from posewright.recipes import RECIPES

    return [recipe.name for recipe in RECIPES]


def maker(path: Path) -> Callable[[], Any]:
    """Return what makes the module of an exported network: that of the recipe that its card names."""
    name = metadata.facts(path).card.get("recipe")
    if not name or not isinstance(name, str):
        raise ValueError(f"{path}: its card names no recipe, so torch cannot build its network; use another backend")
    return recipe_by(name).network


def recipe_by(name: str) -> Recipe:
    """Find a recipe, also as my_file.py:my_recipe; a mistake in that file is a ValueError that names its line."""
    from posewright.recipes import recipe_named

    return _telling(name.rpartition(":")[0], lambda: recipe_named(name))


def _telling(file: str, run: Callable[[], T]) -> T:
    """Run what runs a user's file; a mistake in that file is a ValueError that names its line."""
    try:
        return run()
    except Exception as error:
        places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(file)]
        line = error.lineno if isinstance(error, SyntaxError) else places[-1] if places else None
        if not file.endswith(".py") or line is None:
            raise
        raise ValueError(f"{file}, line {line}: {type(error).__name__}: {error}") from None
