"""ONVIF cameras in the network: which are there (WS-Discovery), and the addresses of their streams (SOAP)."""
