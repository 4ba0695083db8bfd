"""A module for each group of programs: what they are asked, and the goals that they have."""
