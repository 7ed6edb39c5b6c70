"""Fetching: only a whole file with the right hash ever takes its name. No real network."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pspgui.models.catalog import PublishedEntry
from pspgui.models.download import DownloadError, fetch

CONTENT = bytes(range(256)) * 3000
HASH = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; the path's first part says what goes wrong."""

    requests: list[str]

    def do_GET(self) -> None:
        type(self).requests.append(self.path)
        fault = self.path.split("/")[1]
        if fault == "missing":
            self.send_error(404)
            return
        if fault == "hang":
            type(self).release.wait(60)
            return
        self.send_response(200)
        if fault != "unsized":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if fault == "dropped":
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Server.requests, Server.release = [], threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        Server.release.set()
        serving.shutdown()
        thread.join()


def entry(url: str, prefix: str = HASH[:8]) -> PublishedEntry:
    return PublishedEntry(
        "tiny", "backbone", 2, 0.8, "BSD-3-Clause", "top-1", 50.0, f"{url}/tiny_net-{prefix}.pth"
    )


@pytest.mark.parametrize("kind", ["good", "unsized"])
def test_a_file_is_fetched_checked_and_named(server: str, tmp_path: Path, kind: str) -> None:
    told: list[tuple[int, int]] = []
    path, fetched = fetch(entry(f"{server}/{kind}"), tmp_path / "new" / "folder",
                          lambda *step: told.append(step))  # fmt: skip

    assert fetched
    assert path == tmp_path / "new" / "folder" / f"tiny_net-{HASH[:8]}.pth"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert told[-1] == (len(CONTENT), len(CONTENT) if kind == "good" else 0)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_good_file_is_not_fetched_again_and_a_bad_one_is(server: str, tmp_path: Path) -> None:
    wanted = entry(f"{server}/good")
    (tmp_path / wanted.file).write_bytes(CONTENT)
    assert fetch(wanted, tmp_path) == (tmp_path / wanted.file, False)
    assert Server.requests == []

    (tmp_path / wanted.file).write_bytes(CONTENT[:-1])
    assert fetch(wanted, tmp_path) == (tmp_path / wanted.file, True)
    assert (tmp_path / wanted.file).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "prefix", "reason"),
    [
        ("good", "00000000", f"what came has the SHA-256 {HASH[:12]}… instead of 00000000…"),
        ("dropped", HASH[:8], "the connection dropped after 0.4 of 0.8 MB"),
        ("missing", HASH[:8], "the server answered 404 Not Found"),
        ("hang", HASH[:8], "the server stopped answering"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_leaves_nothing(
    server: str, tmp_path: Path, kind: str, prefix: str, reason: str
) -> None:
    wanted = entry(f"{server}/{kind}", prefix)
    (tmp_path / wanted.file).write_bytes(b"the earlier file")

    with pytest.raises(DownloadError) as caught:
        fetch(wanted, tmp_path, timeout_s=0.3 if kind == "hang" else 60.0)

    sentence = str(caught.value)
    assert sentence.startswith(f"tiny was not fetched: {reason}")
    assert f"download {wanted.url} by hand and save it as {tmp_path / wanted.file}" in sentence
    assert "\n" not in sentence
    assert [p.name for p in tmp_path.iterdir()] == [wanted.file]
    assert (tmp_path / wanted.file).read_bytes() == b"the earlier file"


def test_a_machine_off_line_is_told_so(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: refuses at once
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            DownloadError,
            match=r"cannot be reached \(.*\), perhaps because this machine is off-line;",
        ):
            fetch(entry(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_stopping_removes_the_partial_file(server: str, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(entry(f"{server}/good"), tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_named(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"file cannot be used \(.*\)"):
        fetch(entry(f"{server}/good"), tmp_path / "file")
    assert Server.requests == []
