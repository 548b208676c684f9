"""The command line: verbs, which parse options and call one function each."""
