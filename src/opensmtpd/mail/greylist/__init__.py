"""Greylisting: the keys under which attempts are known, and the lists of those who are spared."""
