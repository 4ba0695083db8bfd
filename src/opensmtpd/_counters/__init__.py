"""Counts of the programs for filter-metrics: names, numbers, and the file that holds them."""
