"""The floors of the house: a module imports only from below. `python tests/test_floors.py` draws them as they are."""

import ast
import re
from pathlib import Path

FLOORS = {
    9: "cli",
    8: "demo",
    7: "verbs robustness multiview",
    6: "train",
    5: "recipes",
    4: "estimators report",
    3: "datasets",
    2: "augment occlusion codecs models losses metrics",
    1: "columns scene picture geometry fields warp skeleton files pieces text moved",
}
"""From the roof down. Rooms of one floor do not know each other; on the ground, a noun knows those to its right."""

WITH_TORCH = ("models", "losses", "train", "estimators.runtimes.torch")
SOURCE = Path(__file__).resolve().parents[1] / "src" / "posewright"
HEIGHT = {module: (floor, -place if floor == 1 else 0) for floor, line in FLOORS.items()
          for place, module in enumerate(line.split())}  # fmt: skip
FILES = {".".join(f.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): f
         for f in sorted(SOURCE.rglob("*.py")) if f != SOURCE / "__init__.py"}  # fmt: skip


def imports(tree: ast.AST, everywhere: bool) -> set[str]:
    """Name the modules that source imports, and packages around them; in functions as well, if `everywhere`."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif everywhere or not isinstance(node, ast.FunctionDef):
            names |= imports(node, everywhere)
    return {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}


def read(everywhere: bool) -> dict[str, set[str]]:
    return {name: imports(ast.parse(file.read_text()), everywhere) for name, file in FILES.items()}


def test_every_module_has_a_floor():
    assert {name.split(".")[0] for name in FILES} == HEIGHT.keys(), "write new modules into FLOORS and docs/design.md"


def test_a_module_imports_only_from_below():
    for name, found in read(everywhere=True).items():
        own = name.split(".")[0]
        level = {
            other for other in HEIGHT.keys() - {own} if f"posewright.{other}" in found and HEIGHT[other] >= HEIGHT[own]
        }
        assert not level, f"{name} imports {', '.join(sorted(level))}\n{picture()}"


def test_torch_is_imported_only_where_something_is_learnt():
    direct = read(everywhere=False)
    reach = {"torch"}
    while more := {f"posewright.{name}" for name, found in direct.items() if found & reach} - reach:
        reach |= more
    allowed = tuple(f"posewright.{name}." for name in WITH_TORCH)
    strange = {name for name in reach - {"torch"} if not f"{name}.".startswith(allowed)}
    assert not strange, f"{sorted(strange)} import torch, or what imports it, as soon as they are imported"
    assert len(reach) > 10


def test_the_design_tells_the_same_floors():
    """Rows of the table in docs/design.md, from the roof down: | floor | rooms | what they hold |."""
    design = (SOURCE.parents[1] / "docs" / "design.md").read_text()
    told: dict[int, list[str]] = {}
    for floor, rooms in re.findall(r"^\| (\d) \| `([a-z `]+)` \|", design, re.MULTILINE):
        told.setdefault(int(floor), []).extend(rooms.replace("`", " ").split())
    assert {floor: set(rooms) for floor, rooms in told.items()} == {
        floor: set(line.split()) - {"moved"} for floor, line in FLOORS.items()
    }
    assert list(told) == sorted(FLOORS, reverse=True)
    assert len(FLOORS) <= 9
    assert len([path for path in SOURCE.iterdir() if path.name != "__pycache__"]) <= 29


def picture() -> str:
    return "\n".join(f"{floor}  {'  '.join(line.split())}" for floor, line in FLOORS.items())


if __name__ == "__main__":
    print(picture())
