#include <ctype.h>
#include <stdlib.h>

#include "parse.h"

static const char *at;

static void skip(void) {
  while (isspace((unsigned char)*at)) at++;
}

static int sum(long *value);

static int factor(long *value) {
  skip();
  if (*at == '(') {
    at++;
    if (!sum(value)) return 0;
    skip();
    if (*at != ')') return 0;
    at++;
    return 1;
  }
  char *after;
  if (!isdigit((unsigned char)*at)) return 0;
  *value = strtol(at, &after, 10);
  at = after;
  return 1;
}

static int product(long *value) {
  if (!factor(value)) return 0;
  for (skip(); *at == '*' || *at == '/'; skip()) {
    char operator= *at++;
    long right;
    if (!factor(&right)) return 0;
    if (operator== '/' && right == 0) return 0;
    *value = operator== '*' ? *value * right : *value / right;
  }
  return 1;
}

static int sum(long *value) {
  if (!product(value)) return 0;
  for (skip(); *at == '+' || *at == '-'; skip()) {
    char operator= *at++;
    long right;
    if (!product(&right)) return 0;
    *value = operator== '+' ? *value + right : *value - right;
  }
  return 1;
}

int evaluate(const char *text, long *value, const char **end) {
  at = text;
  int done = sum(value);
  skip();
  *end = at;
  return done && *at == '\0';
}
