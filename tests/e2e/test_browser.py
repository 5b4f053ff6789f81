"""The HTML report in a real browser: Debian's chromium, headless. Skips, loudly, where it is not installed."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.document.image import EmbeddedImage
from bench.report.html.render import render_html
from bench.report.influential import Influence
from bench.report.references import Reference
from bench.report.view import View, build

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFTEST = Path(__file__).parents[1] / "bench" / "report" / "conftest.py"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
WIDTHS = (360, 768, 1440)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Browser:
    """One page at a time, and what the browser said and asked for while it was open."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path) -> None:
        """Open a page, wide and light, and wait until its plots are drawn."""
        self.driver.get("about:blank")
        self.width(1440)
        self.media("light")
        self.messages()
        self.requests()
        self.driver.get(page.as_uri())
        WebDriverWait(self.driver, 120).until(lambda d: self("return document.documentElement.dataset.ready === 'yes'"))

    def __call__(self, script: str, *arguments: Any) -> Any:
        """Run a script and give back what it returns."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        """Elements that a selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> Any:
        """The first element that a selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def messages(self) -> list[str]:
        """What has been written to the console since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses asked for since it was last asked."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def width(self, pixels: int) -> None:
        """Set the width of the window's inside."""
        screen = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def media(self, scheme: str, media: str = "") -> None:
        """Prefer light or dark, on a screen or on paper."""
        preferred = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in preferred.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def column(self, number: int) -> list[str]:
        """Texts of a column of the table of all cells, of the rows in sight."""
        return self(
            "return [...document.querySelectorAll('#cells-table tbody tr')].filter(row => !row.hidden)"
            ".map(row => row.cells[arguments[0]].textContent)",
            number,
        )


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("NO CHROMIUM: apt-get install chromium chromium-driver; the HTML report was not tried in a browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    """A run of 40 cells with everything a report may show."""
    found = build(_make_run()(tmp_path_factory.mktemp("report") / "run", total_iters=(8, 12), n_images=32))
    best = found.best
    assert best is not None
    return replace(
        found,
        cells=tuple(replace(cell, score_se=0.01 * (cell.score or 0.0)) for cell in found.cells),
        references=(
            Reference("tokenizer_floor", best.checkpoint, best.compose, 14.2),
            Reference("one_shot", best.checkpoint, best.compose, 43.9),
        ),
        influential=tuple(Influence(best.cell_id, 3 * i, (-1) ** i / (i + 1)) for i in range(8)),
    )


@pytest.fixture
def browser(driver: Any, view: View, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """The report, opened."""
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(
        render_html(view, (EmbeddedImage("Worst images", "masked input, steps, truth", _png()),)), encoding="utf-8"
    )
    opened = Browser(driver)
    opened.open(page)
    return opened


def _make_run() -> Any:
    """The maker of synthetic run folders, which lives beside the tests of the report."""
    spec = importlib.util.spec_from_file_location("report_conftest", CONFTEST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_run


def _png() -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (2000, 64), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def test_it_opens_without_a_word_on_the_console_and_asks_for_nothing(browser: Browser) -> None:
    for box in browser.all("input[type=checkbox]"):
        box.click()
    assert browser.messages() == []
    (page, *others) = browser.requests()
    assert page.startswith("file:")
    assert page.endswith("/report.html")
    assert all(address.startswith("data:") for address in others)


def test_the_policy_stops_what_the_page_does_not_hold_itself(browser: Browser) -> None:
    stopped = browser.driver.execute_async_script(
        "const done = arguments[0], found = [];"
        "document.addEventListener('securitypolicyviolation', event => {"
        "  found.push(event.effectiveDirective); if (found.length === 3) done(found.sort()); });"
        "fetch('http://127.0.0.1:9/').catch(() => {});"
        "new Image().src = 'http://127.0.0.1:9/a.png';"
        "const script = document.createElement('script'); script.textContent = 'window.obeyed = true';"
        "document.body.append(script);"
    )
    assert stopped == ["connect-src", "img-src", "script-src-elem"]
    assert browser("return window.obeyed") is None


def test_every_plot_is_drawn(browser: Browser, view: View) -> None:
    drawn = browser(
        "return [...document.querySelectorAll('.plot')].map(plot => {"
        "  const svg = plot.querySelector('svg'), box = svg.getBoundingClientRect();"
        "  return [box.width, box.height, svg.querySelectorAll('[role=graphics-symbol][aria-roledescription]').length]; })"
    )
    assert len(drawn) == 2 + 1 + 1 + 2 + 4 + 1  # steps, front, schedules, tokens fixed, holes, influence
    for width, height, symbols in drawn:
        assert width > 200
        assert height > 150
        assert symbols >= 8
    points = browser("return document.querySelectorAll('#chart-steps path[aria-roledescription=point]').length")
    assert points == len(view.cells)
    words = browser("return document.querySelector('#chart-steps').textContent")
    assert "tokenizer reconstruction (rFD floor) 14.20" in words
    assert "one-shot decoding 43.90" in words


def test_quality_over_checkpoints_is_drawn_in_their_order(driver: Any, tmp_path: Path) -> None:
    names = ("epoch-5", "epoch-10", "epoch-100")
    run = _make_run()(
        tmp_path / "run", checkpoints=names, gammas=("cosine",), total_iters=(2,), seeds=(0, 1), n_images=32
    )
    page = tmp_path / "report.html"
    page.write_text(render_html(build(run)), encoding="utf-8")
    browser = Browser(driver)
    browser.open(page)
    assert len(browser.all("#chart-training path[aria-roledescription=point]")) == 2 * len(names)
    labels = browser(
        "return [...document.querySelectorAll('#chart-training .role-axis-label text')].map(text => text.textContent)"
    )
    assert [label for label in labels if label in names] == [*names]
    plot = browser.one("#chart-training .plot")
    browser("arguments[0].focus()", plot)
    for _ in range(2):
        plot.send_keys(Keys.ARROW_RIGHT)
    assert "epoch-10: FD" in browser.one("#chart-training .reading").text
    assert browser.messages() == []


def test_the_table_sorts_by_mouse_and_by_keyboard(browser: Browser, view: View) -> None:
    headers = browser.all("#cells-table th")
    score = next(i for i, header in enumerate(headers) if view.metric.column in header.text)
    ascending = [view.metric.show(c.score, c.score_se) for c in sorted(view.cells, key=lambda c: c.score or 0.0)]
    button = headers[score].find_element(By.TAG_NAME, "button")
    assert browser.column(score) == ascending  # as it opens
    assert headers[score].get_attribute("aria-sort") == "ascending"
    button.click()
    assert browser.column(score) == ascending[::-1]
    assert headers[score].get_attribute("aria-sort") == "descending"
    button.send_keys(Keys.ENTER)
    assert browser.column(score) == ascending
    headers[3].find_element(By.TAG_NAME, "button").send_keys(Keys.SPACE)
    assert browser.column(3) == [str(s) for s in sorted(cell.sweet_spot for cell in view.cells)]  # 2 before 10
    assert [h.get_attribute("aria-sort") for h in headers].count("none") == len(headers) - 1


def test_the_table_filters_as_one_types(browser: Browser, view: View) -> None:
    box = browser.one("#filter")
    box.send_keys("Cosine t8")
    cells = sorted(view.cells, key=lambda cell: cell.score or 0.0)
    chosen = [cell.cell_id for cell in cells if cell.gamma == "cosine" and cell.total_iter == 8]
    last = len(browser.all("#cells-table th")) - 1
    assert browser.column(last) == chosen
    assert browser.one("#count").text == f"{len(chosen)} of {len(view.cells)} cells"
    box.send_keys(" s1")
    assert len(browser.column(last)) == 1  # s1, and not s10 to s12
    box.clear()
    box.send_keys("nothing like it")
    assert browser.column(last) == []


def test_a_gamma_is_switched_off_in_all_plots_from_the_keyboard(browser: Browser, view: View) -> None:
    count = "return document.querySelectorAll(`#chart-${arguments[0]} path[aria-roledescription=point]`).length"
    before = {chart: browser(count, chart) for chart in ("steps", "pareto", "schedule", "tokens")}
    gammas = {cell.gamma for cell in view.cells}
    browser.one("#chart-steps input[data-group=gamma]").send_keys(Keys.SPACE)
    for chart, points in before.items():
        kept = points * (len(gammas) - 1) // len(gammas)
        WebDriverWait(browser.driver, 20).until(lambda _, chart=chart, kept=kept: browser(count, chart) == kept)
    states = {box.is_selected() for box in browser.all("input[data-group=gamma][value='0']")}
    assert states == {False}
    assert browser.messages() == []


def test_zooming_in_brings_the_best_cells_apart(browser: Browser) -> None:
    ends = (
        "return [...document.querySelectorAll('#chart-steps .plot [aria-label^=\"Y-axis\"]')]"
        ".map(axis => axis.getAttribute('aria-label'))"
    )
    whole = browser(ends)
    browser.one("#chart-steps .zoom input").send_keys(Keys.SPACE)
    WebDriverWait(browser.driver, 20).until(lambda _: browser(ends) != whole)
    differences = browser(ends)
    browser.one("#chart-steps .switch input").send_keys(Keys.SPACE)
    WebDriverWait(browser.driver, 20).until(lambda _: browser(ends) != differences)


def test_the_arrow_keys_read_a_plot(browser: Browser, view: View) -> None:
    plot, reading = browser.one("#chart-pareto .plot"), browser.one("#chart-pareto .reading")
    browser("arguments[0].focus()", plot)
    first = view.cells[0]
    plot.send_keys(Keys.ARROW_RIGHT)
    assert reading.text.startswith(f"{first.gamma} · T {first.total_iter} · s {first.sweet_spot}: {view.metric.column}")
    seen = reading.text
    plot.send_keys(Keys.ARROW_RIGHT)
    assert reading.text != seen
    plot.send_keys(Keys.HOME)
    assert reading.text == seen
    plot.send_keys(Keys.TAB)
    assert reading.text == ""


def test_nothing_overflows_at_any_width(browser: Browser) -> None:
    browser("for (const details of document.querySelectorAll('details')) details.open = true")
    for width in WIDTHS:
        browser.width(width)
        fits = (
            "return [...document.querySelectorAll('.plot')].every(plot => {"
            "  const drawn = Number(plot.querySelector('svg').getAttribute('width'));"
            "  return 0.9 * plot.clientWidth <= drawn && drawn <= plot.clientWidth + 1; })"
        )
        WebDriverWait(browser.driver, 60).until(lambda _, fits=fits: browser(fits))  # the plots follow the window
        inner, content = browser("return [document.documentElement.clientWidth, document.documentElement.scrollWidth]")
        assert content <= inner <= width
        outside = browser(
            "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .hidden, .skip, svg'))"
            ".filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)"
            ".map(e => e.outerHTML)"
        )
        assert outside == [], width
    assert browser.messages() == []


def test_dark_and_paper_change_the_colours_of_page_and_plots(browser: Browser) -> None:
    def shades() -> tuple[int, int]:
        paper, label = browser(
            "const label = document.querySelector('#chart-steps .role-axis-label text');"
            "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(label).fill]"
            ".map(colour => colour.match(/\\d+/g).slice(0, 3).map(Number))"
        )
        return sum(paper), sum(label)

    light = shades()
    assert light[0] > 700 > 400 > light[1]
    browser.media("dark")
    dark = shades()
    assert dark[0] < 120 < 400 < dark[1]
    browser.media("dark", "print")
    assert shades() == light
    assert len(browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 50_000


def test_hostile_names_are_shown_and_not_obeyed(driver: Any, tmp_path: Path) -> None:
    run = _make_run()(
        tmp_path / "run", name=HOSTILE, gammas=(HOSTILE, "linear"), checkpoints=(HOSTILE, HOSTILE + "2"), features=HOSTILE,
        n_images=32, warnings=[HOSTILE],
    )  # fmt: skip
    page = tmp_path / "report.html"
    page.write_text(render_html(build(run)), encoding="utf-8")
    browser = Browser(driver)
    browser.open(page)  # an alert would stop the driver here
    assert browser.one("h1").text == HOSTILE
    assert browser.all("img") == []
    plot = browser.one("#chart-steps .plot")
    browser("arguments[0].focus()", plot)
    plot.send_keys(Keys.ARROW_RIGHT)
    assert HOSTILE in browser.one("#chart-steps .reading").text
    point = browser.one("#chart-pareto path[aria-roledescription=point]")
    webdriver.ActionChains(driver).scroll_to_element(browser.one("#chart-pareto details")).perform()

    def hovered(_: Any) -> bool:
        """Whether the plot says what the pointer, moved onto the point once more, lies on."""
        away = webdriver.ActionChains(driver).move_to_element_with_offset(point, -40, -40)
        away.move_to_element(point).perform()
        return HOSTILE in browser.one("#vg-tooltip-element").text

    WebDriverWait(driver, 20).until(hovered)
    assert browser.messages() == []
    assert len(browser.requests()) <= 2
