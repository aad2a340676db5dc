"""A small part of what `tests/fuzz/driver.py` and `tests/fuzz/kills.py` do by hand."""

import importlib.util
from pathlib import Path

FUZZ = Path(__file__).parent / "fuzz"


def loaded(name):
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_inputs_are_answered_or_refused_in_one_line():
    read, findings = loaded("driver").found(2_000, seed=2026)
    assert read == 2_000
    assert findings == []


def test_a_prediction_that_is_killed_loses_nothing():
    rows = []
    assert loaded("kills").matrix(["predict"], (0.6,), rows.append) == []
    assert len(rows) == 1
