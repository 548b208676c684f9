"""Architectures and grids of them."""

import pytest
from pydantic import ValidationError

from mlipkd.config.model import Architecture, ModelGrid

SHAPE = {
    "n_interactions": 1,
    "l_max": 2,
    "atom_layers": 3,
    "width": 8,
    "sensitivities": 20,
    "soft_min": 0.75,
    "soft_max": 5.5,
    "hard_max": 6.5,
}


def test_name_tells_what_differs():
    assert Architecture(**SHAPE).name == "n1-l2-a3-w8-s20"


def test_grid_is_every_combination_in_the_order_written():
    grid = ModelGrid(**SHAPE | {"n_interactions": [2, 1], "width": [4, 8]})
    names = [shape.name for shape in grid.architectures()]
    assert names == ["n2-l2-a3-w4-s20", "n2-l2-a3-w8-s20", "n1-l2-a3-w4-s20", "n1-l2-a3-w8-s20"]


def test_left_out_is_taken_from_below():
    grid = ModelGrid(width=[1, 2]).over(ModelGrid(width=8, l_max=0))
    assert (grid.width, grid.l_max) == ([1, 2], 0)
    assert "soft_min" in grid.missing()
    assert "l_max" not in grid.missing()


@pytest.mark.parametrize(
    "change",
    [{"soft_min": 6}, {"hard_max": 5}, {"l_max": 3}, {"width": 0}, {"hard_max": 1e9}, {"depth": 1}],
)
def test_refuses(change):
    with pytest.raises(ValidationError):
        Architecture(**SHAPE | change)


def test_a_repulsion_is_taken_over_and_a_shape_without_one_is_written_as_before():
    teacher = ModelGrid(**SHAPE, repulsion={"temperature": 300})
    (student,) = ModelGrid(width=4).over(teacher).architectures()
    assert student.repulsion.temperature == 300
    assert Architecture(**student.model_dump()) == student
    assert not ModelGrid(**SHAPE).missing()
    assert Architecture(**SHAPE).model_dump() == SHAPE
    with pytest.raises(ValidationError):
        Architecture(**SHAPE, repulsion={"temperature": 0})
