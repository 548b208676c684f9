"""The fit finds the costs that invented benchmarks were made with."""

import numpy as np
import pytest

from mlipkd.errors import InputError
from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.fit import Benchmark, fit_sizing, report
from mlipkd.sizing.work import Work

SECONDS = {"start": 5.0, "pairs": 2e-7, "atoms": 1e-6}
MEGABYTES = {"start": 300.0, "data": 1.5}
MERGING = [Benchmark("a", Work("merging", {"start": 1.0}, {"start": 1.0}), 2.0, 50.0)]


def invented(number=20, noise=0.0, campaign="a", kind="training") -> list[Benchmark]:
    rng = np.random.default_rng(number)
    found = []
    for _ in range(number):
        pairs, atoms, data = 10 ** rng.uniform((6, 3, 0), (10, 6, 4))
        seconds = {"start": 1.0, "pairs": pairs, "atoms": atoms}
        megabytes = {"start": 1.0, "data": data}
        took, used = (
            sum(amount * costs[name] for name, amount in work.items())
            * np.exp(rng.normal() * noise)
            for work, costs in ((seconds, SECONDS), (megabytes, MEGABYTES))
        )
        found.append(Benchmark(campaign, Work(kind, seconds, megabytes), took, used))
    return found


def test_finds_the_costs():
    kind = fit_sizing(invented()).kinds["training"]
    assert kind.benchmarks == 20
    assert kind.seconds.costs == pytest.approx(SECONDS, abs=1e-9)
    assert kind.megabytes.costs == pytest.approx(MEGABYTES)
    assert (kind.seconds.factor, kind.megabytes.factor) == (1.5, 1.5)


def test_no_benchmark_asked_for_more_than_it_would_get():
    found = invented(noise=0.7)
    sizing = fit_sizing(found)
    assert sizing.kinds["training"].seconds.factor > 1.5
    assert min(sizing.kinds["training"].seconds.costs.values()) >= 0
    for benchmark in found:
        assert benchmark.seconds <= 60 * sizing.minutes(benchmark.work)
        assert benchmark.megabytes <= sizing.memory(benchmark.work)


def test_arrays_take_their_bytes_even_where_benchmarks_do_not_show_it():
    found = [
        Benchmark("a", Work("merging", {"start": 1.0}, {"start": 1.0, "data": data}), 1.0, 300.0)
        for data in (0.01, 0.02)
    ]
    assert fit_sizing(found).kinds["merging"].megabytes.costs["data"] == 1.0


def test_units_take_time_even_where_benchmarks_do_not_show_it():
    found = [
        Benchmark("a", Work("merging", {"start": 1.0, "calls": n}, {"start": 1.0}), 2.0, 300.0)
        for n in (100.0, 200.0)
    ]
    assert fit_sizing(found).kinds["merging"].seconds.costs["calls"] == 2e-7


def test_kinds_are_fitted_apart():
    kinds = fit_sizing(invented() + MERGING).kinds
    assert kinds["merging"].seconds.costs == {"start": pytest.approx(2.0)}
    assert kinds["training"].seconds.costs["pairs"] == pytest.approx(2e-7)


def test_what_no_benchmark_shows_is_refused():
    blind = Benchmark("a", Work("training", {"start": 1, "pairs": 0}, {"start": 1}), 1.0, 1.0)
    with pytest.raises(
        InputError, match="training: expected benchmarks that show what pairs takes"
    ):
        fit_sizing([blind])


def test_least_and_attempts():
    sizing = fit_sizing(invented())
    little = Work("training", {"start": 0, "pairs": 0, "atoms": 0}, {"start": 0, "data": 0})
    assert (sizing.memory(little), sizing.minutes(little)) == (3250, 10)
    much = Work("training", {"start": 0, "pairs": 3e9, "atoms": 0}, {"start": 0, "data": 4000})
    assert sizing.minutes(much) == pytest.approx(1.5 * 3e9 * 2e-7 / 60, abs=1)
    too_much = Work("training", {"start": 0, "pairs": 1e13, "atoms": 0}, {"start": 0, "data": 0})
    assert sizing.minutes(too_much) == 24 * 60
    assert sizing.memory(much) == pytest.approx(3250 + 1.5 * 1.5 * 4000, abs=1)
    merging = Work("merging", {"start": 0}, {"start": 0})
    assert fit_sizing(MERGING).memory(merging) == 1000


def test_is_read_as_it_was_written(tmp_path):
    sizing = fit_sizing(invented(noise=0.3))
    (tmp_path / "sizing.yaml").write_text(sizing.to_yaml())
    assert Sizing.read(tmp_path / "sizing.yaml") == sizing


def test_report_leaves_each_campaign_out():
    """One campaign took twice what the other's costs say, and the report shows it."""
    slow = [
        Benchmark("slow", b.work, 2 * b.seconds, b.megabytes) for b in invented(5, campaign="slow")
    ]
    found = invented() + slow
    text = report(fit_sizing(found), found)
    (row,) = [line for line in text.splitlines() if line.startswith("| slow, training")]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[1:3] == ["5", "2.00, 2.00, 2.00"]
    assert cells[4] == "1.00, 1.00, 1.00"
    alone = invented()
    assert "left out" not in report(fit_sizing(alone), alone)
