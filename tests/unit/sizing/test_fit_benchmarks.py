"""Benchmarks of a campaign, by the files that it leaves behind."""

import pytest
import yaml

from mlipkd.cli.cluster import fit_sizing
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts
from mlipkd.paths import ModelPaths
from mlipkd.sizing import work
from mlipkd.sizing.fit import read_benchmarks
from tests.unit.sizing.conftest import METAL, MODEL, job, members, settings

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


def measured(folder, name, lasted=10.0, cpu="8.00", memory="300.00"):
    """Write what Snakemake measured of a job."""
    path = folder / "logs" / f"{name}.benchmark.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"{HEAD}{lasted}\t0:00:10\t310.00\t900.00\t200.00\t{memory}\t0.00\t0.00\t80.00\t{cpu}\n"
    )


def test_work_is_what_the_files_say(campaign, size):
    made = {
        "source": {"reader": "ase", "files": [str(campaign / "metal.xyz")]},
        "split": {"test": 0.3},
    }
    member = settings(epochs=10)
    expected = {
        "metal/dataset": work.dataset(job(size, about=METAL, **made)),
        f"{MEMBER}/train": work.train(job(size, member, about=MODEL.member(0), epochs=7)),
        f"{MEMBER}/predict": work.predict(job(size, member, about=MODEL.member(0))),
        "metal/teachers/m/errors": work.errors(job(size, member, **made)),
    }
    for name, had_to_do in expected.items():
        measured(campaign, name)
        (benchmark,) = read_benchmarks(campaign)
        assert benchmark == ("campaign", had_to_do, 8.0, 300.0), name
        (campaign / "logs" / f"{name}.benchmark.tsv").unlink()


def test_hessians_count(campaign, size):
    files = {kind: ["metal.xyz"] for kind in ("rtp", "far")}
    made = {"source": {"reader": "openreact", "files": files}, "split": {"test": 0.3}}
    (campaign / "results/metal/settings.yaml").write_text(yaml.safe_dump({"name": "metal", **made}))
    student = settings(seed=1, curvature="hessian", labels="teacher")
    folder = campaign / "results/metal/students/m/seed1"
    folder.mkdir(parents=True)
    (folder / "settings.yaml").write_text(student.to_yaml())
    emt = ModelPaths("metal", "emt", "calculator")
    expected = {
        f"{MEMBER}/predict": work.predict(job(size, settings(), student, about=MODEL.member(0))),
        "metal/teachers/m/errors": work.errors(job(size, settings(), **made)),
        "metal/emt/calculator/seed0/predict": work.predict(job(size, student, about=emt.member(0))),
        "metal/emt/calculator/errors": work.errors(job(size, about=emt, **made)),
    }
    for name, had_to_do in expected.items():
        measured(campaign, name)
        (benchmark,) = read_benchmarks(campaign)
        assert benchmark.work == had_to_do, name
        (campaign / "logs" / f"{name}.benchmark.tsv").unlink()
    measured(campaign, "metal/dataset")
    (benchmark,) = read_benchmarks(campaign)
    assert benchmark.work.seconds["file"] == 3.0


def test_calculators_are_told_from_models(campaign, size):
    measured(campaign, "metal/emt/calculator/seed0/predict")
    measured(campaign, "metal/emt/calculator/errors")
    compared, labelled = (benchmark.work for benchmark in read_benchmarks(campaign))
    assert compared.kind == labelled.kind == "calculation"
    assert compared.seconds["calls"] == pytest.approx(0.3 * size.atoms)
    assert labelled.seconds["calls"] == size.atoms


def test_the_time_after_the_last_look_counts(campaign):
    """Of 60 s Snakemake saw the first 45.5."""
    measured(campaign, f"{MEMBER}/train", lasted=60.0, cpu="45.50")
    (benchmark,) = read_benchmarks(campaign)
    assert benchmark.seconds == pytest.approx(60)


def test_seeds_that_trained_together_are_one_job(campaign, size):
    other = campaign / "results" / MEMBER.replace("seed0", "seed1")
    other.mkdir()
    (other / "settings.yaml").write_text(settings(seed=1).to_yaml())
    artefacts.write_text(other / "history.jsonl", '{"epoch": 1}\n' * 9)
    measured(campaign, "metal/teachers/m/train")
    (benchmark,) = read_benchmarks(campaign)
    assert benchmark.work == work.train(job(size, *members(2), epochs=9))


def test_what_did_not_run_through_is_left_out(campaign, size):
    section = {"liquid": {"temperature": 1000, "density": 2}}
    (campaign / "results/metal/liquid.settings.yaml").write_text(yaml.safe_dump(section))
    measured(campaign, f"{MEMBER}/liquid")
    rows = campaign / "results" / MEMBER / "liquid.csv"
    head = "dataset,family,model,seed,metric,value,unit\nmetal,teachers,m,0,failed,"
    rows.write_text(f"{head}0.0,\n")
    (benchmark,) = read_benchmarks(campaign)
    assert benchmark.work == work.liquid(job(size, settings(), about=MODEL.member(0), **section))
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


def test_kinds_that_the_workflow_needs_are_missed(campaign, tmp_path):
    measured(campaign, f"{MEMBER}/predict")
    with pytest.raises(InputError, match="expected benchmarks of"):
        fit_sizing([campaign], tmp_path / "sizing.yaml")
    assert not (tmp_path / "sizing.yaml").exists()
