"""Curvature of molecules with Hessians, asked of every member."""

MODEL = "n1-l0-a1-w4-s2"


def test_curvature_is_asked_of_every_model_and_drawn(workspace):
    campaign = workspace.config
    molecules = campaign["datasets"]["water"]
    molecules["source"] = {"reader": "reactions"}
    molecules["split"] = {"held_out": ["far"]}
    molecules["evaluations"] = {"curvature": {}}
    campaign["datasets"] = {"molecules": molecules}
    workspace.config = campaign
    assert workspace.snakemake("--cores", "2").returncode == 0
    last = f"results/molecules/students2/{MODEL}"
    assert {
        "evaluate curvature --settings results/molecules/curvature.settings.yaml"
        f" --dataset results/molecules/dataset.h5 --output {last}/curvature.csv --threads 2"
        f" --device auto {last}/seed0/model.safetensors",
        "figure --kind curvature --dataset molecules"
        " --family teachers --family students --family students2"
        " --output results/figures/molecules/curvature.svg results/tables/curvature.csv",
    } <= set(workspace.commands)
    (summary,) = (line for line in workspace.commands if line.startswith("summary"))
    assert "tables/curvature.csv" in summary
