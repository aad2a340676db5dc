"""Pages: sections of text, tables and pictures as one HTML file that needs nothing from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-weight: 600; } h2 { margin: 2.5rem 0 .3rem; font-size: 1.2rem; }
p { max-width: 48rem; margin: .3rem 0 .8rem; }
img { max-width: 100%; height: auto; border-radius: 4px; background: white; }
table { border-collapse: collapse; } td { padding: .15rem 1.5rem .15rem 0; font-variant-numeric: tabular-nums; }
"""


@dataclass(frozen=True)
class Section:
    """A heading, a sentence or two, pictures beside the page, and rows of a table."""

    title: str
    text: str = ""
    pictures: Sequence[str] = ()
    table: Sequence[tuple[str, ...]] = field(default_factory=tuple)


def write_page(path: Path, title: str, sections: Sequence[Section]) -> Path:
    """Write a page, under another name first; returns its path."""
    body = "\n".join(_section(section) for section in sections)
    page = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n<h1>{escape(title)}</h1>\n{body}\n</html>\n"
    )
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, path)
    return path


def _section(section: Section) -> str:
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in section.table)
    images = "".join(f'<p><img src="{escape(name)}" alt="{escape(section.title)}"></p>' for name in section.pictures)
    return (
        f"<h2>{escape(section.title)}</h2>\n<p>{escape(section.text)}</p>\n"
        + images
        + (f"<table>{rows}</table>" if rows else "")
    )
