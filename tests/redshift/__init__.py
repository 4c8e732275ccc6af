"""What is Redshift's own: lengths, faults, drivers. What all warehouses do is in tests/contract."""
