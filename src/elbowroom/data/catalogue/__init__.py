"""The built-in data sets as literal tables, one a domain, and how their files become rows."""
