"""The API of the CRM: one module per noun, every route with the permission that it needs."""
