"""One adapter a data set: its rows as the hub has them -> Examples."""
