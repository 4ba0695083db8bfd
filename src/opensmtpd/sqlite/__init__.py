"""What table-sqlite knows of its configuration file and of the database."""
