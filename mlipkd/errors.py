"""The errors that a user is meant to read."""


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
