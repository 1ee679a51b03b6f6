"""What providers offer: read from many forms, completed from the catalog, frozen at one moment."""
