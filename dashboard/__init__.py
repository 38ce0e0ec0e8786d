"""The web application: pages and the API behind them."""
