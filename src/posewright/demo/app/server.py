"""The server of the app: on this machine alone, from memory alone, and only for the page that it serves itself."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from itertools import count
from threading import Lock
from time import perf_counter
from typing import Any
from urllib.parse import unquote

import cv2

from posewright.demo.app.covers import FILLS, SHAPES, Cover, Covered, checked, put_on
from posewright.demo.app.looks import Shown, Side, about, asked, looked_at, told, worst_place
from posewright.picture import PictureError, Pixels, decoded

HERE = "127.0.0.1"
MOST_BYTES, MOST_WORDS = 32 << 20, 64 << 10
"""Of a picture, and of a question."""
KEPT, MOST_COVERS = 4, 20
"""Pictures in memory, and covers on one."""
PAGE = {"/": ("index.html", "text/html"), "/app.js": ("app.js", "text/javascript"), "/app.css": ("app.css", "text/css")}
"""All files that there are, by their addresses."""
STRICT = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class App:
    """Hold the estimators and the last pictures, and answer what the page asks."""

    def __init__(self, sides: Sequence[Side], opened: tuple[Shown, Sequence[Cover]] | None = None) -> None:
        self.sides, self.pictures, self._numbers, self._lock = list(sides), dict[int, Shown](), count(1), Lock()
        self.opened = None if opened is None else (self._keep(opened[0]), list(opened[1]))

    def about(self) -> dict[str, Any]:
        """Say which estimators, fills and shapes there are, and which picture to begin with."""
        found: dict[str, Any] = {"sides": list(map(about, self.sides)), "fills": FILLS, "shapes": SHAPES}
        if self.opened is not None:
            number, covers = self.opened
            found |= {"opened": self._picture(number), "covers": [cover._asdict() for cover in covers]}
        return found

    def picture(self, data: bytes, name: str) -> dict[str, Any]:
        """Look at a picture that the page sends."""
        return self._picture(self._keep(looked_at(name, decoded(data, name), self.sides)))

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Answer for the same people behind covers, with what changed in the picture."""
        begun, shown = perf_counter(), self._shown(question)
        covered = self.covered(shown, [_cover(one) for one in _listed(question, "covers")])
        people = told(shown, covered, asked(shown, covered, self.sides))
        patches = [
            {"x": columns.start, "y": rows.start, "data": b64encode(_png(covered.pixels[rows, columns])).decode()}
            for rows, columns in covered.windows
        ]
        return {"people": people, "patches": patches, "ms": round(1000 * (perf_counter() - begun), 1)}

    def covered(self, shown: Shown, covers: Sequence[Cover]) -> Covered:
        """Put covers on a picture; parts are cut out of the people whom the first estimator found."""
        return put_on(shown.pixels, covers, shown.clean[0], self.sides[0].estimator.skeleton)

    def worst(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Search for the worst place of a cover for one person."""
        shown, cover = self._shown(question), _cover(question.get("cover"))
        at, person = (_whole(question, name) for name in ("side", "person"))
        if at not in range(len(self.sides)) or person not in range(len(shown.clean[at])):
            raise ValueError("there is no such person")
        found = worst_place(shown, self.sides, at, person, cover)
        return {"cover": None if found is None else found._asdict()}

    def pixels(self, number: str) -> bytes:
        """Return a picture as it is looked at."""
        return _png(self._shown({"picture": int(number) if number.isdecimal() else 0}).pixels)

    def _keep(self, shown: Shown) -> int:
        with self._lock:
            number = next(self._numbers)
            self.pictures[number] = shown
            for old in list(self.pictures)[:-KEPT]:
                del self.pictures[old]
        return number

    def _picture(self, number: int) -> dict[str, Any]:
        shown = self.pictures[number]
        height, width = shown.pixels.shape[:2]
        people = told(shown, None, shown.clean)
        return {"picture": number, "name": shown.name, "size": [width, height], "people": people}

    def _shown(self, question: Mapping[str, Any]) -> Shown:
        shown = self.pictures.get(question.get("picture", 0))
        if shown is None:
            raise ValueError("this picture is not kept any more; open it again")
        return shown


def _png(pixels: Pixels) -> bytes:
    """Return a picture as PNG, as quickly as that can be had."""
    return cv2.imencode(".png", pixels[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].tobytes()


def _listed(question: Mapping[str, Any], name: str) -> list[Any]:
    found = question.get(name)
    if not isinstance(found, list) or len(found) > MOST_COVERS:
        raise ValueError(f"{name} must be a list of at most {MOST_COVERS}")
    return found


def _whole(question: Mapping[str, Any], name: str) -> int:
    """Return a whole number that the page sends, -1 where it sends none."""
    found = question.get(name)
    return found if isinstance(found, int) else -1


def _cover(said: Any) -> Cover:
    """Return a cover that the page sends; raises ValueError."""
    words, numbers = ("shape", "fill", "part"), ("x", "y", "width", "height")
    if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in words):
        raise ValueError("a cover must say its shape, fill and part")
    if not all(isinstance(said.get(name), int | float) for name in numbers) or not isinstance(said.get("person"), int):
        raise ValueError("a cover must say its place, size and person in numbers")
    return checked(Cover(**{name: said[name] for name in Cover._fields}))


def server(app: App, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the app on a port of 127.0.0.1, any free one for 0; `serve_forever` runs it."""
    return ThreadingHTTPServer((HERE, port), type("Page", (_Page,), {"app": app}))


class _Page(BaseHTTPRequestHandler):
    """Answer one request, if it comes from this very page."""

    app: App
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        if not self._own():
            return
        if self.path in PAGE:
            name, kind = PAGE[self.path]
            page = files("posewright.demo.app") / "page" / name
            self._send(200, page.read_bytes(), f"{kind}; charset=utf-8")
        elif self.path == "/about":
            self._answer(self.app.about)
        elif self.path.startswith("/pixels/"):
            self._answer(lambda: self.app.pixels(self.path.removeprefix("/pixels/")))
        else:
            self._refuse(404, "there is nothing here")

    def do_POST(self) -> None:
        most = {"/picture": MOST_BYTES, "/ask": MOST_WORDS, "/worst": MOST_WORDS}.get(self.path)
        if most is None:
            self._refuse(404, "there is nothing here")
        elif self._own() and (data := self._body(most)) is not None:
            if self.path == "/picture":
                name = unquote(self.headers.get("X-Name", "picture"))[:200].replace("\\", "/").rpartition("/")[2]
                self._answer(lambda: self.app.picture(data, name or "picture"))
            else:
                answer = self.app.ask if self.path == "/ask" else self.app.worst
                self._answer(lambda: answer(_question(data)))

    def _own(self) -> bool:
        """Tell whether a request is for this server by its own name, and from its own page."""
        port = self.connection.getsockname()[1]
        hosts = (f"{HERE}:{port}", f"localhost:{port}")
        origin = self.headers.get("Origin")
        own = self.headers.get("Host") in hosts and (origin is None or origin in [f"http://{one}" for one in hosts])
        if not own or self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            self._refuse(403, "only the page of posewright itself may ask this")
            return False
        return True

    def _body(self, most: int) -> bytes | None:
        said = self.headers.get("Content-Length", "")
        if not said.isdecimal() or not 0 < int(said) <= most:
            self._refuse(413, f"at most {most >> 10:,} kB are taken")
            return None
        return self.rfile.read(int(said))

    def _answer(self, answer: Callable[[], dict[str, Any] | bytes]) -> None:
        """Send what is answered; what is wrong with the question is told in a line."""
        try:
            found = answer()
        except (PictureError, ValueError, TypeError, KeyError, RecursionError) as error:
            self._refuse(400, " ".join(str(error).split()))
            return
        if isinstance(found, bytes):
            self._send(200, found, "image/png")
        else:
            self._send(200, json.dumps(found, allow_nan=False).encode(), "application/json")

    def _refuse(self, code: int, reason: str) -> None:
        self.close_connection = True
        self._send(code, json.dumps({"error": reason}).encode(), "application/json")

    def _send(self, code: int, content: bytes, kind: str) -> None:
        self.send_response(code)
        heads = {"Content-Type": kind, "Content-Length": str(len(content)), **STRICT}
        if self.close_connection:
            heads["Connection"] = "close"
        for name, value in heads.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what goes wrong."""


def _question(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("a question must be a JSON object")
    return found
