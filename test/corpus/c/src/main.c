#include <stdio.h>
#include <string.h>

#include "parse.h"

static int check(const char *text, long expected) {
  long value = 0;
  const char *end;
  return evaluate(text, &value, &end) && value == expected;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: evaluate EXPRESSION\n"), 2;
  if (strcmp(argv[1], "--self-test") == 0) return check("1+2*3", 7) && check("(1 + 2) * 3", 9) && check("8/2-1", 3) ? 0 : 1;
  long value = 0;
  const char *end;
  if (!evaluate(argv[1], &value, &end)) return fprintf(stderr, "no expression at \"%s\"\n", end), 1;
  printf("%ld\n", value);
  return 0;
}
