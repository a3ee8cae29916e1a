"""What every page for people must be, in a real browser: sound for axe-core in
light, in dark and on a telephone, no wider than that, short, and with nothing
to press that is smaller than a finger finds."""

PAGE_MAX = 20 * 1024
TARGET_MIN = 24     # pixels: WCAG 2.2, 2.5.8


def width(browser):
    return browser.driver.execute_script("return innerWidth")


def small(browser):
    """What can be pressed and is too small for that."""
    return browser.driver.execute_script(
        "const min = arguments[0];"
        "return [...document.querySelectorAll("
        "'a, button, input, select, summary')]"
        ".filter(e => e.type != 'hidden').filter(e => {"
        " const box = e.getBoundingClientRect();"
        " return box.width < min || box.height < min; })"
        ".map(e => e.outerHTML.slice(0, 120))", TARGET_MIN)


def look(browser, name):
    """Looks at the page or frame in hand, and keeps a screenshot of each
    state as build/screenshots/<name>-<state>.png."""
    wrong = [f"light: {line}" for line in browser.axe()]
    browser.screenshot(f"{name}-light")
    browser.dark()
    wrong += [f"dark: {line}" for line in browser.axe()]
    browser.screenshot(f"{name}-dark")
    browser.dark(False)
    room = width(browser)
    browser.phone().wait("a telephone", lambda: width(browser) != room)
    wrong += [f"telephone: {line}" for line in browser.axe()]
    wide, narrow = browser.driver.execute_script(
        "return document.documentElement.scrollWidth"), width(browser)
    if wide > narrow:
        wrong.append(f"{wide} pixels on a telephone of {narrow}")
    wrong += [f"too small to press: {line}" for line in small(browser)]
    browser.screenshot(f"{name}-phone")
    browser.phone(False).wait("no telephone", lambda: width(browser) == room)
    size = browser.driver.execute_script(
        "return performance.getEntriesByType('navigation')[0]"
        ".decodedBodySize")
    if not 500 < size < PAGE_MAX:
        wrong.append(f"{size} bytes")
    if browser.driver.execute_script("return document.scripts.length"):
        wrong.append("it has scripts")
    assert not wrong, f"{name} at {browser.url}:\n" + "\n".join(wrong)
