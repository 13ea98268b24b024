import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isHeredoc } from './heredoc.ts'
import { quote } from './go-text.ts'
import { parseInstructions } from './instructions.ts'
import { parseDockerfile, type Node } from './parse.ts'

/** BuildKit's cases, which are not part of the project. */
const cases = join(import.meta.dirname, '../../../../../shared/data/dockerfile')

/** BuildKit's dump of its syntax tree. */
function dump(node: Node): string {
  const flags = node.flags.length > 0 ? ` [${node.flags.map(quote).join(' ')}]` : ''
  if (node.trigger !== undefined) return `(${node.keyword.toLowerCase()}${flags} (${dump(node.trigger)}))`.replace('((', '(').replace(/\)\)\)$/, '))')
  const unknown = !known.has(node.keyword.toLowerCase()) ? ' ""' : ''
  return `(${node.keyword.toLowerCase()}${flags}${unknown}${node.args.map((arg) => ` ${quote(arg)}`).join('')})`
}

const known = new Set('add arg cmd copy entrypoint env expose from healthcheck label maintainer onbuild run shell stopsignal user volume workdir'.split(' '))

test("agrees with BuildKit's cases", (t) => {
  if (!existsSync(cases)) return t.skip('no cases of BuildKit beside the checkout')
  const names = readdirSync(join(cases, 'parser-cases'))
  assert.ok(names.length > 20)
  for (const name of names) {
    const directory = join(cases, 'parser-cases', name)
    const { nodes } = parseDockerfile(readFileSync(join(directory, 'Dockerfile'), 'utf8'))
    assert.equal(nodes.map(dump).join('\n'), readFileSync(join(directory, 'result'), 'utf8').trim(), name)
  }
})

test("refuses what BuildKit's parser refuses", (t) => {
  if (!existsSync(cases)) return t.skip('no cases of BuildKit beside the checkout')
  for (const name of readdirSync(join(cases, 'parser-cases-negative'))) {
    const text = readFileSync(join(cases, 'parser-cases-negative', name, 'Dockerfile'), 'utf8')
    assert.throws(() => parseInstructions(parseDockerfile(text)), { code: 'invalid-argument' }, name)
  }
})

function args(text: string): readonly string[] {
  return parseDockerfile(text).nodes[0]?.args ?? []
}

describe('lines', () => {
  test('continue at the escape character, past comments and empty lines', () => {
    const file = parseDockerfile('FROM a\nRUN one \\\n  # comment\n\n  two\\\n\\\nthree \\  \nfour \\\\\nRUN five')
    assert.deepEqual(file.nodes.map((node) => node.original), ['FROM a', 'RUN one   twothree four \\\\', 'RUN five'])
    assert.deepEqual(file.nodes.map((node) => [node.startLine, node.endLine]), [[1, 1], [2, 8], [9, 9]])
    assert.deepEqual(file.warnings, ['Empty continuation line found in: RUN one   twothree four \\\\'])
  })

  test('may end with CR LF, begin with a byte order mark, and lack an end', () => {
    const file = parseDockerfile('\ufeffFROM a\r\nRUN one \\\r\n two\r\nCMD x')
    assert.deepEqual(file.nodes.map((node) => node.original), ['FROM a', 'RUN one  two', 'CMD x'])
  })

  test('are at most 64 KiB long', () => {
    assert.throws(() => parseDockerfile(`FROM a\nRUN ${'x'.repeat(65536)}\n`), { message: 'dockerfile line greater than max allowed size of 65535' })
    assert.equal(parseDockerfile(`FROM a\nRUN ${'x'.repeat(65531)}\n`).nodes.length, 2)
  })

  test('are read in time that grows with their length only', () => {
    const blanks = ' '.repeat(65_000)
    const started = performance.now()
    for (const text of [`# a=${blanks}x`, `# escape=${blanks}x`, `RUN a${blanks}b\\`, `RUN a${'\r'.repeat(65_000)}b`, `RUN <<${blanks}<`, `ENV a${blanks}=`, `RUN ${'${a:-'.repeat(10_000)}`, `ENV ${blanks}"`]) {
      try {
        parseDockerfile(`${text}\nFROM a`)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'invalid-argument')
      }
    }
    assert.ok(performance.now() - started < 2000)
  })

  test('are nothing but comments', () => {
    for (const text of ['', '\n\n', '# a\n# b']) assert.throws(() => parseDockerfile(text), { message: 'file with no instructions' })
  })
})

describe('directives', () => {
  test('set the escape character', () => {
    const file = parseDockerfile('# escape=`\n# syntax=docker/dockerfile:1\nFROM a\nRUN dir C:\\ `\n b')
    assert.equal(file.escape, '`')
    assert.equal(file.nodes[1]?.original, 'RUN dir C:\\  b')
  })

  test('come first, once, and are valid', () => {
    assert.equal(parseDockerfile('# comment\n# escape=`\nFROM a').escape, '\\')
    assert.equal(parseDockerfile('\n# escape=`\nFROM a').escape, '\\')
    assert.throws(() => parseDockerfile('# escape=`\n#escape = \\\nFROM a'), { message: 'only one escape parser directive can be used' })
    assert.throws(() => parseDockerfile('# escape=x\nFROM a'), { message: "invalid escape token 'x' does not match ` or \\" })
  })
})

describe('arguments', () => {
  test('of ENV keep their quotes and know their form', () => {
    assert.deepEqual(args('ENV a=b "c d"="e f" g=h\\ i j=\'k l\''), ['a', 'b', '=', '"c d"', '"e f"', '=', 'g', 'h\\ i', '=', 'j', "'k l'", '='])
    assert.deepEqual(args('ENV a  b  c=d'), ['a', 'b  c=d', ''])
    assert.throws(() => args('ENV a'), { message: 'ENV must have two arguments' })
    assert.throws(() => args('LABEL a=b c'), { message: `Syntax error - can't find = in "c". Must be of the form: name=value` })
  })

  test('in JSON are strings', () => {
    assert.deepEqual(args('CMD [ "a", "b\\u00e9" ]'), ['a', 'bé'])
    assert.deepEqual(args("CMD ['a']"), ["['a']"])
    assert.throws(() => args('CMD ["a", 1]'), { message: 'when using JSON array syntax, arrays must be comprised of strings only' })
  })

  test('come after the flags', () => {
    const [node] = parseDockerfile('COPY --from="a b" --chown=x\\ y -- --z /d').nodes
    assert.deepEqual(node?.flags, ['--from=a b', '--chown=x y'])
    assert.deepEqual(node?.args, ['--z', '/d'])
  })
})

describe('here-documents', () => {
  test('are read to their word', () => {
    const file = parseDockerfile('FROM a\nRUN <<EOF\necho $x\n# no comment\n\\\nEOF\nCOPY <<"one" <<-two /d/\n1\none\n\t\t2\n\ttwo\nCMD x')
    assert.deepEqual(file.nodes.map((node) => node.keyword), ['FROM', 'RUN', 'COPY', 'CMD'])
    assert.deepEqual(file.nodes[1]?.heredocs, [{ name: 'EOF', expand: true, chomp: false, fileDescriptor: 0, content: 'echo $x\n# no comment\n\\\n' }])
    assert.deepEqual(file.nodes[2]?.heredocs.map(({ name, expand, chomp, content }) => ({ name, expand, chomp, content })), [
      { name: 'one', expand: false, chomp: false, content: '1\n' },
      { name: 'two', expand: true, chomp: true, content: '\t\t2\n' },
    ])
    assert.deepEqual([file.nodes[2]?.startLine, file.nodes[2]?.endLine], [7, 11])
  })

  test('belong to RUN, COPY, ADD and to these in ONBUILD', () => {
    assert.equal(parseDockerfile('ONBUILD RUN <<E\nx\nE\n').nodes[0]?.heredocs[0]?.content, 'x\n')
    assert.equal(parseDockerfile('CMD <<E\nRUN x\n').nodes.length, 2)
    assert.equal(parseDockerfile('RUN ["<<E"]\nRUN x').nodes.length, 2)
  })

  test('must end', () => {
    assert.throws(() => parseDockerfile('RUN <<EOF\nx'), { message: 'unterminated heredoc' })
  })

  test('are told from other words', () => {
    for (const word of ['<<EOF', '<<-EOF', '3<<EOF', "<<'E F'", '<<"EOF"', '<<$EOF', '<< EOF']) assert.ok(isHeredoc(word), word)
    for (const word of ['<<', '<EOF', '<<<EOF', '<<E F', 'a<<EOF', '<<-']) assert.ok(!isHeredoc(word), word)
  })
})
