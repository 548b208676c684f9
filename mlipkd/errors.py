"""The one error a user is meant to read."""


class InputError(Exception):
    """Something the user gave cannot be used: a file, a configuration, a setting.

    The message is one line: where it is, what was wanted, what came, and the remedy. Every verb of
    the command line prints it without a traceback and exits with status 2.
    """
