"""Wi-Fi probe requests from captures and live pipes, pseudonymous from the first moment (PRIVACY rule 10)."""
