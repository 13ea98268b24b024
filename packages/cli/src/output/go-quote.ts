const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '"': '\\"', '\\': '\\\\',
}

/** Go's strconv.Quote: in double quotes, what cannot be printed escaped. */
export function goQuote(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  return `"${text.replace(/["\\\u0000-\u001f\u007f\u0080-\u00a0\u00ad\ufeff\u2028\u2029]/g, (char) => escapes[char] ?? escaped(char))}"`
}

function escaped(char: string): string {
  const code = char.charCodeAt(0)
  return code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}
