"""The scenarios, each a function of a `Run`."""
