import os
import pathlib
import sys

from tally import count

verb = sys.argv[1] if len(sys.argv) > 1 else "report"
if verb == "report":
    print("user", os.getuid(), "in", os.getcwd())
    print(pathlib.Path("licence").read_text(), end="")
    print(pathlib.Path("data/seed").read_text(), end="")
    print(count("b a b"))
    pathlib.Path("data/written").write_text("by the container\n")
else:
    sys.exit("unknown: %s" % verb)
