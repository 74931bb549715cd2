"""Stand-ins for GitHub, Stripe and mail on loopback, with a virtual clock."""
