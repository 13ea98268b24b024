#ifndef PARSE_H
#define PARSE_H

/* Evaluates an expression of + - * / and parentheses. Returns 0 and sets *end to where it stopped when it is none. */
int evaluate(const char *text, long *value, const char **end);

#endif
