"""DMARC (RFC 9989): policies of domains, and the reports about them (RFC 9990)."""
