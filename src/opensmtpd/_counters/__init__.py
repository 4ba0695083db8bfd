"""What the programs count for filter-metrics: names, numbers, and the file that holds them."""
