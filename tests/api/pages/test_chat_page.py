"""The chat page in a real Chromium: what is in sight, and that nothing that was asked is lost."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from api.access.keys import Keys
from rag.runtime import Runtime
from tests.api.conftest import Guarded
from tests.api.pages.browser import QUESTION, Open, ask
from tests.api.pages.test_pages import asked
from tests.servers.provider import Provider, Reply, failure

TRUE = "Kettles are covered for 24 months from the date of purchase [1]. "
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}, "small": {"width": 320, "height": 568}}
PLACE = """() => {
    const turn = [...document.querySelectorAll("article")].at(-1), box = name => turn.querySelector(name).getBoundingClientRect();
    return [box(".question").top, box(".card").top, document.getElementById("ask").getBoundingClientRect().top];
}"""


def log_in(page: Page, secret: str) -> None:
    page.get_by_label("Key").fill(secret)
    page.get_by_role("button", name="Log in").click()


def answered(page: Page, number: int) -> None:
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_count(number)


@pytest.mark.parametrize("size", SIZES)
def test_the_newest_question_stands_at_the_top_and_its_answer_below_it(
    visit: Open, address: str, upstream: Provider, size: str
) -> None:
    page = visit(address, viewport=SIZES[size])
    for number, pieces in enumerate(((TRUE,), (TRUE,) * 40, (TRUE,)), 1):
        upstream.script(Reply(pieces=pieces, between=0.01))
        ask(page, f"{QUESTION} I ask for the {number}. time, and so long that it takes two lines on a phone.")
        for _ in range(2):
            question, card, bar = page.evaluate(PLACE)
            assert 0 <= question < 30
            assert card + 40 < bar
            answered(page, number)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    page.reload()
    answered(page, 3)
    assert 0 <= page.evaluate(PLACE)[0] < 30


def test_large_letters_grow_and_nothing_runs_off_the_side(visit: Open, address: str, upstream: Provider) -> None:
    upstream.script(
        Reply(pieces=(TRUE, "\n\n| a | b |\n|---|---|\n| " + "word " * 20 + "| x |\n\n```\n" + "long" * 90 + "\n```\n"))
    )
    page = visit(address, viewport={"width": 640, "height": 400})
    small = page.locator("#welcome p").first.bounding_box()
    page.add_init_script("addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%'; })")
    page.reload()
    large = page.locator("#welcome p").first.bounding_box()
    assert small
    assert large
    assert large["height"] > 1.8 * small["height"]
    ask(page)
    answered(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640


def test_what_was_not_answered_stays_and_can_be_asked_again(visit: Open, address: str, upstream: Provider) -> None:
    page = visit(address)
    upstream.script(failure(500))
    ask(page, "Why does the kettle fail?")
    expect(page.locator(".status")).to_have_text("The model failed.")
    upstream.script(Reply(pieces=(TRUE,) * 50, between=0.2))
    ask(page, "How long is the warranty, slowly?")
    page.locator(".answer p").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".status").last).to_have_text("Stopped: the answer is not whole.")

    def refuse(route: Route) -> None:
        body = {"title": "the key shop may send 1 request a minute", "detail": "slow down", "status": 429}
        route.fulfill(status=429, content_type="application/problem+json", headers={"retry-after": "43"}, body=json.dumps(body))

    page.route("**/chat", refuse)
    ask(page, "Am I too fast?")
    expect(page.locator(".status").last).to_have_text("The key shop may send 1 request a minute. Try again in 43 seconds.")
    page.unroute("**/chat")
    page.route("**/chat", lambda route: route.abort())
    ask(page, "Is anybody there?")
    expect(page.locator(".status").last).to_have_text("The server cannot be reached.")
    page.unroute("**/chat")
    torn = 'event: retrieved\ndata: {"trace_id":"1","passages":[]}\n\nevent: delta\ndata: {"text":"Half of"}\n\nevent: do'
    page.route("**/chat", lambda route: route.fulfill(content_type="text/event-stream", body=torn))
    ask(page, "Is the stream whole?")
    expect(page.locator(".status").last).to_have_text("The answer broke off. The connection was lost.")
    page.unroute("**/chat")

    said = page.locator("article").all_inner_texts()
    assert len(said) == 5
    assert "Half of" in said[-1]
    assert page.get_by_role("heading", name="Ask the documents").is_hidden()
    page.reload()
    expect(page.locator("article")).to_have_count(5)
    assert page.locator("article").all_inner_texts() == said
    assert page.locator("article details").count() == 0
    upstream.script(Reply(pieces=(TRUE,)))
    page.get_by_role("button", name="Try again").nth(2).click()
    box = page.get_by_label("Your question")
    expect(box).to_have_value("Am I too fast?")
    expect(box).to_be_focused()


def test_a_question_under_way_survives_the_page(visit: Open, address: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(TRUE,) * 50, between=0.2))
    page = visit(address)
    ask(page)
    page.locator(".answer p").wait_for()
    page.reload()
    expect(page.locator(".question")).to_have_text(QUESTION)
    expect(page.locator(".status")).to_have_text("The page was left before the answer was whole.")


@pytest.fixture
def rotated(guarded: Guarded) -> Iterator[tuple[str, str, str]]:
    """The secrets of a key, of its successor with the same name, and of another team's."""
    with Runtime(guarded.settings) as runtime:
        keys = Keys(runtime.engine)
        made = [keys.create(name, models=("extractive",)) for name in ("support", "support", "sales")]
        yield made[0][1], made[1][1], made[2][1]
        for key, _ in made:
            keys.revoke(key.id)


@pytest.mark.parametrize("successor", [True, False])
def test_a_revoked_key_leads_to_the_login_and_its_question_waits_for_its_successor(
    visit: Open, guarded: Guarded, rotated: tuple[str, str, str], successor: bool
) -> None:
    old, new, other = rotated
    page = visit(guarded.url)
    assert page.get_by_role("alert").count() == 0
    log_in(page, old)
    ask(page)
    answered(page, 1)
    with Runtime(guarded.settings) as runtime:
        keys = Keys(runtime.engine)
        keys.revoke(next(key.id for key in keys.all() if old.split("_")[1] == key.id))
    page.wait_for_timeout(1100)
    ask(page, "And what of limescale?")
    page.wait_for_url("**/login?next=%2F")
    expect(page.get_by_role("alert")).to_contain_text("not known any more, or was revoked")
    log_in(page, new if successor else other)
    expect(page.get_by_label("Your question")).to_have_value("And what of limescale?" if successor else "")
    assert page.locator("article").count() == 0
    assert ("limescale" in page.content()) is False
    page.reload()
    expect(page.get_by_label("Your question")).to_have_value("")


def test_the_empty_chat_says_what_there_is_to_ask(visit: Open, address: str, upstream: Provider, runtime: Runtime) -> None:
    upstream.script(Reply(pieces=(TRUE,)))
    page = visit(address)
    welcome = page.locator("#welcome")
    expect(welcome).to_contain_text("shop has 3 documents")
    assert welcome.locator(".claim").all_inner_texts() == ["supported by a passage", "uncertain", "not supported"]
    unlike = "How long is the warranty on a kettle, in months?"
    ask(page, unlike)
    answered(page, 1)
    page.get_by_role("button", name="New conversation").click()
    page.reload()
    page.get_by_role("button", name=unlike).click()
    expect(page.locator(".question")).to_have_text(unlike)
    answered(page, 1)


def test_examples_are_of_this_key_and_were_answered(guarded: Guarded, team: object, bound: object) -> None:
    mine, theirs = "How long are kettles covered?", "Who pays the postage for broken goods?"
    asked(team, mine, variant="extractive")  # type: ignore[arg-type]
    asked(team, "What does tungsten weigh on Mars?", variant="extractive")  # type: ignore[arg-type]
    asked(bound, theirs)  # type: ignore[arg-type]
    page = team.get("/").text  # type: ignore[attr-defined]
    assert mine in page
    assert theirs not in page
    assert "tungsten" not in page


def test_one_line_says_how_it_went_and_the_rest_is_folded(visit: Open, address: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(TRUE, "The warranty does not cover limescale [1]. "), between=0.5))
    page = visit(address, permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(
        """() => {
            window.seen = new Set();
            const note = () => window.seen.add(document.querySelector("[role=status].status")?.textContent);
            new MutationObserver(note).observe(document.getElementById("log"), { childList: true, subtree: true, characterData: true });
        }"""
    )
    ask(page)
    expect(page.locator(".status")).to_have_text("2 of 2 claims supported")
    seen = " | ".join(text for text in page.evaluate("[...window.seen]") if text)
    assert re.search(r"Searching the documents.*passages? found, writing.*Writing and checking.*supported", seen)
    assert page.get_by_text("tokens").is_hidden()
    page.get_by_text("Details", exact=True).click()
    expect(page.locator("article dl")).to_contain_text("100 in, 7 out")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith(TRUE.strip())


def test_why_a_claim_is_not_supported_is_a_touch_away(visit: Open, address: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(TRUE, "The base is made of gold and weighs 12 tons [1]. ")))
    page = visit(address, viewport=SIZES["phone"], has_touch=True)
    page.get_by_label("Answered by").select_option("flagging")
    ask(page)
    page.get_by_text("Claims and evidence").click()
    why = page.get_by_role("button", name="why?")
    why.tap()
    reason = page.locator(".claims > li:focus")
    expect(reason).to_contain_text("made of gold")
    expect(reason).to_be_in_viewport()


def test_the_page_has_a_heading_and_its_parts_have_names(visit: Open, address: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(TRUE,)))
    page = visit(address)
    for questions in range(2):
        expect(page.get_by_role("heading", level=1)).to_have_text("Chat")
        expect(page.get_by_role("form", name="Ask")).to_be_visible()
        assert page.get_by_role("heading", name=QUESTION, level=2).count() == questions
        if not questions:
            ask(page)
            answered(page, 1)
    small = page.evaluate(
        "[...document.querySelectorAll('button, summary, article a')].filter(one => one.offsetParent && one.getBoundingClientRect().height < 24)"
        ".map(one => one.outerHTML)"
    )
    assert small == []
