"""How far radial distribution functions are apart: by hand, from four bins."""

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import Row
from mlipkd.evaluation.structure import evaluate_structure


def curve(family: str, seed: int, *values: float, width: float = 0.5) -> list[Row]:
    points = ((width * (number + 0.5), g) for number, g in enumerate(values))
    return [Row("al", family, "m", seed, f"g{r:.3f}", g, "1") for r, g in points]


def test_distance_from_the_teachers_mean() -> None:
    teachers = [*curve("teachers", 0, 0, 2, 1, 1), *curve("teachers", 1, 0, 4, 1, 1)]
    found = evaluate_structure(curve("students", 5, 0, 2, 2, 0.5), teachers)
    values = {row.metric: (row.value, row.unit) for row in found}
    assert values["tae"] == (pytest.approx((1 + 1 + 0.5) * 0.5), "Å")
    assert values["peak"] == (0.75, "Å")
    assert values["tail"] == (pytest.approx((1 + 0.5) / 2), "1")


def test_a_teacher_is_measured_by_the_others() -> None:
    teachers = [*curve("teachers", 0, 0, 2, 1, 1), *curve("teachers", 1, 0, 4, 1, 1)]
    found = evaluate_structure(teachers, teachers)
    assert [row.value for row in found if row.metric == "tae"] == [1.0, 1.0]


def test_a_single_teacher_has_none_to_be_measured_by() -> None:
    teacher = curve("teachers", 0, 0, 2, 1, 1)
    assert "tae" not in {row.metric for row in evaluate_structure(teacher, teacher)}


def test_another_run_of_the_same_member_is_compared() -> None:
    once, again = curve("teachers", 0, 0, 2, 1, 1), curve("teachers", 0, 0, 3, 1, 1)
    (tae,) = (row.value for row in evaluate_structure(once, again) if row.metric == "tae")
    assert tae == 0.5


@pytest.mark.parametrize(
    ("values", "width", "bins"),
    [((0, 2, 2, 1), 1.0, "4 bins from 0.5 to 3.5 Å"), ((0, 2, 1), 0.5, "3 bins from 0.25 to 1.25")],
)
def test_other_bins_are_refused(values, width, bins) -> None:
    teachers = curve("teachers", 0, 0, 2, 1, 1)
    with pytest.raises(InputError, match=f"has 4 bins from 0.25 to 1.75 Å, but .* has {bins}"):
        evaluate_structure(curve("students", 0, *values, width=width), teachers)
