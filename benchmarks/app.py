"""How long the app takes from a dragged occluder to its picture, in a real browser, and where that time goes.

    python benchmarks/app.py [--model NAME ...] [--drags 60]

Draws a person of the world at 640x480, serves them, drags a disc across them in headless Chromium, step by step, and
prints the median and the 95th percentile of the milliseconds from the mouse to the painted answer; beside them, in the
same run, what the estimator alone takes for the same covered picture in Python. Needs playwright and chromium.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from time import perf_counter

import numpy as np
from playwright.sync_api import sync_playwright

from posewright import load
from posewright.datasets.synthetic import world
from posewright.demo.app.covers import Cover
from posewright.demo.app.looks import Side, asked, looked_at
from posewright.demo.app.server import App, server


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", nargs="*", default=["pose"])
    parser.add_argument("--drags", type=int, default=60)
    given = parser.parse_args()
    sides = [Side(name, load(name)) for name in given.model]
    (scene,) = world(1, 11, size=(640, 480), people=(1, 1))
    shown = looked_at("world.png", scene.pixels(), sides)
    app = App(sides, (shown, [Cover("disc", 320, 240, 90, 90, "blur")]))
    with server(app) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        times, inside = dragged(f"http://127.0.0.1:{running.server_address[1]}/", given.drags)
        running.shutdown()
    alone = []
    for _ in range(given.drags):
        covered = app.covered(shown, [Cover("disc", 320, 240, 90, 90, "blur")])
        begun = perf_counter()
        asked(shown, covered, sides)
        alone.append(1000 * (perf_counter() - begun))
    for name, some in (("mouse to picture", times), ("within the server", inside), ("estimator alone", alone)):
        print(
            f"{name}: median {np.median(some):.1f} ms, 95 % below {np.percentile(some, 95):.1f} ms, {len(some)} times"
        )


def dragged(home: str, drags: int) -> tuple[list[float], list[float]]:
    """Drag the disc, waiting for every answer; milliseconds in the browser and in the server."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1400, "height": 1000})
        inside: list[float] = []
        page.on("response", lambda one: inside.append(one.json()["ms"]) if one.url.endswith("/ask") else None)
        page.goto(home)
        page.wait_for_selector("canvas")
        box = page.locator("canvas").bounding_box()
        assert box is not None
        scale = box["width"] / 640
        page.mouse.move(box["x"] + 320 * scale, box["y"] + 240 * scale)
        page.mouse.down()
        times = []
        for step in range(drags):
            page.mouse.move(box["x"] + (320 + step) * scale, box["y"] + (240 + step) * scale)
            page.wait_for_timeout(30)
            while page.evaluate("state.busy || state.again"):
                page.wait_for_timeout(10)
            times.append(page.evaluate("state.times.at(-1)"))
        opened.close()
    return times, inside


if __name__ == "__main__":
    main()
