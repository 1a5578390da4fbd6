"""Every page: that it is there, safe to open, and honest about what is not."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from lxml import html

from api.rollouts.policy import Policy
from api.rollouts.rollouts import Rollouts
from evals.cases import Case
from evals.execution.runs import Result, Run, Runs
from evals.report.files import write
from prompts.library import Library
from rag.ledger.schema import rollout_events, rollouts
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel, Outcome
from tests.evals.report.samples import alone, rich
from tests.servers.provider import Provider, Reply

PAGES = ("/", "/traces", "/overview", "/overview?window=hour", "/experiments", "/prompts", "/prompts/answer", "/reports")
QUESTION = "How long is the warranty on a kettle?"
TRUE, FALSE = "Kettles are covered for 24 months [1]. ", "The base is covered for 99 years [1]."
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} \u202eevil"


def asked(client: httpx.Client, question: str = QUESTION, **fields: object) -> str:
    """The id of a new trace."""
    origin = str(client.base_url).rstrip("/")
    response = client.post("/chat", json={"question": question, **fields}, headers={"origin": origin})
    assert response.status_code == 200, response.text
    return str(response.json()["trace_id"])


def read(response: httpx.Response) -> html.HtmlElement:
    assert response.status_code == 200, response.text
    return html.fromstring(response.text)


def text(page: html.HtmlElement) -> str:
    return " ".join(page.text_content().split())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_of_others_and_runs_nothing_inline(open_client: httpx.Client, path: str) -> None:
    response = open_client.get(path)
    page = read(response)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "'self'" in policy
    assert response.headers["cache-control"] == "no-store"
    loaded = page.xpath("//@src | //link/@href | //form/@action")
    assert loaded
    assert all(address.startswith("/") and not address.startswith("//") for address in loaded)
    assert not page.xpath("//style | //@style | //script[text()]")
    assert not [name for element in page.iter() for name in element.attrib if str(name).startswith("on")]
    for address in page.xpath("//script/@src | //link/@href"):
        assert open_client.get(address).headers["cache-control"].endswith("immutable")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_found_one_s_way_on(open_client: httpx.Client, path: str) -> None:
    page = read(open_client.get(path))
    assert page.get("lang") == "en"
    assert page.xpath("//title/text()")[0].endswith(" · Groundwire")
    assert page.xpath("//a[@class='skip']/@href") == ["#content"]
    assert page.xpath("//main/@id") == ["content"]
    (current,) = page.xpath("//nav//a[@aria-current][ancestor::header]/@href")
    assert path.startswith(current)
    assert len(page.xpath("//header//nav/a")) == 6
    assert len(page.xpath("//h1")) == 1
    for control in page.xpath("//input | //select | //textarea"):
        assert control.getparent().tag == "label" or control.get("aria-label")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/traces/0000", 404),
        ("/traces?outcome=odd", 422),
        ("/traces?after=0000", 404),
        ("/overview?window=year", 422),
        ("/experiments/none", 404),
        ("/prompts/none", 404),
        ("/prompts/answer?version=99", 404),
        ("/prompts/answer?version=x", 422),
        ("/reports/none", 404),
        ("/runs/none", 404),
        ("/static/page.py", 404),
        ("/static/..%2fpage.py", 404),
    ],
)
def test_what_is_not_there_is_told_as_a_page(open_client: httpx.Client, path: str, status: int) -> None:
    response = open_client.get(path)
    assert response.status_code == status
    if not path.startswith("/static/.."):
        assert response.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        page = html.fromstring(response.text)
        assert (len(page.xpath("//header//nav/a")), len(page.xpath("//h1"))) == (6, 1)
        (back,) = page.xpath("//div[@class='empty']//a/@href")
        assert back == (f"/{re.split('[/?]', path)[1]}" if path.split("/")[1] not in ("runs", "static") else "/")


def test_what_people_and_models_write_stays_text(open_client: httpx.Client, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(TRUE, HOSTILE)))
    id = asked(open_client, f"{HOSTILE} How long is the warranty on a kettle?", history=[{"role": "user", "content": HOSTILE}])
    open_client.post("/v1/feedback", json={"trace_id": id, "thumb": "down", "comment": HOSTILE})
    for path in ("/traces", f"/traces/{id}", f"/traces/{id}?replay={id}", "/traces?q=%3Cscript%3E"):
        response = open_client.get(path)
        page = read(response)
        assert "<script>alert(1)</script>" in text(page)
        assert not page.xpath("//script[not(@src)] | //img")
        assert "\u202e" not in response.text
        assert "49" not in page.xpath("//h1")[0].text_content()


def test_a_trace_says_all_that_is_known(open_client: httpx.Client, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(TRUE, FALSE), prompt=612, completion=58))
    id = asked(open_client, history=[{"role": "user", "content": "Do you sell kettles?"}])
    page = read(open_client.get(f"/traces/{id}"))
    said = text(page)
    for shown in (
        "answered",
        "supported",
        "$0.000338",
        "612 + 58",
        "openai/gpt-4.1-mini",
        "Do you sell kettles?",
        id,
        "None yet",
    ):
        assert shown in said
    withheld = page.xpath("//h2[text()='Withheld']/following-sibling::div[1]")[0]
    assert "The base is covered for 99 years" in withheld.text_content()
    assert "99 years" not in page.xpath("//h2[text()='Answer']/following-sibling::div[1]//p")[0].text_content()
    assert "24 months" in page.xpath("//mark")[0].text_content()
    assert [message.text_content() for message in page.xpath("//div[@class='message']/h3")] == ["user", "system", "user"]
    steps = page.xpath("//table[@class='waterfall']//tbody/tr")
    assert {"retrieve", "generate", "validate", "call: answer"} <= {step.find("th").text for step in steps}
    assert all(step.xpath(".//svg/rect") for step in steps)


def test_a_question_is_asked_again_of_its_variant_as_it_was(
    open_client: httpx.Client, address: str, upstream: Provider, gated: Settings, runtime: Runtime
) -> None:
    file = gated.variants / "passing.toml"
    file.write_text('[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n')
    upstream.script(Reply(pieces=(TRUE,)))
    id = asked(open_client, variant="passing", history=[{"role": "user", "content": "Hello"}])
    file.write_text('[llm]\nmodel = "local/extractive"\n')
    upstream.script(Reply(pieces=("Kettles are covered for 9 months [1].",)))
    response = open_client.post(f"/traces/{id}/replay", headers={"origin": address})
    file.unlink()
    assert response.status_code == 303
    then, again = runtime.traces.get(id), runtime.traces.get(re.split(r"[=#]", response.headers["location"])[1])
    assert (again.question, again.history, again.variant, again.messages) == (
        then.question,
        then.history,
        then.variant,
        then.messages,
    )
    beside = read(open_client.get(response.headers["location"])).xpath("//div[@class='beside']/section")
    assert ["24 months" in beside[0].text_content(), "9 months" in beside[1].text_content()] == [True, True]


def test_the_page_of_another_site_can_send_nothing(open_client: httpx.Client, upstream: Provider) -> None:
    id = asked(open_client)
    before = len(upstream.calls)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        assert open_client.post(f"/traces/{id}/replay", headers={"origin": origin}).status_code == 403
    assert len(upstream.calls) == before


def test_the_log_is_filtered_and_goes_on_at_the_next_page(open_client: httpx.Client, runtime: Runtime) -> None:
    like = runtime.traces.get(asked(open_client, variant="extractive"))
    made = [like.model_copy(update={"id": f"{like.id[:-4]}{n:04d}", "question": f"Pagination {n}?"}) for n in range(60)]
    for written in [runtime.traces.submit(trace) for trace in made]:
        written.result()
    first = read(open_client.get("/traces", params={"q": "pagination", "outcome": "answered", "variant": "extractive"}))
    (older,) = first.xpath("//a[@rel='next']/@href")
    second = read(open_client.get(older))
    shown = [link for page in (first, second) for link in page.xpath("//td/a/@href")]
    assert (len(shown), len(set(shown))) == (60, 60)
    assert not second.xpath("//a[@rel='next']")
    assert second.xpath("//input[@name='q']/@value") == ["pagination"]
    assert second.xpath("//select[@name='outcome']/option[@selected]/@value") == ["answered"]
    assert "No trace fits" in open_client.get("/traces?q=pagination&outcome=failed").text


def test_evaluations_are_listed_where_they_are_asked_for(open_client: httpx.Client, runtime: Runtime) -> None:
    like = runtime.traces.get(asked(open_client, variant="extractive"))
    for number, channel in enumerate((Channel.EVALS, Channel.EVALS, Channel.CHAT)):
        made = {"id": f"{like.id[:-4]}{9000 + number}", "question": "Who measures?", "channel": channel}
        runtime.traces.submit(like.model_copy(update=made)).result()
    for query, listed in (("", 1), ("&evaluations=true", 3), ("&channel=evals", 2)):
        page = read(open_client.get(f"/traces?q=measures{query}"))
        assert len(page.xpath("//td/a/@href")) == listed
        assert f"1–{listed} of {listed}" in text(page)


def test_a_list_of_many_says_where_one_is_in_it(open_client: httpx.Client, runtime: Runtime) -> None:
    like = runtime.traces.get(asked(open_client, variant="extractive"))
    made = [like.model_copy(update={"id": f"{like.id[:-4]}{8000 + n}", "question": f"Which place {n}?"}) for n in range(60)]
    for written in [runtime.traces.submit(trace) for trace in made]:
        written.result()
    first = read(open_client.get("/traces?q=place"))
    assert "1–50 of 60" in text(first)
    assert "51–60 of 60" in text(read(open_client.get(first.xpath("//a[@rel='next']/@href")[0])))


def test_a_business_outcome_leads_to_its_traces(open_client: httpx.Client) -> None:
    id, other = (asked(open_client, variant="extractive") for _ in range(2))
    for trace, outcome in ((id, "called <b>back</b>"), (other, "left")):
        said = {"trace_id": trace, "outcome": outcome, "score": 0.5}
        assert open_client.post("/v1/feedback", json=said).status_code == 200
    overview = read(open_client.get("/overview"))
    assert "mean score 0.50" in text(overview)
    (there,) = overview.xpath("//dt/a[text()='called <b>back</b>']/@href")
    listed = read(open_client.get(there))
    assert [link.rpartition("/")[2] for link in listed.xpath("//td/a/@href")] == [id]
    assert listed.xpath("//input[@name='business_outcome']/@value") == ["called <b>back</b>"]


def test_an_experiment_shows_what_came_of_it(open_client: httpx.Client, runtime: Runtime) -> None:
    running = Rollouts(runtime.engine)
    policy = Policy(
        name="shorter", kind="canary", control="default", candidate="extractive", hypothesis="No more <b>hallucinations</b>."
    )
    running.start(policy, ["default", "extractive"], "ana")
    try:
        assert "shorter" in text(read(open_client.get("/experiments")))
        page = read(open_client.get("/experiments/shorter"))
        for shown in (
            "running",
            "canary",
            "No more <b>hallucinations</b>.",
            "hallucination rate",
            "api rollout promote shorter",
            "ana",
        ):
            assert shown in text(page)
        assert page.xpath("//ol[@class='stages']/li[@aria-current='step']")[0].text_content() == "5 %"
        running.rollback("shorter", "ben", "too long")
        told = text(read(open_client.get("/experiments/shorter")))
        assert "rolled back" in told
        assert "too long" in told
    finally:
        with runtime.engine.begin() as connection:
            connection.execute(rollouts.delete().where(rollouts.c.name == "shorter"))
            connection.execute(rollout_events.delete().where(rollout_events.c.rollout == "shorter"))


def test_a_prompt_shows_its_versions_and_what_differs(open_client: httpx.Client) -> None:
    library = Library()
    page = read(open_client.get("/prompts/answer?version=2&against=1"))
    assert [version.text_content() for version in page.xpath("//tbody/tr/th")] == [
        f"answer@{number}" for number in reversed(library.versions("answer"))
    ]
    assert "production" in text(page)
    assert page.xpath("//div[@class='diff']/del")
    assert page.xpath("//div[@class='diff']/ins")
    messages = [message.text_content() for message in page.xpath("//div[@class='message']/pre")]
    assert messages == [section.template for section in library.get("answer@2").sections]


def test_a_report_is_listed_and_served_without_anything_else(open_client: httpx.Client, gated: Settings) -> None:
    folder = gated.home / "evals" / "one-two"
    write(rich(), folder)
    (gated.home / "evals" / "broken").mkdir()
    for name in ("report.json", "report.html"):
        (gated.home / "evals" / "broken" / name).write_text("{}")
    write(rich().model_copy(update={"created_at": "2020-01-01T00:00:00Z"}), gated.home / "evals" / "base" / "answer@2")
    write(alone().model_copy(update={"created_at": "2019-01-01T00:00:00Z"}), gated.home / "evals" / "alone")
    listed = read(open_client.get("/reports"))
    assert listed.xpath("//td/a/@href") == ["/reports/one-two", "/reports/base/answer%402", "/reports/alone"]
    assert "answer@1, measured on 200 cases" in text(listed)
    assert open_client.get("/reports/base/answer%402").text == (gated.home / "evals/base/answer@2/report.html").read_text()
    response = open_client.get("/reports/one-two")
    assert response.text == (folder / "report.html").read_text()
    assert "sandbox" in response.headers["content-security-policy"]
    assert "script-src" not in response.headers["content-security-policy"]
    assert open_client.get("/reports/..%2f..%2fledger.db").status_code == 404


def test_a_run_shows_what_was_scored_or_asked_anew(open_client: httpx.Client, runtime: Runtime) -> None:
    side = rich().a
    run = Run(
        created_at="2026-03-04T15:02:11Z", name="anew", cases="c.jsonl", variant=side.variant, prompts=side.prompts, prompt_text="",
        collection="shop", generation="g", embedder="e", validator="v", fingerprint="f", asked=1, repeats=1, code="c",
    )  # fmt: skip
    result = Result(
        case=Case(id="c", question="Why?"), repeat=0, trace_id="t", outcome=Outcome.FAILED, scores={"failed": 1.0}, scorers=("s@1",),
        cost_nanodollars=0, seconds=1.0,
    )  # fmt: skip
    runs = Runs(runtime.engine, runtime.writer)
    asyncio.run(runs.begin(run))
    for failed, shown in ((1.0, "100.0 %"), (0.0, "0.0 %")):
        asyncio.run(runs.record(run.id, result.model_copy(update={"scores": {"failed": failed}})))
        (mean, *_) = read(open_client.get(f"/runs/{run.id}")).xpath("//tr[th[starts-with(., 'failure rate')]]/td")
        assert mean.text == shown
    runs.forget(run.id)


def test_without_a_key_one_is_sent_to_the_login(guarded_url: str) -> None:
    for path in (*PAGES, "/traces/1"):
        response = httpx.get(guarded_url + path)
        assert (response.status_code, response.headers["location"].partition("?")[0]) == (303, "/login")
    assert not read(httpx.get(f"{guarded_url}/login")).xpath("//nav")
    assert httpx.get(f"{guarded_url}/static/style.css").status_code == 200


@pytest.fixture
def guarded_url(team: httpx.Client) -> str:
    return str(team.base_url).rstrip("/")


def test_a_key_is_kept_in_a_cookie_that_no_script_reads(guarded_url: str, team: httpx.Client) -> None:
    secret = team.cookies["groundwire_key"]
    headers = {"origin": guarded_url}
    with httpx.Client(base_url=guarded_url, headers=headers) as client:
        refused = client.post("/login", data={"key": "gw_wrong_wrong"})
        assert (refused.status_code, "not known" in refused.text, refused.cookies) == (401, True, httpx.Cookies())
        kept = client.post("/login", params={"next": "/traces?q=x"}, data={"key": f" {secret} "})
        assert (kept.status_code, kept.headers["location"]) == (303, "/traces?q=x")
        cookie = kept.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert secret not in client.get("/traces").text
        assert client.get("/traces").status_code == 200
        left = client.post("/logout")
        assert left.headers["clear-site-data"] == '"storage"'
        assert client.get("/traces").status_code == 303


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", ""])
def test_a_login_leads_to_no_other_site(team: httpx.Client, guarded_url: str, elsewhere: str) -> None:
    data = {"key": team.cookies["groundwire_key"]}
    response = httpx.post(f"{guarded_url}/login", params={"next": elsewhere}, data=data, headers={"origin": guarded_url})
    assert (response.status_code, response.headers["location"]) == (303, "/")


def test_a_server_without_keys_has_no_login(open_client: httpx.Client) -> None:
    assert open_client.get("/login").headers["location"] == "/"


def test_a_key_sees_nothing_of_another_s(team: httpx.Client, bound: httpx.Client, admin: httpx.Client) -> None:
    id = asked(team, "Who sees the kettle?", variant="extractive")
    origin = {"origin": str(bound.base_url).rstrip("/")}
    assert bound.get(f"/traces/{id}").status_code == 404
    assert bound.post(f"/traces/{id}/replay", headers=origin).status_code == 404
    assert bound.get(f"/traces/{asked(bound, variant='extractive')}?replay={id}").status_code == 404
    assert id not in bound.get("/traces?q=sees").text
    for client in (team, admin):
        assert client.get(f"/traces/{id}").status_code == 200
        assert id in client.get("/traces?q=sees").text
    mine = read(bound.get("/traces")).xpath("//td/a/@href")
    counted = read(bound.get("/overview")).xpath("//dl/div[1]/dd/text()")[0].strip()
    assert int(counted) == len(mine)


def test_what_all_keys_did_is_for_administrators(team: httpx.Client, admin: httpx.Client) -> None:
    for path in ("/experiments", "/prompts", "/prompts/answer", "/reports", "/experiments/x", "/reports/x", "/runs/x"):
        assert team.get(path).status_code == 403
    assert read(team.get("/traces")).xpath("//header//nav/a/text()") == ["Chat", "Traces", "Overview"]
    assert len(read(admin.get("/prompts")).xpath("//header//nav/a")) == 6


def test_who_is_signed_in_stays_so_on_a_page_of_what_went_wrong(team: httpx.Client, guarded_url: str) -> None:
    lost = {"accept": "text/html"}
    for path in ("/prompts", "/traces/none", "/nothing", "/overview?window=year"):
        page = html.fromstring(team.get(path, headers=lost).text)
        assert page.xpath("//header//nav/a/text()") == ["Chat", "Traces", "Overview"]
        assert page.xpath("//form[@action='/logout']")
        assert page.xpath("//h1/text()")[0][0].isupper()
    refused = team.post("/traces/none/replay", headers={"origin": guarded_url})
    assert (refused.status_code, html.fromstring(refused.text).xpath("//div[@class='empty']//a/@href")) == (404, ["/traces/none"])
    assert not html.fromstring(httpx.get(f"{guarded_url}/nothing", headers=lost).text).xpath("//header//nav")


def test_a_revoked_key_is_sent_to_the_login(guarded_url: str) -> None:
    assert httpx.get(f"{guarded_url}/traces", cookies={"groundwire_key": "gw_0_0"}).status_code == 303


def test_pages_are_shipped() -> None:
    shipped = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    folder = Path(__file__).parents[3] / "api" / "pages"
    files = {
        path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists()
    }
    assert files
    assert all(f'"pages/{path.name}/*"' in shipped for path in files)
