"""Are the pages good in a real browser? Every page, three states, two widths, light and dark, keyboard only, no script.

``GOLDWATCH_PICTURES=DIR`` keeps the pictures of all pages there, to be looked at.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from service.records import DeploymentMark

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]  # fmt: skip
VIEWS = {"wide": (1280, "light"), "phone": (390, "light"), "dark": (1280, "dark")}

BASICS = """() => {
  const bad = [], seen = new Set(), all = s => [...document.querySelectorAll(s)];
  const said = e => (e.getAttribute('aria-label') || e.textContent).trim();
  if (!document.documentElement.lang) bad.push('no language');
  if (all('main').length !== 1 || all('h1').length !== 1) bad.push('not one main and one h1');
  let level = 1;
  for (const h of all('h1,h2,h3')) {
    if (+h.tagName[1] > level + 1) bad.push('skips to ' + h.textContent);
    level = +h.tagName[1];
  }
  for (const f of all('input:not([type=hidden]),select')) if (!f.labels.length) bad.push('no label: ' + f.name);
  for (const e of all('a,button,summary')) if (!said(e)) bad.push('says nothing: ' + e.outerHTML.slice(0, 80));
  for (const th of all('th')) if (!th.scope) bad.push('th without scope: ' + th.textContent);
  for (const e of all('[id]')) { if (seen.has(e.id)) bad.push('twice: ' + e.id); seen.add(e.id); }
  const linear = x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
  const light = c => {
    const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(x => linear(x / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!c.endsWith(', 0)')) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement, style = getComputedStyle(e);
    if (!n.textContent.trim() || !e.getClientRects().length || e.closest('.skip,title')) continue;
    const a = light(e.closest('svg') ? style.fill : style.color), b = light(ground(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push('contrast ' + ratio.toFixed(2) + ': ' + n.textContent.trim().slice(0, 40));
  }
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) bad.push('wider than the screen: ' + wide);
  return bad;
}"""
"""What a checker of accessibility looks at first; contrast by WCAG 2.2, 1.4.3, on every visible text."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def site(fleet: Any, store: Any, daemon: Any, make_facts: Any, serve: int) -> dict[str, str]:
    """A served fleet with every kind of trouble; the address of each page."""
    store.add_mark(DeploymentMark("ticket-router", daemon.at - 2.3 * 3600, "server 0.31 → 0.32", "by CI"))
    trouble = "golden/tickets.jsonl was edited after it was frozen"
    daemon.known = [*daemon.known[:-1], make_facts("never-ran", trouble=trouble)]
    alert, run = store.alerts("ticket-router")[0], store.last_run("ticket-router").id
    store.mark_sent(store.notifications(alert.id)[0].notification.id, alert.opened_at + 1)
    home = f"http://localhost:{serve}"
    return {
        "fleet": f"{home}/",
        "healthy": f"{home}/targets/quiet",
        "learning": f"{home}/targets/new",
        "regressed": f"{home}/targets/ticket-router",
        "outage": f"{home}/targets/unreachable",
        "trouble": f"{home}/targets/never-ran",
        "baseline": f"{home}/targets/ticket-router/baseline",
        "run-healthy": f"{home}/runs/{store.last_run('quiet').id}",
        "run-learning": f"{home}/runs/{store.last_run('new').id}",
        "run": f"{home}/runs/{run}",
        "examples": f"{home}/runs/{run}/examples",
        "alert": f"{home}/alerts/{alert.id}",
        "missing": f"{home}/nothing",
    }


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page without JavaScript that remembers what it complained of."""
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 850})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_is_readable(view: str, chromium: Browser, site: dict[str, str], tmp_path: Path) -> None:
    """Headings, labels, names, contrast and width are right, nothing is loaded from elsewhere, no rule is broken."""
    width, scheme = VIEWS[view]
    folder = Path(os.environ.get("GOLDWATCH_PICTURES", tmp_path))
    context = chromium.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)  # type: ignore[arg-type]
    page, asked, told = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    found = {}
    for name, url in site.items():
        page.goto(url)
        if problems := page.evaluate(BASICS):
            found[name] = problems
        page.screenshot(path=folder / f"{name}-{view}.png", full_page=True)
    context.close()
    assert found == {}
    assert {re.sub(r"^(http://localhost:\d+)/.*", r"\1", url) for url in asked} == {site["fleet"][:-1]}
    assert [text for text in told if "404" not in text] == []


def test_a_keyboard_reaches_a_broken_example(page: Page, site: dict[str, str]) -> None:
    """From the fleet to what a broken example used to answer with Tab and Enter alone."""
    page.goto(site["fleet"])
    for wanted in ("ticket-router", "See 30 broken examples"):
        for _ in range(40):
            page.keyboard.press("Tab")
            at = page.locator(":focus")
            if at.count() and at.inner_text() == wanted:
                break
        with page.expect_navigation():
            page.keyboard.press("Enter")
    assert page.url.endswith("/examples")
    first = page.locator("li.example").first
    assert first.locator("del").inner_text() == "billing"
    assert first.locator("ins").inner_text() == "other"


def test_filters_work_without_a_script(page: Page, site: dict[str, str]) -> None:
    """Choosing a slice and an order is a plain form."""
    page.goto(site["examples"])
    page.get_by_label("Slice").select_option("lang=de")
    page.get_by_label("Order").select_option("id")
    page.get_by_role("button", name="Show").click()
    assert page.locator("li.example").count() == 20
    assert "slice=lang%3Dde" in page.url


def test_a_person_logs_in_acts_and_logs_out(
    page: Page, site: dict[str, str], store: Any, daemon: Any
) -> None:
    """Log in, run now, mark, acknowledge, silence, accept with a reason, log out: each in a real browser."""
    daemon.token = "the token"
    page.goto(site["alert"])
    page.get_by_role("link", name="Log in").click()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    assert "not the token" in page.get_by_role("alert").inner_text()
    page.get_by_label("Token").fill("the token")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    assert page.url == site["alert"]
    page.get_by_text("Acknowledge", exact=True).first.click()
    page.get_by_label("Who sees to it").fill("Ada")
    page.get_by_role("button", name="Acknowledge").click()
    assert "Ada sees to it" in page.get_by_role("main").inner_text()
    page.get_by_text("Silence", exact=True).first.click()
    page.get_by_label("Who").fill("Ada")
    page.get_by_label("Why").fill("rollback under way")
    page.get_by_role("button", name="Silence").click()
    assert "rollback under way" in page.get_by_role("main").inner_text()
    page.goto(site["regressed"])
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("Mark a deployment").click()
    page.get_by_label("Version").fill("server 0.33")
    page.get_by_role("button", name="Mark and run").click()
    assert "server 0.33" in page.get_by_role("main").inner_text()
    page.get_by_role("link", name="Baseline").click()
    page.get_by_label("Why is this healthy?").fill("adapter v3, reviewed")
    page.get_by_label("What it answers now is what it should answer.").check()
    page.get_by_role("button", name="Accept as the new baseline").click()
    assert page.url == site["regressed"]
    assert daemon.accepted == [("ticket-router", "adapter v3, reviewed")]
    assert [kind.value for _, kind in daemon.asked] == ["manual", "mark"]
    page.get_by_role("button", name="Log out").click()
    page.goto(site["regressed"])
    assert page.get_by_role("button", name="Run now").count() == 0


def test_a_button_works_on_loopback_without_a_token(page: Page, site: dict[str, str], daemon: Any) -> None:
    """What a real browser sends with a form of its own is let pass."""
    page.goto(site["healthy"])
    page.get_by_role("button", name="Run now").click()
    assert page.url == site["healthy"]
    assert len(daemon.asked) == 1
