"""A real browser, and every page that posewright writes, written once by the commands that write them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from posewright import demo
from posewright.cli import main
from posewright.datasets.points import write_poses
from posewright.datasets.synthetic.capture import walk
from posewright.metrics.threed.poses import Poses
from posewright.skeleton import H36M
from posewright.train.evolve import Comparison, Search
from posewright.train.evolve.page import write_search_page
from posewright.train.evolve.search import Trained, bred

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "pages"
"""Where a screenshot of every page is kept, to be looked at; git ignores it."""


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, or another one on the PATH, without a window, and with a webcam that is made up."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on the PATH: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        made_up = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", *made_up])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def screenshots():
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Return the path of a page by its name; what writes it runs once, when the first of its pages is asked for."""
    out, known = tmp_path_factory.mktemp("pages"), {}

    def page(name):
        if name not in known:
            known.update(next(write for write, names in WRITERS.items() if name in names)(out))
        return known[name]

    return page


def _run(*arguments):
    assert main([str(one) for one in arguments]) == 0


def _demo(folder):
    out = folder / "demo"
    with pytest.MonkeyPatch.context() as small:
        for name, value in {"PICTURES": 12, "PEOPLE": 12, "SHOWN": 4, "DRAWS": 100}.items():
            small.setattr(demo, name, value)
        _run("demo", "--out", out)
    predictions, truth = out / "predictions.json", out / "world"
    _run("score", predictions, "--truth", truth, "--metric", "oks_ap,ap_by_keypoint,keypoint_calibration,pck",
         "--draws", 100, "--out", out / "scores")  # fmt: skip
    shutil.copy(predictions, out / "again.json")
    _run("score", predictions, out / "again.json", "--truth", truth, "--metric", "ap_by_keypoint", "--draws", 100,
         "--out", out / "two")  # fmt: skip
    _run("diagnose", predictions, "--truth", truth, "--draws", 100, "--out", out / "diagnosis")
    return {
        "demo": out / "index.html",
        "evaluation": out / "report.html",
        "scores": out / "scores" / "report.html",
        "scores-compared": out / "two" / "report.html",
        "diagnosis": out / "diagnosis" / "report.html",
    }


def _studies(out):
    common = ("--people", 8, "--draws", 100, "--fills", "blackout,blur")
    _run("occlude", *common, "--out", out / "study")
    _run("occlude", *common, "--flip", "--out", out / "flip")
    _run("occlude", "compare", out / "study", out / "flip", "--draws", 100, "--out", out / "compare")
    _run("occlude", "worst", "--people", 4, "--looks", 16, "--draws", 100, "--out", out / "worst")
    return {
        "study": out / "study" / "report.html",
        "compare": out / "compare" / "compare.html",
        "worst": out / "worst" / "worst.html",
    }


def _several_cameras(folder):
    out = folder / "cameras"
    _run("draw", "world", "--views", 3, "--count", 20, "--out", out)
    rig, views = out / "calibration.toml", out / "keypoints.npz"
    _run("multiview", "check", rig, views, "--out", out / "checked")
    _run("multiview", "triangulate", rig, views, "--people", 1, "--out", out / "points.npz")
    _run("multiview", "explain", out / "points.npz", "--out", out / "explained")
    return {"cameras": out / "checked" / "index.html", "points": out / "explained" / "index.html"}


def _in_space(out):
    xyz = walk(60)
    for name, noise in (("true.npz", 0), ("found.npz", 40)):
        moved = xyz + np.random.default_rng(0).normal(0, 1, xyz.shape) * noise
        write_poses(out / name, Poses(moved, H36M, np.full(60, "walk"), np.full(60, "")))
    _run("score", out / "found.npz", "--truth", out / "true.npz", "--metric", "mpjpe", "--draws", 100,
         "--out", out / "space")  # fmt: skip
    return {"space": out / "space" / "report.html"}


def _search(out):
    """A search's page; how its networks fare is made up, as training them takes minutes."""
    rng, search = np.random.default_rng(0), Search()
    trained: list[Trained] = []
    for generation in range(1 + search.generations):
        for candidate in bred(search, generation, trained):
            size = int(rng.integers(4_000_000, 6_000_000))
            trained.append(Trained(candidate, 1e-3 * (1 + 0.2 * rng.random()), size, 150 * size, 1.0))
    (out / "search").mkdir()
    return {"search": write_search_page(search, trained, Comparison(), [], out / "search")}


WRITERS = {
    _demo: ("demo", "evaluation", "scores", "scores-compared", "diagnosis"),
    _studies: ("study", "compare", "worst"),
    _several_cameras: ("cameras", "points"),
    _in_space: ("space",),
    _search: ("search",),
}
"""What writes pages, and the names of these."""
