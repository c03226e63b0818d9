"""Webs of Python objects as JSON, and back: for models that learn row by row and have no file format of their own.

A pickle is a program: reading it runs whatever it names. This is data: reading it makes objects of the classes that a
`Vocabulary` allows, fills their attributes, and does nothing else. The rest is as a pickle would have it: what was shared is
shared again, circles stay circles, every bit of a number survives, so that a restored model goes on learning as if nothing
had happened. The same objects give the same bytes.

`{"format": …, "root": value, "nodes": [node, …]}`. A value is null, true, 1, 1.5, "text", or an object with one key:

    n number of a node · c name of a class or function · f nan, inf, -inf · i an integer beyond 64 bits · b bytes, base64
    t tuple · z frozen set · s [dtype, bytes] a NumPy number · u NumPy text

A node is a list that begins with its kind; `writing` and `reading` say side by side what follows it.
"""

FORMAT = "lockgate/objects/v1"
NUMERIC = "biufc"  # kinds of NumPy's dtypes whose bytes are numbers, never references to objects
