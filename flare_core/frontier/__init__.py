"""Every sensible compromise between the terms of one intent, instead of one: the Pareto front."""
