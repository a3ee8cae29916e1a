"""An Edu-V Catalogue over HTTP on loopback: rows, paged in more than one way."""

import http.server
import json
import threading
import urllib.parse

from lib.process import free_port


def row(product, **fields):
    """A digital product without a mistake; None leaves a field out."""
    made = {"productId": product, "type": "digital", "status": "available",
            "forSale": True, "name": f"Product {product}",
            "shortDescription": "...", "licensePeriod": "schoolyear",
            "price": [{"priceExcl": 12.5, "priceCurrency": "EUR"}],
            "accessUrl": f"https://content.example/{product}"}
    made.update(fields)
    return {name: value for name, value in made.items() if value is not None}


class Catalogue:
    """rows: what it has. cap: the most that it sends at once. paged: False
    sends everything whatever is asked. wrap: the name of the list; None: the
    answer is the list. answer(start): a (status, body) instead, or None."""

    def __init__(self, rows=()):
        self.rows = list(rows)
        self.cap = 100
        self.paged = True
        self.wrap = None
        self.answer = lambda start: None
        self.asked = []
        self.port = free_port()
        catalogue = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, body = catalogue._page(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None
        threading.Thread(target=self._server.serve_forever, args=(0.02,),
                         daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1/products"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def _page(self, path):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        start, limit = int(query["start"][0]), int(query["limit"][0])
        self.asked.append(start)
        special = self.answer(start)
        if special is not None:
            return special
        rows = self.rows
        if self.paged:
            rows = rows[start:start + min(limit, self.cap)]
        answer = {self.wrap: rows} if self.wrap else rows
        return 200, json.dumps(answer).encode()
