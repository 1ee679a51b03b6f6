"""What an intent means, in base units."""
