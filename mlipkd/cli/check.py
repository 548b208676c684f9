"""``mlipkd check``."""

from mlipkd.cli import source


def check(
    file: source.File,
    reader: source.Reader = None,
    energy: source.Energy = None,
    forces: source.Forces = None,
    energy_key: source.EnergyKey = None,
    forces_key: source.ForcesKey = None,
    stress_key: source.StressKey = None,
    virial_key: source.VirialKey = None,
    energy_unit: source.EnergyUnit = None,
    length_unit: source.LengthUnit = None,
    force_unit: source.ForceUnit = None,
    hessian_unit: source.HessianUnit = None,
    force_sign: source.ForceSign = None,
    group_key: source.GroupKey = None,
) -> None:
    """Say what is in a data file, or in a dataset of mlipkd, and what is wrong with it.

    One line for each fault, and status 2 if there is any.

    Example: mlipkd check frames.extxyz --energy-unit Ha --force-sign -1
    """
    said = dict(locals())
    options = {key: said[key] for key in said.keys() - {"file", "reader"}}

    from mlipkd.datasets import checks
    from mlipkd.datasets.contents import contents
    from mlipkd.datasets.file import read
    from mlipkd.datasets.guess import is_canonical
    from mlipkd.datasets.sources import read_source

    if reader is None and file.is_file() and is_canonical(file):
        dataset = read(file)
        print(f"{file}: dataset {dataset.name!r} of mlipkd {dataset.provenance['mlipkd']}")
    else:
        section = source.section_of(file, reader, options)
        dataset = read_source(file.stem, section)
        print(f"{file}: read as {section.model_dump(exclude={'files'}, exclude_none=True)}")
    report = checks.check(dataset)
    print("\n".join(contents(dataset, report)))
    source.refuse(file, report.faults)
