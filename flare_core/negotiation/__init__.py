"""What happens to an intent that cannot be placed as it stands, as far as its ``negotiation`` says."""
