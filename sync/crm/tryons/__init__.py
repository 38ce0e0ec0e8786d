"""Try-on meets sale: which sessions were followed by a purchase, and what that says of each product."""
