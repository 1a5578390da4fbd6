"""Bytes that leave no doubt are read, the others are not."""

import pytest

from rag.ingest.charset import decoded

FRENCH = "Le café était fermé à cause de la grève générale. Où étiez-vous hier soir après le dîner ? " * 5
GERMAN = "Die Prüfung wäre für die meisten Schüler größer und schöner gewesen, als sie dachten. " * 3
RUSSIAN = "Защита уступила всего 308 очков, заняв шестое место в лиге. " * 4
CHINESE = "黑豹队的防守只丢了，在联赛中排名第六，同时也以拦截领先国家橄榄球联盟。" * 3


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "utf-16"),
        ("The safe code is 9918.", "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (FRENCH, "cp1252"),
        (GERMAN, "latin-1"),
        (RUSSIAN, "cp1251"),
        (CHINESE, "gb18030"),
        ("", "utf-8"),
    ],
)
def test_text_comes_back(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text


def test_a_stray_zero_does_not_cost_the_text() -> None:
    content = GERMAN.encode() + b"\0"
    assert decoded(content) == GERMAN + "\0"


@pytest.mark.parametrize(
    "content",
    [
        b"abc \xff\xfe def",
        b"\xff\xfe\xfd broken \x80",
        b"This is a normal sentence \xff with one bad byte, and then it goes on for a while.",
        GERMAN.encode() + b"\xff\xfe and more",
        "Le café".encode("cp1252"),
        b"\x80\x81\xfe\xff" * 20,
        "Ж".encode("utf-16-le") * 3 + "Закон ".encode("utf-16-be"),
        RUSSIAN.encode("utf-16-le"),
        GERMAN.encode("utf-32"),
        b"a\0\0\0bc\0" * 9,
    ],
)
def test_in_doubt_there_is_no_text(content: bytes) -> None:
    assert decoded(content) is None
