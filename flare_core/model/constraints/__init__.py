"""What couples the tasks of one intent, or several intents."""
