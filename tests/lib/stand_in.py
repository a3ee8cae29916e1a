"""What stands in for somebody else's server: HTTP or HTTPS on loopback.

One that stops is gone at once, as a machine that is switched off: its open
connections break. It can be started again on its port.
"""

import http.server
import os
import socket
import ssl
import threading

BACKLOG = 1024

HANG_UP = "hang up"      # close without an answer
GARBAGE = "garbage"      # bytes that are no HTTP
HALF = "half"            # less than Content-Length says, then close


class StandIn:
    """answer(handler) answers one request, in a thread of its connection.
    certificate: (cert, key) files."""

    def __init__(self, port, answer, certificate=None):
        self._port, self._answer = port, answer
        self._certificate = certificate
        self._lock = threading.Lock()
        self._server = None
        self._connections = set()

    def start(self):
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                stand_in._answer(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *args):
                pass

            def setup(self):
                super().setup()
                with stand_in._lock:
                    stand_in._connections.add(self.connection)

            def finish(self):
                with stand_in._lock:
                    stand_in._connections.discard(self.connection)
                super().finish()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = BACKLOG

            def handle_error(self, request, client_address):
                pass  # clients leave, or are killed, in the middle of things

        self._server = Server(("127.0.0.1", self._port), Handler)
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True,
                do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.02,),
                         daemon=True).start()

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def body_of(handler):
    return handler.rfile.read(int(handler.headers["Content-Length"] or 0))


def reply(handler, status, headers=None, body=b""):
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def act(handler, answer):
    """What a script asks for: a status, (status, headers, body), or one of the
    bad days. Returns the status, or None."""
    if answer in (HANG_UP, GARBAGE, HALF):
        handler.close_connection = True
        if answer == HANG_UP:
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif answer == GARBAGE:
            handler.wfile.write(os.urandom(64).replace(b"H", b"h"))
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: "
                                b"application/json\r\nContent-Length: 500"
                                b"\r\n\r\n{\"id_token\": \"ey")
        return None
    if isinstance(answer, int):
        answer = (answer, {}, b"{}")
    reply(handler, *answer)
    return answer[0]
