"""The verbs `occlude export` and `occlude score`: a study of a tool that posewright does not run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from posewright.cli.occlude import (
    TRUTH,
    WORLD,
    WORLD_SEED,
    Attacks,
    Boxes,
    Data,
    Draws,
    Fills,
    Margin,
    PeopleCount,
    Seed,
    SizedBy,
    Sizes,
    Split,
    WorldSeed,
    about_data,
    attacks_of,
    boxes_for,
    say,
    scenes_of,
    shown,
)
from posewright.cli.options import QUIET

OutPictures = Annotated[Path, arg(metavar="DIR", help="the folder to write into, and to go on in")]
OutStudy = Annotated[Path, arg(metavar="DIR", help="the folder to write the study into")]
Like = Annotated[
    str | None, arg(metavar="MODEL", help="cut people out as this model sees them, in its keypoints", **QUIET)
]
Size = Annotated[str | None, arg(metavar="WxH", help="px of a picture, 288x384 unless a model says so", **QUIET)]
ManifestFile = Annotated[Path, arg(metavar="FILE", help="the manifest.json that `posewright occlude export` wrote")]
Predictions = Annotated[
    Path,
    arg(
        metavar="FILE",
        help="what the tool says of the pictures: COCO results, a folder of `posewright predict` or of OpenPose, a CSV",
    ),
]
SkeletonName = Annotated[
    str | None, arg(metavar="NAME", help="what the predictions' keypoints are, where the file does not say", **QUIET)
]
Partial = Annotated[bool, arg(help="leave out attacks without any prediction: the tool was not run on them")]


def export(
    data: Data = WORLD,
    out: OutPictures = Path("occluded"),
    model: Like = None,
    size: Size = None,
    attacks: Attacks = "keypoints,parts,radii",
    fills: Fills = "blackout,meanout,blur,surroundings",
    object_sizes: Sizes = "0.1,0.2,0.4",
    sized_by: SizedBy = "width",
    people: PeopleCount = 200,
    boxes: Boxes = TRUTH,
    split: Split = "test",
    world_seed: WorldSeed = WORLD_SEED,
    seed: Seed = 0,
) -> int:
    """Write everybody's picture, clean and under every attack, for any tool to run on.

    Beside the pictures lie manifest.json, which says what they show, and annotations.json, the same in COCO's
    format, one person with a box each. Interrupted, the same command goes on.
    """
    from posewright import load, robustness
    from posewright.robustness.answers.export import PICTURES
    from posewright.robustness.answers.export import export as write
    from posewright.robustness.attacks.subjects import subjects
    from posewright.scene import translated

    if people < 1:
        raise ValueError(f"--people must be 1 or more, not {people}")
    if model is not None and size is not None:
        raise ValueError("--size and --model: a model says itself how large its pictures are; give one of the two")
    shown_at = None if size is None else _size(size)
    estimator: Any = None if model is None else load(model)
    skeleton = robustness.skeleton_of(estimator)
    scenes = scenes_of(data, split, people, world_seed, skeleton)
    given = boxes_for(boxes, scenes)
    if shown_at is None:
        chosen = robustness.people_for(estimator, scenes, given, people)
    else:
        chosen = subjects(scenes, size=shown_at, boxes=given, most=people)
    if not chosen:
        raise ValueError(f"{data}: nobody is labelled and has a box, so there is nobody to attack")
    own = chosen[0].crop.skeleton
    listed = attacks_of(own, attacks, fills, object_sizes, sized_by)
    about = {**about_data(data, split, world_seed), "boxes": boxes, "skeleton": own.name,
             "crop": list(chosen[0].crop.warp.size)} | ({} if model is None else {"cut_for": model})  # fmt: skip
    with shown("writing pictures") as (track, done):
        try:
            path = write(translated(scenes, own), chosen, out, listed, seed=seed, protocol=about, track=track)
        except KeyboardInterrupt:
            print(f"posewright: interrupted; the pictures of {len(done)} of {len(listed)} attacks are in {out}, and "
                  "the same command goes on from there", file=sys.stderr)  # fmt: skip
            return 130
    count = sum(1 for _ in (out / PICTURES).glob("*.png"))
    print(f"{count} pictures of {len(chosen)} people in {out / PICTURES}, their boxes in {out / 'annotations.json'}")
    print(f"then: posewright occlude score --manifest {path} --predictions THEIRS --out study")
    return 0


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not found or min(map(int, found.groups())) < 16 or max(map(int, found.groups())) > 8192:
        raise ValueError(f"--size must be a width and a height from 16 to 8192 px such as 288x384, not {text!r}")
    return int(found[1]), int(found[2])


def score(
    manifest: ManifestFile,
    predictions: Predictions,
    out: OutStudy = Path("study"),
    skeleton: SkeletonName = None,
    draws: Draws = 10_000,
    margin: Margin = 0.02,
    partial: Partial = False,
) -> int:
    """Study what another tool says of exported pictures, with the same numbers as a model that is run here."""
    from posewright.robustness.answers.foreign import score_predictions
    from posewright.robustness.answers.foreign import shown as people_of
    from posewright.robustness.pages.report import write_report
    from posewright.verbs.score import skeleton_by

    if draws < 1 or not margin > 0:
        raise ValueError(f"--draws must be 1 or more and --margin above 0, not {draws} and {margin:g}")
    by = None if skeleton is None else skeleton_by(skeleton)
    found = score_predictions(manifest, predictions, out, skeleton=by, draws=draws, margin=margin,
                              partial=partial)  # fmt: skip
    say(found)
    for note in found.protocol["notes"]:
        print(f"note: {note}")
    page = write_report(found, out, people_of(manifest, found))
    print(f"every number is in {out / 'study.json'} and {out / 'effects.csv'}; open {page}")
    return 0
