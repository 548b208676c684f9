# Dynamics of all atoms, of which coarse-grained datasets are made.


rule simulation:
    input:
        settings=SIMULATION.settings,
        files=lambda w: campaign.simulations[w.simulation].files,
    output:
        topology=SIMULATION.topology,
        trajectory=SIMULATION.trajectory,
    log:
        SIMULATION.log("simulation"),
    benchmark:
        SIMULATION.benchmark("simulation")
    conda:
        "../../envs/gromacs.yaml"
    threads: 8
    resources:
        mem_mb=rising(4000),
        runtime=rising(1440),
    shell:
        "mlipkd simulate --settings {input.settings:q} --topology {output.topology:q}"
        " --output {output.trajectory:q} --runtime {resources.runtime} --threads {threads}"
        " > {log:q} 2>&1"
