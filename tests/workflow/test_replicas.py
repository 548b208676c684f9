"""Replicas by members and by ensembles that others learn from, and what is taken from them."""

MODEL = "n1-l0-a1-w4-s2"


def test_replicas_and_their_distributions(workspace):
    campaign = workspace.config
    campaign["datasets"]["water"]["evaluations"] = {
        "replicas": {"temperature": 300},
        "distributions": {"adf": {"cutoffs": [4.0]}},
    }
    del campaign["datasets"]["metal"]
    workspace.config = campaign
    assert workspace.snakemake("--cores", "2").returncode == 0
    teachers, last = f"results/water/teachers/{MODEL}", f"results/water/students2/{MODEL}"
    members = [f"{teachers}/seed{seed}" for seed in (0, 1)]
    run = (
        "evaluate replicas --settings results/water/replicas.settings.yaml"
        " --dataset results/water/dataset.h5 --trajectory {0}/replicas.h5"
        " --output {0}/replicas.csv --threads 2 --device auto {1}"
    )
    together = " ".join(f"{member}/model.safetensors" for member in members)
    take = "evaluate distributions --settings results/water/distributions.settings.yaml --output "
    assert {
        run.format(members[0], f"{members[0]}/model.safetensors"),
        run.format(f"{teachers}/ensemble", together),
        f"{take}results/water/distributions.csv results/water/dataset.h5",
        f"{take}{teachers}/distributions.csv {members[0]}/replicas.h5 {members[1]}/replicas.h5"
        f" {teachers}/ensemble/replicas.h5",
        f"{take}{last}/distributions.csv {last}/seed0/replicas.h5",
        f"evaluate deviations --distributions {last}/distributions.csv"
        f" --reference results/water/distributions.csv --output {last}/deviations.csv",
        "figure --kind adf --dataset water --family teachers --family students --family students2"
        " --output results/figures/water/adf.svg"
        " results/water/distributions.csv"
        + "".join(
            f" results/water/{family}/{MODEL}/distributions.csv"
            for family in ("teachers", "students", "students2")
        ),
    } <= set(workspace.commands)
    # A single member, and members that nobody learns from, are no ensembles.
    assert f"{last}/ensemble" not in "\n".join(workspace.commands)
    (summary,) = (line for line in workspace.commands if line.startswith("summary"))
    assert "tables/replicas.csv" in summary and "tables/deviations.csv" in summary


def test_distributions_want_replicas(workspace):
    campaign = workspace.config
    campaign["datasets"]["water"]["evaluations"] = {"distributions": {"adf": {"cutoffs": [4.0]}}}
    workspace.config = campaign
    done = workspace.snakemake("--dry-run")
    assert done.returncode != 0
    assert "expected replicas to take them of; add evaluations.replicas" in done.stderr
