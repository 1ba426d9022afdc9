// A precompiled header needs a file to be built for.
