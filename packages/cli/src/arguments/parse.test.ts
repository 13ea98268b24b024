import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { list, onOff, text, value } from './flag.ts'
import { FlagError, HelpWanted, parseFlags } from './parse.ts'
import { readBytes, readInteger } from './sizes.ts'

const flags = {
  interactive: onOff('', { short: 'i' }),
  tty: onOff('', { short: 't' }),
  proxy: onOff('', { initial: true }),
  name: text('', { short: 'n' }),
  env: list('', { short: 'e' }),
  publish: list('', { short: 'p' }),
  memory: value(readBytes, '', { short: 'm' }),
  count: value(readInteger, '', {}),
}

const parse = (...words: string[]) => parseFlags(words, flags)
const message = (words: string[]): string => {
  try {
    parseFlags(words, flags)
  } catch (error) {
    assert.ok(error instanceof FlagError)
    return error.message
  }
  return assert.fail('no error')
}

describe('parseFlags', () => {
  it('reads long and short forms, joined or apart', () => {
    for (const words of [['--name', 'a'], ['--name=a'], ['-n', 'a'], ['-na'], ['-n=a']]) assert.equal(parse(...words).flags.name, 'a', words.join(' '))
    assert.deepEqual(parse('-p80:80', '-eA=1', '--env', 'B').flags.publish, ['80:80'])
    assert.deepEqual(parse('-p80:80', '-eA=1', '--env', 'B').flags.env, ['A=1', 'B'])
  })

  it('takes several switches in one word, the last with a value', () => {
    const { flags: given } = parse('-itn', 'x')
    assert.deepEqual([given.interactive, given.tty, given.name], [true, true, 'x'])
  })

  it('switches on and off by value', () => {
    assert.equal(parse('--proxy=false').flags.proxy, false)
    assert.equal(parse('-i=0').flags.interactive, false)
    assert.equal(parse().flags.proxy, true)
  })

  it('keeps flags and arguments apart, up to --', () => {
    const { args, flags: given } = parse('a', '-i', 'b', '--', '-t', 'c')
    assert.deepEqual(args, ['a', 'b', '-t', 'c'])
    assert.deepEqual([given.interactive, given.tty], [true, false])
  })

  it('leaves a command line behind the first argument alone', () => {
    assert.deepEqual(parseFlags(['-i', 'image', '-t', '--', 'x'], flags, false).args, ['image', '-t', '--', 'x'])
  })

  it('takes what looks like a flag as the value that a flag needs', () => {
    assert.equal(parse('--name', '-i').flags.name, '-i')
    assert.equal(parse('-').args[0], '-')
    assert.equal(parse('--name=').flags.name, '')
  })

  it('knows which flags were given', () => {
    assert.ok(parse('--proxy').given('proxy'))
    assert.ok(!parse().given('proxy'))
  })

  it("says what is wrong in pflag's words", () => {
    assert.equal(message(['--nope']), 'unknown flag: --nope')
    assert.equal(message(['-itz']), "unknown shorthand flag: 'z' in -z")
    assert.equal(message(['--name']), 'flag needs an argument: --name')
    assert.equal(message(['-in']), "flag needs an argument: 'n' in -in")
    assert.equal(message(['--=x']), 'bad flag syntax: --=x')
    assert.equal(message(['-m', 'abc']), 'invalid argument "abc" for "-m, --memory" flag: invalid size: \'abc\'')
    assert.equal(message(['--count=x']), 'invalid argument "x" for "--count" flag: strconv.ParseInt: parsing "x": invalid syntax')
    assert.equal(message(['-i=maybe']), 'invalid argument "maybe" for "-i, --interactive" flag: strconv.ParseBool: parsing "maybe": invalid syntax')
  })

  it('asks for help, unless -h means something else', () => {
    assert.throws(() => parse('--help'), HelpWanted)
    assert.throws(() => parse('-h'), HelpWanted)
    assert.equal(parseFlags(['-h', 'x'], { hostname: text('', { short: 'h' }) }).flags.hostname, 'x')
  })

  it('does not take names of Object.prototype for flags', () => {
    assert.equal(message(['--constructor']), 'unknown flag: --constructor')
    assert.equal(message(['--toString']), 'unknown flag: --toString')
  })
})
