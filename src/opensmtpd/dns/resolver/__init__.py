"""The resolver: asks name servers, shares questions under way, remembers replies."""
