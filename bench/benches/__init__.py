"""The benches, one a module; see `bench.__main__`."""
