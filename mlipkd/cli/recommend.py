"""``mlipkd recommend``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def recommend(
    models: Annotated[list[Path], Argument(help="Model files of teachers and candidates.")],
    settings: Annotated[Path, Option(help="Settings with the section recommended, YAML.")],
    cost: Annotated[Path, Option(help="Rows of the cost of all models, CSV.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    folder: Annotated[Path, Option(help="Folder to copy the recommended model files into.")],
) -> None:
    """Find the smallest, fastest and leanest student that is about as good as its teacher.

    Example: mlipkd recommend --settings recommended.yaml --cost cost.csv --output recommended.csv
    --folder recommended teachers/seed0/model.safetensors students/seed0/model.safetensors
    """
    from mlipkd.config.evaluation import Recommendation
    from mlipkd.config.settings import read_evaluation
    from mlipkd.evaluation.ensembles import source_of
    from mlipkd.evaluation.rows import read_rows, write_rows
    from mlipkd.hipnn.file import load_potential
    from mlipkd.results.recommend import recommend

    section = read_evaluation(settings, Recommendation)
    costs, source = read_rows(cost)
    potentials = {path: load_potential(path) for path in models}
    rows, notes = recommend(section, potentials, costs, folder)
    sources = [source, *(source_of(path, one) for path, one in potentials.items())]
    write_rows(output, rows, sources, notes)
