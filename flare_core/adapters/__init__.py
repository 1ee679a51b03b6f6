"""Where FLARE meets the world outside: what an adapter reads (files, the clock, a terminal) the core never does."""
