"""The SQLite database that the commands make and edit: its schema and its rows."""
