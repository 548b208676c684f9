"""Evaluations: the measurements of members, ensembles and datasets, one file for each.

To add one, write a file that declares it (``errors.py`` shows how) and list it here; the test of
its numbers goes to tests/unit/evaluation. All else follows from the list.
"""

from typing import TYPE_CHECKING, Any

from pydantic import create_model

from mlipkd.config.section import Section
from mlipkd.evaluation.comp6 import COMP6
from mlipkd.evaluation.core.evaluation import Evaluation, Figure
from mlipkd.evaluation.cost.cost import COST
from mlipkd.evaluation.curvature import CURVATURE
from mlipkd.evaluation.deviations import DEVIATIONS
from mlipkd.evaluation.distributions import DISTRIBUTIONS
from mlipkd.evaluation.errors import ERRORS
from mlipkd.evaluation.learning import LEARNING
from mlipkd.evaluation.liquid import LIQUID
from mlipkd.evaluation.own import OWN
from mlipkd.evaluation.parity import PARITY
from mlipkd.evaluation.rdf import RDF, STRUCTURE
from mlipkd.evaluation.recommended import RECOMMENDED
from mlipkd.evaluation.replicas import REPLICAS
from mlipkd.evaluation.stability import STABILITY

#: By name, in the order in which summary and report show them.
EVALUATIONS: dict[str, Evaluation] = {
    evaluation.name: evaluation
    for evaluation in (
        RECOMMENDED,
        ERRORS,
        PARITY,
        LEARNING,
        COMP6,
        CURVATURE,
        COST,
        STABILITY,
        LIQUID,
        STRUCTURE,
        RDF,
        REPLICAS,
        DEVIATIONS,
        DISTRIBUTIONS,
        OWN,
    )
}
#: All figures, by name.
FIGURES: dict[str, Figure] = {
    figure.name: figure for evaluation in EVALUATIONS.values() for figure in evaluation.figures
}

if TYPE_CHECKING:

    class Evaluations(Section):
        """What is evaluated in addition to the errors on the test split."""

        def __getattr__(self, name: str) -> Any: ...
else:
    Evaluations = create_model(
        "Evaluations",
        __base__=Section,
        __module__=__name__,
        __doc__="Evaluations in addition to errors on the test split, which every campaign has.",
        **{
            evaluation.name: (evaluation.section, evaluation.default)
            if evaluation.default is not None
            else (evaluation.section | None, None)
            for evaluation in EVALUATIONS.values()
            if evaluation.section is not None
        },
    )
