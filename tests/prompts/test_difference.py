"""What differs between two texts: every line of both, where it belongs, and the words that changed."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prompts.difference import Line, difference, size
from prompts.library import Library

texts = st.lists(st.text("ab \n{}", max_size=8), max_size=6).map("\n".join)


def side(lines: list[Line], mark: str) -> str:
    return "\n".join(line.text for line in lines if line.mark in f" {mark}")


@given(texts, texts)
def test_both_texts_are_in_it_as_far_as_it_shows_them(a: str, b: str) -> None:
    lines = difference(a, b)
    if a == b:
        assert lines == []
    elif not any(line.mark == "@" for line in lines):
        assert (side(lines, "-"), side(lines, "+")) == (a, b)
    for line in lines:
        assert "\n" not in line.text


def test_lines_far_from_a_change_are_left_out() -> None:
    before = [str(number) for number in range(30)]
    after = [*before[:15], "new", *before[15:]]
    marks = [(line.mark, line.text) for line in difference("\n".join(before), "\n".join(after))]
    kept = [(" ", str(number)) for number in range(12, 18)]
    assert marks == [("@", ""), *kept[:3], ("+", "new"), *kept[3:], ("@", "")]


def test_words_are_marked_where_a_line_stayed_alike_and_not_where_it_is_another() -> None:
    assert difference("Answer in one short sentence.", "Answer in one long sentence.") == [
        Line("-", (("Answer in one ", False), ("short", True), (" sentence.", False))),
        Line("+", (("Answer in one ", False), ("long", True), (" sentence.", False))),
    ]
    assert [line.parts for line in difference("Answer in one sentence.", "Quote: {{ text }}, nothing else!")] == [
        (("Answer in one sentence.", False),),
        (("Quote: {{ text }}, nothing else!", False),),
    ]


def test_sizes_are_those_of_the_rendered_examples() -> None:
    prompt = Library().get("answer@2")
    content = "\n".join(message["content"] for message in prompt.render(**prompt.examples))
    assert size(prompt).words == len(content.split())
    assert size(prompt).words < size(prompt).tokens < len(content) / 2


def test_counting_tokens_downloads_nothing_and_does_not_import_litellm() -> None:
    program = (
        "import socket, sys; socket.socket.connect = None\n"
        "from prompts import Library; from prompts.difference import size\n"
        "print(size(Library().get('answer@1')).tokens, 'litellm' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TIKTOKEN_CACHE_DIR"}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env=environment,
    )
    assert ran.stdout == "164 False\n"
