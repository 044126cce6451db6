//! What ran, on what, with what result: the manifest of a run, version 1.
