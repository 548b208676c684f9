// What a build was compiled from, for library.py to compare: setup.py defines SOURCES.

extern "C" const char *sources() { return SOURCES; }
