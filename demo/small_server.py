"""What the demo's servers of other people share: the identity provider, the
LMS, the seller, the publisher's ticket desk.
"""

import http.server
import json
import signal
import subprocess
import threading
import urllib.parse
import urllib.request

PATIENCE = 10       # seconds
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Visit(http.server.BaseHTTPRequestHandler):
    """What the demo's small servers share: reading and answering."""

    def query(self):
        return {name: values[0] for name, values in urllib.parse.parse_qs(
            urllib.parse.urlsplit(self.path).query).items()}

    def body(self):
        return self.rfile.read(
            min(int(self.headers.get("Content-Length", 0)), 65536))

    def form(self):
        return {name: values[0] for name, values in urllib.parse.parse_qs(
            self.body().decode("ascii", "replace")).items()}

    def where(self):
        return urllib.parse.urlsplit(self.path).path

    def cookie(self, name):
        for pair in self.headers.get("Cookie", "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return ""

    def send(self, status, body, kind="text/html", headers=()):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, status, document):
        self.send(status, json.dumps(document), "application/json")

    def go(self, location, *headers):
        self.send(303, b"", headers=[("Location", location), *headers])

    def log_message(self, *args):
        pass


class Small:
    """A small server of the demo, on a port of its own."""

    def __init__(self, port, visit, host="127.0.0.1"):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port),
                                                       visit)
        self._server.daemon_threads = True
        self.address = f"http://{host}:{self._server.server_address[1]}"

    def start(self):
        """In a thread that no signal of the demo's goes to: those are for the
        main one, which may wait for them with their delivery held back."""
        old = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            threading.Thread(target=self._server.serve_forever, args=(0.1,),
                             daemon=True).start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def with_query(url, **values):
    return url + ("&" if "?" in url else "?") + urllib.parse.urlencode(values)


# Tokens: signed and looked at by the command leerpoort.

def mint(program, key, issuer, audience, claims, life=300, typ=None):
    """A signed token; claims stand on standard input, not in the arguments."""
    options = ["--typ", typ] if typ else []
    return subprocess.run(
        [program, "token", "mint", "--key", str(key), "--iss", issuer,
         "--aud", audience, "--expires-in", str(life), *options],
        input=json.dumps(claims), check=True, capture_output=True, text=True,
        timeout=PATIENCE).stdout.strip()


def verified(program, keys, token, *options, command="token"):
    """The claims of a token that one of the keys has signed; else None.
    Options: of "leerpoort token verify", or of another verify."""
    good = subprocess.run(
        [program, command, "verify", "--jwks", str(keys), *options],
        input=token, capture_output=True, text=True, timeout=PATIENCE)
    return json.loads(good.stdout) if good.returncode == 0 else None


def fetch_keys(url, path):
    """What somebody publishes at the URL, into a file."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        path.write_bytes(answer.read(65536))
    return path
