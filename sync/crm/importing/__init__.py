"""Files of customers, products and purchases: read as a stream, mapped, checked row by row, taken in exactly once."""
