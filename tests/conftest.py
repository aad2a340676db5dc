"""What every test may ask for: randomness with a seed, real data where there is some, reference vectors."""

import contextlib
import io
import json
import os
import signal
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
VECTORS = Path(__file__).parent / "published" / "vectors"


def _shared() -> Path | None:
    """The folder of real data: POSEWRIGHT_DATA, or shared/data beside the checkout."""
    for folder in (os.environ.get("POSEWRIGHT_DATA"), ROOT.parent / "shared" / "data"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    return None


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    """Keep what is fetched or compiled away from the user's own cache."""
    with patch.dict(os.environ, {"POSEWRIGHT_CACHE": str(tmp_path_factory.mktemp("cache"))}):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    folder = _shared()
    if folder is None:
        pytest.skip("real data not found: set POSEWRIGHT_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def reference():
    """Open a reference vector by name: those kept in tests/published/vectors, else those beside the real data."""

    def load(name: str) -> dict[str, np.ndarray]:
        shared = _shared()
        folders = [VECTORS] + ([shared.parent / "reference"] if shared else [])
        for folder in folders:
            path = folder / f"{name}.npz"
            if path.exists():
                with np.load(path, allow_pickle=False) as arrays:
                    return dict(arrays)
        pytest.skip(f"reference vector {name} not found: set POSEWRIGHT_DATA to the data folder beside it")

    return load


@pytest.fixture(scope="session")
def original(reference):
    """The authors' state dict of the simple baseline, by their names, with small random numbers in it."""
    torch = pytest.importorskip("torch")
    vector = reference("simple_baseline_r50")
    rng = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in zip(*(json.loads(str(vector[key])) for key in ("names", "shapes")), strict=True):
        scale = 0.05 if len(shape) > 1 else 0.1
        state[name] = scale * torch.randn(shape, generator=rng) if shape else torch.tensor(7)
        if name.endswith("running_var"):
            state[name] = 1 + state[name].abs()
    return state


@pytest.fixture(scope="session")
def evaluated():
    """Return what runs pycocotools on a file's content, results and sigmas."""
    return _evaluated


def _with_area(annotation):
    """Return an annotation with the area that pycocotools asks for: where the file has none, width times height."""
    _, _, width, height = annotation["bbox"]
    return {"area": width * height, **annotation}


def _evaluated(file, results, sigmas):
    """Run pycocotools and return its precision (T, R, A), recall (T, A) and ten numbers."""
    from pycocotools.coco import COCO as CocoFile
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth, predicted = CocoFile(), CocoFile()
        truth.dataset = {**file, "annotations": [_with_area(one) for one in file["annotations"]]}
        truth.createIndex()
        if results:
            predicted = truth.loadRes([dict(result) for result in results])
        else:
            predicted.dataset = {**file, "annotations": []}
            predicted.createIndex()
        run = COCOeval(truth, predicted, "keypoints")
        run.params.kpt_oks_sigmas = sigmas
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.eval["precision"][:, :, 0, :, 0], run.eval["recall"][:, 0, :, 0], run.stats


@pytest.fixture(scope="session")
def narrow():
    """Return what builds bottom-up networks of the published layers, but narrower ones: `with narrow(): ...`."""
    widths = {
        "associative_embedding": {"GROWTH": 8},
        "openpose": {"WIDTH": 16, "VGG": (8, 8, 0, 8, 8, 0, 16, 16, 16, 16, 0, 16, 16)},
        "lightweight_openpose": {"WIDTH": 16, "MOBILENET": ((16, 1, 1), (16, 2, 1), (32, 2, 1), (512, 1, 2))},
        "simplepose": {"WIDTH": 32, "GROWTH": 16},
        "feature_pyramid": {"WIDTH": 16},
        "retinanet": {"WIDTH": 16},
        "multiposenet": {"WIDTH": 16, "NARROW": 8},
    }

    @contextlib.contextmanager
    def narrowed():
        with contextlib.ExitStack() as stack:
            for paper, of_it in widths.items():
                stack.enter_context(patch.multiple(f"posewright.models.{paper}", **of_it))
            yield

    return narrowed


@pytest.fixture(autouse=True)
def signals_are_left_as_they_were():
    """Take away the handler of SIGCHLD that PyTorch's loader leaves behind: it would run in all tests that follow."""
    before = signal.getsignal(signal.SIGCHLD)
    yield
    if signal.getsignal(signal.SIGCHLD) is not before:
        signal.signal(signal.SIGCHLD, before)
