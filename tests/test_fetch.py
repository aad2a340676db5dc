"""Fetching: a file appears in the cache only when it is whole and right, and never anywhere else."""

import hashlib
import http.server
import io
import re
import threading
import zipfile

import pytest

from posewright.estimators.weights import fetch, kept_name
from posewright.models.report import WeightsError


def archive(payload: bytes) -> bytes:
    """A zip archive, as which PyTorch keeps weights."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("archive/data/0", payload)
    return file.getvalue()


CONTENT = archive(bytes(range(256)) * 9000)
HASH = hashlib.sha256(CONTENT).hexdigest()


def refusal(action, *arguments, **options):
    """Return the one line that an action is refused with."""
    with pytest.raises(WeightsError) as caught:
        action(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Shelf(http.server.BaseHTTPRequestHandler):
    """Serves /w.pth, promises more than it gives at /short.pth, knows nothing else."""

    def do_GET(self):
        self.server.asked.append(self.path)
        known = self.path.split("?")[0] in ("/w.pth", "/short.pth", "/a/..%2F..%2Fevil.pth")
        self.send_response(200 if known else 404)
        promised = len(CONTENT) + (9 if "short" in self.path else 0) if known else 0
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        if known:
            self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def shelf():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("sha256", [None, HASH, HASH[:8], HASH.upper()], ids=["none", "whole", "short", "upper"])
def test_a_file_is_fetched_once_and_checked(shelf, tmp_path, sha256):
    path = fetch(shelf.url + "/w.pth?download=1", sha256, tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert path.name.endswith("-w.pth")
    assert fetch(shelf.url + "/w.pth?download=1", sha256, tmp_path / "cache") == path
    assert shelf.asked == ["/w.pth?download=1"]
    assert sorted((tmp_path / "cache").iterdir()) == [path, path.with_name(f"{path.name}.sha256")]
    assert path.with_name(f"{path.name}.sha256").read_text() == f"{HASH}  {path.name}\n"


def test_a_wrong_hash_leaves_nothing_behind(shelf, tmp_path):
    line = refusal(fetch, shelf.url + "/w.pth", "0" * 64, tmp_path)
    assert f"SHA-256 is {HASH}, not {'0' * 64}" in line
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_copy_is_fetched_again(shelf, tmp_path):
    path = fetch(shelf.url + "/w.pth", HASH, tmp_path)
    path.write_bytes(CONTENT[:-1])
    assert fetch(shelf.url + "/w.pth", HASH, tmp_path).read_bytes() == CONTENT


def test_a_short_download_is_refused(shelf, tmp_path):
    line = refusal(fetch, shelf.url + "/short.pth", cache=tmp_path)
    assert f"{len(CONTENT)}" in line or "IncompleteRead" in line
    assert list(tmp_path.iterdir()) == []


def test_mirrors_are_tried_in_order(shelf, tmp_path):
    mirrors = [shelf.url + "/gone.pth", (tmp_path / "absent.pth").as_uri(), shelf.url + "/w.pth"]
    assert fetch(mirrors, HASH, tmp_path).read_bytes() == CONTENT
    assert shelf.asked == ["/gone.pth", "/w.pth"]
    line = refusal(fetch, mirrors[:2], HASH, tmp_path / "other")
    assert "gone.pth: HTTP Error 404" in line
    assert "absent.pth: " in line


def test_a_local_file_is_fetched(tmp_path, monkeypatch):
    (tmp_path / "my weights.pth").write_bytes(CONTENT)
    monkeypatch.setenv("POSEWRIGHT_CACHE", str(tmp_path / "cache"))
    path = fetch((tmp_path / "my weights.pth").as_uri(), HASH)
    assert path == tmp_path / "cache" / f"{HASH[:8]}-my_weights.pth"
    assert path.read_bytes() == CONTENT


def test_no_address_leads_out_of_the_cache(shelf, tmp_path):
    path = fetch(shelf.url + "/a/..%2F..%2Fevil.pth", cache=tmp_path / "deep" / "cache")
    assert path.parent == tmp_path / "deep" / "cache"
    for address in (
        "http://x/..",
        "http://x/%2e%2e",
        "http://x/a/%2Fetc%2Fpasswd",
        "http://x/..%5C..%5Cw.pth",
        "http://x",
    ):
        assert re.fullmatch(r"[0-9a-f]{8}-[A-Za-z0-9_-][A-Za-z0-9._-]*", kept_name(address)), address


def test_what_is_no_address_is_refused(tmp_path):
    for address in ("weights.pth", "ftp://example.org/w.pth", "data:text/plain,hello"):
        assert "not an address" in refusal(fetch, address, cache=tmp_path)
    with pytest.raises(ValueError, match="hexadecimal"):
        fetch("http://127.0.0.1/w.pth", "nothex!!", tmp_path)
    with pytest.raises(ValueError, match="no address"):
        fetch([], cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
