"""Where FLARE meets the world outside: files, the clock and terminals, which the core never touches."""
