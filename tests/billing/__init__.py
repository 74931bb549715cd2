"""The domain's tests: a named one for each rule, and properties over any history."""
