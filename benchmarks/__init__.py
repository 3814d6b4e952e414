"""What a document costs: lanes against the raw driver and the peers, and the data files for them.

Nothing here is a test and nothing here is imported by the packages. `README.md` beside this file
says how to run it and how to read the numbers.
"""
