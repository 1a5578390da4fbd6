"""Rows of two runs meet by case, and cases that belong together are found."""

import numpy as np
import pytest

from evals.analysis.pairing import case_means, clusters, missing_share, pair, sides
from evals.scores import ScoreTable
from rag.errors import GroundwireError
from tests.evals.analysis.tables import cases, metric, table


def test_rows_meet_by_case_whatever_their_order() -> None:
    a = table({"f1": [0.0, 0.1, 0.2]})
    b = table({"f1": [0.2, 0.0, 0.1]}, ids=["c2", "c0", "c1"])
    pairing = pair(a, b, cases(3))
    assert [case.id for case in pairing.cases] == ["c0", "c1", "c2"]
    of_a, of_b = sides(metric("f1"), a, b, pairing)[1:]
    assert (of_a.values == of_b.values).all()
    assert pairing.problems == ()


def test_a_case_of_one_side_is_told() -> None:
    pairing = pair(table({"f1": [0, 0]}), table({"f1": [0] * 6}), cases(6))
    assert len(pairing.cases) == 2
    assert pairing.problems == ("4 cases asked of B only and left out: c2, c3, c4, ...",)


def test_a_case_that_was_not_asked_is_of_the_other_side_only() -> None:
    whole = table({"f1": [0, 0]})
    cut = ScoreTable(whole.case_ids, whole.columns, np.array([["a:c0:0"], [""]]), np.array([[""], [""]]))
    assert pair(whole, cut, cases(2)).problems == ("1 case asked of A only and left out: c1",)


def test_a_case_twice_is_refused() -> None:
    with pytest.raises(GroundwireError, match=r"run B has 1 case twice \(c0\)"):
        pair(table({"f1": [0]}), table({"f1": [0, 1]}, ids=["c0", "c0"]), cases(1))


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(GroundwireError, match=r"run A has 1 case that the cases do not \(c1\)"):
        pair(table({"f1": [0, 0]}), table({"f1": [0]}), cases(1))


def test_a_table_without_the_metric_is_one_to_which_it_does_not_apply() -> None:
    a, b = table({"f1": [[0, 1]]}), table({"f1": [[0, 1]], "recall": [[1, 1]]})
    pairing = pair(a, b, cases(1))
    recall = sides(metric("recall"), a, b, pairing)
    assert np.isnan(recall.a.values).all()
    assert recall.a.values.shape == (1, 2)
    assert missing_share(recall.a) == 0
    assert recall.applies
    assert not sides(metric("ndcg"), a, b, pairing).applies


def test_the_mean_of_a_case_is_of_the_repeats_that_have_a_value() -> None:
    means = case_means(np.array([[0.0, 1.0, np.nan], [np.nan] * 3]))
    assert means[0] == 0.5
    assert np.isnan(means[1])


def test_the_share_that_is_missing_leaves_out_what_does_not_apply() -> None:
    column = table({"f1": [1, 1, np.nan, 0]}, {"f1": [0, 0, 0, 1]}).columns["f1"]
    assert missing_share(column) == pytest.approx(1 / 3)


def test_cases_that_share_a_document_belong_together_also_through_others() -> None:
    gold = [("a",), ("a", "b"), ("b",), ("c",), (), ()]
    labels = clusters(list(cases(6, gold_ids=gold).values()), "document")
    assert labels is not None
    assert len({labels[0], labels[1], labels[2]}) == 1
    assert len(set(labels)) == 4


def test_cases_of_one_tag_belong_together_and_those_without_stand_alone() -> None:
    tagged = cases(5, tags=[{"author": "x"}, {"author": "x"}, {"author": "y"}, {}, {"topic": "x"}])
    labels = clusters(list(tagged.values()), "author")
    assert labels is not None
    assert labels[0] == labels[1]
    assert len(set(labels)) == 4


def test_an_unknown_tag_is_told_with_those_there_are() -> None:
    with pytest.raises(GroundwireError, match="no case has the tag autor: cluster by document, author, topic"):
        clusters(list(cases(1, tags=[{"topic": "x", "author": "y"}]).values()), "autor")


def test_nothing_is_clustered_unasked() -> None:
    assert clusters(list(cases(2).values()), None) is None
