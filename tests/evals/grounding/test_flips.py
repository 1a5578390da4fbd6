"""Flips change one fact, of the kind they say, and nothing else."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.grounding.flips import Flip, Kind, flips

CLAIMS = [
    "Marta Olsen founded the company in Berlin in 1987.",
    "The season has 12 games and costs 1.2 million dollars.",
    "The pump does not start before the tank is full.",
    "German engineers increased the pressure to 3.5 % in March 2019.",
    "A man is chasing a dog in the park.",
    "The twenty-one members never met again after Friday.",
]


def flip(claim: str, kind: Kind, *pool: str, seed: int = 0) -> Flip | None:
    return next((made for made in flips(claim, pool, np.random.default_rng(seed)) if made.kind is kind), None)


def text(claim: str, kind: Kind, *pool: str, seed: int = 0) -> str | None:
    made = flip(claim, kind, *pool, seed=seed)
    return made.text if made else None


def texts(claim: str, kind: Kind, *pool: str) -> set[str | None]:
    return {text(claim, kind, *pool, seed=seed) for seed in range(30)}


@settings(deadline=None)
@given(st.sampled_from(CLAIMS), st.integers(0, 1000))
def test_a_flip_differs_in_its_span_alone(claim: str, seed: int) -> None:
    made = flips(claim, CLAIMS, np.random.default_rng(seed))
    assert len({one.kind for one in made}) == len(made) > 0
    for one in made:
        tail = len(one.text) - one.end
        assert one.text != claim
        assert one.text[: one.start] == claim[: one.start]
        assert one.text[one.end :] == claim[len(claim) - tail :]


def test_a_number_beyond_all_measure_is_left_as_it_is() -> None:
    assert text("They counted 98765432109876543210 stars.", "number") is None


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read(claim: str) -> None:
    flips(claim, [claim], np.random.default_rng(0))


def test_equal_seeds_give_equal_flips() -> None:
    first, second = ([flips(claim, CLAIMS, np.random.default_rng(7)) for claim in CLAIMS] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("claim", "pattern"),
    [
        ("It costs 1.2 million dollars.", r"It costs (\d\.\d) million dollars\."),
        ("It has 32,000 employees.", r"It has (\d\d,000) employees\."),
        ("It fell by 3.5% at once.", r"It fell by (\d\.\d)% at once\."),
        ("It opens at 9:30 today.", r"It opens at (\d\d?):30 today\."),
        ("Die Pumpe läuft 12 Stunden am Tag und nicht länger.", r"Die Pumpe läuft (\d\d?) Stunden am Tag und nicht länger\."),
        ("水泵每天运行12次。", r"水泵每天运行(\d\d?)次。"),
        ("The 15-year-old boy won.", r"The (\d\d?)-year-old boy won\."),
        ("There are seven pumps.", r"There are (\w+) pumps\."),
        ("There are twenty-one pumps.", r"There are (twenty-\w+) pumps\."),
        ("It is the third pump here.", r"It is the (\w+) pump here\."),
    ],
)
def test_a_number_changes_and_its_form_stays(claim: str, pattern: str) -> None:
    made = text(claim, Kind.NUMBER)
    assert made is not None
    assert re.fullmatch(pattern, made), made


@pytest.mark.parametrize(
    "claim",
    ["COVID-19 is a disease.", "It is said in [12].", "Version 1.2.3 is out.", "It happened in 1987.", "One of the men left."],
)
def test_what_is_no_quantity_stays(claim: str) -> None:
    assert text(claim, Kind.NUMBER) is None


def test_a_number_comes_from_the_pool_where_it_has_one_of_its_kind() -> None:
    assert (
        text("It has 12 rooms.", Kind.NUMBER, "It has 17 floors, costs $13 and 14% of it were built in 1915.")
        == "It has 17 rooms."
    )


@pytest.mark.parametrize(("claim", "larger"), [("It has at least 20 rooms.", True), ("It has up to 20 rooms.", False)])
def test_a_bound_moves_to_where_it_does_not_follow(claim: str, larger: bool) -> None:
    made = texts(claim, Kind.NUMBER, "It has 12 rooms and 30 doors.")
    assert made == {claim.replace("20", "30" if larger else "12")}
    assert all(one and (int(one.split()[-2]) > 20) is larger for one in texts(claim, Kind.NUMBER))


def test_a_percentage_stays_possible() -> None:
    made = texts("It is 90% full.", Kind.NUMBER)
    assert all(one and int(one.split()[2].rstrip("%")) <= 100 for one in made)


@pytest.mark.parametrize(
    ("claim", "pool", "expected"),
    [
        (
            "He was seen by Marta Olsen.",
            "Karen Fischer met Peter Novak's dog.",
            {"He was seen by Karen Fischer.", "He was seen by Peter Novak."},
        ),
        ("It was built in Germany.", "They left Poland for London.", {"It was built in Poland."}),
        ("He is an American writer.", "The German writers of Oslo met.", {"He is a German writer."}),
        ("It belongs to the University of Oslo.", "He was at the Company of Mary.", {"It belongs to the Company of Mary."}),
        ("The film is about Tupac.", "He met Biggie there, and the CIA.", {"The film is about Biggie."}),
        ("He lives in Leicestershire now.", "He was born in Bergen, saw Biggie and Privacy.", {"He lives in Bergen now."}),
        (
            "The Olsen Cup was won by Karen Fischer.",
            "He met Peter Novak at the Robertson Award.",
            {"The Olsen Cup was won by Peter Novak.", "The Robertson Award was won by Karen Fischer."},
        ),
        ("he moved to germany.", "they came from poland.", {"he moved to poland."}),
    ],
)
def test_a_name_gives_way_to_one_of_its_kind(claim: str, pool: str, expected: set[str | None]) -> None:
    assert texts(claim, Kind.NAME, pool) == expected


def test_a_name_without_a_pool_comes_from_our_lists() -> None:
    made = text("It was built in Germany.", Kind.NAME)
    assert made not in (None, "It was built in Germany.")


@pytest.mark.parametrize("claim", ["Pumps are heavy.", "It was in May.", "I think so."])
def test_what_is_no_name_stays(claim: str) -> None:
    assert text(claim, Kind.NAME, "They met in Poland and saw Biggie.") is None


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("The pump is old.", "The pump is not old."),
        ("The pump can run.", "The pump cannot run."),
        ("The pump may run.", "The pump cannot run."),
        ("It's a pump.", "It's not a pump."),
        ("The pump has been sold.", "The pump has not been sold."),
        ("The pump has three valves.", "The pump does not have three valves."),
        ("He wrote the book.", "He did not write the book."),
        ("She plays the piano.", "She does not play the piano."),
        ("They love the city.", "They do not love the city."),
        ("The band released an album.", "The band did not release an album."),
        ("The album released by the band is old.", "The album released by the band is not old."),
        ("The pump is not old.", "The pump is old."),
        ("It isn't old.", "It is old."),
        ("The pump cannot run.", "The pump can run."),
        ("The pump can't run.", "The pump can run."),
        ("It does not work well.", "It works well."),
        ("He didn't go home.", "He went home."),
        ("He never went home.", "He went home."),
        ("Nobody went home.", "Everybody went home."),
        ("It runs without oil.", "It runs with oil."),
        ("It is no longer open.", "It is still open."),
        ("There is no evidence of it.", "There is some evidence of it."),
    ],
)
def test_a_negation_is_put_in_or_taken_away(claim: str, expected: str) -> None:
    assert text(claim, Kind.NEGATION) == expected


@pytest.mark.parametrize(
    "claim", ["It has not been in any shop.", "The old pump in the corner.", "Whether or not it rains.", "How did it run?"]
)
def test_what_cannot_be_negated_well_stays(claim: str) -> None:
    assert text(claim, Kind.NEGATION) is None


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("A man is chasing a dog in the park.", "A dog is chasing a man in the park."),
        ("Joe invited Peter on Friday.", "Peter invited Joe on Friday."),
        ("The opera was composed by a priest.", "A priest was composed by the opera."),
        ("He flew from Oslo to Berlin.", "He flew from Berlin to Oslo."),
        ("Prices increased at once.", "Prices decreased at once."),
        ("It is larger than the sea.", "It is smaller than the sea."),
        ("It stands above the door.", "It stands below the door."),
        ("A popular book.", "An unpopular book."),
    ],
)
def test_a_relation_turns_round(claim: str, expected: str) -> None:
    assert expected.lower() in {one.lower() for one in texts(claim, Kind.RELATION) if one}


@pytest.mark.parametrize("claim", ["It is as long as a pump.", "One or more of them met.", "The high school met."])
def test_a_word_in_a_fixed_phrase_stays(claim: str) -> None:
    assert text(claim, Kind.RELATION) is None


@pytest.mark.parametrize(
    ("claim", "pattern"),
    [
        ("It began in 1987.", r"It began in (?!1987)(?:19|20)\d\d\."),
        ("Es begann 1987 in einer kleinen Stadt am Meer.", r"Es begann (?!1987)(?:19|20)\d\d in einer .*"),
        ("始于1987年。", r"始于(?!1987)(?:19|20)\d\d年。"),
        ("The 1960s were hot days.", r"The 19[3-9]0s were hot days\."),
        ("It opens on Monday.", r"It opens on (?!Monday)\w+day\."),
        ("It was seen in March.", r"It was seen in (?!March)[A-Z]\w+\."),
        ("It ran after the war.", r"It ran before the war\."),
        ("It has run since 1987.", r"It has run (?:until 1987|since (?!1987)\d{4})\."),
    ],
)
def test_a_time_changes(claim: str, pattern: str) -> None:
    found = texts(claim, Kind.TIME)
    assert found
    for made in found:
        assert made is not None
        assert re.fullmatch(pattern, made), made


def test_a_year_comes_from_the_pool() -> None:
    assert (
        text("It began in 1987.", Kind.TIME, "They met in 1991 and had 2,019 dogs, 1500 people and 1.944 cats.")
        == "It began in 1991."
    )


def test_years_stay_in_their_order() -> None:
    found = texts("It ran from 1939 to 1945.", Kind.TIME)
    assert found
    for made in found:
        one, two = re.findall(r"\d{4}", made or "")
        assert int(one) < int(two)


@pytest.mark.parametrize("claim", ["They may go.", "He was named after a king.", "After all, it rained.", "It costs $1987 now."])
def test_what_is_no_time_stays(claim: str) -> None:
    assert text(claim, Kind.TIME) is None


def test_other_languages_have_numbers_and_years_changed_only() -> None:
    claim = "Der Hund von Peter wurde im Jahr 1987 in Berlin von 12 Leuten gesehen, was nicht alle glauben wollten."
    assert {made.kind for made in flips(claim, [claim], np.random.default_rng(0))} == {Kind.NUMBER, Kind.TIME}
