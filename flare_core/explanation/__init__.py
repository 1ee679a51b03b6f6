"""Why an intent is not placed, in the words and codes of the public API."""
