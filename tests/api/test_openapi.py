"""What the server says of itself is complete, and holds for requests that nobody thought of."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag.trace import Trace
from tests.api.conftest import Guarded

OPEN = {"/healthz", "/readyz"}
"""What an orchestrator asks, which has no key."""
CHECKS = (
    *("not_a_server_error", "ignored_auth", "status_code_conformance", "content_type_conformance"),
    *("response_schema_conformance", "response_headers_conformance", "unsupported_method"),
)


@pytest.fixture(scope="module")
def described(guarded: Guarded) -> dict[str, Any]:
    return httpx.get(f"{guarded.url}/openapi.json").json()  # type: ignore[no-any-return]


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{method} {path}": told for path, methods in described["paths"].items() for method, told in methods.items()}


def test_every_endpoint_is_described(described: dict[str, Any]) -> None:
    found = operations(described)
    assert {"post /v1/chat/completions", "post /chat", "get /v1/models", "post /v1/feedback", "get /v1/traces"} <= found.keys()
    for name, told in found.items():
        assert told["summary"], name
        assert told["description"], name
        assert told["tags"], name
        path = name.split()[1]
        assert (path in OPEN) == ("security" not in told), name
        assert path in OPEN or {"401", "503"} <= told["responses"].keys(), name
        for status, response in told["responses"].items():
            assert response["content"], (name, status)
        if "requestBody" in told:
            assert {"413", "422"} <= told["responses"].keys(), name


def test_generated_clients_get_plain_names(described: dict[str, Any]) -> None:
    """No name holds a module, an address, or the way in which a type is used."""
    names = [told["operationId"] for told in operations(described).values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert {"create_chat_completion", "list_models", "chat", "list_traces", "get_trace"} <= {*names}
    assert all(re.fullmatch(r"([A-Z][a-z]+)+", name) for name in described["components"]["schemas"])
    assert {"ChatCompletionRequest", "ChatCompletion", "CompletionUsage", "ErrorResponse"} <= described["components"][
        "schemas"
    ].keys()


def test_every_body_has_an_example(described: dict[str, Any]) -> None:
    for name, told in operations(described).items():
        if "requestBody" in told:
            reference = told["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            assert described["components"]["schemas"][reference.rpartition("/")[2]]["examples"], name


def test_every_response_has_an_example(described: dict[str, Any]) -> None:
    for name, told in operations(described).items():
        for status, response in told["responses"].items():
            for kind, content in response["content"].items():
                schema = content.get("schema", {})
                named = described["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
                assert "example" in content or "example" in named, (name, status, kind)


def test_the_example_of_a_trace_is_one_that_can_be_opened(described: dict[str, Any]) -> None:
    shown = described["paths"]["/v1/traces/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    trace = Trace.model_validate(shown)
    assert all(claim.text == trace.answer[claim.start : claim.end] for claim in trace.claims)
    for claim in trace.claims:
        assert claim.evidence
        passage = trace.passages[claim.evidence.passage - 1]
        assert claim.evidence.quote == passage.text[claim.evidence.start : claim.evidence.end]
    assert trace.usage.prompt + trace.usage.completion == 107


def test_a_failure_upstream_is_a_trace_or_a_problem(described: dict[str, Any]) -> None:
    told = described["paths"]["/chat"]["post"]["responses"]
    assert [told[status]["content"].keys() for status in ("502", "504")] == [{"application/json", "application/problem+json"}] * 2


def test_the_document_keeps_to_its_version_of_openapi(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")
    assert "itemSchema" not in str(described)


def test_the_examples_are_answered(guarded: Guarded, described: dict[str, Any]) -> None:
    headers = {"authorization": f"Bearer {guarded.team}"}
    for path in ("/chat", "/v1/chat/completions"):
        schema = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for example in described["components"]["schemas"][schema.rpartition("/")[2]]["examples"]:
            assert httpx.post(f"{guarded.url}{path}", json=example, headers=headers, timeout=60).status_code == 200


@pytest.mark.timeout(300)
def test_no_request_makes_the_server_fail_or_passes_without_a_key(guarded: Guarded, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{guarded.url}/openapi.json"]
    options = ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--seed", "5"]
    found = subprocess.run(
        [*command, *options, "--no-shrink", "--header", f"Authorization: Bearer {guarded.admin}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
