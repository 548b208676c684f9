"""A campaign runs to its end, with the commands that the verbs of mlipkd understand."""

import re
import shutil
from pathlib import Path

import typer
import yaml

from mlipkd.cli.main import app

ROOT = Path(__file__).parents[2]
MODEL = "n1-l0-a1-w4-s2"


def test_runs_to_the_end_once(workspace):
    planned = workspace.planned("--cores", "2")
    done = workspace.snakemake("--profile", str(ROOT / "workflow/profiles/local"))
    assert done.returncode == 0, done.stderr
    made = {str(p.relative_to(workspace.folder / "results")) for p in _files(workspace, "results")}
    assert planned <= made
    assert {"summary.md", "tables/errors.csv", "tables/comp6.csv", "tables/cost.csv"} <= made
    assert len(workspace.commands) == len(planned)
    assert workspace.planned() == set()

    settings = workspace.folder / f"results/metal/students/{MODEL}/seed1/settings.yaml"
    assert yaml.safe_load(settings.read_text())["seed"] == 1
    logs = {str(p.relative_to(workspace.folder / "logs")) for p in _files(workspace, "logs")}
    assert {
        "metal/dataset.log",
        f"metal/students/{MODEL}/seed1/train.log",
        f"metal/students/{MODEL}/seed1/train.benchmark.tsv",
        "tables/errors.log",
    } <= logs


def test_commands(workspace):
    assert workspace.snakemake("--cores", "2", "--set-threads", "train=1").returncode == 0
    teachers = f"results/water/teachers/{MODEL}"
    students = f"results/water/students/{MODEL}"
    assert {
        "dataset --settings results/water/settings.yaml --output results/water/dataset.h5"
        " --size results/water/size.json",
        f"train --settings {teachers}/seed1/settings.yaml --dataset results/water/dataset.h5"
        f" --output {teachers}/seed1/model.safetensors --history {teachers}/seed1/history.jsonl"
        " --threads 1 --device auto",
        f"predict --model {teachers}/seed1/model.safetensors --dataset results/water/dataset.h5"
        f" --output {teachers}/seed1/predictions.h5 --threads 2 --device auto",
        f"merge --dataset results/water/dataset.h5 --output {teachers}/augmented.h5"
        f" --manifest {teachers}/manifest.json"
        f" {teachers}/seed0/predictions.h5 {teachers}/seed1/predictions.h5",
        f"train --settings {students}/seed0/settings.yaml --dataset {teachers}/augmented.h5"
        f" --output {students}/seed0/model.safetensors --history {students}/seed0/history.jsonl"
        " --threads 1 --device auto",
        f"evaluate errors --dataset results/water/dataset.h5 --output {students}/errors.csv"
        " --threads 2 --device auto"
        f" {students}/seed0/model.safetensors {students}/seed1/model.safetensors",
        "evaluate comp6 --settings results/water/comp6.settings.yaml"
        f" --output {students}/comp6.csv --threads 2 --device auto"
        f" {students}/seed0/model.safetensors {students}/seed1/model.safetensors",
        "evaluate cost --settings results/metal/cost.settings.yaml"
        " --dataset results/metal/dataset.h5 --output results/metal/cost.csv"
        " --threads 2 --device auto"
        f" results/metal/teachers/{MODEL}/seed0/model.safetensors"
        f" results/metal/students/{MODEL}/seed0/model.safetensors"
        " results/metal/students/n1-l0-a1-w8-s2/seed0/model.safetensors"
        f" results/metal/controls/{MODEL}/seed0/model.safetensors"
        " results/metal/controls/n1-l0-a1-w8-s2/seed0/model.safetensors",
        "collect --output results/tables/cost.csv results/metal/cost.csv",
        f"summary --output results/summary.md --manifest {teachers}/manifest.json"
        f" --manifest {students}/manifest.json"
        f" --manifest results/metal/teachers/{MODEL}/manifest.json"
        " results/tables/errors.csv results/tables/comp6.csv results/tables/cost.csv",
    } <= set(workspace.commands)
    minutes = re.findall(r"--runtime (\d+)", (workspace.folder / "commands.log").read_text())
    assert len(minutes) == sum(line.startswith("train") for line in workspace.commands)
    assert all(int(runtime) >= 10 for runtime in minutes)
    labelled = {line.split()[2] for line in workspace.commands if line.startswith("predict")}
    assert not any("students2" in path or "metal/students" in path for path in labelled)

    for command in workspace.commands:
        verb, *words = command.removeprefix("evaluate ").split()
        verbs = typer.main.get_command(app).commands
        if command.startswith("evaluate "):
            verbs = verbs["evaluate"].commands
        verbs[verb].make_context(verb, words)


def test_failed_job_leaves_nothing_and_says_why(workspace):
    verb = workspace.folder / "bin" / "mlipkd"
    verb.write_text("#!/bin/sh\necho 'dataset.h5: the reason'\nexit 2\n")
    done = workspace.snakemake("--profile", str(ROOT / "workflow/profiles/local"))
    assert done.returncode != 0
    assert "dataset.h5: the reason" in done.stdout + done.stderr
    assert not list(workspace.folder.glob("results/*/dataset.h5"))


def test_configfile_replaces_the_default_campaign(workspace):
    other = workspace.config
    del other["datasets"]["water"]
    (workspace.folder / "other.yaml").write_text(yaml.safe_dump(other))
    planned = workspace.planned("--configfile", "other.yaml")
    assert "metal/dataset.h5" in planned
    assert not any(path.startswith("water") for path in planned)


def test_lint(workspace):
    done = workspace.snakemake("--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_slurm_profile_plans_from_a_fresh_clone(workspace):
    shutil.copy(ROOT / "Snakefile", workspace.folder)
    shutil.copytree(ROOT / "workflow", workspace.folder / "workflow")
    shutil.copytree(ROOT / "slurm", workspace.folder / "slurm", symlinks=True)
    done = workspace.snakemake("--snakefile", "Snakefile", "--profile", "slurm", "--dry-run")
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    train = text[text.index("rule train:") :]
    assert "gpu=1" in train[: train.index("\n[")]


def test_conda_is_asked_for_one_environment(workspace):
    """A dry run with a stand-in for conda: which environment it would have to make."""
    conda = workspace.folder / "bin/conda"
    conda.write_text("""#!/bin/sh
case "$1" in
    info) echo '{"conda_prefix": "/conda", "root_prefix": "/conda", "platform": "linux-64"}' ;;
    --version) echo conda 24.9.2 ;;
    config) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
""")
    conda.chmod(0o755)
    (workspace.folder / "profile").mkdir()
    profile = (ROOT / "slurm/config.yaml").read_text() + "software-deployment-method: conda\n"
    (workspace.folder / "profile/config.yaml").write_text(profile)
    done = workspace.snakemake("--profile", "profile", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    made = [line for line in (done.stdout + done.stderr).splitlines() if "will be created" in line]
    (line,) = made
    assert line.endswith("envs/mlipkd.yaml will be created.")


def test_environments_are_made_of_the_checkout(workspace):
    """Wherever the campaign runs; with stand-ins for conda and for the environment's Python."""
    scripts = {
        "activate": "",
        "conda": """#!/bin/bash
case "$*" in
    "info --json") echo '{"conda_prefix": "$CONDA", "root_prefix": "$CONDA",
                          "platform": "linux-64"}' ;;
    --version) echo conda 24.9.2 ;;
    *create*) prefix=$(grep -oE -- '--prefix [^ ]+' <<< "$*" | cut -d ' ' -f 2 | tr -d '"')
              mkdir -p "$prefix/conda-meta" && touch "$prefix/conda-meta/history" ;;
    config*) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
""".replace("$CONDA", str(workspace.folder)),
        "python": f"#!/bin/sh\necho $PWD $* >> {workspace.folder}/installed\n",
    }
    for name, text in scripts.items():
        (workspace.folder / "bin" / name).write_text(text)
        (workspace.folder / "bin" / name).chmod(0o755)
    words = "--software-deployment-method", "conda", "--conda-create-envs-only"
    done = workspace.snakemake("--cores", "1", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = (workspace.folder / "installed").read_text().splitlines()
    assert len(installed) == 2
    assert all(line.startswith(f"{ROOT} -m pip install --constraint envs/") for line in installed)


def test_several_members_can_share_a_job(workspace):
    """The block that the SLURM profile offers as a comment."""
    text = (ROOT / "workflow/profiles/slurm/config.yaml").read_text()
    block = text[text.index("# groups:") :].replace("\n# ", "\n").removeprefix("# ")
    profile = workspace.folder / "grouping" / "config.yaml"
    profile.parent.mkdir()
    profile.write_text(text + "\n" + block)
    done = workspace.snakemake("--dry-run", "--profile", "grouping")
    assert done.returncode == 0, done.stderr
    groups = (done.stdout + done.stderr).split(" Group job ")[1:]
    assert sorted((g.split()[0], g.count("    rule train:")) for g in groups) == [
        ("metal+controls", 4),
        ("metal+students", 4),
        ("metal+teachers", 2),
        ("water+students", 2),
        ("water+students2", 1),
        ("water+teachers", 2),
    ]


def _files(workspace, folder: str) -> list[Path]:
    return [path for path in (workspace.folder / folder).rglob("*") if path.is_file()]


def test_seeds_that_train_together_are_one_job(workspace):
    config = workspace.folder / "config.yaml"
    campaign = yaml.safe_load(config.read_text())
    campaign["datasets"]["water"]["families"]["students"]["together"] = True
    config.write_text(yaml.safe_dump(campaign))
    done = workspace.snakemake("--cores", "2")
    assert done.returncode == 0, done.stderr
    students = f"results/water/students/{MODEL}"
    trained = [line for line in workspace.commands if f"--output {students}/" in line]
    assert [line for line in trained if line.startswith("train")] == [
        f"train --dataset results/water/teachers/{MODEL}/augmented.h5"
        f" --settings {students}/seed0/settings.yaml --output {students}/seed0/model.safetensors"
        f" --history {students}/seed0/history.jsonl"
        f" --settings {students}/seed1/settings.yaml --output {students}/seed1/model.safetensors"
        f" --history {students}/seed1/history.jsonl --threads 2 --device auto"
    ]
    assert workspace.planned() == set()


def test_a_profile_treats_seeds_together_as_training(workspace):
    config = workspace.config
    config["datasets"]["metal"]["families"]["students"]["together"] = True
    workspace.config = config
    profile = {
        "cores": 8,
        "set-threads": {"train": 3},
        "set-resources": {"train": {"gpu": 0, "slurm_partition": "slow"}},
    }
    (workspace.folder / "profile").mkdir()
    (workspace.folder / "profile/config.yaml").write_text(yaml.safe_dump(profile))
    words = "--dry-run", "--profile", "profile", "--executor", "slurm", "--jobs", "9"
    done = workspace.snakemake(*words)
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    job = text[text.index(f"rule train_metal_students_{MODEL}:\n") :]
    asked = job[: job.index("\n[")]
    assert "threads: 3" in asked and "gpu=0" in asked and "slurm_partition=slow" in asked


def test_a_download_is_fetched_and_then_read(workspace):
    config = workspace.config
    pinned = {"url": "https://example.org/a.h5?x=1&y=2", "sha256": "0" * 64}
    config["downloads"] = {"a.h5": pinned}
    source = {"reader": "comp6", "files": ["downloads/a.h5"]}
    config["datasets"]["water"]["source"] = source
    workspace.config = config
    done = workspace.snakemake("--cores", "2", "results/water/dataset.h5")
    assert done.returncode == 0, done.stderr
    (fetched,) = [line for line in workspace.commands if line.startswith("fetch")]
    assert fetched.split() == [
        *("fetch", "--url", pinned["url"], "--sha256", pinned["sha256"]),
        *("--output", "downloads/a.h5"),
    ]


def test_a_calculator_teaches_and_is_evaluated_but_not_trained(workspace):
    campaign = workspace.config
    oracle = {"calculator": {"type": "ase.calculators.emt:EMT", "options": {"asap_cutoff": True}}}
    del campaign["datasets"]["metal"], campaign["datasets"]["water"]["families"]["students2"]
    campaign["datasets"]["water"]["families"]["teachers"] = oracle
    campaign["datasets"]["water"]["evaluations"]["cost"] = {}
    workspace.config = campaign
    done = workspace.snakemake("--cores", "2")
    assert done.returncode == 0, done.stderr
    settings = "results/water/teachers/calculator/seed0/settings.yaml"
    assert yaml.safe_load((workspace.folder / settings).read_text()) == {
        "dataset": "water",
        "family": "teachers",
        **oracle,
    }
    teachers, students = "results/water/teachers/calculator", f"results/water/students/{MODEL}"
    assert {
        f"predict --model {settings} --dataset results/water/dataset.h5"
        f" --output {teachers}/seed0/predictions.h5 --threads 2 --device auto",
        f"merge --dataset results/water/dataset.h5 --output {teachers}/augmented.h5"
        f" --manifest {teachers}/manifest.json {teachers}/seed0/predictions.h5",
        f"evaluate errors --dataset results/water/dataset.h5 --output {teachers}/errors.csv"
        f" --threads 2 --device auto {settings}",
        "evaluate comp6 --settings results/water/comp6.settings.yaml"
        f" --output {teachers}/comp6.csv --threads 2 --device auto {settings}",
    } <= set(workspace.commands)
    trained = [line for line in workspace.commands if line.startswith("train")]
    assert not any("teachers/calculator/seed0/model" in line for line in trained)
    first = next(line for line in trained if f"{students}/seed1" in line)
    assert f"--dataset {teachers}/augmented.h5" in first
    (cost,) = (line for line in workspace.commands if line.startswith("evaluate cost"))
    assert "teachers" not in cost
    assert workspace.planned() == set()

    campaign["datasets"]["water"]["families"]["teachers"] = {
        "calculator": oracle["calculator"] | {"options": {}}
    }
    workspace.config = campaign
    planned = workspace.planned()
    assert "water/teachers/calculator/seed0/predictions.h5" in planned
    assert f"water/students/{MODEL}/seed0/model.safetensors" in planned
    assert "water/dataset.h5" not in planned


def test_a_dataset_of_calculators_alone_has_no_cost(workspace):
    campaign = workspace.config
    oracle = {"calculator": {"type": "ase.calculators.emt:EMT"}}
    campaign["datasets"]["metal"]["families"] = {"oracle": oracle}
    workspace.config = campaign
    planned = workspace.planned()
    assert "metal/oracle/calculator/errors.csv" in planned
    assert "metal/cost.csv" not in planned


def test_each_student_learns_from_the_teacher_of_its_seed(workspace):
    campaign = workspace.config
    campaign["datasets"]["water"]["families"]["students"]["supervision"] = "single"
    workspace.config = campaign
    done = workspace.snakemake("--cores", "2")
    assert done.returncode == 0, done.stderr
    teachers, students = f"results/water/teachers/{MODEL}", f"results/water/students/{MODEL}"
    for seed in (0, 1):
        merged = f"{teachers}/seed{seed}/augmented.h5"
        assert (
            f"merge --dataset results/water/dataset.h5 --output {merged}"
            f" --manifest {teachers}/seed{seed}/manifest.json {teachers}/seed{seed}/predictions.h5"
        ) in workspace.commands
        (trained,) = (
            line for line in workspace.commands if f"{students}/seed{seed}/history.jsonl" in line
        )
        assert f"--dataset {merged} " in trained
    assert not any(f"--output {teachers}/augmented.h5" in line for line in workspace.commands)
    assert workspace.planned() == set()


def test_those_label_with_hessians_whom_somebody_learns_them_from(workspace):
    campaign = workspace.config
    term = {"quantity": "hvp", "labels": "teacher", "weight": 1, "probes": {"kind": "one_hot"}}
    campaign["recipes"]["first"]["loss"].append(term)
    workspace.config = campaign
    shown = workspace.snakemake("--cores", "2", "--dry-run", "--printshellcmds")
    assert shown.returncode == 0, shown.stderr
    commands = [line for line in shown.stdout.splitlines() if "mlipkd predict" in line]
    labelled = {"--hessians" in line for line in commands if "water/teachers" in line}
    others = {"--hessians" in line for line in commands if "water/students" in line}
    assert (labelled, others) == ({True}, {False})
