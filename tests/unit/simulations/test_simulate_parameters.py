"""Run parameters: the stages, their lengths, and what GROMACS counts them in."""

from mlipkd.simulations.simulate import mdp, stages


def test_stages_of_a_simulation(simulation) -> None:
    assert list(stages(simulation())) == ["minimisation", "equilibration", "sampling"]
    hot = simulation(annealing={"temperature": 500, "duration": 20}, seed=7)
    found = stages(hot)
    assert list(found) == ["minimisation", "annealing", "equilibration", "sampling"]
    assert [found[name].get("ref-t") for name in found] == [None, 500, 298.1, 298.1]
    assert [found[name].get("gen-temp") for name in found] == [None, 500, 298.1, None]


def test_no_seed_is_one_that_gromacs_takes_for_a_random_one(simulation) -> None:
    for seed in (0, 7):
        hot = simulation(annealing={"temperature": 500, "duration": 20}, seed=seed)
        for stage in ("annealing", "equilibration"):
            assert stages(hot)[stage]["gen-seed"] == seed + 1
        assert stages(hot)["annealing"]["ld-seed"] == seed + 1


def test_times_and_frames(simulation) -> None:
    found = stages(simulation(timestep=1, equilibration=50, sampling=10, frame_every=0.25))
    assert found["equilibration"]["nsteps"] == 50_000
    assert found["equilibration"]["dt"] == 0.001
    sampling = found["sampling"]
    assert (sampling["nsteps"], sampling["nstxout"], sampling["nstfout"]) == (10_000, 250, 250)
    assert "nstxout" not in found["equilibration"]


def test_the_last_frame_is_a_frame(simulation) -> None:
    """Where the sampling is no multiple of the time between frames."""
    sampling = stages(simulation(sampling=1, frame_every=0.3))["sampling"]
    assert sampling["nsteps"] % sampling["nstxout"] == 0
    assert sampling["nsteps"] == 450


def test_lengths_are_in_nm(simulation) -> None:
    lines = mdp(stages(simulation())["minimisation"]).splitlines()
    assert "rcoulomb = 1.2" in lines
    assert "rvdw = 1.2" in lines
    assert "include = -Iforcefield" in lines
