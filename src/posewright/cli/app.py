"""The verb `app`: a page on this machine, to drag an occluder over a photograph and watch the poses change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from posewright.cli.options import QUIET, Model

MOST_PORTS = 65_535


def app(
    photo: Positional[
        Annotated[tuple[Path, ...], arg(metavar="[PHOTO]", help="a photograph to begin with", **QUIET)]
    ] = (),
    model: Model = "pose",
    beside: Annotated[
        str | None, arg(metavar="MODEL", help="another estimator, to be compared with the first side by side", **QUIET)
    ] = None,
    cover: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            metavar="COVER",
            help="put an occluder on the photograph, as in disc:120,80,60,60:blur; may stand again and again",
            **QUIET,
        ),
    ] = (),
    out: Annotated[
        Path | None, arg(metavar="FILE", help="write what the page would show into a picture, and open none", **QUIET)
    ] = None,
    port: Annotated[int, arg(metavar="N", help="of 127.0.0.1; 0 takes a free one")] = 0,
    browser: Annotated[bool, arg(help="open the page in the browser")] = True,
) -> int:
    """Open a page on this machine: drag an occluder over a photograph and watch the poses change."""  # fmt: skip
    from posewright import load, picture
    from posewright.demo.app.covers import cover_of
    from posewright.demo.app.looks import Side, looked_at
    from posewright.demo.app.run import serve, write_seen

    covers = [cover_of(words) for words in cover]
    if len(photo) > 1 or (not photo and (covers or out)):
        raise ValueError("name one PHOTO; --cover and --out are of it")
    if not 0 <= port <= MOST_PORTS:
        raise ValueError(f"--port must be from 0 to {MOST_PORTS}, not {port}")
    sides = [Side(name, load(name)) for name in (model, beside) if name is not None]
    if out is not None:
        print(f"written {write_seen(out, photo[0], sides, covers)}")
        return 0
    opened = (looked_at(str(photo[0]), picture.read(photo[0]), sides), covers) if photo else None
    serve(sides, opened, port, browser)
    return 0
