"""Evaluations: how the parts of COMP6 may be named."""

import pytest
from pydantic import ValidationError

from mlipkd.config.dataset import AseFile, Comp6
from mlipkd.config.evaluation import Comp6Evaluation


def test_a_path_a_list_of_paths_or_a_source() -> None:
    suites = Comp6Evaluation.model_validate(
        {
            "suites": {
                "one": "a.h5",
                "several": ["a.h5", "b.hdf5"],
                "other": {"reader": "ase", "files": ["c.xyz"], "forces_key": None},
            }
        }
    ).suites
    assert suites["one"] == Comp6(reader="comp6", files=["a.h5"])
    assert suites["several"] == Comp6(reader="comp6", files=["a.h5", "b.hdf5"])
    assert suites["other"] == AseFile(reader="ase", files=["c.xyz"], forces_key=None)
    again = Comp6Evaluation.model_validate(Comp6Evaluation(suites=suites).model_dump(mode="json"))
    assert again.suites == suites


@pytest.mark.parametrize("suite", ["a.xyz", ["a.h5", "b.xyz"]])
def test_another_format_needs_a_source(suite) -> None:
    with pytest.raises(ValidationError, match="give a section with reader: ase"):
        Comp6Evaluation.model_validate({"suites": {"one": suite}})
