"""``python -m mlipkd`` is ``mlipkd``."""

from mlipkd.cli.main import main

main()
