#!/usr/bin/env python3
"""Writes assembly that holds a file: symbols broker_plugin_image and broker_plugin_image_size.

Usage: embed.py FILE OUTPUT
"""

import os
import sys

SOURCE = """\
    .section .rodata
    .global broker_plugin_image
    .balign 16
broker_plugin_image:
    .incbin "{path}"
    .global broker_plugin_image_size
    .balign 8
broker_plugin_image_size:
    .quad {size}
    .section .note.GNU-stack, "", %progbits
"""


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: embed.py FILE OUTPUT")
    path = os.path.abspath(sys.argv[1])
    with open(sys.argv[2], "w", encoding="utf-8") as output:
        output.write(SOURCE.format(path=path, size=os.path.getsize(path)))


main()
