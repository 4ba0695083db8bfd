"""The configuration file of table-sqlite, and its database."""
