"""The grammar of paths: what it writes, and that it reads the same back."""

import pytest

from mlipkd import paths
from mlipkd.paths import DatasetPaths, EnsemblePaths, MemberPaths, ModelPaths, SimulationPaths

DATASET = DatasetPaths("water")
MODEL = ModelPaths("water", "teachers", "n1-l0-a1-w4-s2")
MEMBER = MODEL.member(3)
SIMULATION = SimulationPaths("hot")


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (paths.download("a.h5"), "downloads/a.h5"),
        (paths.table("errors"), "results/tables/errors.csv"),
        (paths.log("tables/errors"), "logs/tables/errors.log"),
        (paths.benchmark("report"), "logs/report.benchmark.tsv"),
        (SIMULATION.settings, "results/simulations/hot/settings.yaml"),
        (SIMULATION.topology, "results/simulations/hot/topology.tpr"),
        (SIMULATION.trajectory, "results/simulations/hot/trajectory.trr"),
        (DATASET.data, "results/water/dataset.h5"),
        (DATASET.size, "results/water/size.json"),
        (DATASET.settings, "results/water/settings.yaml"),
        (DATASET.settings_of("own.bulk"), "results/water/own.bulk.settings.yaml"),
        (DATASET.rows("cost"), "results/water/cost.csv"),
        (DATASET.figure("errors"), "results/figures/water/errors.svg"),
        (DATASET.recommended, "results/recommended/water"),
        (MODEL.data, "results/water/teachers/n1-l0-a1-w4-s2/augmented.h5"),
        (MODEL.manifest, "results/water/teachers/n1-l0-a1-w4-s2/manifest.json"),
        (MODEL.log("errors"), "logs/water/teachers/n1-l0-a1-w4-s2/errors.log"),
        (MODEL.rule("train"), "train_water_teachers_n1-l0-a1-w4-s2"),
        (
            MODEL.ensemble.frames("replicas"),
            "results/water/teachers/n1-l0-a1-w4-s2/ensemble/replicas.h5",
        ),
        (MEMBER.weights, "results/water/teachers/n1-l0-a1-w4-s2/seed3/model.safetensors"),
        (MEMBER.history, "results/water/teachers/n1-l0-a1-w4-s2/seed3/history.jsonl"),
        (MEMBER.predictions, "results/water/teachers/n1-l0-a1-w4-s2/seed3/predictions.h5"),
        (MEMBER.data, "results/water/teachers/n1-l0-a1-w4-s2/seed3/augmented.h5"),
        (MEMBER.benchmark("train"), "logs/water/teachers/n1-l0-a1-w4-s2/seed3/train.benchmark.tsv"),
    ],
)
def test_names_give_a_path(path, written):
    assert path == written


def test_names_left_out_are_wildcards():
    assert (
        MemberPaths().weights == "results/{dataset}/{family}/{model}/seed{seed}/model.safetensors"
    )
    assert ModelPaths().rows("own.{evaluation}") == (
        "results/{dataset}/{family}/{model}/own.{evaluation}.csv"
    )
    assert DatasetPaths().figure() == "results/figures/{dataset}/{figure}.svg"
    assert SimulationPaths().log("simulation") == "logs/simulations/{simulation}/simulation.log"
    assert (paths.download(), paths.table()) == (
        "downloads/{download}",
        "results/tables/{table}.csv",
    )


@pytest.mark.parametrize("about", [SIMULATION, DATASET, MODEL, MODEL.ensemble, MEMBER])
def test_a_path_is_read_back(about):
    assert paths.read(about.settings) == about
    assert paths.read(about.log("any")) == about
    assert type(paths.read(about.benchmark("any"))) is type(about)


def test_paths_of_a_whole_campaign_are_about_none_of_these():
    for path in (
        paths.SUMMARY,
        paths.REPORT,
        paths.table("errors"),
        DATASET.figure("errors"),
        f"{DATASET.recommended}/smallest.safetensors",
        paths.log("downloads/a.h5"),
        "logs/slurm/train/17.log",
        "logs/slurm-check/any/any/host.log",
    ):
        assert paths.read(path) is None
    # Only in logs/ are these of others.
    assert paths.read("results/downloads/dataset.h5") == DatasetPaths("downloads")
    with pytest.raises(ValueError, match="expected a path below results/ or logs/, got runs/a"):
        paths.read("runs/a")


def test_an_ensemble_is_no_member():
    assert paths.read(MODEL.ensemble.rows("replicas")) == EnsemblePaths(
        "water", "teachers", "n1-l0-a1-w4-s2"
    )
    assert paths.read("results/water/teachers/n1/seedling/any.csv") is None


def test_wildcards_of_a_job_name_a_member():
    class Wildcards:
        dataset, family, model, seed = "water", "teachers", "n1-l0-a1-w4-s2", "3"

    assert MemberPaths.of(Wildcards) == MEMBER
    assert ModelPaths.of(Wildcards) == MODEL
    assert DatasetPaths.of(Wildcards) == DATASET


@pytest.mark.parametrize(
    ("log", "rule"),
    [
        (MEMBER.log("train"), "train"),
        (MEMBER.benchmark("train"), "train"),
        (MODEL.log("own.bulk"), "own"),
        (paths.log("summary"), "summary"),
        (paths.log("tables/errors"), "collect"),
        (paths.log("figures/water/errors"), "figure"),
        (paths.log("downloads/train.h5"), "fetch"),
    ],
)
def test_a_log_names_its_rule(log, rule):
    assert paths.rule_of(log) == rule


def test_a_log_names_its_benchmark():
    assert paths.benchmark_of(MEMBER.log("train")) == MEMBER.benchmark("train")
    assert paths.benchmark_of(MODEL.log("own.bulk")) == MODEL.benchmark("own.bulk")


def test_logs_of_clusters_are_told_from_those_of_jobs():
    assert paths.is_of_cluster("logs/slurm/train/17.log")
    assert paths.is_of_cluster("logs/slurm-check/any/any/host.log")
    assert not paths.is_of_cluster(MEMBER.log("train"))
