"""Follow mail for aliases and users to its end."""
