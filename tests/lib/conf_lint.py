"""What an nginx.conf of ours must not do: leak into logs or split headers.

findings(text) reads the directives one by one; it knows no contexts beyond
their names, and needs none.
"""

import re

# In what goes to a browser as a header: decoded or chosen by the client.
# ($request_uri is as it was sent, but still the client's.)
CLIENTS = re.compile(
    r"\$\{?(uri|document_uri|request_uri|args|query_string|arg_\w+|http_\w+"
    r"|cookie_\w+|host)\b")
# In a log: what names a person, proves who somebody is, or was asked for.
PRIVATE = re.compile(
    r"\$\{?(request|request_uri|uri|document_uri|args|query_string|arg_\w+"
    r"|is_args|http_\w+|cookie_\w+|sent_http_\w+|remote_addr|remote_user"
    r"|binary_remote_addr|realip_remote_addr|proxy_protocol_addr"
    r"|leerpoort_users?|leerpoort_person|leerpoort_return"
    r"|leerpoort_session|request_body"
    r"|ssl_client_\w+)\b")
ADDRESS = re.compile(r"\$\{?(binary_)?(remote|realip_remote)_addr\b")

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<mark>[;{}])
      | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
      | (?P<word>(?:\$\{|[^\s;{}"'])(?:\$\{|\\.|[^\s;{}])*)""",
    re.X | re.S)


def directives(text):
    """Yields (line, words) for each directive and block; blocks end as
    (line, ["}"])."""
    words, line = [], 0
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match, f"can't read: {text[position:position + 40]!r}"
        if match["mark"]:
            if words:
                yield line, words
                words = []
            if match["mark"] == "}":
                yield text.count("\n", 0, match.start()) + 1, ["}"]
        elif match.lastgroup:
            if not words:
                line = text.count("\n", 0, match.start()) + 1
            words.append(match[match.lastgroup])
        position = match.end()


def _redirects(words):
    """The words that end in a Location, or in another header."""
    if words[0] == "return":
        return words[1:] if re.match(r"30\d$|https?:", words[1]) else []
    if words[0] == "rewrite":
        return words[2:3]
    if words[0] in ("add_header", "leerpoort_login", "leerpoort_public_url"):
        return words[2:] if words[0] == "add_header" else words[1:]
    return []


def findings(text):
    """Returns a list of (line, what is wrong)."""
    found = []
    formats = set()
    blocks = 0
    logs = 0
    for line, words in directives(text):
        name = words[0]
        if "lua" in name.lower() or name.startswith(("js_", "perl")):
            found.append((line, f"{name}: no scripts at the edge"))
        if name == "load_module" and "leerpoort" not in words[1]:
            found.append((line, "a module that is not ours"))
        for word in _redirects(words):
            if CLIENTS.search(word):
                found.append((line, f"{name} sends what the client chose"))
        if name == "log_format":
            formats.add(words[1])
            for match in PRIVATE.finditer(" ".join(words[2:])):
                found.append((line, f"{match[0]} in a log"))
        if name == "access_log":
            logs += 1
            if words[1] != "off" and (len(words) < 3
                                      or words[2] not in formats):
                found.append((line, "an access log in nginx's own format"))
        if name == "limit_req_zone" and ADDRESS.search(words[1]):
            found.append((line, "a limit by address: a school has one"))
        if name == "http":
            blocks += 1
    if blocks and not logs:
        found.append((0, "no access_log: nginx logs addresses and queries"))
    return found
