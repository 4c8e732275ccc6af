"""A Dagster code location over `loader`: thin assets, no logic of their own. `definitions` is the place to start."""
