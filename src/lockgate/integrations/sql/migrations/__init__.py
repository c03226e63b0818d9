"""How the schema came to be, one revision after the other. History: what is here is never changed after a release."""
