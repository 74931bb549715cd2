"""Stand-ins for the services Tallyhook talks to, with a clock that can be moved.

Nothing in here imports the product: the product is driven over loopback sockets exactly as it would be by the real
services.
"""
