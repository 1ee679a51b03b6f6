"""How the GPUs of a node are joined, and what that makes of a set of them."""
