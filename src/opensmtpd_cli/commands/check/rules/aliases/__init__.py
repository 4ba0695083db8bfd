"""What becomes of mail for aliases and users."""
