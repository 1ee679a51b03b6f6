"""FLARE: decide where GPU work runs."""
