"""Every command on a page of the documentation: what stands in `sh` runs, what stands in `console` is parsed."""

import re
import shlex
from pathlib import Path

import pytest

from posewright import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path, kind: str) -> list[list[str]]:
    """List the commands of posewright in a page's fences of a kind, comments taken off."""
    text = page.read_text().replace("\\\n", " ")
    lines = [line for name, body in FENCE.findall(text) if name == kind for line in body.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("posewright ")]


RUN = [page for page in PAGES if commands(page, "sh")]
PARSED = [words for page in PAGES for words in commands(page, "console")]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(page, "sh"):
        assert cli.main(words) == 0, words


@pytest.mark.parametrize("words", PARSED, ids=" ".join)
def test_the_other_commands_are_understood(words, monkeypatch):
    """Nothing runs: the options are those that the command line has."""
    monkeypatch.setattr(cli, "later", lambda verb: _unrun(verb))
    if words[0] == "train":
        pytest.importorskip("torch")
        from posewright.cli.form import form_of
        from posewright.verbs.load import recipe_by

        if ".py:" not in words[1]:
            cli.parsed(form_of(recipe_by(words[1])), words[2:], "posewright train")
    else:
        assert cli.main(words) == 0


def _unrun(verb):
    from functools import wraps

    @wraps(verb)
    def chosen(*_, **__):
        return lambda: 0

    return chosen


def test_no_command_stands_where_no_test_sees_it():
    for page in PAGES:
        assert not [words for kind in ("", "bash", "shell") for words in commands(page, kind)], page.name
