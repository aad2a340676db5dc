"""The verb `occlude worst`: where one occluder does most harm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from posewright.cli.occlude import (
    TRUTH,
    WORLD,
    WORLD_SEED,
    Boxes,
    Data,
    Draws,
    PeopleCount,
    Seed,
    Split,
    WorldSeed,
    about_data,
    boxes_for,
    scenes_of,
    shown,
    spoken,
)
from posewright.cli.options import Flip, Model, Precision, RecipeFile, Run

Out = Annotated[Path, arg(metavar="DIR", help="the folder to write worst.json and worst.html into, and to go on in")]
Shape = Annotated[Literal["disc", "square"], arg(help="of the occluder; a square has the disc's area")]
Fill = Annotated[Literal["blackout", "meanout", "blur", "surroundings"], arg(help="what the occluder shows")]
Radius = Annotated[float, arg(metavar="PX", help="of the largest disc, on a crop 192 wide")]
Of = Annotated[Literal["all", "others"], arg(help="which keypoints are to be lost: all, or those not covered")]
By = Annotated[Literal["similarity", "right"], arg(help="what is to be lost: mean similarity, or correct keypoints")]
Looks = Annotated[int, arg(metavar="N", help="at each person")]


def worst(
    data: Data = WORLD,
    out: Out = Path("worst"),
    model: Model = "pose",
    shape: Shape = "disc",
    fill: Fill = "blackout",
    radius: Radius = 18.0,
    of: Of = "all",
    by: By = "similarity",
    looks: Looks = 96,
    people: PeopleCount = 50,
    boxes: Boxes = TRUTH,
    split: Split = "test",
    world_seed: WorldSeed = WORLD_SEED,
    seed: Seed = 0,
    draws: Draws = 10_000,
    flip: Flip = False,
    backend: Run = "auto",
    precision: Precision = "fp32",
    recipe: RecipeFile = None,
) -> int:
    """Search for the place and the size of one occluder that harm an estimator most, person by person.

    The search fits every picture: the worst place costs at least what it finds, and what an occluder about there costs
    is told by looks nearby that were held out of the search. Interrupted, the same command goes on.
    """
    from posewright import load, robustness
    from posewright.robustness.attacks.search import Search
    from posewright.robustness.numbers.measure import groups_of
    from posewright.robustness.numbers.worst import worst as find
    from posewright.robustness.numbers.worst import write_worst
    from posewright.robustness.pages.worst_page import write_worst_page

    if people < 1 or draws < 1:
        raise ValueError(f"--people and --draws must be 1 or more, not {people} and {draws}")
    search = Search(shape, fill, radius, of, by, looks, seed)
    estimator = load(model, flip=flip, backend=backend, precision=precision, recipe=recipe)
    scenes = scenes_of(data, split, people, world_seed, robustness.skeleton_of(estimator))
    chosen = robustness.people_for(estimator, scenes, boxes_for(boxes, scenes), people)
    told = {**robustness.about_of(estimator, chosen, seed), "model": model, **about_data(data, split, world_seed),
            "boxes": boxes}  # fmt: skip
    with shown("searching") as (track, done):
        try:
            found = find(estimator, chosen, search, out=out, groups=groups_of(chosen, scenes), draws=draws,
                         protocol=told, track=track)  # fmt: skip
        except KeyboardInterrupt:
            print(f"posewright: interrupted; {len(done)} of {len(chosen)} people are in {out}, and the same command "
                  "goes on from there", file=sys.stderr)  # fmt: skip
            return 130
    path, page = write_worst(found, out), write_worst_page(found, out)
    for name, effect in found.numbers.items():
        print(f"{name.replace('_', ' '):24} {spoken(effect)}")
    print(
        f"`nearby`, not `worst`, is what an occluder about there costs; `keypoint` is the {found.keypoint}, measured "
        "where it was not chosen"
    )
    print(f"every number is in {path}; open {page}")
    return 0
