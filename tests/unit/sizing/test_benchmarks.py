"""Benchmarks of a campaign, by the files that it leaves behind."""

import numpy as np
import pytest
import yaml

from mlipkd.campaign.settings import DatasetSettings
from mlipkd.cli.cluster import fit_sizing
from mlipkd.config.split import Split
from mlipkd.datasets import file as dataset_file
from mlipkd.errors import InputError
from mlipkd.evaluation.liquid import LiquidEvaluation
from mlipkd.jobs import artefacts
from mlipkd.readers.ase_file import AseFile
from mlipkd.sizing import dynamics, work
from mlipkd.sizing.benchmarks import read_benchmarks
from mlipkd.testing import dataset_of, random_molecule
from tests.unit.sizing.conftest import settings

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
MEMBER = "metal/teachers/m/seed0"


@pytest.fixture
def campaign(tmp_path, size):
    """A folder with one dataset of one member."""
    folder = tmp_path / "campaign"
    member = folder / "results" / MEMBER
    member.mkdir(parents=True)
    (member / "settings.yaml").write_text(settings(epochs=10).to_yaml())
    artefacts.write_text(member / "history.jsonl", '{"epoch": 1}\n' * 7)
    size.write(folder / "results/metal/size.json")
    source = {"reader": "ase", "files": ["metal.xyz"]}
    made = {"name": "metal", "source": source, "split": {"test": 0.3}}
    (folder / "results/metal/settings.yaml").write_text(yaml.safe_dump(made))
    (folder / "metal.xyz").write_bytes(bytes(1_500_000))
    return folder


@pytest.fixture
def predicted(campaign, tmp_path, write_predictions):
    """A function that writes what a member predicted of one molecule, with Hessians or without."""
    generator = np.random.default_rng(0)
    dataset_file.write(
        dataset_of([random_molecule(generator, 2)], energy=np.zeros(1)), tmp_path / "one.h5"
    )

    def write(place: str = MEMBER, hessians: bool = False) -> None:
        values = {"energy": np.zeros(1)} | ({"hessian": np.zeros((4, 3, 3))} if hessians else {})
        (campaign / "results" / place).mkdir(parents=True, exist_ok=True)
        name = f"campaign/results/{place}/predictions.h5"
        write_predictions(name, tmp_path / "one.h5", values, 0)

    return write


def measured(folder, job, lasted=10.0, cpu="8.00", memory="300.00"):
    """Write what Snakemake measured of a job."""
    path = folder / "logs" / f"{job}.benchmark.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"{HEAD}{lasted}\t0:00:10\t310.00\t900.00\t200.00\t{memory}\t0.00\t0.00\t80.00\t{cpu}\n"
    )


def test_work_is_what_the_files_say(campaign, size, predicted):
    predicted()
    shape = settings().architecture
    expected = {
        "metal/dataset": work.dataset(AseFile(reader="ase", files=["metal.xyz"]), 1_500_000),
        f"{MEMBER}/train": work.train(size, [settings()], epochs=7),
        f"{MEMBER}/predict": work.predict(size, shape),
        f"{MEMBER}/merge": work.merge(size, 1),
        "metal/teachers/m/errors": work.errors(size, Split(test=0.3), shape, 1),
        "metal/teachers/m/merge": work.merge(size, 1),
    }
    for job, wanted in expected.items():
        measured(campaign, job)
        (found,) = read_benchmarks(campaign)
        assert found.work == wanted, job
        assert (found.campaign, found.seconds, found.megabytes) == ("campaign", 8.0, 300.0)
        (campaign / "logs" / f"{job}.benchmark.tsv").unlink()


def test_hessians_count(campaign, size, predicted):
    source = {"reader": "openreact", "files": {"rtp": ["metal.xyz"], "far": ["metal.xyz"]}}
    made = {"name": "metal", "source": source, "split": {"test": 0.3}}
    (campaign / "results/metal/settings.yaml").write_text(yaml.safe_dump(made))
    predicted(hessians=True)
    predicted("metal/emt/calculator/seed0", hessians=True)
    shape, each = settings().architecture, size.atoms / size.configurations
    expected = {
        "metal/dataset": work.dataset(DatasetSettings(**made).source, 3_000_000),
        f"{MEMBER}/predict": work.predict(size, shape, hessians=True),
        "metal/teachers/m/errors": work.errors(size, Split(test=0.3), shape, 1, hessians=True),
        "metal/emt/calculator/seed0/predict": work.calculate(size.atoms, each),
        "metal/emt/calculator/errors": work.calculate(0.3 * size.atoms, each),
    }
    for job, wanted in expected.items():
        measured(campaign, job)
        (found,) = read_benchmarks(campaign)
        assert found.work == wanted, job
        (campaign / "logs" / f"{job}.benchmark.tsv").unlink()


def test_calculators_are_told_from_models(campaign, size, predicted):
    predicted("metal/emt/calculator/seed0")
    measured(campaign, "metal/emt/calculator/seed0/predict")
    measured(campaign, "metal/emt/calculator/errors")
    found = [b.work for b in read_benchmarks(campaign)]
    assert found == [work.calculate(0.3 * size.atoms), work.calculate(size.atoms)]


def test_the_time_after_the_last_look_counts(campaign):
    """Of 60 s Snakemake saw the first 45.5."""
    measured(campaign, f"{MEMBER}/train", lasted=60.0, cpu="45.50")
    (found,) = read_benchmarks(campaign)
    assert found.seconds == pytest.approx(60)


def test_seeds_that_trained_together_are_one_job(campaign, size):
    other = campaign / "results" / MEMBER.replace("seed0", "seed1")
    other.mkdir()
    (other / "settings.yaml").write_text(settings(seed=1).to_yaml())
    artefacts.write_text(other / "history.jsonl", '{"epoch": 1}\n' * 9)
    measured(campaign, "metal/teachers/m/train")
    (found,) = read_benchmarks(campaign)
    assert found.work == work.train(size, [settings(seed=seed) for seed in (0, 1)], epochs=9)


def test_what_did_not_run_through_is_left_out(campaign, size):
    liquid = LiquidEvaluation(temperature=1000, density=2)
    section = {"liquid": liquid.model_dump(mode="json")}
    (campaign / "results/metal/liquid.settings.yaml").write_text(yaml.safe_dump(section))
    measured(campaign, f"{MEMBER}/liquid")
    rows = campaign / "results" / MEMBER / "liquid.csv"
    head = "dataset,family,model,seed,metric,value,unit\nmetal,teachers,m,0,failed,"
    rows.write_text(f"{head}0.0,\n")
    (found,) = read_benchmarks(campaign)
    assert found.work == dynamics.liquid(size, liquid, settings().architecture)
    rows.write_text(f"{head}1.0,\n")
    with pytest.raises(InputError, match="found none below"):
        read_benchmarks(campaign)
    measured(campaign, f"{MEMBER}/train")
    assert len(read_benchmarks(campaign)) == 1  # which has nothing to do with the liquid
    (campaign / "logs" / MEMBER / "train.log").write_text("resuming after epoch 3\n")
    measured(campaign, f"{MEMBER}/predict", memory="NA", cpu="NA")
    measured(campaign, "tables/errors")
    with pytest.raises(InputError, match="found none below"):
        read_benchmarks(campaign)


def test_what_is_missing_is_named(campaign):
    measured(campaign, f"{MEMBER}/predict")
    (campaign / "results/metal/size.json").unlink()
    with pytest.raises(InputError, match=r"predict\.benchmark\.tsv: expected .*size\.json"):
        read_benchmarks(campaign)


def test_kinds_that_the_workflow_needs_are_missed(campaign, tmp_path, predicted):
    predicted()
    measured(campaign, f"{MEMBER}/predict")
    with pytest.raises(InputError, match="expected benchmarks of"):
        fit_sizing([campaign], tmp_path / "sizing.yaml")
    assert not (tmp_path / "sizing.yaml").exists()
