"""From a problem to a packing and what is proven of it."""
