"""What a request costs: our application beside a bare Flask app on the raw driver.

Not tests: nothing here fails because of a value.
"""
