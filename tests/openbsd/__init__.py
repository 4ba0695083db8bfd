"""OpenBSD's ports tree, as far as our port touches it: no OpenBSD is at hand."""
