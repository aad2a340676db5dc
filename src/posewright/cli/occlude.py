"""The verb `occlude`: a study of what hidden keypoints and body parts do to an estimator, and what goes with it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from posewright.cli.options import QUIET, Cluster, Flip, Model, Precision, RecipeFile, Run

if TYPE_CHECKING:
    from posewright.robustness import Attack, Effect, Study
    from posewright.scene import Floats, Scene
    from posewright.skeleton import Skeleton

WORLD, WORLD_SEED = "world", 2026
WORLD_PEOPLE = (1, 2)
"""People a picture of the world: a crowd hides so much by itself that attacks tell of little else."""
TRUTH = "truth"
WIDTH = 120
"""Columns of a table that goes into a file or another program."""

Data = Annotated[str, arg(metavar="DATA", help="`world`, which is drawn, or a data set's folder as in coco:DIR")]
Out = Annotated[Path, arg(metavar="DIR", help="the folder to write into, and to go on in after an interruption")]
Attacks = Annotated[
    str,
    arg(
        metavar="KIND,...",
        help="what to hide: one keypoint, one body part, discs of every size; and what with: objects:DIR for real "
        "occluders, a folder of cut-outs (PNG with an alpha channel), or objects:FILE.json, things by COCO's masks",
    ),
]
Sizes = Annotated[
    str, arg(metavar="SHARE,...", help="of objects: the side of a square as large, a share of what --sized-by says")
]
SizedBy = Annotated[Literal["width", "height"], arg(help="objects: of the crop's width, or of the person's height")]
Fills = Annotated[str, arg(metavar="FILL,...", help="what is shown instead")]
PeopleCount = Annotated[int, arg(metavar="N", help="how many people at most, in the data's order")]
Boxes = Annotated[str, arg(metavar="truth|FILE", help="the annotated boxes, or detections in COCO's format")]
Split = Annotated[str, arg(metavar="NAME", help="the part of the data, as its files name it; the world has none")]
WorldSeed = Annotated[int, arg(metavar="N", help="of the world; the same seed gives the same pictures")]
Seed = Annotated[int, arg(metavar="N", help="of what the attacks and the intervals draw")]
Draws = Annotated[int, arg(metavar="N", help="bootstrap samples of the pictures; AP takes a twentieth, 2,000 at least")]
WholePictures = Annotated[
    bool,
    arg(help="show whole pictures and attack one person in them; what looks at whole pictures is always shown these"),
]
RuleOf = Annotated[
    Literal["torso", "head", "similarity"] | None,
    arg(help="when a keypoint is right: PCK@0.2, PCKh@0.5, or OKS's similarity of 0.5; by the data's custom", **QUIET),
]
NameOf = Annotated[
    str | None, arg(metavar="NAME", help="what the study is called on its page and beside others", **QUIET)
]
Margin = Annotated[float, arg(metavar="SHARE", help="a change within it is called none")]


def occlude(
    data: Data = WORLD,
    out: Out = Path("study"),
    model: Model = "pose",
    attacks: Attacks = "keypoints,parts,radii",
    fills: Fills = "blackout,meanout,blur,surroundings",
    object_sizes: Sizes = "0.1,0.2,0.4",
    sized_by: SizedBy = "width",
    people: PeopleCount = 200,
    boxes: Boxes = TRUTH,
    split: Split = "test",
    whole: WholePictures = False,
    rule: RuleOf = None,
    name: NameOf = None,
    world_seed: WorldSeed = WORLD_SEED,
    seed: Seed = 0,
    draws: Draws = 10_000,
    margin: Margin = 0.02,
    flip: Flip = False,
    backend: Run = "auto",
    precision: Precision = "fp32",
    recipe: RecipeFile = None,
    cluster: Cluster = None,
) -> int:
    """Hide keypoints and body parts, and measure what that does to an estimator."""
    given = dict(locals())
    from posewright import load, robustness
    from posewright.pieces import shared
    from posewright.robustness.pages.report import write_report

    if people < 1:
        raise ValueError(f"--people must be 1 or more, not {people}")
    if world_seed < 0:
        raise ValueError(f"--world-seed must be 0 or more, not {world_seed}")
    estimator = load(model, flip=flip, backend=backend, precision=precision, recipe=recipe)
    skeleton = robustness.skeleton_of(estimator)
    scenes = scenes_of(data, split, people, world_seed, skeleton)
    listed = attacks_of(skeleton or scenes[0].skeleton, attacks, fills, object_sizes, sized_by)
    told: dict[str, Any] = {"model": model, **about_data(data, split, world_seed)}
    found_boxes = boxes_for(boxes, scenes)
    with shown("attacking") as (track, done), shared(cluster) as share:
        try:
            found = robustness.study(estimator, scenes, listed, out=out, boxes=found_boxes, most=people, whole=whole,
                                     rule=rule, name=name or "", draws=draws, seed=seed, margin=margin, track=track,
                                     protocol=told, share=share)  # fmt: skip
        except KeyboardInterrupt:
            print(f"posewright: interrupted; {len(done)} of {len(listed)} attacks are in {out}, and the same command "
                  "goes on from there", file=sys.stderr)  # fmt: skip
            return 130
    say(found)
    page = write_report(
        found,
        out,
        robustness.people_for(estimator, scenes, found_boxes, people, whole),
        command_of(given | {"cluster": None}),
    )
    print(f"every number is in {out / 'study.json'} and {out / 'effects.csv'}; open {page}")
    return 0


def attacks_of(
    skeleton: Skeleton, attacks: str, fills: str, sizes: str, sized_by: Literal["width", "height"]
) -> list[Attack]:
    """List the attacks that the options name; raises ValueError for one that there is not."""
    from posewright.datasets.cut_outs import OBJECTS, read_cut_outs
    from posewright.robustness import object_attacks, standard_attacks

    found: list[Attack] = []
    kinds = [word for word in words(attacks) if not word.startswith(OBJECTS)]
    places = [Path(word.removeprefix(OBJECTS)) for word in words(attacks) if word.startswith(OBJECTS)]
    if kinds or not places:
        found += standard_attacks(skeleton, kinds, words(fills))
    try:
        shares = [float(word) for word in words(sizes)]
    except ValueError:
        raise ValueError(f"--object-sizes must be numbers between commas such as 0.1,0.2, not {sizes!r}") from None
    for place in places:
        found += object_attacks(read_cut_outs(place), place.resolve().name.removesuffix(".json"), shares, sized_by)
    return found


def command_of(given: Mapping[str, Any]) -> str:
    """Return the command that makes a study anew, from the options given; those left as they are go without saying."""
    words = ["posewright", "occlude"]
    for name, option in signature(occlude).parameters.items():
        if given[name] != option.default:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if given[name] is True else [str(given[name])]
    return shlex.join(words)


def about(more: Mapping[str, Callable[..., int]]) -> str:
    """Say what the study does, and what verbs stand under it."""
    said = (
        "Hide keypoints and body parts, and measure what that does to an estimator: report.html shows it, study.json, "
        "effects.csv and influence.csv hold every number with its interval. Every answer is kept as it comes: "
        "interrupted, the same command goes on from there."
    )
    others = [f"posewright occlude {name}: {(verb.__doc__ or '').splitlines()[0]}" for name, verb in more.items()]
    return "\n\n".join([said, *others])


def words(text: str) -> list[str]:
    """Return the words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def scenes_of(data: str, split: str, people: int, world_seed: int, skeleton: Skeleton | None) -> list[Scene]:
    """Draw the world's pictures until so many people are in them, or read a data set; raises ValueError without any."""
    from posewright import datasets
    from posewright.datasets import synthetic
    from posewright.robustness.attacks.aside import aside, scene_aside
    from posewright.skeleton import COCO

    if data != WORLD:
        scenes = datasets.read(data, split)
        if not scenes:
            raise ValueError(f"{data}: there is no picture in {split!r}")
        return scenes
    found: list[Scene] = []
    put = aside()
    for scene in synthetic.scenes(world_seed, skeleton=skeleton or COCO, people=WORLD_PEOPLE):
        found.append(scene_aside(scene, put))
        if sum(len(one.people) for one in found) >= people:
            break
    return found


def about_data(data: str, split: str, world_seed: int) -> dict[str, Any]:
    """Say what data a study is of."""
    if data != WORLD:
        return {"data": data, "split": split}
    least, most = WORLD_PEOPLE
    return {"data": f"synthetic world, seed {world_seed}, {least} to {most} people a picture"}


def boxes_for(boxes: str, scenes: Sequence[Scene]) -> list[list[Floats]] | None:
    """Return the boxes of a file for each scene; None where the annotated ones are asked for."""
    from posewright.datasets.detections import boxes_by_scene, read_boxes

    if boxes == TRUTH:
        return None
    found = boxes_by_scene(scenes, read_boxes(Path(boxes)), Path(boxes))
    return [[one.box for one in some] for some in found]


@contextmanager
def shown(what: str) -> Iterator[tuple[Callable[[Iterable[Any], int], Iterator[Any]], list[Any]]]:
    """Show on standard error how far an iteration is; yields what wraps it, and the list of what is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    done: list[Any] = []
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("looking at everybody", total=None)

        def track(items: Iterable[Any], total: int) -> Iterator[Any]:
            progress.update(task, description=what, total=total)
            for item in items:
                yield item
                done.append(item)
                progress.advance(task)
            progress.update(task, description="drawing the pictures anew", total=None)

        yield track, done


def say(study: Study) -> None:
    """Print the clean numbers and what attacks of each kind and fill do together."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    people, judged, rule = (study.protocol[name] for name in ("people", "judged", "right"))
    left = "" if judged == people else f", {judged} of whom can be judged"
    right, AP = spoken(study.clean["all"]), spoken(study.clean["AP"])
    console.print(f"{people} people{left}; right, by {rule}: {right}; AP {AP}", highlight=False)
    table = Table(title="change in correct keypoints, points", title_justify="left", title_style="bold")
    table.add_column("attacks")
    for column in ("of those covered", "of the others", "of all"):
        table.add_column(column, justify="right")
    for name, row in study.pooled.items():
        if name.split("-")[0] in ("keypoints", "parts", "radii", "objects") and " - " not in name:
            table.add_row(name, *(spoken(row[number], "+") for number in ("hit", "collateral", "all")))
    console.print(table)


def spoken(effect: Effect, sign: str = "") -> str:
    """Say a number with its interval.

    >>> from posewright.robustness import Effect
    >>> spoken(Effect(-0.1234, -0.2, -0.05, -0.19, -0.06, 70), "+")
    '-0.123 (-0.200 to -0.050)'
    """
    value, low, high = (format(number, f"{sign}.3f") for number in effect[:3])
    return f"{value} ({low} to {high})" if effect.value == effect.value else "no data"
