"""What HTTP itself cannot let through is a problem that people can read, and never a failure of the server."""

import json
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from api.body import LARGEST

JSON = {"content-type": "application/json"}


def problem(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return f"{body['title']}: {body['detail']}"


def test_no_such_endpoint_and_no_such_method(url: str) -> None:
    missing = httpx.get(f"{url}/v2/nothing")
    assert (missing.status_code, problem(missing)) == (404, "there is no /v2/nothing: GET /openapi.json describes what there is")
    wrong = httpx.get(f"{url}/chat")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert problem(wrong) == "/chat does not take GET: it takes POST"
    assert httpx.delete(f"{url}/v1/chat/completions").json()["error"]["type"] == "invalid_request_error"


def test_a_browser_that_is_lost_gets_a_page(url: str) -> None:
    lost = httpx.get(f"{url}/nope", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no /nope" in lost.text
    assert "To the chat" in lost.text


@pytest.mark.parametrize("declared", [True, False])
def test_too_large_a_body(url: str, declared: bool) -> None:
    body = b'{"question": "' + b"a" * LARGEST + b'"}'
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    response = httpx.post(f"{url}/chat", content=body if declared else pieces, headers=JSON)
    assert (response.status_code, problem(response)) == (413, f"the body is too large: send at most {LARGEST} bytes")


@pytest.mark.parametrize("declared", [True, False])
def test_too_large_a_body_is_told_to_a_client_that_sends_all_of_it_before_it_reads(url: str, declared: bool) -> None:
    place = urlsplit(url)
    length = f"Content-Length: {LARGEST + 500_000}" if declared else "Transfer-Encoding: chunked"
    piece = b"a" * 100_000
    chunk = piece if declared else b"%x\r\n%b\r\n" % (len(piece), piece)
    head = (
        f"POST /chat HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port)) as connection:  # type: ignore[arg-type]
        connection.sendall(head.encode())
        for _ in range(LARGEST // len(piece) + 5):
            connection.sendall(chunk)
            time.sleep(0.02)
        connection.sendall(b"" if declared else b"0\r\n\r\n")
        assert b" 413 " in connection.recv(1000)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b'{"question": "\xff"}', 400),
        (b'"question"', 422),
        (b"[" * 100_000, 400),
        (b'{"question": ' + b"[" * 500 + b"]" * 500 + b"}", 422),
        (b'{"question": "kettles?", "where": {"a": ' + b"9" * 10_000 + b"}}", 400),
        (b'{"question": "kettles?", "where": {"a": NaN}}', 422),
        (b'{"question": "kettles?", "\\ud800": 1}', 422),
        (b'{"question": "kettles?", "variant": "\\ud800\\u0000"}', 404),
        (b'{"question": "kettles?", "collection": "\\ud800\\u0000"}', 404),
    ],
    ids=[*("empty", "cut", "latin-1", "text", "deep", "nested", "digits", "nan", "field", "variant", "collection")],
)
def test_bodies_that_are_no_question(url: str, body: bytes, status: int) -> None:
    response = httpx.post(f"{url}/chat", content=body, headers=JSON)
    assert (response.status_code, bool(problem(response))) == (status, True)


@pytest.mark.parametrize(
    "where",
    [{"a": 10**300}, {"a": -(2**63) - 1}, {"a": [2**64, 1e308]}, {"a": "\0\ud800"}, {"\0": True}, {"": ""}, {"a": []}],
    ids=["huge", "below", "list", "characters", "name", "empty", "none"],
)
def test_odd_filters_find_nothing(url: str, where: dict[str, object]) -> None:
    body = json.dumps({"question": "How long is the warranty on a kettle?", "variant": "extractive", "where": where})
    response = httpx.post(f"{url}/chat", content=body, headers=JSON)
    assert (response.status_code, response.json().get("passages")) == (200, [])


def test_odd_characters_in_a_question_are_answered(url: str) -> None:
    said = "How long is the \0 \ud800 warranty on a kettle?"
    for path, body in {
        "chat": {
            "question": said,
            "variant": "extractive",
            "history": [{"role": "user", "content": "\ud800"}],
            "session": "\ud800",
        },
        "v1/chat/completions": {"model": "extractive", "user": "\ud800", "messages": [{"role": "user", "content": said}]},
    }.items():
        assert httpx.post(f"{url}/{path}", content=json.dumps(body), headers=JSON).status_code == 200


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["chat", "v1/chat/completions"])
def test_a_body_that_is_not_declared_as_json_is_told(url: str, path: str, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    response = httpx.post(f"{url}/{path}", content=b'{"question": "kettles?"}', headers=headers)
    assert response.status_code == 422
    assert f"the body is declared as {kind or 'nothing'}, not as JSON" in response.text
    assert "content-type: application/json" in response.text


def test_what_is_not_http_does_no_harm(url: str) -> None:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port)) as connection:  # type: ignore[arg-type]
        connection.sendall(b"\x16\x03\x01 not HTTP\r\n\r\n")
        assert b" 400 " in connection.recv(1000)
    assert httpx.get(f"{url}/healthz").status_code == 200
