"""The levels of the objective: what is optimised first, and every tie after it."""
