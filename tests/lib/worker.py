"""A stand-in for the activation worker, behind leerpoort_activate."""

import http.server
import threading

from lib.process import free_port


class Worker:
    """Answers every request with what answer(headers) returns: a dict of
    response headers, or None for a plain 200; "Status" in it is the status, and
    None instead of a number means: close without an answer. headers: what nginx
    sent, where the configuration puts user, school, product and entitlement."""

    def __init__(self, answer):
        self.answer = answer
        self.seen = []
        self.port = free_port()
        worker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                headers = dict(self.headers.items())
                self.rfile.read(int(headers.get("Content-Length", 0)))
                worker.seen.append(headers)
                reply = dict(worker.answer(headers) or {})
                status = reply.pop("Status", 200)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in reply.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_POST = do_PUT = do_GET

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def location(self):
        """The location that leerpoort_activate names."""
        return f"""
        location = /activate {{
            internal;
            proxy_read_timeout 2s;
            proxy_pass http://127.0.0.1:{self.port}/;
            proxy_set_header X-User $leerpoort_user;
            proxy_set_header X-School $leerpoort_school;
            proxy_set_header X-Product $leerpoort_product;
            proxy_set_header X-Entitlement $leerpoort_entitlement;
            proxy_set_header X-Uri $request_uri;
        }}"""

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
