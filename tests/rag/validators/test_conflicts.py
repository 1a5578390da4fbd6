import pytest

from rag.validators.conflicts import Conflict, conflicts, loose
from rag.validators.words import words


def found(claim: str, said: str) -> list[Conflict]:
    read = words(said, "en")
    return list(conflicts(words(claim, "en"), read, {word.key for word in read}, "en"))


@pytest.mark.parametrize(
    ("claim", "said", "reason"),
    [
        ("The pool opens at 10 daily.", "The pool opens at 9 daily.", "says 9, not 10"),
        ("The tunnel is 5 km long and dry.", "The tunnel is 5 m long and dry.", "says 5 m, not 5"),
        ("Uploads of up to 20 GB are accepted.", "Uploads of up to 20 MB are accepted.", "says 20 in another unit"),
        ("Files larger than 100 MB are split.", "Files larger than 100 KB are split.", "says 100 in another unit"),
        ("The second bridge carries trains.", "The third bridge carries trains.", "says third, not second"),
        ("The town elected Marta Schmidt mayor.", "The town elected Marta Olsen mayor.", "says Olsen, not Schmidt"),
        ("They met near Paris in 2019.", "They met near London in 2019.", "says London, not Paris"),
        ("They met in Paris in 2016.", "They met in Paris in 2019.", "says 2019, not 2016"),
        ("The shop closes on Friday evenings.", "The shop closes on Monday evenings.", "says Monday, not Friday"),
        ("He was born on 4 May in Ohio.", "He was born on 3 May in Ohio.", "says 3 May, not 4 May"),
        ("Prices will decrease next year.", "Prices will increase next year.", "says the opposite: increase, not decrease"),
        ("Guests left before the storm came.", "Guests left after the storm came.", "says after storm, not before"),
        ("Dogs are not allowed in water.", "Dogs are allowed in water.", "says so without the negation"),
        ("Dogs are allowed in water.", "Dogs are never allowed in water.", "negates it"),
        ("Anna beat Bob twice.", "Bob beat Anna twice.", "says it of Bob, not Anna"),
        ("With `flag` the answer is released.", "With `quote` the answer is released.", "says quote, not flag"),
        ("A frog is handling the woman.", "A frog is being handled by the woman.", "says it of woman, not frog"),
    ],
)
def test_each_kind(claim: str, said: str, reason: str) -> None:
    assert [conflict.reason for conflict in found(claim, said)][:1] == [reason]


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("The pool opens at 9 daily.", "The pool opens at nine daily."),
        ("About 1,200 people live near the lake.", "1,187 people live near the lake."),
        ("The tunnel is 5 km long and dry.", "The tunnel is 5,000 m long and dry."),
        ("He was born on May 3 in Ohio.", "He was born on 3 May in Ohio."),
        ("Bob was beaten by Anna in Rome.", "Anna has beaten Bob in Rome."),
        ("In Paris Anna beat Bob.", "Anna beat Bob in Paris."),
        ("Cats, dogs and horses live here.", "Horses, dogs and cats live here."),
        ("They found no evidence of poison.", "They have not found any evidence of poison."),
        ("The US senate passed it in May.", "The United States senate passed it in May."),
        ("Finally, the pool opens at 9.", "The Riverside pool opens at 9."),
        ("The pool is not only large but deep.", "The pool is large and deep."),
        ("It is known by most or many here.", "It is known by most or many here."),
        ("A `preStop` hook isn't needed.", "There is no need for a `preStop` hook."),
        ("With `flag` it is marked.", "With `quote` it is released, and with `flag` it is marked."),
        ("Refunds take up to 5 days.", "Refunds take 3 to 5 days."),
        ("Refunds take 3-5 days.", "Refunds take 3 days to 5 days."),
        ("Express refunds take 3 days.", "Express refunds take 3 days, other refunds take 3 to 5 days."),
        ("Penguins swim.", "The mayor signed the budget of the city."),
    ],
)
def test_what_is_no_conflict(claim: str, said: str) -> None:
    assert found(claim, said) == []


def test_saying_more_than_the_sentence_is_no_contradiction() -> None:
    (conflict,) = found("Owners must register their dogs.", "Owners may register their dogs.")
    assert (conflict.reason, conflict.certain) == ("says may, not must", False)
    assert found("Owners may register their dogs.", "Owners must register their dogs.") == []


def test_one_end_of_a_range_is_a_doubt() -> None:
    (conflict,) = found("Refunds take 3 days.", "Refunds take 3 to 5 days.")
    assert (conflict.reason, conflict.certain) == ("gives a range with 3", False)


def against(claim: str, said: str) -> str | None:
    conflict = loose(words(claim, "en"), words(said, "en"))
    return conflict.reason if conflict else None


@pytest.mark.parametrize(
    ("claim", "said", "reason"),
    [
        ("The old gate is not open on Sunday.", "On Sunday guests find the old gate open.", "does not deny open"),
        ("No guest was hurt in the fire.", "One guest was hurt in the fire, the police did not say how.", "does not deny guest"),
        ("No guest was hurt in the fire.", "In the fire a guest and a child were hurt.", "does not deny guest"),
        ("After the long fire at the gate nobody complained.", "The long fire at the gate did not reach the town.", None),
        ("No guest was hurt in the fire.", "In the fire none of the guests was hurt.", None),
        ("Guests are rarely hurt in the fire.", "Some guests are hurt in the fire.", None),
        ("A guest was hurt in the fire.", "No guest was hurt in the fire.", None),
    ],
)
def test_a_denial_without_its_like(claim: str, said: str, reason: str | None) -> None:
    assert against(claim, said) == reason


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("Dogs are not allowed in the dining room.", "Dogs are welcome in the garden and in the bar only."),
        ("Freelancers are not eligible for the bonus.", "The bonus is for permanent staff only."),
        ("The bridge was never rebuilt.", "The bridge has been a ruin since the flood of 1953."),
        ("You can't park there at night.", "Parking is allowed there from 8 to 20."),
    ],
)
def test_a_denial_that_shares_little_with_what_is_said_may_follow_from_it(claim: str, said: str) -> None:
    assert against(claim, said) is None


@pytest.mark.parametrize(
    ("claim", "said", "reason"),
    [
        ("Of all young players 8 may enter the hall.", "They let three of the young players enter.", "says three, not 8"),
        (
            "He came fourth in the Paris race of 2019.",
            "In the Paris race of 2019 it was second place.",
            "says second, not fourth",
        ),
        (
            "The doors of the old gate close on Friday.",
            "Monday is when the old gate has its doors shut.",
            "says Monday, not Friday",
        ),
        ("Of all young players 8 may enter the hall.", "They let three of the young players enter, and 5 guests.", None),
        ("Of 20 young players 8 may enter.", "They let three of the young players enter.", None),
        ("Of 20 young players 8 may enter.", "They let three of the 20 young players enter.", "says three, not 8"),
        ("Of all young players 3 may enter.", "They let three of the young players enter.", None),
        ("About 1,200 young people came to see the hall.", "They counted 1,187 young people who came to see it.", None),
        ("The new hall opened its doors in May.", "On 3 May the new hall had its doors open.", None),
        ("The new tunnel to the hall is 5 km long.", "They dug a new tunnel to the hall for 7 years.", None),
        ("Sales of the vaccine fell to 5 euros.", "Sales of the vaccine fell in 19 countries.", None),
    ],
)
def test_one_quantity_in_the_place_of_another(claim: str, said: str, reason: str | None) -> None:
    assert against(claim, said) == reason
