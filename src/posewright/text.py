"""Text: names out of files and from the command line, as a terminal may show them, and what a misspelt one means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Letters that are not seen and turn the order of others."""


def printable(text: str) -> str:
    """Return a text with what cannot be printed written out, as escape codes that colour or clear a screen.

    >>> printable("left\\x1b[31m_hip")
    'left\\\\x1b[31m_hip'
    """
    if text.isprintable() and not _TURNING & set(text):
        return text
    return "".join(c if (c.isprintable() or c == "\n") and c not in _TURNING else ascii(c)[1:-1] for c in text)


def cell(text: str) -> str:
    """Return a text as it stands in a table of rich, which else takes what is in brackets for a colour.

    >>> cell("[red]hip")
    '\\\\[red]hip'
    """
    from rich.markup import escape

    return escape(printable(text))


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return a clause that names those a misspelt word is like, "" where it is like none.

    >>> did_you_mean("pedict", ["predict", "train"])
    '; did you mean predict?'
    """
    lower = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), lower, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(lower[one] for one in close)}?" if close else ""


def apart(paths: Sequence[Path]) -> list[str]:
    """Name files by as much of their paths as tells them apart.

    >>> apart([Path("runs/a/predictions.json"), Path("runs/b/predictions.json")])
    ['a/predictions.json', 'b/predictions.json']
    """
    for length in range(1, max((len(path.parts) for path in paths), default=1) + 1):
        names = [str(Path(*path.parts[-length:])) for path in paths]
        if len(set(names)) == len(set(paths)):
            return names
    return [str(path) for path in paths]
