"""Tables whose rows come from SQL: the queries of a configuration, and the meaning of rows."""
