"""One file per warehouse: its DIALECT, and its calls."""
