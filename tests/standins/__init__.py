"""Local servers that speak the protocols of the services we use, for their own client libraries."""
