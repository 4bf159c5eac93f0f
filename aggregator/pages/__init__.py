"""What people see in a browser: a module per page; each asks the functions of ``api`` and holds no rules of its own."""
