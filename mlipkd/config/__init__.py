"""The sections that a configuration is made of, and reading them: each says what one thing is."""
