"""Every page in a real browser: no error, no request, nothing wider than the window, all of it readable.

Contrasts are those of WCAG 2.2 (1.4.3 and 1.4.11): 4.5 for text, 3 for the marks of a chart, measured on what the
browser paints, in both colour schemes.
"""

import cv2
import numpy as np
import pytest

PAGES = ("demo", "evaluation", "scores", "scores-compared", "diagnosis", "study", "compare", "worst", "cameras",
         "points", "space", "search")  # fmt: skip
WIDE, PHONE = (1400, 900), (390, 844)
TEXT, MARK = 4.5, 3.0
SMALLEST = 8.0
"""px that a chart's letters are high at least, on a phone too."""

TEXTS = """
() => [...document.querySelectorAll('svg text')].filter(t => t.textContent.trim()).map(t => {
  const box = t.getBoundingClientRect(), style = getComputedStyle(t);
  return {words: t.textContent, colour: style.fill, x: box.x + scrollX, y: box.y + scrollY,
          width: box.width, height: box.height,
          size: parseFloat(style.fontSize) * Math.hypot(t.getScreenCTM().a, t.getScreenCTM().b)};
})
"""
PROSE = """
() => [...document.querySelectorAll('h1, h2, h3, p, td, th, dt, dd, li b, li span, figcaption, summary, pre, a')]
  .filter(e => e.textContent.trim() && e.checkVisibility()).map(e => {
    let ground = e, colour = 'rgba(0, 0, 0, 0)';
    while (ground && colour == 'rgba(0, 0, 0, 0)') { colour = getComputedStyle(ground).backgroundColor;
                                                     ground = ground.parentElement; }
    return {words: e.textContent.slice(0, 40), colour: getComputedStyle(e).color, ground: colour};
  })
"""
MARKS = """
() => [...document.querySelectorAll('svg path, svg use, svg rect, svg circle')].flatMap(e => {
  const style = getComputedStyle(e);
  const found = [];
  for (const [kind, opacity] of [['fill', 'fillOpacity'], ['stroke', 'strokeOpacity']]) {
    const said = (e.getAttribute('style') || '').match(new RegExp('(?:^|[ ;])' + kind + ': *var\\\\(--(\\\\w+)\\\\)'));
    if (said && style[opacity] == 1 && style.opacity == 1) found.push({name: said[1], colour: style[kind]});
  }
  return found;
})
"""
OVER = """
() => [...document.querySelectorAll('main *')].filter(e => {
  if (e.closest('svg') && e.tagName != 'svg') return false;
  for (let up = e.parentElement; up; up = up.parentElement)
    if (getComputedStyle(up).overflowX != 'visible') return false;
  return e.getBoundingClientRect().right > innerWidth + 0.5;
}).map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 30))
"""


@pytest.fixture
def opened(browser, written):
    """Open a page by name in a window of some size and scheme; afterwards nothing may have gone wrong."""
    contexts, wrong = [], []

    def open_it(name, size, scheme):
        context = browser.new_context(
            viewport=dict(zip(("width", "height"), size, strict=True)), color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        inside = written(name).parent.as_uri() + "/"
        page.on("request", lambda one: None if one.url.startswith((inside, "data:")) else wrong.append(one.url))
        page.on("requestfailed", lambda one: wrong.append(f"{one.url} failed"))
        page.goto(written(name).as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not wrong


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_is_wider_than_the_window(opened, screenshots, name, size):
    page = opened(name, size, "light")
    page.screenshot(path=screenshots / f"{name}-{size[0]}-light.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert not page.evaluate(OVER)
    small = [text for text in page.evaluate(TEXTS) if text["size"] < SMALLEST]
    assert not small, small[:3]
    assert all(page.evaluate("[...document.images].map(i => i.naturalWidth > 0 && i.alt != '')"))


def test_a_study_is_understood_on_one_screen_and_read_on_four(opened):
    page = opened("study", WIDE, "light")
    cards, chapters = page.locator(".findings li"), page.locator(".chapters section:not(:has(.side))")
    assert cards.count() == 6, "five findings and the list of contents"
    assert page.locator(".findings img").count() == 5
    assert bottom(cards.last) <= 1.05 * WIDE[1]
    assert bottom(chapters.last) <= 4 * WIDE[1]
    page.click("text=Does it know")
    assert page.evaluate("scrollY") > WIDE[1]


def bottom(element):
    box = element.bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_of_it_is_readable(opened, screenshots, name, scheme):
    page = opened(name, WIDE, scheme)
    if scheme == "dark":
        page.screenshot(path=screenshots / f"{name}-{WIDE[0]}-dark.png", full_page=True)
    card = page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    faint = [one for one in page.evaluate(PROSE) if contrast(rgb(one["colour"]), rgb(one["ground"])) < TEXT]
    assert not faint, faint[:3]
    marks = {one["name"]: one["colour"] for one in page.evaluate(MARKS) if one["name"] not in ("grey", "line", "card")}
    assert not {name: colour for name, colour in marks.items() if contrast(rgb(colour), rgb(card)) < MARK}
    texts = page.evaluate(TEXTS)
    page.add_style_tag(content="svg text { visibility: hidden }")
    below = cv2.imdecode(np.frombuffer(page.screenshot(full_page=True), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    dim = [(one["words"], worst) for one in texts if (worst := on_picture(one, below)) < TEXT]
    assert not dim, dim[:3]


def on_picture(text, below):
    """Return the contrast of a text with the commonest colour that lies beneath it."""
    y, x = int(text["y"]), int(text["x"])
    part = below[y : y + max(1, int(text["height"])), x : x + max(1, int(text["width"]))].reshape(-1, 3)
    colours, counts = np.unique(part, axis=0, return_counts=True)
    return contrast(rgb(text["colour"]), colours[counts.argmax()])


def rgb(said):
    return np.array([float(number) for number in said[said.index("(") + 1 : -1].split(",")[:3]])


def contrast(a, b):
    """Return WCAG's contrast ratio of two colours, 0 to 255.

    >>> contrast(np.zeros(3), np.full(3, 255.0))
    21.0
    """
    light = sorted(luminance(np.asarray(colour)) for colour in (a, b))
    return round(float((light[1] + 0.05) / (light[0] + 0.05)), 4)


def luminance(colour):
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
