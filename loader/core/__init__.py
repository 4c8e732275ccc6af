"""What decides and transforms: no files, network, clock, environment or randomness."""
