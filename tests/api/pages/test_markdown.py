"""Answers as Markdown, in a real Chromium: nothing becomes HTML, claims keep their places, and what arrives never jumps."""

from typing import Any

import pytest
from playwright.sync_api import Page

from rag.types import Claim, Verdict
from tests.api.pages.browser import Open
from tests.servers.provider import Provider, Reply

ANSWER = """A *variant* names the **prompts**, the `model` and the [guide](https://example.org/a_(b)) [1]. Two lines
stand _here_, with 2 * 3 * 4, 𝔘nicode and snake_case_name.

## Parts

| part | what it **decides** | default |
|:---|---:|---|
| prompts | the words \\| sent [2] | `a b` |
| llm | limits |

1. **First**, write the file.
   - nested *one*
   - nested two [1, 3-4]
2. Then run:

   ```toml
   [llm]
   model = "x" # **not bold** [1]

   end = 1
   ```
3. Last.

> Quoted **text**
> goes on.

---

***Both*** and `` `tick` `` end.
"""
SHOWN = """([text, claims, arriving]) => import("/static/0/answer.js").then(({ answer, inUnits }) => {
    const cite = number => Object.assign(document.createElement("sup"), { textContent: `[${number}]` });
    const note = claim => Object.assign(document.createElement("i"), { textContent: `(${claim.verdict})` });
    const shown = document.createElement("div");
    shown.append(answer(text, inUnits(text, claims), { cite, note, arriving }));
    return {
        html: shown.innerHTML,
        text: shown.textContent,
        tags: [...shown.children].map(child => child.tagName),
        names: [...new Set([...shown.querySelectorAll("*")].map(child => child.tagName))],
        links: [...shown.querySelectorAll("a")].map(link => link.href),
        attributes: [...shown.querySelectorAll("*")].flatMap(child => child.getAttributeNames()),
        claims: [...shown.querySelectorAll(".claim")].map(claim => [claim.parentElement.tagName, claim.textContent]),
        notes: [...shown.querySelectorAll("i")].map(note => note.parentElement.tagName),
    };
})"""

CUTS = f"""async text => {{
    const shown = {SHOWN};
    return Promise.all([...text].map((_, at) => shown([[...text].slice(0, at).join(""), [], true])));
}}"""


def shown(page: Page, text: str, *claims: str, arriving: bool = False) -> dict[str, Any]:
    """What becomes of an answer; `claims` are stretches of it."""
    spans = [{"start": text.index(claim), "end": text.index(claim) + len(claim), "verdict": "uncertain"} for claim in claims]
    found: dict[str, Any] = page.evaluate(SHOWN, [text, spans, arriving])
    return found


@pytest.fixture
def page(visit: Open, address: str) -> Page:
    return visit(address)


def test_what_models_write_is_shown_as_it_is_meant(page: Page) -> None:
    found = shown(page, ANSWER)
    assert found["tags"] == ["P", "H4", "DIV", "OL", "BLOCKQUOTE", "HR", "P"]
    html = found["html"]
    assert "A <em>variant</em> names the <strong>prompts</strong>, the <code>model</code>" in html
    assert "<br>stand <em>here</em>, with 2 * 3 * 4, 𝔘nicode and snake_case_name.</p>" in html
    assert "the words | sent <sup>[2]</sup></td><td><code>a b</code></td>" in html
    assert html.count("<td") == 6
    assert (
        "<ul><li><p>nested <em>one</em></p></li><li><p>nested two <sup>[1]</sup><sup>[3]</sup><sup>[4]</sup></p></li></ul>"
        in html
    )
    assert '<pre><code>[llm]\nmodel = "x" # **not bold** [1]\n\nend = 1</code></pre></li><li><p>Last.' in html
    assert "<blockquote><p>Quoted <strong>text</strong><br>goes on.</p></blockquote>" in html
    assert "<strong><em>Both</em></strong> and <code>`tick`</code> end." in html
    assert found["links"] == ["https://example.org/a_(b)"]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script><img src=x onerror=alert(2)> <b>bold</b>",
        "# <svg onload=alert(1)>\n\n> <iframe src=x>\n\n- <img src=x onerror=alert(2)>",
        "| <img src=x onerror=alert(1)> |\n|---|\n| <script>alert(2)</script> |",
        "```html\n<script>alert(1)</script>\n```\n`<img src=x onerror=alert(1)>`",
        "[a](javascript:alert(1)) [b](data:text/html,<script>alert(1)</script>) [c](//evil.example) [d](/logout) [e](vbscript:x)",
        "[a](https://[) [java\\script:x](JaVaScRiPt:alert(1)) ![i](https://evil.example/x.png) <https://evil.example>",
    ],
)
@pytest.mark.parametrize("arriving", [False, True])
def test_no_markup_and_no_other_address_comes_out_of_an_answer(page: Page, text: str, arriving: bool) -> None:
    found = shown(page, text, arriving=arriving)
    made = {"P", "H3", "UL", "LI", "BLOCKQUOTE", "PRE", "CODE", "DIV", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD"}
    assert set(found["names"]) <= made
    assert found["links"] == []
    assert set(found["attributes"]) <= {"class", "scope", "style", "tabindex", "role", "aria-label"}
    if "](" not in text:
        assert "alert" in found["text"]


def test_a_link_leads_only_where_it_says_and_tells_nobody_from_where(page: Page) -> None:
    html = shown(page, 'See [**it** "x"](http://example.org/?a=1&b="2).')["html"]
    assert 'rel="noopener noreferrer nofollow"' in html
    assert 'title="http://example.org/?a=1&amp;b=&quot;2"' in html
    assert "<strong>it</strong>" in html


def test_text_that_arrives_is_only_ever_added_to(page: Page) -> None:
    whole = shown(page, ANSWER)
    cuts: list[dict[str, Any]] = page.evaluate(CUTS, ANSWER)
    assert len(cuts) == len(ANSWER)
    for at, cut in enumerate(cuts):
        assert whole["text"].startswith(cut["text"]), ANSWER[:at]
        assert whole["tags"][: len(cut["tags"])] == cut["tags"], ANSWER[:at]


def test_claims_are_underlined_where_they_are(page: Page) -> None:
    claims = (
        "A *variant* names the **prompts**, the `model`",
        "𝔘nicode and snake_case_name.",
        "| prompts | the words \\| sent [2] | `a b` |",
        "**First**, write the file.",
        "nested two [1, 3-4]",
        "**text**\n> goes on.",
    )
    found = shown(page, ANSWER, *claims)
    assert found["claims"] == [
        ["P", "A "],
        ["EM", "variant"],
        ["P", " names the "],
        ["STRONG", "prompts"],
        ["P", ", the "],
        ["CODE", "model"],
        ["P", "𝔘nicode and snake_case_name."],
        ["TD", "prompts"],
        ["TD", "the words "],
        ["TD", "| sent [2]"],
        ["CODE", "a b"],
        ["STRONG", "First"],
        ["P", ", write the file."],
        ["P", "nested two [1][3][4]"],
        ["STRONG", "text"],
        ["P", "goes on."],
    ]
    assert len(found["notes"]) == len(claims)


@pytest.mark.parametrize(
    "text",
    [
        "> " * 5000,
        "**a " * 5000,
        "*_" * 5000,
        "[a](http://" * 2000,
        "|" * 9000 + "\n" + "|-" * 4500,
        "- a\n" + "\n" * 15000 + "x",
        "`a" * 9999,
    ],
    ids=["quotes", "bold", "emphasis", "links", "table", "blank lines", "code"],
)
def test_hostile_lengths_lose_nothing(page: Page, text: str) -> None:
    assert shown(page, text, arriving=True)["text"] is not None
    assert text[-1] in shown(page, text)["text"] or text[-1] in "> -|"


def test_the_page_of_a_trace_shows_the_same(visit: Open, address: str, upstream: Provider, open_client: Any) -> None:
    table = "Kettles:\n\n| what | how long |\n|---|---|\n| warranty | **24 months** from purchase [1] |\n\n<img src=x onerror=alert(1)>"
    upstream.script(Reply(pieces=(table,)))
    body = {"question": "How long is the warranty on a kettle?", "variant": "flagging"}
    trace = open_client.post("/chat", json=body).json()
    (claim, *_) = [Claim(**one) for one in trace["claims"]]
    page = visit(f"{address}/traces/{trace['trace_id']}")
    page.locator(".prose table").wait_for()
    assert page.locator(".prose td strong .claim").inner_text() == "24 months"
    assert page.locator(".prose td .cite").get_attribute("href") == "#passage-1"
    assert page.locator(".prose img").count() == 0
    assert page.locator(f".prose .claim.{Verdict(claim.verdict)}").count() > 0
    bare = visit(page.url, java_script_enabled=False)
    assert "| warranty | **24 months** from purchase [1] |" in bare.locator(".said").first.inner_text()
