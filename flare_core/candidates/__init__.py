"""Which offers could serve an intent."""
