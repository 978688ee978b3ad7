"""How fast the tap is: `make bench`.

Programs of their own, no part of the package: a server of ready-made answers, a plain
singer-sdk tap to compare with, and the cases that run one beside the other.
"""
