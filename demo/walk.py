"""Walks through the demo's front door as a browser without scripts would:
follows redirects, keeps cookies, sends forms. For demo.py --check.
"""

import html
import html.parser
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

import cast

PATIENCE = 15   # seconds
STEPS = 12      # redirects at most


class Page:
    def __init__(self, url, answer):
        self.url, self.status = url, answer.status
        self.headers = answer.headers
        self.text = answer.read(1 << 20).decode(errors="replace")
        self.forms = Forms(self.text).found


class Forms(html.parser.HTMLParser):
    """The forms of a page: (method, action, {name: value}). Of boxes to tick
    only those that are ticked."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.found.append((attrs.get("method", "get").lower(),
                               attrs.get("action", ""), {}))
        elif tag in ("input", "button") and self.found and "name" in attrs:
            if attrs.get("type") in ("checkbox", "radio") \
                    and "checked" not in attrs:
                return
            self.found[-1][2].setdefault(attrs["name"],
                                         attrs.get("value", ""))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Browser:
    """trail: every URL of the last walk."""

    def __init__(self):
        self.jar = http.cookiejar.CookieJar()
        self.trail = []
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _Stay,
            urllib.request.HTTPCookieProcessor(self.jar))

    def open(self, url, form=None):
        """The page at the end of all redirects."""
        self.trail = []
        for _ in range(STEPS):
            self.trail.append(url)
            request = urllib.request.Request(url, data=None if form is None
                                             else urllib.parse.urlencode(form)
                                             .encode())
            try:
                answer = self._opener.open(request, timeout=PATIENCE)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                if not 301 <= answer.status <= 307:
                    return Page(url, answer)
                url = urllib.parse.urljoin(url, answer.headers["Location"])
                form = None
        raise OSError(f"more than {STEPS} redirects, the last to {url}")

    def send(self, page, number=0, **more):
        """Sends a form of a page."""
        method, action, fields = page.forms[number]
        url = urllib.parse.urljoin(page.url, action)
        fields = {**fields, **more}
        if method == "post":
            return self.open(url, fields)
        return self.open(url + "?" + urllib.parse.urlencode(fields))


def front_door(places, publisher):
    """Yields (what should happen, whether it did)."""
    browser = Browser()
    here = places.leerpoort

    page = browser.open(f"{here}/go/rekenkracht/hoofdstuk/3")
    yield ("a click without a session asks the school",
           page.url.startswith(f"{places.idp}/authorize")
           and "/als/emma" in page.text)
    asked = page.url.partition("?")[2]
    page = browser.open(f"{places.idp}/als/emma")
    page = browser.open(f"{places.idp}/authorize?{asked}")
    yield ("signed in at school, the click goes on to the book",
           page.url == f"{publisher}/boek/rekenkracht/hoofdstuk/3")
    page = browser.open(f"{here}/go/taalhaven")
    yield ("the next click asks nobody, and activates",
           page.url == f"{publisher}/boek/taalhaven"
           and len(browser.trail) == 2)
    page = browser.open(f"{here}/")
    yield ("My books lists what Emma has",
           page.status == 200 and "Rekenkracht 7" in page.text
           and "/go/rekenkracht" in page.text)

    for way in ("uitgelogd", "verlopen"):
        page = browser.open(f"{here}/{way}/rekenkracht")
        yield (f"/{way}/ leads to the book, once it is known who asks",
               page.url == f"{publisher}/boek/rekenkracht")
    yield from activation_code(browser, here, publisher)

    browser.open(f"{places.idp}/als/noah")
    page = browser.open(f"{here}/go/stepup")
    yield ("Noah sits down: Emma's session has ended, his begins",
           page.url == f"{publisher}/boek/stepup"
           and any("/sso/callback" in url for url in browser.trail))
    page = browser.open(f"{here}/go/natuurlab")
    yield ("the publisher believes the ticket in the link",
           "havenlyceum-0831 · student · natuurlab" in page.text)
    page = browser.open(page.url)
    yield ("... but only once", "al gebruikt" in page.text)
    yield from launches(places, publisher)


def activation_code(browser, here, publisher):
    """From the page that refuses to the one for codes, and to the book."""
    _, product, code, _ = cast.CODE
    page = browser.open(f"{here}/go/{product}")
    where = re.search(r'href="(/code[^"]*)"', page.text)
    yield ("a book that Emma has no right of: a page that asks for a code",
           page.status == 403 and where is not None)
    page = browser.open(here + html.unescape(where[1]))
    page = browser.send(page, code=code)
    yield ("her code opens it", page.status == 200
           and browser.open(f"{here}/go/{product}").url.startswith(
               f"{publisher}/boek/{product}?ticket="))


def launches(places, publisher):
    """LTI: with a browser of its own, that keeps no cookie."""
    browser = Browser()
    page = browser.open(f"{places.lms}/?als=noah")
    link = page.text.partition('href="/start?')[2].partition('"')[0]
    page = browser.open(f"{places.lms}/start?" + link.replace("&amp;", "&"))
    browser.jar.clear()
    page = browser.send(page)
    yield ("a launch from the LMS opens the book, without cookies",
           page.url == f"{publisher}/boek/stepup")

    page = browser.open(f"{places.lms}/start?als=devries")
    browser.jar.clear()
    page = browser.send(page)
    yield ("a teacher gets a page to pick books from",
           page.status == 200 and "Rekenkracht 7" in page.text
           and all(title in page.text for _, title in
                   cast.PRODUCTS["rekenkracht"].chapters))
    page = browser.send(page, do="put", item="rekenkracht")
    page = browser.send(page)
    yield ("... and the LMS takes what was picked",
           page.status == 200 and "Rekenkracht 7" in page.text
           and "Toegevoegd" in page.text)
    yield from account_link(places, publisher)


def account_link(places, publisher):
    """The LMS does not know who a teacher is at school, until it is told."""
    browser = Browser()
    page = browser.open(f"{places.lms}/?als=devries")
    starts = re.findall(r'target="boek" href="(/start[^"]*link=[^"]*)"',
                        page.text)
    manual, picked = (places.lms + html.unescape(start)
                      for start in starts[-2:])
    page = browser.send(browser.open(manual))
    link = re.search(r'target="_blank"[^>]* href="(/lti/link/[^"]*)"',
                     page.text)
    yield ("a teacher's first launch asks to link accounts", link is not None)
    browser.open(f"{places.idp}/als/devries")
    page = browser.open(places.leerpoort + link[1])
    yield ("signed in at school, the button is asked for",
           page.url == places.leerpoort + link[1] and page.forms != [])
    page = browser.send(page)
    page = browser.send(browser.open(manual))
    yield ("from then on launches open the book at once",
           page.url == f"{publisher}/boek/handleiding")
    page = browser.send(browser.open(picked))
    yield ("and so does what the teacher picked",
           page.url == f"{publisher}/boek/rekenkracht")
