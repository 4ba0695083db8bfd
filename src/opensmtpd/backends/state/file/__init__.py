"""State in an SQLite database, which no other program writes."""
