"""Where tasks go: packings, the one order among them, and the public plan."""
