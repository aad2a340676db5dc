"""Running the app: until it is interrupted, or for one picture that is written down."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright import picture
from posewright.demo.app.covers import Cover, Covered
from posewright.demo.app.looks import Shown, Side, asked, looked_at
from posewright.demo.app.server import HERE, App, server
from posewright.picture import Pixels
from posewright.report.drawing import draw
from posewright.scene import HIDDEN, SEEN, Person


def serve(sides: Sequence[Side], opened: tuple[Shown, Sequence[Cover]] | None, port: int, browser: bool) -> None:
    """Serve the page until it is interrupted; raises OSError where the port is taken."""
    with server(App(sides, opened), port) as running:
        address = f"http://{HERE}:{running.server_address[1]}/"
        print(f"open {address}; nothing leaves this computer; end with Ctrl-C", flush=True)
        if browser:
            webbrowser.open(address)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print("ended")


def write_seen(path: Path, photo: Path, sides: Sequence[Side], covers: Sequence[Cover]) -> Path:
    """Write what the page would show of a photograph behind covers, the estimators side by side; returns the path."""
    shown = looked_at(photo.name, picture.read(photo), sides)
    covered = App(sides).covered(shown, covers)
    answers = asked(shown, covered, sides)
    drawn = [_drawn(side, covered, people) for side, people in zip(sides, answers, strict=True)]
    picture.write(path, np.ascontiguousarray(np.hstack(drawn)))
    return path


def _drawn(side: Side, covered: Covered, people: Sequence[Person | None]) -> Pixels:
    """Draw an estimator's people, what is covered as rings."""
    there = [person for person in people if person is not None]
    rings = [replace(one, visible=np.where(one.labelled, np.where(covered.beneath(one), HIDDEN, SEEN), 0)
                     .astype(np.uint8)) for one in there]  # fmt: skip
    return draw(covered.pixels, rings, side.estimator.skeleton)
