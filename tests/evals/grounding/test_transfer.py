"""A threshold that carries over, and one that does not until a set has labels of its own."""

import pytest

from evals.grounding.transfer import transfer
from tests.evals.grounding.scored import Scored, labelled


def test_a_set_unlike_the_others_loses_until_it_is_labelled() -> None:
    sets = [
        labelled(400, 0, name="wice_oracle_claim_dev", slope=30),
        labelled(400, 1, name="summedits_news", slope=30),
        labelled(400, 2, name="begin_wow", slope=30),
        labelled(400, 3, name="halueval_qa_small", slope=30, middle=0.8),
    ]
    like, also, _, unlike = transfer(sets, Scored())
    assert (like.set, like.responses) == ("wice_oracle_claim_dev", 400)
    assert also.lost < 0.1 < unlike.lost
    assert unlike.best > 0.9
    assert unlike.lost_after is not None
    assert unlike.lost_after < 0.03
    assert unlike.error < 0.05


def test_sets_of_a_family_do_not_calibrate_each_other() -> None:
    sets = [
        labelled(300, 0, name="wice_oracle_claim_dev", slope=30),
        labelled(300, 1, name="begin_wow", slope=30, middle=0.8),
        labelled(300, 2, name="faithdial_audit", slope=30, middle=0.8),
    ]
    _, wow, faithdial = transfer(sets, Scored())
    assert min(wow.lost, faithdial.lost) > 0.1


def test_a_small_set_has_no_figures_after_labels() -> None:
    sets = [labelled(100, 0, name="wice_oracle_claim_dev"), labelled(100, 1, name="begin_tc")]
    found = transfer(sets, Scored())[1]
    assert (found.lost_after, found.error_after) == (None, None)
    assert found.best == pytest.approx(0.77, abs=0.1)


def test_what_the_best_threshold_owes_to_chance_shrinks_with_the_rows() -> None:
    few, many = transfer([labelled(100, 0, name="wice_oracle_claim_dev"), labelled(3000, 1, name="begin_tc")], Scored())
    assert few.chance > 2 * many.chance > 0
