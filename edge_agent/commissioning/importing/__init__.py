"""``edge-agent import``: an I/O list as a plant keeps it becomes ``points.csv``, or faults by row and column of the spreadsheet.

Entry points: ``cli.add`` (the command), ``reading.read_list`` (a grid, a mapping and the site to rows, faults and open questions).
A list's way: ``workbook`` or ``csv_grid`` (file to ``grid``) -> ``header`` (which column is what, by ``words``) -> ``rows`` (which
rows are points) -> ``reading`` with ``numbers``, ``addresses``, ``devices`` and ``alarms`` (a plant's words to cells of
``points.csv``) -> ``judge`` (the checks of ``edge-agent check``). What cannot be told is a ``mapping.Question``; answers are kept
in a mapping file, with which the same list is imported without a question.
"""
