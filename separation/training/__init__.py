"""Training runs that others can repeat: configuration, data, mixing, loop."""
