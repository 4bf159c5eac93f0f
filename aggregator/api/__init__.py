"""What programs may ask, as HTTP and JSON: a module per subject, each with the function that pages use as well."""
