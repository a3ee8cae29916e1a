"""Real Chromium, driven by Debian's chromedriver.

Names that end in .test lead to this machine: a Browser maps each to a port, so
that a page has the https origin that it would have in life. Certificates are
those of the test and not looked at.
"""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from lib.nginx import BUILD
from lib.npm import npm_package

DRIVER = "/usr/bin/chromedriver"
CHROMIUM = "/usr/bin/chromium"
AXE = ("axe-core", "4.10.3")
SCREENSHOTS = pathlib.Path(BUILD) / "screenshots"
PATIENCE = 30   # seconds
TABS_MAX = 60
PHONE = 360     # pixels


class Browser:
    """hosts: {"toegang.test": port}. language: what Accept-Language says.
    scripts False: no page may run any. third_party False: no cookies in frames
    of other sites. size: of the window."""

    def __init__(self, hosts, language="nl", scripts=True, third_party=True,
                 size=(1100, 900), dark=False, cookies=True):
        self.language = language
        self._stack = contextlib.ExitStack()
        self.folder = tempfile.mkdtemp(prefix="leerpoort-chromium-")
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        options = Options()
        options.binary_location = CHROMIUM
        options.accept_insecure_certs = True
        rules = ",".join(f"MAP {host} 127.0.0.1:{port}"
                         for host, port in hosts.items())
        for argument in (
                "--headless=new", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--disable-extensions",
                "--disable-background-networking", "--no-first-run",
                "--no-proxy-server", "--disable-component-update",
                f"--user-data-dir={self.folder}", f"--lang={language}",
                f"--window-size={size[0]},{size[1]}",
                f"--host-resolver-rules={rules}",
                *(["--force-dark-mode"] if dark else [])):
            options.add_argument(argument)
        blocked = {name: 2 for name, on in (("javascript", scripts),
                                            ("cookies", cookies)) if not on}
        options.add_experimental_option("prefs", {
            "intl.accept_languages": language,
            "profile.block_third_party_cookies": not third_party,
            "profile.cookie_controls_mode": 0 if third_party else 1,
            "profile.default_content_setting_values": blocked})
        environment = {**os.environ, "HOME": self.folder}
        try:
            self.driver = webdriver.Chrome(
                service=Service(DRIVER, env=environment), options=options)
            self._stack.callback(self.driver.quit)
            self.driver.set_page_load_timeout(PATIENCE)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        self._stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # --- going ---

    def open(self, url):
        self.driver.get(url)
        return self

    @property
    def url(self):
        return self.driver.current_url

    def wait(self, what, ready):
        """Until ready() is true: its value. A page that goes while it is
        looked at is not ready, by whatever name the driver calls that."""
        try:
            return WebDriverWait(self.driver, PATIENCE, 0.05, (
                WebDriverException,)).until(lambda _: ready())
        except TimeoutException:
            raise AssertionError(f"not within {PATIENCE} s: {what}; at "
                                 f"{self.url}") from None

    def at(self, prefix):
        self.wait(f"at {prefix}", lambda: self.url.startswith(prefix))
        return self

    def find(self, css):
        return self.wait(css, lambda: next(iter(
            self.driver.find_elements(By.CSS_SELECTOR, css)), None))

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def link(self, text):
        return self.wait(f"a link {text!r}", lambda: next(iter(
            self.driver.find_elements(By.PARTIAL_LINK_TEXT, text)), None))

    def text(self):
        return self.find("body").text

    def heading(self):
        return self.find("h1").text

    def headed(self, text):
        """Until the page in hand has this heading."""
        self.wait(f"the heading {text!r}", lambda: self.heading() == text)
        return self

    def shows(self, text):
        self.wait(f"the text {text!r}", lambda: text in self.text())
        return self

    def frame(self, css):
        self.driver.switch_to.frame(self.find(css))
        return self

    def top(self):
        self.driver.switch_to.default_content()
        return self

    def new_window(self, click):
        """Does what opens a window, and goes there."""
        before = set(self.driver.window_handles)
        click()
        handle = self.wait("a new window", lambda: next(iter(
            set(self.driver.window_handles) - before), None))
        self.driver.switch_to.window(handle)
        return self

    def rest(self):
        """Closes all windows but one."""
        first, *others = self.driver.window_handles
        for handle in others:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.driver.switch_to.window(first)
        return self

    def forget(self):
        """One window, without cookies, cache, or a language, style or size of
        its own: as after its start."""
        self.rest().open("about:blank")
        self._tell("Network.clearBrowserCookies")
        self._tell("Network.clearBrowserCache")
        return self.speak(self.language).dark(False).phone(False)

    # --- whose it is ---

    def _tell(self, command, **parameters):
        self.driver.execute_cdp_cmd(command, parameters)
        return self

    def speak(self, language):
        """What Accept-Language says from now on, in this window."""
        agent = self.driver.execute_cdp_cmd("Browser.getVersion", {})
        return self._tell("Emulation.setUserAgentOverride",
                          userAgent=agent["userAgent"],
                          acceptLanguage=language)

    def dark(self, on=True):
        return self._tell("Emulation.setEmulatedMedia", features=[{
            "name": "prefers-color-scheme",
            "value": "dark" if on else "light"}])

    def phone(self, on=True):
        if not on:
            return self._tell("Emulation.clearDeviceMetricsOverride")
        return self._tell("Emulation.setDeviceMetricsOverride", width=PHONE,
                          height=740, deviceScaleFactor=1, mobile=True)

    def cookies(self):
        """{name: the cookie} of all sites."""
        return {cookie["name"]: cookie for cookie in
                self.driver.execute_cdp_cmd("Network.getAllCookies", {})[
                    "cookies"]}

    # --- as a person without a mouse ---

    def tab_to(self, matches):
        """Presses Tab until the element that has the focus matches; it."""
        for _ in range(TABS_MAX):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            here = self.driver.switch_to.active_element
            if matches(here):
                return here
        raise AssertionError(f"Tab never gets there, at {self.url}")

    def press(self, key):
        self.driver.switch_to.active_element.send_keys(key)

    # --- what is kept, and what is wrong ---

    def screenshot(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def axe(self):
        """What axe-core finds wrong in the page or frame in hand: one line for
        each."""
        source = (npm_package(*AXE) / "axe.min.js").read_text()
        self.driver.execute_script(source)
        found = self.driver.execute_async_script(
            "const done = arguments[0];"
            "axe.run(document, {resultTypes: ['violations']})"
            ".then(r => done(JSON.stringify(r.violations)))"
            ".catch(e => done(JSON.stringify([{id: String(e),"
            " nodes: []}])));")
        return [f"{one['id']}: " + "; ".join(
            node["html"][:120] for node in one["nodes"])
            for one in json.loads(found)]
