"""What is searched for is found however it was written, in the languages people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.analyzer import asked, language, terms


@pytest.mark.parametrize(
    ("written", "searched", "code"),
    [
        ("the pumps were replaced", "replacing a pump", "en"),
        ("Die Häuser der Stadt", "das Haus", "de"),
        ("ремонт насосов", "насос", "ru"),
        ("les réparations effectuées", "réparation", "fr"),
        ("CAFÉ Müller", "cafe muller", "und"),
        ("ﬁle ＡＢＣ", "file abc", "en"),
        ("1,200 users", "1200", "en"),
        ("1.200 Nutzer", "1,200", "de"),
        ("set max_tokens", "max_tokens", "en"),
        ("set max_tokens", "tokens", "en"),
        ("call getUserName()", "getUserName", "en"),
        ("call getUserName()", "user", "en"),
        ("HTTPServer", "server", "en"),
        ("since v2.1", "v2.1", "en"),
        ("fails with ERR-404.", "err-404", "en"),
        ("see /etc/hosts", "etc/hosts", "en"),
        ("see /etc/hosts", "hosts", "en"),
        ("in C++, not C", "c++", "en"),
        ("C#", "c#", "en"),
        ("SARS-CoV-2", "cov", "en"),
        ("黑豹队的防守", "防守", "zh"),
        ("黑豹队的防守", "豹", "zh"),
        ("東京タワーは高い", "タワー", "ja"),
        ("ภาษาไทย", "ไทย", "th"),
        ("iPhone手机", "手机", "zh"),
        ("iPhone手机", "iphone", "zh"),
        ("पाठ में लिखा", "लिखा", "hi"),
    ],
)
def test_found_however_it_was_written(written: str, searched: str, code: str) -> None:
    assert set(terms(searched, code)) & set(terms(written, code))


@pytest.mark.parametrize(
    ("written", "searched"), [("version v2.1", "v2.2"), ("10,000", "100"), ("防守", "守防"), ("well known", "unknown")]
)
def test_what_differs_is_not_the_same_term(written: str, searched: str) -> None:
    whole = terms(searched, "en")[0]
    assert whole not in terms(written, "en")


def test_terms_come_in_order_with_repeats() -> None:
    assert terms("Pumps, valves; pumps!", "en") == ["pump", "valv", "pump"]
    assert terms("v2.1", "en") == ["v2.1", "v2", "1"]
    assert terms("中文", "zh") == ["中文", "中", "文"]
    assert terms("  ...  ", "en") == []


@given(st.text(), st.sampled_from(["en", "de", "zh", "th", "und", "xx"]))
def test_any_text_gives_terms_without_white_space(text: str, code: str) -> None:
    for term in terms(text, code):
        assert term
        assert term.split() == [term]


@given(st.text(max_size=40))
def test_a_text_is_found_by_itself(text: str) -> None:
    assert set(asked(text, ["en"])) <= set(terms(text, "en"))


def test_a_question_is_asked_without_what_every_question_has() -> None:
    assert asked("What is the name of the pump?", ["en"]) == ["name", "pump"]
    assert asked("Wie heißt die Pumpe?", ["de"]) == ["heisst", "pump"]
    assert asked("为什么防守", ["zh"])[-2:] == ["防", "守"]
    assert "为什" not in asked("为什么防守", ["zh"])


def test_a_question_of_nothing_else_is_asked_as_it_is() -> None:
    assert asked("What is it?", ["en"]) == ["what", "is", "it"]


def test_a_question_is_asked_in_every_language_of_the_collection() -> None:
    assert asked("the names", ["en", "de"]) == ["name", "nam"]
    assert asked("pump pump", []) == ["pump"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Which laws must be obeyed when models of aircraft are made?", "en"),
        ("Welche Gesetze müssen beim Bau von Flugzeugen beachtet werden?", "de"),
        ("Какие законы нужно соблюдать при постройке самолётов?", "ru"),
        ("制造飞机模型时必须遵守哪些定律以及如何验证", "zh"),
        ("飛行機の模型を作るときに守るべき法則は何ですか", "ja"),
        ("กฎหมายใดที่ต้องปฏิบัติตามเมื่อสร้างเครื่องบิน", "th"),
        ("हवाई जहाज के मॉडल बनाते समय किन नियमों का पालन करना चाहिए", "hi"),
        ("ok", "und"),
        ("", "und"),
        ("0x1F 42 17 == 3.14;", "und"),
    ],
)
def test_the_language_of_a_text(text: str, code: str) -> None:
    assert language(text) == code


def test_what_is_written_without_spaces_gives_runs_of_characters() -> None:
    assert terms("東京タワー", "ja") == ["東京", "京タ", "タワ", "ワー", "東", "京"]
    assert terms("ไทย", "th") == ["ไท", "ทย", "ไทย"]
    assert terms("中", "zh") == ["中"]
    assert terms("あ", "ja") == ["あ"]
