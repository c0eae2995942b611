"""The page in a real browser: no complaint, no request, and what a person does with mouse and keyboard."""

import numpy as np
import pytest
from report.page.chromium import BROWSER, Browser
from report.page.evaluations import log, random_scores

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(write):
    scores = random_scores(12, 300, class_names=tuple(f"{chr(97 + 5 * k % 12)} action" for k in range(12)))
    return write(scores, log(5), scores.ids[:2])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_without_complaint_and_asks_for_nothing(browser, page, width, dark):
    browser.complaints.clear(), browser.requests.clear()
    browser.open(page.as_uri(), width=width, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate("document.images.length") == 2
    assert browser.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, background[4:-1].split(","))) < 60) == dark
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [page.as_uri()]


def column(browser, number):
    rows = "[...document.querySelector('table.sortable').tBodies[0].rows]"
    return browser.evaluate(f"{rows}.map((row) => row.cells[{number}].innerText)")


def test_a_column_is_sorted_by_click_and_by_key(browser, page):
    browser.open(page.as_uri(), width=1280)
    classes = column(browser, 1)
    header = "document.querySelectorAll('table.sortable thead button')"
    browser.evaluate(f"{header}[3].click()")
    recalls = [float(text.split()[0]) for text in column(browser, 3)]
    assert recalls == sorted(recalls, reverse=True) and len(set(recalls)) > 1
    assert browser.evaluate(f"{header}[3].parentElement.ariaSort") == "descending"
    browser.evaluate(f"{header}[1].focus()")
    browser.press("Enter")
    assert column(browser, 1) == sorted(classes) != classes
    browser.press("Enter")
    assert column(browser, 1) == sorted(classes, reverse=True)
    assert browser.evaluate("document.querySelectorAll('[aria-sort]').length") == 1


def test_the_matrix_is_read_by_pointer_and_by_arrow_keys(browser, page):
    browser.open(page.as_uri(), width=1280)
    names = column(browser, 1)
    browser.evaluate("document.getElementById('cells').focus()")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"):
        browser.press(key)
    text = browser.evaluate("document.getElementById('cell').innerText")
    assert text.startswith(f"{names[0]}, taken for {names[1]}: ")
    browser.evaluate("document.getElementById('cells').scrollIntoView({block: 'center'})")
    box = "document.getElementById('cells').getBoundingClientRect()"
    left, top, side = (browser.evaluate(f"{box}.{name}") for name in ("left", "top", "width"))
    x, y = left + side * 3.5 / 12, top + side * 3.5 / 12
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    text = browser.evaluate("document.getElementById('cell').innerText")
    assert text.startswith(f"{names[3]}, recognised: ") and "% of the class" in text
    assert browser.evaluate("document.querySelectorAll('.rows .on').length") == 1
    browser.evaluate("document.querySelector('[data-zoom=\"1\"]').click()")
    assert browser.evaluate(f"{box}.width") > side


def test_the_matrix_has_a_last_column_for_scores_that_are_not_finite(browser, write):
    scores = random_scores(3, 30)
    scores.logits[scores.labels == 0] = np.nan
    browser.open(write(scores).as_uri(), width=390)
    browser.evaluate("document.getElementById('cells').focus()")
    for key, said in (("Home", "recognised: 0"), ("End", "not finite: "), ("ArrowRight", "not finite: ")):
        browser.press(key)
        assert f"action number 0, {said}" in browser.evaluate("document.getElementById('cell').innerText")
    browser.press("ArrowLeft")
    assert "taken for action number 2: 0" in browser.evaluate("document.getElementById('cell').innerText")
    width, height = (
        browser.evaluate(f"document.getElementById('cells').client{side}") for side in ("Width", "Height")
    )
    assert width / 4 == height / 3
