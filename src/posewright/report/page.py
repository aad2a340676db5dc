"""Pages: sections of text, tables, figures and pictures as one HTML file that needs nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from posewright.files import write_whole

STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5c6470; --line: #e3e6ea; --card: #fff; --ground: #f6f7f9;
        --accent: #0072b2; --warn: #9a5b00; --blue: #0072b2; --sky: #3a97cf; --green: #009268; --orange: #c27c00;
        --red: #d04a00; --pink: #bb6695; --grey: #c9ced6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a0a7b1; --line: #333941; --card: #1e2228; --ground: #15181c; --accent: #56b4e9;
          --warn: #f0b94d; --blue: #3d9ad6; --sky: #8ccbf2; --green: #00b486; --orange: #e69f00; --red: #ee7a35;
          --pink: #d98fb8; --grey: #4a525d; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 0; }
main { max-width: 70rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; font-weight: 650; letter-spacing: -.02em; margin: 0; }
h1, h2, p, figcaption, .tiles span { overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; font-weight: 620; margin: 0 0 .35rem; }
p { max-width: 52rem; margin: 0 0 1rem; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.3rem 1.4rem;
          margin: 1.25rem 0; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; background: #fff; margin-top: .5rem; }
.chart { overflow-x: auto; max-width: 100%; min-width: 0; }
svg { display: block; max-width: 100%; height: auto; margin-top: .5rem; }
.side { display: flex; flex-wrap: wrap; align-items: flex-start; gap: .4rem 1.1rem; margin-top: .5rem; }
figure { margin: 0 0 .6rem; flex: 0 1 31rem; } figcaption { font-size: .85rem; color: var(--soft); margin-top: .3rem; }
.note { border-left: 3px solid var(--warn); padding: .1rem 0 .1rem .8rem; margin: 0 0 .8rem; color: var(--ink); }
.wide { overflow-x: auto; } .wide table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide th { text-align: left; font-weight: 600; color: var(--soft); font-size: .85rem; padding: .2rem 1.5rem .2rem 0; }
.wide tr { border-bottom: 1px solid var(--line); } .wide td { overflow-wrap: normal; white-space: nowrap; }
.wide td:last-child { white-space: normal; min-width: 8rem; }
@media (max-width: 40rem) { .chart > img { max-width: none; width: max(100%, 32rem); } }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .7rem 1.1rem;
            min-width: 6.4rem; }
.tiles b { display: block; font-size: 1.5rem; font-weight: 640; font-variant-numeric: tabular-nums; line-height: 1.2; }
.tiles span { color: var(--soft); font-size: .85rem; }
.findings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: .9rem;
            margin: 1.1rem 0; padding: 0; list-style: none; }
.findings li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem; }
.findings b { font-size: 1.45rem; font-weight: 640; font-variant-numeric: tabular-nums; white-space: nowrap; }
.findings span { color: var(--soft); font-size: .85rem; white-space: nowrap; margin-left: .5rem;
                 display: inline-block; }
.findings p { margin: .1rem 0 0; color: var(--ink); font-size: .95rem; line-height: 1.4; }
.findings p + p { color: var(--soft); font-size: .8rem; }
.findings img { max-height: 9.5rem; margin: .5rem auto 0; }
nav a { display: block; padding: .12rem 0; color: var(--accent); text-decoration: none; }
main:has(.chapters) { max-width: 86rem; } main:has(.chapters) > p { max-width: none; }
.chapters { display: grid; gap: 1.1rem; align-items: start;
            grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); }
.chapters section { margin: 0; min-width: 0; } .chapters section:has(.side) { grid-column: 1 / -1; }
.chapters section > p { font-size: .95rem; } .chapters h2 { font-size: 1.05rem; }
.chapters .side figure { flex-basis: 25rem; } .chapters section > figure img { max-height: 9.5rem; }
.columns { columns: 15rem; column-gap: 2.5rem; margin: 0; }
.columns div { display: flex; justify-content: space-between; border-bottom: 1px solid var(--line); padding: .2rem 0;
               break-inside: avoid; }
.columns dd, .columns dt { margin: 0; font-variant-numeric: tabular-nums; }
details { margin-top: .6rem; font-size: .9rem; color: var(--soft); } summary { cursor: pointer; color: var(--accent); }
details table { border-collapse: collapse; margin-top: .5rem; }
td { padding: .15rem 1.5rem .15rem 0; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { white-space: nowrap; }
pre { margin: 0; padding: .8rem 1rem; background: var(--ground); border-radius: 6px; overflow-x: auto;
      font-size: .9rem; }
"""


@dataclass(frozen=True)
class Section:
    """A heading and a sentence or two; pictures, figures; names with numbers; commands to copy.

    notes: what to be warned of. pictures: names of files that lie beside the page, or the bytes of PNGs and
    JPEGs, which it then holds itself. figures: SVG, which may use the page's colours. grid: rows of cells, the
    first of headings; beside figures they unfold. details: what only some readers want to see, such as a
    protocol, in rows that unfold.
    """

    title: str
    text: str = ""
    pictures: Sequence[str | bytes] = ()
    table: Sequence[tuple[str, str]] = ()
    details: Sequence[tuple[str, str]] = ()
    commands: Sequence[str] = ()
    notes: Sequence[str] = ()
    figures: Sequence[str] = ()
    grid: Sequence[Sequence[str]] = ()
    cases: Sequence[str] = ()
    more: Sequence[str] = ()
    short: str = ""


@dataclass(frozen=True)
class Finding:
    """A number with its interval, what it says in a sentence, and a picture of a typical case with a line about it."""

    number: str
    interval: str
    says: str
    picture: bytes | None = None
    about: str = ""


def write_page(
    path: Path,
    title: str,
    lead: str,
    tiles: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    findings: Sequence[Finding] = (),
) -> Path:
    """Write a page, under another name first; returns its path.

    tiles: names with the numbers to see at once. findings: what is to be understood first; beside them stands a list
    of the sections that have a short name, which lie two in a row where the window is wide enough.
    """
    large = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for name, value in tiles)
    chapters = [section for section in sections if section.short and findings]
    first = next((place for place, one in enumerate(sections) if one in chapters), 0)
    before = list(map(_section, sections[:first]))
    after = [_section(one) for one in sections[first:] if one not in chapters]
    body = "\n".join(before + after)
    if findings:
        links = "".join(f'<a href="#{_mark(one.short)}">{escape(one.short)}</a>' for one in chapters)
        told = "".join(map(_finding, findings)) + f'<li><nav aria-label="Contents">{links}</nav></li>'
        shown = "\n".join(map(_section, chapters))
        body = "\n".join([f'<ol class="findings">{told}</ol>', *before, f'<div class="chapters">{shown}</div>', *after])
    page = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n<main>\n<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n"
        f'<ul class="tiles">{large}</ul>\n{body}\n</main>\n</html>\n'
    )
    write_whole(path, page.encode())
    return path


def _finding(one: Finding) -> str:
    """Write a finding as a card, its picture below."""
    drawn = f'<img src="{_source(one.picture)}" alt="{escape(one.about)}">' if one.picture else ""
    about = f"<p>{escape(one.about)}</p>" if one.about else ""
    head = f"<b>{escape(one.number)}</b><span>{escape(one.interval)}</span><p>{escape(one.says)}</p>"
    return f"<li>{head}{about}{drawn}</li>"


def _mark(short: str) -> str:
    """Return the id of a section in its page."""
    return "chapter-" + "-".join(short.lower().split())


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    if section.text:
        parts.append(f"<p>{escape(section.text)}</p>")
    parts += [f'<p class="note">{escape(note)}</p>' for note in section.notes]
    if section.table:
        rows = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in section.table)
        parts.append(f'<dl class="columns">{rows}</dl>')
    parts += section.figures
    parts += section.cases
    if section.more:
        parts.append(f"<details><summary>More figures</summary>{''.join(section.more)}</details>")
    if section.grid:
        rows = _grid(section.grid)
        parts.append(f"<details><summary>Numbers</summary>{rows}</details>" if section.figures else rows)
    parts += [f'<div class="chart"><img src="{_source(one)}" alt="{escape(section.title)}"></div>'
              for one in section.pictures]  # fmt: skip
    if section.commands:
        parts.append(f"<pre>{escape(chr(10).join(section.commands))}</pre>")
    if section.details:
        rows = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in section.details)
        parts.append(f"<details><summary>Protocol</summary><table>{rows}</table></details>")
    mark = f' id="{_mark(section.short)}"' if section.short else ""
    return f"<section{mark}>\n" + "\n".join(parts) + "\n</section>"


def _grid(rows: Sequence[Sequence[str]]) -> str:
    cells = [
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * (len(rows) - 1)], rows, strict=True)
    ]
    return '<div class="wide"><table>' + "".join(f"<tr>{row}</tr>" for row in cells) + "</table></div>"


def _source(picture: str | bytes) -> str:
    if isinstance(picture, str):
        return quote(picture)
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"
