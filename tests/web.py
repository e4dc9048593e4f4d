"""A real web server over a directory, in a thread: it counts, and misbehaves as it is told."""

import base64
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote


class Asked(NamedTuple):
    """A request that was answered."""

    method: str
    path: str
    range: str | None
    status: int
    sent: int


class Web(ThreadingHTTPServer):
    """Serves a directory; what it does is in its attributes, and may change at any time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, root):
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(root)))
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked = []
        self.has_ranges = True
        self.has_tags = False
        self.has_times = True
        self.has_sizes = True
        self.delay = 0.0
        self.hold = lambda kind, path: None  # called before a request is answered
        self.denied = set()
        self.failing = {}  # by a part of the path: how often 503 is still the answer
        self.resetting = {}  # the same, but the connection is closed in the middle
        self.user = None

    def of_files(self, method="GET"):
        """Requests for files, not for directories."""
        return [a for a in self.asked if a.method == method and not a.path.endswith("/")]

    def handle_error(self, request, client_address):
        """Say nothing: clients may go away."""


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        time.sleep(self.server.delay)
        path = unquote(self.path.partition("?")[0])
        self.server.hold(f"{self.command} {self.headers.get('Range', '')[:6]}", path)
        self.sent, self.code, self.is_noted = 0, 0, False
        try:
            if self.server.user is not None and not self.is_known():
                return self.refuse(401)
            for part, left in self.server.failing.items():
                if part in path and left > 0:
                    self.server.failing[part] -= 1
                    return self.refuse(503)
            for part, left in self.server.resetting.items():
                if part in path and body and left > 0:
                    self.server.resetting[part] -= 1
                    self.send_response(200)
                    self.send_header("Content-Length", "1000000")
                    self.end_headers()
                    self.wfile.write(b"{")
                    self.close_connection = True
                    return None
            if body and any(part in path for part in self.server.denied):
                return self.refuse(403)
            file = Path(self.translate_path(self.path))
            if not file.is_file():
                return super().do_GET() if body else super().do_HEAD()
            return self.send_file(file, body)
        finally:
            self.note()

    def end_headers(self):
        self.note()
        super().end_headers()

    def note(self):
        """Remember the request, once, before anything is answered: who has the answer may ask."""
        if not self.is_noted:
            self.is_noted = True
            path = unquote(self.path.partition("?")[0])
            asked = Asked(self.command, path, self.headers.get("Range"), self.code, self.sent)
            self.server.asked.append(asked)

    def is_known(self):
        want = "Basic " + base64.b64encode(self.server.user.encode()).decode()
        return self.headers.get("Authorization") == want

    def send_response(self, code, message=None):
        self.code = code
        super().send_response(code, message)

    def refuse(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_file(self, file, body):
        data, stat = file.read_bytes(), file.stat()
        asked, code, extra = self.headers.get("Range"), 200, {}
        if asked and self.server.has_ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last or len(data)) + 1, len(data))
            if start >= len(data):
                return self.refuse(416)
            extra["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
            data, code = data[start:stop], 206
        self.send_response(code)
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/octet-stream")
        if self.server.has_times:
            self.send_header("Last-Modified", self.date_time_string(stat.st_mtime))
        if self.server.has_tags:
            self.send_header("ETag", f'"{stat.st_mtime_ns:x}"')
        if self.server.has_sizes:
            self.send_header("Content-Length", str(len(data)))
        else:
            self.send_header("Connection", "close")
        self.sent = len(data) if body else 0
        self.end_headers()
        if body:
            self.wfile.write(data)
        return None


@contextmanager
def serving(root):
    """Serve a directory for a while."""
    server = Web(root)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
