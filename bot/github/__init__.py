"""The App's client of GitHub's API: who we are, what we may ask and how fast, and what its answers mean."""
