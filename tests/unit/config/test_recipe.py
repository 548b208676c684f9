"""Schedules and the rules of a recipe."""

import pytest
from pydantic import ValidationError

from mlipkd.config.recipe import BatchSize, LossTerm, Recipe


def term(weight, quantity="forces", labels="teacher") -> LossTerm:
    return LossTerm(quantity=quantity, labels=labels, weight=weight)


def test_schedule_holds_from_each_epoch_on():
    scheduled = term({1: 10, 20: 9, 40: 0.5})
    epochs = [1, 2, 19, 20, 39, 40, 1000]
    assert [scheduled.weight_at(epoch) for epoch in epochs] == [10, 10, 10, 9, 9, 0.5, 0.5]
    assert scheduled.final_weight == 0.5


def test_schedule_may_be_written_in_any_order():
    assert term({40: 0.5, 1: 10, 20: 9}).final_weight == 0.5
    assert term({40: 0.5, 1: 10, 20: 9}).weight_at(25) == 9


def test_weight_holds_always():
    assert [term(3).weight_at(epoch) for epoch in (1, 1000)] == [3, 3]
    assert term(3).final_weight == 3


@pytest.mark.parametrize("weight", [{2: 1}, {0: 1, 1: 1}, {1: -1}, -1, float("nan"), {}])
def test_refuses_weight(weight):
    with pytest.raises(ValidationError):
        term(weight)


@pytest.mark.parametrize("sizes", [{}, {"configurations": 1, "pairs": 1}, {"pairs": 0}])
def test_refuses_batch(sizes):
    with pytest.raises(ValidationError):
        BatchSize(**sizes)


def test_refuses_a_term_twice():
    with pytest.raises(ValidationError, match="expected each term once"):
        Recipe(loss=[term(1), term(2)], batch=BatchSize(pairs=1))


def test_refuses_a_loss_that_ends_at_nothing():
    terms = [term({1: 1, 5: 0}, "energy"), term(0)]
    with pytest.raises(ValidationError, match="final weights are not all 0"):
        Recipe(loss=terms, batch=BatchSize(pairs=1))
    assert Recipe(loss=[*terms, term({1: 0, 5: 1}, "stress")], batch=BatchSize(pairs=1))


def test_knows_whether_it_needs_a_teacher():
    reference = term(1, labels="reference")
    assert not Recipe(loss=[reference], batch=BatchSize(pairs=1)).needs_teacher
    assert Recipe(loss=[reference, term(1)], batch=BatchSize(pairs=1)).needs_teacher


def test_products_name_their_probes_and_nothing_else_does():
    named = {"labels": "teacher", "weight": 1, "probes": {"kind": "one_hot"}}
    assert LossTerm(quantity="hvp", **named).probes.fresh
    with pytest.raises(ValidationError, match="add probes"):
        term(1, "hvp")
    with pytest.raises(ValidationError, match="expected probes with hvp alone, got hessian"):
        LossTerm(quantity="hessian", **named)
    with pytest.raises(ValidationError, match="kind"):
        LossTerm(quantity="hvp", labels="teacher", weight=1, probes={"kind": "uniform"})
    with pytest.raises(ValidationError, match="expected trust with quantities"):
        LossTerm(quantity="hvp", trust={}, **named)


def test_knows_whether_it_needs_a_teachers_hessians():
    for labels, wanted in (("reference", False), ("teacher", True)):
        terms = [term(1), term(1, "hessian", labels)]
        assert Recipe(loss=terms, batch=BatchSize(pairs=1)).needs_teachers_hessians is wanted
    assert not Recipe(loss=[term(1)], batch=BatchSize(pairs=1)).needs_teachers_hessians
