from rag.validators.analysis import LONGEST, Analysis


def test_dates_in_any_form() -> None:
    dates = Analysis("On 3 May 2019, on May 4th, on 2019-06-07 and in Sept.", "", "en").dates
    assert {"month 5", "month 5 3", "month 5 4", "month 6 7", "month 7 6", "month 9"} <= dates
    assert "month 8" not in dates


def test_values_and_initials_of_text_and_title() -> None:
    analysis = Analysis("The league has one cup and 1.2 million fans.", "National Football League 1920", "en")
    assert analysis.values == {1.0, 1920.0, 1_200_000.0}
    assert "NFL" in analysis.initials


def test_terms_stand_in_their_sentences() -> None:
    analysis = Analysis("Dogs swim. Cats watch dogs.", "", "en")
    assert analysis.postings["dog"] == [0, 1]
    assert [sentence.places["dog"] for sentence in analysis.sentences] == [0b1, 0b100]
    assert ("cat", "watch") in analysis.pairs


def test_what_is_no_sentence_is_taken_in_pieces() -> None:
    analysis = Analysis("word " * (LONGEST + 1), "", "en")
    assert [sentence.length for sentence in analysis.sentences] == [LONGEST, 1]
