"""The CP-SAT model: variables, rules and objective terms."""
