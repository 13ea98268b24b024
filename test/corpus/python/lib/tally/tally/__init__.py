import sys
from collections import Counter


def count(text):
    return sorted(Counter(text.lower().split()).items(), key=lambda item: (-item[1], item[0]))


def main():
    print(count(" ".join(sys.argv[1:])))
