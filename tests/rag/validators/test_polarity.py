from rag.validators.polarity import opposed, stronger


def test_opposites_in_every_form() -> None:
    assert opposed("increasing", "decreased", "en")
    assert opposed("before", "after", "en")
    assert opposed("unlikely", "likely", "en")
    assert not opposed("increase", "rise", "en")
    assert not opposed("increase", "decrease", "de")


def test_strength() -> None:
    assert stronger("must", "may")
    assert stronger("all", "some")
    assert not stronger("some", "all")
    assert not stronger("all", "may")
    assert not stronger("pool", "sea")
