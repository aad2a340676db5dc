"""The form: what `posewright train RECIPE` can be told, made from the recipe itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from tyro.conf import arg

from posewright.estimators.embedded import EMBEDDED, embedded_file
from posewright.recipes.occlusion import occlusion_named
from posewright.recipes.own import on_data
from posewright.recipes.recipe import Phase, Recipe

OCCLUSION = arg(
    metavar="NAME",
    help="what hides people in training instead of the recipe's own: `none`, a preset of docs/occlusion.md, or "
    "objects:DIR for pictures of yours with an alpha channel, or objects:FILE.json for the things of COCO's masks",
    help_behavior_hint="",
)
OVERRIDES = ("codec", "jitter", "phases", "batch", "optimiser")
"""What `posewright train RECIPE --codec.sigma 3` may change of a recipe."""
EPOCHS = arg(metavar="N", help="train so many epochs, the recipe's phases in proportion", help_behavior_hint="")
SIDES = arg(
    metavar="A:B,...",
    help="keypoints that a mirror exchanges, or none; by default the names tell",
    help_behavior_hint="",
)
START = arg(metavar="FILE", help="first weights: `pose`, an .onnx, a .pt, or a URL", help_behavior_hint="")


def form_of(recipe: Recipe, whole: bool = True) -> Any:
    """Return a dataclass of what can be said of one training, with the recipe's own values as defaults.

    whole: all of it; otherwise what most people need, for a help that fits a screen.
    """
    from posewright.train import MACHINE, Machine

    options: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("data", Annotated[str, arg(metavar="DIR", help="the data's folder, or its kind and folder as in lsp:DIR")]),
        ("out", Annotated[Path, arg(metavar="DIR", help="where checkpoint and log go")], Path("runs") / recipe.name),
        ("seed", Annotated[int, arg(metavar="N", help="the same seed repeats a run")], 0),
        ("resume", Annotated[bool, arg(help="go on from the folder's last.pt, to the bit")], False),
        ("epochs", Annotated[int | None, EPOCHS], None),
        ("sides", Annotated[str | None, SIDES], None),
        ("start", Annotated[str | None, START], None),
        ("occlusion", Annotated[str | None, OCCLUSION], None),
    ]
    about = f"Train {recipe.name}: {recipe.summary}."
    if not whole:
        more = ", ".join(
            ["--machine.*", *(f"--{n}.*" if n in ("codec", "jitter", "optimiser") else f"--{n}" for n in OVERRIDES)]
        )
        about = f"{about}\n\n--help-all shows what else can be changed: {more.replace('_', '-')}."
        return make_dataclass("Train", options, namespace={"__doc__": about})
    options.append(("machine", Machine, MACHINE))
    return make_dataclass("Train", [*options, *_shown(recipe, OVERRIDES)], namespace={"__doc__": about})


def changed(recipe: Recipe, chosen: Any) -> Recipe:
    """Return the recipe with what was chosen in its form; raises KeyError for an occlusion that there is not."""
    values = {name: _merged(getattr(recipe, name), getattr(chosen, name)) for name in OVERRIDES}
    if chosen.occlusion:
        values["occlusion"] = occlusion_named(chosen.occlusion)
    recipe = replace(recipe, **values)
    if chosen.epochs is not None:
        recipe = replace(recipe, phases=lasting(recipe.phases, chosen.epochs))
    return on_data(recipe, chosen.data, chosen.sides)


def lasting(phases: Sequence[Phase], epochs: int) -> tuple[Phase, ...]:
    """Return phases of `epochs` in all, each in proportion; those that would last none are left out.

    >>> [phase.epochs for phase in lasting((Phase(90, 1e-3), Phase(30, 1e-4), Phase(20, 1e-5)), 14)]
    [9, 3, 2]
    """
    if epochs < 1:
        raise ValueError(f"--epochs must be 1 or more, not {epochs}")
    whole = sum(phase.epochs for phase in phases)
    ends = [round(epochs * end / whole) for end in accumulate(phase.epochs for phase in phases)]
    lengths = [end - start for start, end in pairwise([0, *ends])]
    return tuple(replace(phase, epochs=n) for phase, n in zip(phases, lengths, strict=True) if n > 0)


def start(name: str) -> str:
    """Return where first weights lie; the embedded networks go by their names."""
    return str(embedded_file(name)) if name in EMBEDDED else name


def _shown(value: Any, names: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """Return fields of a frozen value as fields of a form; of the codec all but its skeleton."""
    hints = get_type_hints(type(value), include_extras=True)
    shown: list[tuple[str, Any, Any]] = []
    for name in names:
        current = getattr(value, name)
        if name == "codec":
            parts = _shown(current, [f.name for f in fields(current) if f.name != "skeleton" and f.init])
            about = {"__doc__": (type(current).__doc__ or "").partition("\n")[0]}
            kind = make_dataclass(type(current).__name__, parts, frozen=True, namespace=about)
            shown.append((name, kind, field(default=kind())))
        else:
            kind = type(current) if name == "jitter" else hints[name]  # which of the two jitters it is
            shown.append((name, kind, field(default=current)))
    return shown


def _merged(value: Any, chosen: Any) -> Any:
    """Take over what was chosen in a form that shows only some of a value's fields."""
    if is_dataclass(value) and not isinstance(value, type) and type(chosen) is not type(value):
        return replace(value, **{f.name: getattr(chosen, f.name) for f in fields(chosen)})
    return chosen
