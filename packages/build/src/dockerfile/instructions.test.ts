import assert from 'node:assert/strict'
import { test } from 'node:test'
import { understand } from './understand.ts'
import { parseDuration, showDuration } from './duration.ts'
import { quote } from './go-text.ts'

/** Dockerfiles, and what Docker 28.5 answered. */
const failures: readonly (readonly [string, string])[] = [
  ['\n', 'failed to parse Dockerfile: file with no instructions'],
  ['FROM', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
  ['FROM a b', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
  ['FROM a AS 9x', 'dockerfile parse error on line 1: invalid name for build stage: "9x", name can\'t start with a number or contain symbols'],
  ['FROM scratch AS Aé', 'dockerfile parse error on line 1: invalid name for build stage: "Aé", name can\'t start with a number or contain symbols'],
  ['RUN x', 'no build stage in current context'],
  ['FOO bar', 'dockerfile parse error on line 1: unknown instruction: FOO (did you mean FROM?)'],
  ['COPPY a b', 'dockerfile parse error on line 1: unknown instruction: COPPY (did you mean COPY?)'],
  ['usr x', 'dockerfile parse error on line 1: unknown instruction: usr (did you mean user?)'],
  ['xyz x', 'dockerfile parse error on line 1: unknown instruction: xyz'],
  ['ENV', 'dockerfile parse error on line 1: ENV requires at least one argument'],
  ['ENV A', 'failed to parse Dockerfile: ENV must have two arguments'],
  ['ENV =1', 'dockerfile parse error on line 1: ENV names can not be blank'],
  ['LABEL =1', 'dockerfile parse error on line 1: LABEL names can not be blank'],
  ['COPY a', 'dockerfile parse error on line 1: COPY requires at least two arguments, but only one was provided. Destination could not be determined'],
  ['ADD', 'dockerfile parse error on line 1: ADD requires at least two arguments, but only one was provided. Destination could not be determined'],
  ['COPY --bad=1 a /x', 'dockerfile parse error on line 1: unknown flag: --bad'],
  ['COPY --form=a b c', 'dockerfile parse error on line 1: unknown flag: --form (did you mean from?)'],
  ['COPY --chown a /x', 'dockerfile parse error on line 1: missing a value on flag: --chown'],
  ['COPY --link=x b c', 'dockerfile parse error on line 1: expecting boolean value for flag --link, not: x'],
  ['COPY --link= b c', 'dockerfile parse error on line 1: missing a value on flag: --link'],
  ['COPY a <<EOF\nx\nEOF', 'dockerfile parse error on line 1: COPY cannot accept a heredoc as a destination'],
  ['FROM --platfrom=x a', 'dockerfile parse error on line 1: unknown flag: --platfrom (did you mean platform?)'],
  ['RUN --mnt=x', 'dockerfile parse error on line 1: unknown flag: --mnt (did you mean mount?)'],
  ['RUN <<EOF\necho hi', 'failed to parse Dockerfile: unterminated heredoc'],
  ['RUN ["echo", 1]', 'failed to parse Dockerfile: when using JSON array syntax, arrays must be comprised of strings only'],
  ['ONBUILD', 'dockerfile parse error on line 1: ONBUILD requires at least one argument'],
  ['ONBUILD ONBUILD RUN x', "dockerfile parse error on line 1: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ['ONBUILD FROM x', "dockerfile parse error on line 1: FROM isn't allowed as an ONBUILD trigger"],
  ['WORKDIR', 'dockerfile parse error on line 1: WORKDIR requires exactly one argument'],
  ['USER', 'dockerfile parse error on line 1: USER requires exactly one argument'],
  ['VOLUME', 'dockerfile parse error on line 1: VOLUME requires at least one argument'],
  ['VOLUME [" "]', 'dockerfile parse error on line 1: VOLUME specified can not be an empty string'],
  ['EXPOSE', 'dockerfile parse error on line 1: EXPOSE requires at least one argument'],
  ['STOPSIGNAL', 'dockerfile parse error on line 1: STOPSIGNAL requires exactly one argument'],
  ['MAINTAINER', 'dockerfile parse error on line 1: MAINTAINER requires exactly one argument'],
  ['SHELL /bin/sh', 'dockerfile parse error on line 1: SHELL requires the arguments to be in JSON form'],
  ['SHELL []', 'dockerfile parse error on line 1: SHELL requires at least one argument'],
  ['ARG', 'dockerfile parse error on line 1: ARG requires at least one argument'],
  ['ARG =x', 'dockerfile parse error on line 1: ARG names can not be blank'],
  ['HEALTHCHECK', 'dockerfile parse error on line 1: HEALTHCHECK requires at least one argument'],
  ['HEALTHCHECK NONE x', 'dockerfile parse error on line 1: HEALTHCHECK NONE takes no arguments'],
  ['HEALTHCHECK CMD', 'dockerfile parse error on line 1: Missing command after HEALTHCHECK CMD'],
  ['HEALTHCHECK foo', 'dockerfile parse error on line 1: Unknown type "FOO" in HEALTHCHECK (try CMD)'],
  ['HEALTHCHECK --interval=1us CMD x', 'dockerfile parse error on line 1: Interval "interval" cannot be less than 1ms'],
  ['HEALTHCHECK --interval=-1s CMD x', 'dockerfile parse error on line 1: Interval "interval" cannot be less than 1ms'],
  ['HEALTHCHECK --interval=x CMD x', 'dockerfile parse error on line 1: time: invalid duration "x"'],
  ['HEALTHCHECK --interval=5 CMD x', 'dockerfile parse error on line 1: time: missing unit in duration "5"'],
  ['HEALTHCHECK --interval=1s --interval=2s CMD x', 'dockerfile parse error on line 1: duplicate flag specified: --interval'],
  ['HEALTHCHECK --retries=-1 CMD x', 'dockerfile parse error on line 1: --retries cannot be negative (-1)'],
  ['HEALTHCHECK --retries=x CMD x', 'dockerfile parse error on line 1: strconv.ParseInt: parsing "x": invalid syntax'],
  ['HEALTHCHECK --retries=99999999999 CMD x', 'dockerfile parse error on line 1: strconv.ParseInt: parsing "99999999999": value out of range'],
  ['# escape=x\nFROM a', 'failed to parse Dockerfile: invalid escape token \'x\' does not match ` or \\'],
]

for (const [text, message] of failures) {
  test(JSON.stringify(text), () => assert.throws(() => understand(text), { message, code: 'invalid-argument' }))
}

test('a line number is that of the instruction’s first line', () => {
  assert.throws(() => understand('FROM a\n\nRUN x \\\n y\nUSER\n'), { message: 'dockerfile parse error on line 5: USER requires exactly one argument' })
})

test('health checks', () => {
  const health = (text: string): unknown => {
    const [instruction] = understand(`FROM a\n${text}`).stages[0]?.instructions ?? []
    return instruction?.kind === 'healthcheck' ? instruction.health : undefined
  }
  assert.deepEqual(health('HEALTHCHECK --interval=1.5h3m2s4ms --timeout=0s --start-period=1ms --start-interval=2s --retries=3 cmd a  b'), {
    Test: ['CMD-SHELL', 'a  b'], Interval: 5582004e6, StartPeriod: 1e6, StartInterval: 2e9, Retries: 3,
  })
  assert.deepEqual(health('HEALTHCHECK CMD ["a", "b"]'), { Test: ['CMD', 'a', 'b'] })
  assert.deepEqual(health('HEALTHCHECK none'), { Test: ['NONE'] })
})

test('ONBUILD keeps its trigger with its here-documents', () => {
  const [instruction] = understand('FROM a\nOnBuild  RUN <<E\nx\nE\n').stages[0]?.instructions ?? []
  assert.deepEqual(instruction, { kind: 'onbuild', code: 'OnBuild  RUN <<E', line: 2, expression: 'RUN <<E\nx\nE' })
})

test('durations are read and shown as Go does', () => {
  const durations: readonly (readonly [string, string])[] = [
    ['0', '0s'], ['1ns', '1ns'], ['1500ns', '1.5µs'], ['1100us', '1.1ms'], ['2.5s', '2.5s'], ['90s', '1m30s'], ['60m', '1h0m0s'], ['1h2m3.4s', '1h2m3.4s'], ['-1.5m', '-1m30s'],
  ]
  for (const [text, shown] of durations) assert.equal(showDuration(parseDuration(text)), shown, text)
  for (const text of ['', '-', '.s', '1x', 's', '1', '9999999h']) assert.throws(() => parseDuration(text), /^EngineError: time: /, text)
})

test('text is quoted as Go does', () => {
  assert.equal(quote('a"b\\c\n\t\0\x7fé☃\u00a0\u{1f600}\u{e0001}'), '"a\\"b\\\\c\\n\\t\\x00\\x7fé☃\\u00a0😀\\U000e0001"')
})
