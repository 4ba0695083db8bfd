"""Rules about the fields of a header: what they match, and what is done with them."""
