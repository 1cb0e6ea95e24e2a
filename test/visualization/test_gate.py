"""Whose web pages may read from a viewer. The handshake is a browser's; the last test takes one, where there is one."""

import http.server
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from viewing import Viewer, campose_view, small_scene
from websockets.exceptions import InvalidStatus

from campose_core.visualization.gate import MAX_REQUEST, PATIENCE_S
from campose_core.visualization.origins import Handshake, may_look

BROWSER, DESKTOP = "Mozilla/5.0 Chrome/150.0.0.0", "Mozilla/5.0 Lichtblick/1.20.0 Chrome/130.0.0.0 Electron/33.0.0"
MAY = [
    "https://app.foxglove.dev", "https://studio.foxglove.dev", "https://a.b.foxglove.dev",
    "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080",
]  # fmt: skip
MAY_NOT = [
    "https://evil.example", "http://app.foxglove.dev", "https://foxglove.dev.evil.example", "https://evilfoxglove.dev",
    "https://app.foxglove.dev:8443", "https://app.foxglove.dev@evil.example", "null", "", "file://", "foxglove://app",
    "http://localhost", "http://localhost:8081", "http://localhost.evil.example:8080", "http://evil.example:8080",
    "http://192.168.1.9:8080", "http://[::1", "http://localhost:x", "https://", "chrome-extension://abcdef", "*",
]  # fmt: skip


@pytest.mark.parametrize("origin", MAY)
def test_the_viewers_pages_may_look(origin):
    assert may_look(Handshake([origin], ["127.0.0.1:8765"], [BROWSER]))


@pytest.mark.parametrize("origin", MAY_NOT)
def test_no_other_page_may(origin):
    assert not may_look(Handshake([origin], ["127.0.0.1:8765"], [BROWSER]))


def test_the_origin_counts_with_where_it_leads_and_who_sends_it():
    assert may_look(Handshake([], [], []))
    assert may_look(Handshake(["file://"], ["127.0.0.1:8765"], [DESKTOP]))
    assert not may_look(Handshake(["https://evil.example"], ["127.0.0.1:8765"], [DESKTOP]))
    assert may_look(Handshake(["http://192.168.1.9:8080"], ["192.168.1.9:8765"], [BROWSER]))
    assert not may_look(Handshake(["http://evil.example:8080"], ["evil.example:8765"], [BROWSER]))  # rebound to us
    assert not may_look(Handshake([MAY[0], "https://evil.example"], ["127.0.0.1:8765"], [BROWSER]))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    pytest.importorskip("foxglove", reason="the viewer needs foxglove-sdk: pip install 'campose_ros[view]'")
    scene = small_scene(tmp_path_factory.mktemp("scenes") / "small")
    with campose_view(str(scene.path), "--port", "0") as (process, address):
        yield process, address


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_a_page_of_another_origin_gets_nothing(served, origin):
    with pytest.raises(InvalidStatus) as refused:
        Viewer(served[1], origin=origin)
    assert refused.value.response.status_code == 403
    assert b"map" not in refused.value.response.body


@pytest.mark.parametrize("origin", [None, "https://app.foxglove.dev", "http://localhost:8080"])
def test_programs_and_the_viewers_pages_get_the_map(served, origin):
    with Viewer(served[1], origin=origin) as viewer:
        assert viewer.await_messages("/map")


def test_who_says_nothing_or_nonsense_costs_others_nothing(served):
    host, port = served[1].removeprefix("ws://").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(20)]
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as endless:
        with suppress(ConnectionError):  # it may be cut off before all is sent
            endless.sendall(b"x" * 10 * MAX_REQUEST)
        with suppress(ConnectionError):
            assert endless.recv(1) == b""
    with Viewer(served[1]) as viewer:
        assert viewer.await_messages("/map")
    for connection in silent:
        connection.close()


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_header_that_only_the_server_would_see_gets_nothing(served, end):
    host, port = served[1].removeprefix("ws://").split(":")
    lines = [
        b"GET / HTTP/1.1",
        b"Host: " + host.encode() + b":" + port.encode() + end + b"Origin: https://evil.example",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Protocol: foxglove.sdk.v1",
    ]
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as asking:
        asking.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        with suppress(ConnectionError):
            assert asking.recv(1) == b""


PAGE = """<script>
const socket = new WebSocket("ADDRESS", ["foxglove.sdk.v1"]);
const say = (word) => fetch("/said/" + word);
socket.onmessage = () => say("read");
socket.onerror = () => say("nothing");
</script>"""


class _Page(http.server.BaseHTTPRequestHandler):
    """A page that tries to read from the viewer, and what it says of that."""

    address, said = "", ""
    told = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if self.path.startswith("/said/"):
            type(self).said = self.path.removeprefix("/said/")
            self.told.set()
        elif self.path == "/":
            self.wfile.write(PAGE.replace("ADDRESS", self.address).encode())

    def log_message(self, *_: object) -> None:
        pass


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")
@pytest.mark.parametrize(("port", "said"), [(0, "nothing"), (8080, "read")], ids=["another page", "Lichtblick"])
def test_in_a_browser(served, tmp_path: Path, port: int, said: str) -> None:
    _Page.address, _Page.said = served[1], ""
    _Page.told.clear()
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Page)
    except OSError:
        pytest.skip(f"port {port} is taken")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    browser = subprocess.Popen(
        [*command, f"http://localhost:{server.server_port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert _Page.told.wait(30), "the page says nothing"
        assert _Page.said == said
    finally:
        browser.terminate()
        browser.wait(20)
        server.shutdown()
        server.server_close()
