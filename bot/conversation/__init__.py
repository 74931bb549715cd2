"""The conversation on GitHub: answers to what people ask in comments, and the signs that go with them."""
