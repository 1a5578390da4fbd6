"""The pages in a real Chromium: what people do with them, by hand and by keyboard, on a phone and on a desk."""

import re
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from api.access.keys import Keys
from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.trace import Outcome
from tests.api.conftest import Guarded
from tests.api.pages.browser import QUESTION, Open, ask
from tests.api.pages.test_pages import asked
from tests.servers.provider import Provider, Reply

SENTENCES = (
    "Kettles are covered for 24 months from the date of purchase [1]. ",
    "The warranty does not cover limescale [1]. ",
    "The base is covered for 99 years [1]. ",
    "Descale the kettle once a month with citric acid [2].",
)
SHOWN = (SENTENCES[0], SENTENCES[1], SENTENCES[3])
PHONE = {"width": 390, "height": 844}
PAGES = (
    "/",
    "/traces",
    "/overview",
    "/overview?window=week",
    "/experiments",
    "/prompts",
    "/prompts/answer",
    "/reports",
    "/traces/none",
)


def up(page: Page, address: str) -> int:
    """Thumbs that the overview counts."""
    page.goto(f"{address}/overview?window=hour")
    found = re.search(r"(\d+) up", page.locator("dl").inner_text()) if page.locator("dl").count() else None
    return int(found[1]) if found else 0


def test_ask_watch_the_sentences_arrive_open_the_trace_and_give_a_thumb(
    visit: Open, address: str, upstream: Provider, runtime: Runtime
) -> None:
    before = up(visit(address), address)
    upstream.script(Reply(pieces=SENTENCES, between=0.6))
    page = visit(address)
    page.evaluate(
        """() => {
            window.seen = [];
            const note = () => { const text = document.querySelector(".answer")?.textContent; if (text) window.seen.push(text); };
            new MutationObserver(note).observe(document.getElementById("log"), { childList: true, subtree: true, characterData: true });
        }"""
    )
    ask(page)
    arrived = []
    for number in range(len(SHOWN)):
        page.locator(".answer", has_text=SHOWN[number][:20]).wait_for()
        arrived.append(time.monotonic())
        if number == 0:
            assert "limescale" not in page.locator(".answer").inner_text()
            assert page.get_by_role("button", name="Stop").is_visible()
    assert arrived[-1] - arrived[0] > 0.6

    link = page.get_by_role("link", name="Open the trace")
    link.wait_for()
    answer = page.locator(".answer").inner_text()
    assert all(re.sub(r" \[\d\]\. ?$", "", sentence) in answer for sentence in SHOWN)
    assert not any("99 years" in text for text in page.evaluate("window.seen"))
    assert page.locator(".answer .claim.supported").count() == 3
    page.get_by_text("What the model said and we did not show (1)").click()
    assert page.get_by_text("The base is covered for 99 years").is_visible()
    page.locator(".cite").first.click()
    expect(page.locator("[data-passage='1'] mark").first).to_be_visible()

    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Comment").fill("Just what I looked for")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".feedback [role=status]")).to_have_text("Thank you, the comment is kept.")

    link.click()
    page.wait_for_url("**/traces/*")
    assert page.get_by_role("heading", level=1).inner_text() == QUESTION
    assert page.get_by_text("Just what I looked for").is_visible()
    assert runtime.traces.get(page.url.rsplit("/", 1)[1]).withheld[0].text.startswith("The base")
    page.get_by_role("button", name="Ask again").click()
    page.wait_for_url("**replay=*")
    assert page.locator(".beside section").count() == 2

    assert up(page, address) == before + 1
    page.goto(address)
    expect(page.locator(".question")).to_have_text(QUESTION)
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_conversation_is_sent_along_until_it_begins_anew(visit: Open, address: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=SENTENCES[:1]))
    page = visit(address)
    sent = []
    page.on("request", lambda request: sent.append(request.post_data_json) if request.url.endswith("/chat") else None)
    expect(page.get_by_label("Answered by")).to_be_visible()
    for number, question in enumerate((QUESTION, "And for limescale?"), 1):
        ask(page, question)
        page.locator("article .feedback [data-thumb=up]").nth(number - 1).wait_for()
    page.get_by_label("Answered by").select_option("extractive")
    page.get_by_role("button", name="New conversation").click()
    assert page.locator("article").count() == 0
    ask(page)
    page.locator("article .feedback [data-thumb=up]").wait_for()
    first, second, third = sent
    assert (first["history"], third["history"]) == ([], [])
    assert [message["role"] for message in second["history"]] == ["user", "assistant"]
    assert second["history"][0]["content"] == QUESTION
    assert len({asked["session"] for asked in sent}) == 1
    assert [asked["model"] for asked in sent] == [None, None, "extractive"]
    page.get_by_text("Details").click()
    expect(page.locator("dl")).to_contain_text("local/extractive")


def test_an_answer_can_be_stopped(visit: Open, address: str, upstream: Provider, runtime: Runtime) -> None:
    upstream.script(Reply(pieces=SENTENCES * 20, between=0.2))
    page = visit(address)
    ask(page)
    page.locator(".answer p").wait_for()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".status")).to_contain_text("Stopped")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    id = str(page.get_by_role("link", name="Open the trace").get_attribute("href")).rsplit("/", 1)[1]
    deadline = time.monotonic() + 30
    while (upstream.calls[0].under_way or runtime.traces.get(id).outcome is None) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert upstream.calls[0].disconnected
    assert runtime.traces.get(id).outcome is Outcome.DISCONNECTED


def test_the_keyboard_is_enough(visit: Open, address: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=SENTENCES * 20, between=0.2))
    page = visit(f"{address}/traces")
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the content"
    page.wait_for_function("document.activeElement.getBoundingClientRect().top >= 0")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Chat"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.locator(".answer p").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".status")).to_contain_text("Stopped")
    assert page.evaluate("document.activeElement.id") == "question"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_every_page_whole(visit: Open, address: str, open_client: httpx.Client, theme: str) -> None:
    trace = asked(open_client, "How_long_is_the_warranty" * 20, variant="extractive")
    page = visit(address, viewport=PHONE, color_scheme=theme)
    for path in (*PAGES, f"/traces/{trace}"):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
        paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
        assert (paper > ink) == (theme == "light")
    page.goto(f"{address}/traces")
    assert not page.locator(".wide[tabindex]").count()
    page.goto(f"{address}/overview")
    assert page.locator(".wide[tabindex='0']").first.evaluate("table => table.scrollWidth > table.clientWidth")


def test_times_are_those_of_the_reader(visit: Open, address: str, open_client: httpx.Client) -> None:
    id = asked(open_client, variant="extractive")
    pages = [visit(f"{address}/traces/{id}", timezone_id=zone) for zone in ("UTC", "Asia/Tokyo")]
    shown = [page.locator("time").first.inner_text() for page in pages]
    assert shown[0] != shown[1]
    assert [page.locator("footer").inner_text() for page in pages] == ["Time zone: UTC", "Time zone: Asia/Tokyo"]


def test_a_key_lets_in_and_is_forgotten(visit: Open, guarded: Guarded) -> None:
    page = visit(f"{guarded.url}/overview?window=week")
    assert "/login" in page.url
    page.get_by_label("Key").fill("gw_no_such")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known")
    page.get_by_label("Key").fill(guarded.team)
    page.keyboard.press("Enter")
    page.wait_for_url("**/overview?window=week")
    assert page.get_by_role("navigation", name="Pages").get_by_role("link").all_inner_texts() == ["Chat", "Traces", "Overview"]
    assert page.evaluate("document.cookie") == ""
    page.goto(guarded.url)
    ask(page)
    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(page.locator(".feedback [role=status]").first).to_have_text("Thank you.")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto(guarded.url)
    assert "/login" in page.url


def test_another_key_in_the_same_tab_sees_nothing_of_what_was_said(visit: Open, guarded: Guarded) -> None:
    page = visit(f"{guarded.url}/login")
    page.get_by_label("Key").fill(guarded.team)
    page.keyboard.press("Enter")
    ask(page)
    page.get_by_role("link", name="Open the trace").wait_for()
    page.context.clear_cookies()
    page.goto(f"{guarded.url}/login")
    page.get_by_label("Key").fill(guarded.bound)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ask the documents")).to_be_visible()
    assert page.locator("article").count() == 0


def test_a_key_that_may_use_one_collection_asks_it(visit: Open, guarded: Guarded, tmp_path: Path) -> None:
    page_of_tulips = tmp_path / "tulips.md"
    page_of_tulips.write_text("# Tulips\n\nThe tulip in the garden is red and flowers in April.")
    with Runtime(guarded.settings) as runtime:
        ingest([str(page_of_tulips)], "tulips", runtime)
        _, secret = Keys(runtime.engine).create("gardener", collections=("tulips", "roses"), models=("extractive",))
    page = visit(f"{guarded.url}/login")
    page.get_by_label("Key").fill(secret)
    page.keyboard.press("Enter")
    ask(page, "What colour is the tulip in the garden?")
    page.get_by_role("link", name="Open the trace").wait_for()
    expect(page.locator(".answer")).to_contain_text("red")
