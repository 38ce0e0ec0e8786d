"""Pages that the box serves to the person who started them: on loopback only, behind a token, gone with the command."""
