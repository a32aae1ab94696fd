"""``gan-report --live``: the page on this machine alone, growing while runs go on."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import parse_qs, urlsplit

from gan_cli.commands.report.growing import Growing
from gan_cli.commands.report.page import page, policy
from gan_cli.commands.report.reading import each_once, note
from gan_cli.errors import UserError, first_line

HERE = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")  # by which a browser may ask for it; of any port, as through ``ssh -L``
PATIENCE = 10.0  # seconds that a request may take to arrive
PICTURE = re.compile(r"/picture/(\d{1,9})/(real|\d{1,16})/\d{1,20}(/large)?", re.ASCII)


class Server(ThreadingHTTPServer):
    """Serves one page and the pictures on it.

    Args:
        growing: the runs.
        port: 0 for any that is free.

    Raises:
        UserError: if the port cannot be had.
    """

    daemon_threads = True  # a request that is being answered keeps nobody waiting

    def __init__(self, growing: Growing, port: int = 0) -> None:
        self.growing = growing
        try:
            super().__init__((HERE, port), Handler)
        except OSError as error:
            raise UserError(f"--port {port}: {error.strerror or error}: give another, or leave it out") from error

    def server_bind(self) -> None:
        """As of any TCP server: nobody is asked for the name of this machine."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HERE, self.server_address[1]

    @property
    def address(self) -> str:
        return f"http://{HERE}:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away is no fault; another one is told, and costs no other request."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            note(f"a request was not answered: {type(error).__name__}: {first_line(error)}")


class Handler(BaseHTTPRequestHandler):
    """Answers GET alone, of addresses that the page itself holds. No part of one becomes a part of a path."""

    server: Server
    timeout = PATIENCE

    def do_GET(self) -> None:
        if not self._is_asked_here():
            return self._refuse(HTTPStatus.FORBIDDEN)
        try:
            url = urlsplit(self.path)
        except ValueError:
            return self._refuse(HTTPStatus.NOT_FOUND)
        if url.scheme or url.netloc:
            return self._refuse(HTTPStatus.NOT_FOUND)
        growing = self.server.growing
        if url.path == "/":
            return self._answer(page(growing.since(""), live=True).encode(), "text/html; charset=utf-8")
        if url.path == "/new":
            token = parse_qs(url.query).get("since", [""])[0]
            return self._answer(growing.since(token).encode(), "application/json")
        if found := PICTURE.fullmatch(url.path):
            content = growing.picture((int(found[1]), found[2], bool(found[3])))
            if content:
                return self._answer(content, "image/webp", "private, max-age=86400, immutable")
        return self._refuse(HTTPStatus.NOT_FOUND)

    def _is_asked_here(self) -> bool:
        """Whether the browser took this machine's own name: no other's page can have had its name lead here."""
        hosts = self.headers.get_all("Host", [])
        return len(hosts) == 1 and re.sub(r":\d{1,5}$", "", hosts[0].strip().lower()) in NAMES

    def _answer(self, content: bytes, kind: str, keep: str = "no-store") -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", keep),
            ("Content-Security-Policy", f"{policy(live=True)}; frame-ancestors 'none'"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, why: HTTPStatus) -> None:
        self.send_error(why)

    def version_string(self) -> str:
        return "gan-report"

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the terminal is for what is wrong with runs."""


def serve(paths: Sequence[str], port: int, opened: Callable[[Server], None]) -> None:
    """Serves until a signal ends it.

    Args:
        opened: is called when the page can be had.

    Raises:
        UserError: if a folder is not there or the port cannot be had.
        KeyboardInterrupt: at its end; then nothing listens any more.
    """
    with each_once(), Server(Growing(paths), port) as server:
        opened(server)
        server.serve_forever()
